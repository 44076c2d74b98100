import { useCallback, useEffect, useState } from 'react';
import { api, client } from './session';

export function Payments({ onLogout }: { onLogout: (notice: string) => void }) {
  const [user, setUser] = useState('');
  const [payments, setPayments] = useState<string[]>([]);
  const [error, setError] = useState('');

  // Two requests at once share one refresh. A login that has ended is no error here: the
  // App shows the form by then.
  const load = useCallback(async () => {
    try {
      const [me, list] = await Promise.all([api.get<{ user: string }>('/me'), api.get<string[]>('/payments')]);
      setUser(me.data.user);
      setPayments(list.data);
      setError('');
    } catch {
      setError('The payments cannot be loaded. Try again.');
    }
  }, []);

  useEffect(() => void load(), [load]);

  const logout = () =>
    client.logout().then(
      () => onLogout('You are logged out.'),
      () => onLogout('You are logged out here. The server did not confirm it: log in and out again.'),
    );

  return (
    <section>
      <p>Hello, {user}.</p>
      <ul>{payments.map((payment) => <li key={payment}>{payment}</li>)}</ul>
      <button id="reload" onClick={load}>Reload</button> <button id="logout" onClick={logout}>Log out</button>
      <p role="alert">{error}</p>
    </section>
  );
}
