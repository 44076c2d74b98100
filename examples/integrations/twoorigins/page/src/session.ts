// The one client of the page. It is made here and not in a component, so that rendering
// twice (StrictMode) and replacing components (hot reload) leave it alone.

import { createClient, type Reason } from '@authlatch/browser';
import { createAdapter } from '@authlatch/browser/axios';
import axios from 'axios';

export const url: string = import.meta.env.VITE_API ?? 'http://localhost:8080';

export const client = createClient({
  refresh: url + '/refresh',
  logout: url + '/logout',
  origins: [url], // only the API receives the token
  onSessionLost: (reason) => window.dispatchEvent(new CustomEvent<Reason>('session-lost', { detail: reason })),
});

// Components use axios as always. The adapter adds the token and refreshes it.
export const api = axios.create({ baseURL: url, adapter: createAdapter(axios, client) });

// When the development server replaces this file, the old client must not stay beside the
// new one. Vite calls dispose only for files that accept their own replacement.
if (import.meta.hot) {
  import.meta.hot.data.client?.close();
  import.meta.hot.data.client = client;
}
