// What goes over the network from this page, and the access token that it holds.
import { createClient } from '/authlatch.js';

// access is of the token in this page: when it ends, by performance.now, how long
// it lasts, and what may be shown of it. The client alone keeps the token itself.
export const access = { ends: 0, lifetime: 0, hint: '' };

let client;
let current; // the step that is under way
let changed = () => {};
const tabs = new BroadcastChannel('demo');

// open makes the client. whenChanged is called when something has happened that
// no button of this page was pressed for.
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

// end tells other tabs, which show the same cookies.
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

// send is fetch, and says to which step a request belongs.
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

// lost hears that the log-in here is over. If another tab has replaced it, that
// tab has told of its access token already.
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

// renew gets a new access token as a reload does: a new client has none, so it
// asks for one with the cookie first. The old one serves on if no answer comes.
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
