import { useState, type FormEvent } from 'react';
import { client, url } from './session';

export function LoginForm({ onLogin }: { onLogin: () => void }) {
  const [error, setError] = useState('');

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const body = new URLSearchParams([...new FormData(event.currentTarget)] as [string, string][]);
    try {
      const response = await client.login(url + '/login', { method: 'POST', body });
      if (response.ok) onLogin();
      else setError(response.status === 401 ? 'The user name or the password is wrong.' : 'The server cannot log you in now.');
    } catch {
      setError('The server cannot be reached. Try again.');
    }
  }

  return (
    <form onSubmit={submit}>
      <label>User name <input name="user" autoComplete="username" required /></label>{' '}
      <label>Password <input name="password" type="password" autoComplete="current-password" required /></label>{' '}
      <button>Log in</button>
      <p role="alert">{error}</p>
    </form>
  );
}
