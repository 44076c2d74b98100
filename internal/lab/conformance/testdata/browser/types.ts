// What the declarations admit, and what they do not.

import axios from 'axios';
import { createClient, type Client, type Options, type Reason } from './authlatch.js';
import { createAdapter } from './axios.js';

const options: Options = {
  refresh: new URL('https://api.example.com/refresh'),
  logout: '/logout',
  origins: ['https://api.example.com'] as const,
  onSessionLost: (reason: Reason) => console.log(reason === 'expired' ? 'too long ago' : reason),
  fetch: globalThis.fetch,
};
const client: Client = createClient(options);
createClient();
createClient({});

const { fetch, ready, login, logout, close } = client;
const response: Response = await fetch('/me', { method: 'POST', signal: AbortSignal.timeout(1) });
const loggedIn: boolean = await ready();
const answer: Response = await login('/login', { method: 'POST', body: new FormData() });
const nothing: void = await logout();
close();
globalThis.fetch = client.fetch;
axios.create({ adapter: createAdapter(axios, client) });
export { response, loggedIn, answer, nothing };

// @ts-expect-error
createClient({ refresh: 7 });
// @ts-expect-error
createClient({ storage: localStorage });
// @ts-expect-error
createClient({ onSessionLost: (reason: number) => reason });
// @ts-expect-error
client.token;
// @ts-expect-error
client.fetch = globalThis.fetch;
// @ts-expect-error
createAdapter(client, axios);
