import { useEffect, useState } from 'react';
import { LoginForm } from './LoginForm';
import { Payments } from './Payments';
import { client } from './session';

export function App() {
  const [loggedIn, setLoggedIn] = useState<boolean>(); // undefined until it is known
  const [notice, setNotice] = useState('');

  useEffect(() => {
    client.ready().then(setLoggedIn, () => setNotice('The server cannot be reached. Reload the page to try again.'));
  }, []);

  useEffect(() => {
    const lost = (event: Event) => {
      setLoggedIn(false);
      setNotice(`Your session has ended: ${(event as CustomEvent).detail}.`);
    };
    window.addEventListener('session-lost', lost);
    return () => window.removeEventListener('session-lost', lost);
  }, []);

  const show = (loggedIn: boolean, notice = '') => {
    setLoggedIn(loggedIn);
    setNotice(notice);
  };

  return (
    <main>
      <h1>Payments</h1>
      <p role="status">{notice}</p>
      {loggedIn === true && <Payments onLogout={(notice) => show(false, notice)} />}
      {loggedIn === false && <LoginForm onLogin={() => show(true)} />}
    </main>
  );
}
