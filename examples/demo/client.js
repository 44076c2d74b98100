// The requests of this page, and its access token.
import { createClient } from '/authlatch.js';

// access describes the token of this page: its expiry by performance.now, its lifetime,
// and the part that may be shown. Only the client has the token itself.
export const access = { ends: 0, lifetime: 0, hint: '' };

let client;
let server = { apis: {}, label: '' }; // from the state: the origins of the APIs, and this browser's label
let changed = () => {};
const current = {}; // the step that is under way, by mode
const tabs = new BroadcastChannel('demo');

// know takes the addresses from the state, and creates the client with the first one.
export function know(state) {
  server = state;
  client ??= connect();
}

// listen calls whenChanged after a change that no button of this page has caused.
export function listen(whenChanged) {
  changed = whenChanged;
  tabs.addEventListener('message', ({ data }) => {
    if (data.access) hold(data.access);
    changed();
  });
}

function connect() {
  const origins = [location.origin, server.apis.a, server.apis.b];
  return createClient({ refresh: '/token/refresh', logout: '/token/logout', origins, fetch: send, onSessionLost: lost });
}

export function begin(name, mode) {
  current[mode] = identify(name, mode);
  return current[mode];
}

export const begun = (mode) => current[mode];

// end notifies other tabs, which share the cookies.
export function end(mode) {
  delete current[mode];
  tabs.postMessage({});
}

// identify names a step for the server's record.
function identify(name, mode) {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  return `${name}-${mode}-${Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('')}`;
}

// send is fetch with the step of the request. Requests to the APIs, which are other
// origins, have it in their URL.
async function send(input, init, mode = 'token') {
  const request = new Request(input, init);
  const url = new URL(request.url);
  const asked = current[mode];
  if (url.origin === location.origin) request.headers.set('Demo-Step', asked ?? identify('background', mode));
  const response = await fetch(request);
  if (response.ok && (url.pathname === '/token/login' || url.pathname === '/token/refresh')) {
    const answer = await response.clone().json();
    const token = answer.access_token;
    const held = { until: expiry(token), lifetime: answer.expires_in, hint: token.slice(0, 4) + '…' + token.slice(-6) };
    hold(held);
    tabs.postMessage({ access: held });
  }
  if (!asked) changed();
  return response;
}

// expiry reads when a token expires from its claims: the servers are on this machine and
// have its clock. A page with remote servers must use expires_in instead.
function expiry(token) {
  const claims = atob(token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/'));
  return 1000 * JSON.parse(claims).exp;
}

// post sends a form to the login server, or to the demo itself. It has no access token.
export const post = (path, fields, mode) => send(path, { method: 'POST', body: new URLSearchParams(fields) }, mode);

// call calls an API with the credential of a mode: the browser adds the cookie, the client
// the access token.
export function call(mode, name) {
  const url = `${server.apis[name]}/${mode}/me?` + new URLSearchParams({ visitor: server.label, step: current[mode] });
  return mode === 'session' ? send(url, { credentials: 'include' }, mode) : client.fetch(url);
}

// withToken posts to this origin with the access token.
export const withToken = (path, fields = {}) => client.fetch(path, { method: 'POST', body: new URLSearchParams(fields) });

function hold({ until, lifetime, hint }) {
  Object.assign(access, { ends: performance.now() + until - Date.now(), lifetime, hint });
}

function drop() {
  Object.assign(access, { ends: 0, lifetime: 0, hint: '' });
}

// lost is called when the login here has ended. If another tab has replaced it, that tab
// has already sent its access token.
function lost(reason) {
  if (reason !== 'replaced') drop();
  changed();
}

export const login = (body) => client.login('/token/login', { method: 'POST', body });
export const ready = () => client.ready();

export async function logout() {
  drop();
  await client.logout();
}

// renew gets a new access token as a reload does: a new client has none, so it refreshes
// with the cookie first. Without a response the old client stays in use.
export async function renew() {
  const next = connect();
  let loggedIn;
  try {
    loggedIn = await next.ready();
  } catch (error) {
    next.close();
    throw error;
  }
  client.close();
  client = next;
  if (!loggedIn) drop();
  return loggedIn;
}
