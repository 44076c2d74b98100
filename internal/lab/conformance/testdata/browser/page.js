// The page of the browser tests. Its address says where the API is, and whether
// its clocks stand still: then the client does not know that a token has expired,
// and has to be told by a 401.

import { createClient } from '/authlatch.js';

const query = new URLSearchParams(location.search);
const api = query.get('api') ?? location.origin;
if (query.has('frozen')) performance.now = Date.now = () => 0;

const lost = [];
const options = {
  refresh: api + '/refresh', logout: api + '/logout', origins: [api],
  onSessionLost: (reason) => lost.push(reason),
};
const client = createClient(options);

// call returns what becomes of a request: a status, or the name of an error.
const call = (path, init) => client.fetch(api + path, init).then((response) => response.status, (error) => error.name);
const login = () => client.login(api + '/login', { method: 'POST' }).then((response) => response.status, (error) => error.name);
const ready = () => client.ready().catch((error) => error.name);

Object.assign(globalThis, { createClient, options, client, lost, call, login, ready });
