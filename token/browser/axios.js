// An adapter for axios 1.12 and newer that sends requests by a client of authlatch.js:
//
//   import axios from 'axios';
//   import { createClient } from '/authlatch.js';
//   import { createAdapter } from '/axios.js';
//
//   const client = createClient();
//   const api = axios.create({ baseURL: '/api', adapter: createAdapter(axios, client) });
//
// It is the fetch adapter of axios with client.fetch as its fetch. The client refreshes
// and repeats requests below axios: data is transformed once, interceptors run once, no
// token is in a configuration, and failures are the errors that axios makes of a failed
// fetch. Log in with client.login, or by a POST, to another origin withCredentials.
//
// With onUploadProgress, axios sends the body as a stream, which browsers do over HTTP/2
// and newer alone. So it fails at a development server that speaks HTTP/1.1.

export function createAdapter(axios, client) {
  const adapter = axios.getAdapter?.('fetch', { env: { fetch: client.fetch } });
  if (!adapter || adapter === axios.getAdapter('fetch')) {
    throw new TypeError('authlatch: axios 1.12 or newer is required');
  }
  return (config) => adapter(config).catch((error) => {
    if (config.onUploadProgress && error?.code === 'ERR_NETWORK') {
      error.message += ': with onUploadProgress, axios sends a stream, for which browsers require HTTP/2. Leave onUploadProgress out over HTTP/1.1';
    }
    throw error;
  });
}
