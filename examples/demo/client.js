// The requests of this page, and its access token.
import { createClient } from '/authlatch.js';

// access describes the token of this page: its expiry by performance.now, its lifetime,
// and the part that may be shown. Only the client has the token itself.
export const access = { ends: 0, lifetime: 0, hint: '' };

let client;
let current; // the step that is under way
let changed = () => {};
const tabs = new BroadcastChannel('demo');

// open creates the client. whenChanged is called after a change that no button of this
// page has caused.
export function open(whenChanged) {
  changed = whenChanged;
  client = connect();
  tabs.addEventListener('message', ({ data }) => {
    if (data.access) hold(data.access);
    changed();
  });
}

function connect() {
  return createClient({ refresh: '/token/refresh', logout: '/token/logout', fetch: send, onSessionLost: lost });
}

export function begin(name, mode) {
  current = identify(name, mode);
}

// end notifies other tabs, which share the cookies.
export function end() {
  current = undefined;
  tabs.postMessage({});
}

// identify names a step for the server's record.
function identify(name, mode) {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  return `${name}-${mode}-${Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('')}`;
}

export const step = () => current;

// send is fetch with the step of the request.
export async function send(input, init) {
  const request = new Request(input, init);
  const asked = current;
  request.headers.set('Demo-Step', asked ?? identify('background', 'token'));
  const response = await fetch(request);
  const path = new URL(request.url).pathname;
  if (response.ok && (path === '/token/login' || path === '/token/refresh')) {
    const answer = await response.clone().json();
    const token = answer.access_token;
    const held = { until: Date.now() + 1000 * answer.expires_in, lifetime: answer.expires_in, hint: token.slice(0, 4) + '…' + token.slice(-6) };
    hold(held);
    tabs.postMessage({ access: held });
  }
  if (!asked) changed();
  return response;
}

export const post = (path, fields) => send(path, { method: 'POST', body: new URLSearchParams(fields) });

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

export const call = (path, init) => client.fetch(path, init);
export const login = (body) => client.login('/token/login', { method: 'POST', body });

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
