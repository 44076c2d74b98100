// The browser client of package token of github.com/authlatch/auth. It keeps the access
// token in a closure, sends it to the API, and refreshes it when it is due. The refresh
// token is in an HttpOnly cookie, which scripts cannot read.
//
//   import { createClient } from '/authlatch.js';
//
//   const client = createClient({ onSessionLost: (reason) => showLogin(reason) });
//   if (!(await client.ready())) showLogin();
//   // in the form: await client.login('/login', { method: 'POST', body });
//   const response = await client.fetch('/me');
//
// The page and the API must be same-site (app.example.com and api.example.com), because
// the cookie is SameSite=Strict. An API of another origin must send
// Access-Control-Expose-Headers: WWW-Authenticate, so that the client can read its 401.
// EventSource, WebSocket and <img> cannot send the token: fetch a one-time ticket for
// them, and await ready() before they connect again. Create one client for each page.

const HEADER = 'Refresh-Attempt';
const PROBLEM = 'urn:authlatch:refresh:';
const TIMEOUT = 10_000; // in milliseconds, like the next three
const LOCK_TIMEOUT = 500;
const MIN_BACKOFF = 1_000;
const MAX_BACKOFF = 60_000;

// The functions that handle the token are captured when the module is loaded, so a script
// that patches them later does not see the token. This makes theft harder and does not
// prevent it: see the guide.
const { apply } = Reflect;
const { hasOwn } = Object;
const { get, set, delete: remove } = Headers.prototype;
const { json } = Response.prototype;
const headersOf = Object.getOwnPropertyDescriptor(Request.prototype, 'headers').get;
const NativeResponse = Response;

export function createClient(options) {
  const refresh = own(options, 'refresh') ?? '/refresh';
  const logout = own(options, 'logout') ?? '/logout';
  const origins = own(options, 'origins') ?? [location.origin];
  const onSessionLost = own(options, 'onSessionLost') ?? (() => {});
  const send = (own(options, 'fetch') ?? globalThis.fetch).bind(globalThis); // captured before the page replaces it by client.fetch
  const refreshURL = new Request(refresh).url;
  const logoutURL = new Request(logout).url;
  const name = 'authlatch:' + refreshURL; // of the record and the channel that the tabs share
  const trusted = new Set(origins.map(checkedOrigin));
  const channel = globalThis.BroadcastChannel && new BroadcastChannel(name);
  const issued = new Set(); // the latest access tokens, to recognize them

  // { access, gen, login, id, refreshAt, expiresAt } while a user is logged in. login is
  // the tabs' name for the login, id its LoginID.
  let tokens;
  let ended; // the reason, once it is certain that no user is logged in
  let flight; // the refresh that is under way; the result of any other is ignored
  let changing; // the login or logout that is under way; never rejects
  let failure, backoff = 0, retryAt = 0; // of the last refresh, if it failed
  let kept; // the record, if there is no storage

  // The record is { login, gen, key }: a name for the login, a generation, and the
  // idempotency key of the refresh of that generation, if one is under way. The record
  // grants no access without the cookie. All tabs share it: see attempt.
  function read() {
    if (kept) return kept;
    try {
      const text = JSON.parse(localStorage.getItem(name));
      const record = { __proto__: null, login: own(text, 'login'), gen: own(text, 'gen'), key: own(text, 'key') };
      const sound = typeof record.login === 'string' && Number.isSafeInteger(record.gen);
      return sound && (record.key === undefined || /^[\w-]{22,128}$/.test(record.key)) ? record : undefined;
    } catch {
      return undefined;
    }
  }

  function write(record) {
    kept = undefined;
    try {
      localStorage.setItem(name, JSON.stringify(record));
      if (!read()) kept = record; // some storages accept a write and do not store it
    } catch {
      kept = record;
    }
  }

  function drop() {
    kept = undefined;
    try {
      localStorage.removeItem(name);
    } catch { /* there is no storage */ }
  }

  // attempt returns the record to refresh with. Its key stays the same in all tabs until
  // a response has arrived. So the server can distinguish a client that has lost a
  // response, and repeats the refresh at any later time, from a thief. The refresh of the
  // next generation has a new key.
  function attempt() {
    const record = read();
    const gen = tokens && (!record || tokens.login === record.login) ? tokens.gen : 0;
    if (record?.key && gen <= record.gen) return record;
    const login = record?.login ?? tokens?.login ?? random();
    const mine = { login, gen: Math.max(gen, record?.gen ?? 0), key: random() };
    write(mine);
    return read() ?? mine; // the record of another tab, if that tab wrote later
  }

  function begin() {
    const mine = { controller: new AbortController() };
    const timer = setTimeout(() => mine.controller.abort(), TIMEOUT);
    flight = mine;
    mine.done = renew(mine)
      .catch((error) => flight === mine && fail(error))
      .then(() => {
        clearTimeout(timer);
        const counts = flight === mine;
        if (counts) flight = undefined;
        return counts;
      });
  }

  async function renew(mine) {
    const sent = await locked(name, attempt);
    const response = await send(refreshURL, {
      __proto__: null, method: 'POST', headers: { __proto__: null, [HEADER]: sent.key }, credentials: 'include',
      cache: 'no-store', redirect: 'error', signal: mine.controller.signal,
    });
    const received = performance.now();
    const answer = await parsed(response).catch(() => undefined);
    // The result is ignored if the login has changed since, here or in the storage;
    // another tab then posts the change. There is no await below.
    if (flight !== mine) return;
    const type = String(own(answer, 'type'));
    const hasEnded = response.status === 401 && type.startsWith(PROBLEM);
    const record = read();
    if (record ? record.login !== sent.login : !hasEnded) {
      discard();
      if (!record) end('logged out');
    } else if (hasEnded) {
      const reason = own(answer, 'reason') ?? type.slice(PROBLEM.length);
      drop();
      end(reason);
      channel?.postMessage({ login: sent.login, ended: reason });
    } else if (response.status === 200 && isTokens(answer)) {
      if (record.key === sent.key) write({ login: sent.login, gen: answer.gen });
      if (isAnother(answer)) end('replaced');
      else adopt(sent.login, answer, received);
      channel?.postMessage({ login: sent.login, answer });
    } else {
      fail(new Error(`status ${response.status}`), retryAfter(response));
    }
  }

  function fail(error, wait = 0) {
    failure = error;
    backoff = Math.min(Math.max(2 * backoff, MIN_BACKOFF), MAX_BACKOFF);
    retryAt = performance.now() + Math.min(Math.max(backoff, wait), MAX_BACKOFF);
  }

  // isAnother reports whether tokens belong to another login than that of this tab. Then
  // a login that the client has not seen has replaced the cookie.
  function isAnother(answer) {
    const id = own(answer, 'login_id');
    return tokens?.id !== undefined && id !== undefined && id !== tokens.id;
  }

  // adopt uses tokens from now on. Times count from when they were received, by a
  // monotonic clock.
  function adopt(login, answer, received) {
    tokens = {
      login, access: own(answer, 'access_token'), gen: answer.gen,
      id: own(answer, 'login_id') ?? (tokens?.login === login ? tokens.id : undefined),
      expiresAt: received + 1000 * answer.expires_in,
      refreshAt: received + 1000 * Math.min(own(answer, 'refresh_after') ?? Infinity, answer.expires_in),
    };
    issued.add(tokens.access);
    if (issued.size > 16) issued.delete(issued.values().next().value);
    ended = undefined;
    backoff = retryAt = 0;
  }

  // end ends a login without a logout by this page.
  function end(reason) {
    if (tokens) Promise.resolve(reason).then(onSessionLost); // once, because tokens is undefined afterwards
    tokens = undefined;
    ended = reason;
  }

  // discard cancels the refresh that is under way, and ignores its result.
  function discard() {
    flight?.controller.abort();
    flight = undefined;
    backoff = retryAt = 0;
  }

  // receive handles messages of other tabs. A login or logout there applies here too.
  // Other messages apply only if they are of the login of this tab. After tokens of
  // another login, this tab refreshes at once, because the message may be late and only
  // the cookie is current.
  function receive({ data }) {
    const login = own(data, 'login');
    const reason = own(data, 'ended');
    const answer = own(data, 'answer');
    if (reason) {
      if (login && login !== tokens?.login) return;
      discard();
      kept = undefined;
      end(reason);
    } else if (!isTokens(answer)) {
      return;
    } else if (own(data, 'entered')) {
      discard();
      kept = undefined;
      if (tokens) end('replaced');
      adopt(login, answer, performance.now());
    } else if (isAnother(answer)) {
      verifyLogin();
    } else if (tokens ? login === tokens.login && answer.gen >= tokens.gen : !ended && login === read()?.login) {
      adopt(login, answer, performance.now());
    }
  }

  // verifyLogin refreshes at once, to check that the cookie still belongs to the login of
  // this tab.
  function verifyLogin() {
    if (!tokens) return;
    tokens.refreshAt = -Infinity;
    fresh().catch(() => {});
  }

  // fresh returns tokens other than refused, or undefined if no user is logged in. It
  // refreshes if that is due or needed; all requests that wait share the refresh. After a
  // late 401 it returns the newer tokens that exist already. If the refresh fails, it
  // returns the old tokens as long as they are valid.
  async function fresh(refused, signal) {
    for (let tried = false; ;) {
      const now = performance.now();
      const paused = tried || now < retryAt;
      if (tokens && tokens !== refused && now < (paused ? tokens.expiresAt : tokens.refreshAt)) return tokens;
      if (changing) {
        await unlessAborted(changing, signal);
      } else if (ended) {
        return undefined;
      } else if (paused) {
        throw new TypeError('Failed to fetch: the access token cannot be refreshed now', { cause: failure });
      } else {
        if (!flight) begin();
        tried = await unlessAborted(flight.done, signal);
      }
    }
  }

  async function authFetch(input, init) {
    const request = new Request(input, init);
    const headers = apply(headersOf, request, []);
    const credential = apply(get, headers, ['Authorization']);
    if (credential && issued.has(credential.replace(/^Bearer /i, ''))) {
      apply(remove, headers, ['Authorization']); // an old token of this client
    } else if (credential) {
      return send(request);
    }
    const ours = trusted.has(new URL(request.url).origin) && request.url !== refreshURL && request.url !== logoutURL;
    if (!ours) return send(request);

    const before = tokens;
    const first = await fresh(undefined, request.signal);
    if (before && first?.login !== before.login) return refusal(ended); // the request began under that login
    const stream = typeof init?.body?.getReader === 'function'; // can be read only once
    const response = await send(withToken(stream ? request : request.clone(), first));
    if (!first || !concernsToken(response, trusted)) return response;
    const second = await fresh(first, request.signal);
    if (stream || second?.login !== first.login) return response;
    response.body?.cancel().catch(() => {}); // releases the connection
    return send(withToken(request, second));
  }

  // change runs an action that writes the cookie. Actions run one at a time, and no
  // refresh is under way meanwhile, because its late response would write the cookie
  // again.
  function change(action) {
    const before = Promise.all([changing, flight?.done]);
    discard();
    const running = before.then(action);
    const mine = running.catch(() => {}).then(() => {
      if (changing === mine) changing = undefined;
    });
    changing = mine;
    return running;
  }

  // enter logs in. A response that cannot be read may have replaced the cookie, so it ends
  // the previous login. After a response without tokens, a refresh checks the cookie.
  async function enter(input, init) {
    let response, answer;
    try {
      response = await send(new Request(input, { __proto__: null, credentials: 'include', ...init }));
      if (!response.ok) return response;
    } catch (error) {
      verifyLogin();
      throw error;
    }
    const received = performance.now();
    try {
      answer = await entryOf(response.clone());
    } catch (cause) {
      const login = tokens?.login;
      drop();
      end('replaced');
      if (login) channel?.postMessage({ login, ended });
      throw new TypeError('authlatch: log in: the response cannot be read, and the previous login has ended', { cause });
    }
    if (isTokens(answer)) {
      const login = random();
      write({ login, gen: answer.gen });
      adopt(login, answer, received);
      channel?.postMessage({ login, answer, entered: true });
    } else {
      verifyLogin();
    }
    return response;
  }

  async function leave() {
    forget();
    try {
      const response = await send(logoutURL, {
        __proto__: null, method: 'POST', headers: { __proto__: null, [HEADER]: random() }, credentials: 'include',
        keepalive: true, redirect: 'error', signal: AbortSignal.timeout(TIMEOUT),
      });
      if (!response.ok) throw new Error(`authlatch: log out: status ${response.status}`);
    } finally {
      // Again, after the server's response: until then a refresh of another tab succeeds.
      forget();
      channel?.postMessage({ ended });
    }
  }

  function forget() {
    tokens = undefined;
    ended = 'logged out';
    drop();
  }

  function wake() {
    if (!document.hidden && tokens) fresh().catch(() => {});
  }

  function close() {
    discard();
    tokens = undefined;
    ended ??= 'closed';
    channel?.close();
    globalThis.document?.removeEventListener('visibilitychange', wake);
  }

  channel?.addEventListener('message', receive);
  globalThis.document?.addEventListener('visibilitychange', wake);
  return Object.freeze({
    fetch: authFetch,
    ready: async () => (await fresh()) !== undefined,
    login: (input, init) => change(() => enter(input, init)),
    logout: () => change(leave),
    close,
  });
}

// own returns an own property of an object. It ignores properties that a script has put
// on Object.prototype.
function own(object, name) {
  return typeof object === 'object' && object !== null && hasOwn(object, name) ? object[name] : undefined;
}

// parsed returns a body, parsed as JSON.
function parsed(response) {
  const native = response instanceof NativeResponse && !hasOwn(response, 'json');
  return native ? apply(json, response, []) : response.json();
}

// entryOf returns the parsed response to a login, or undefined if it is a page or another
// step of a login that is not JSON. It rejects if the response ended early, or is not
// JSON although its Content-Type says so.
async function entryOf(response) {
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch (error) {
    if (/^application\/(?:[^;]*\+)?json\b/i.test(response.headers.get('Content-Type') ?? '')) throw error;
    return undefined;
  }
}

function checkedOrigin(text) {
  if (new URL(text).origin !== text) throw new TypeError(`authlatch: ${text} is not an origin`);
  return text;
}

// random returns 128 random bits in hexadecimal.
function random() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

// locked runs action while no other tab does. If the lock is not available soon, it runs
// action without it: the lock only avoids needless writes to the storage.
async function locked(name, action) {
  try {
    return await navigator.locks.request(name, { __proto__: null, signal: AbortSignal.timeout(LOCK_TIMEOUT) }, action);
  } catch {
    return action();
  }
}

// isTokens reports whether a response has tokens. It has no access_token if the server
// keeps that in a cookie as well.
function isTokens(answer) {
  return Number.isSafeInteger(own(answer, 'gen')) && own(answer, 'expires_in') >= 0;
}

function withToken(request, tokens) {
  if (tokens?.access) apply(set, apply(headersOf, request, []), ['Authorization', 'Bearer ' + tokens.access]);
  return request;
}

// concernsToken reports whether a newer token may help: the response is a 401 that
// precedes the handler, with a Bearer challenge (RFC 6750, 3) that does not require
// anything else, such as a new login (RFC 9470, 3). A response after a redirect to another
// origin does not count.
function concernsToken(response, trusted) {
  if (response.status !== 401 || (response.url && !trusted.has(new URL(response.url).origin))) return false;
  const challenge = /(?:^|,)\s*Bearer(?=[\s,]|$)(.*)/i.exec(response.headers.get('WWW-Authenticate') ?? '');
  const error = /\berror="?(\w+)/.exec(challenge?.[1]);
  return challenge !== null && (error === null || error[1] === 'invalid_token');
}

// refusal returns the response to a request whose login ended before it was sent.
function refusal(reason = 'replaced') {
  const problem = { title: 'Unauthorized', status: 401, reason };
  return new Response(JSON.stringify(problem), { __proto__: null, status: 401, headers: { __proto__: null, 'Content-Type': 'application/problem+json' } });
}

// retryAfter returns the Retry-After header in milliseconds. The header is in seconds or
// a date.
function retryAfter(response) {
  const text = response.headers.get('Retry-After');
  return /^\d+$/.test(text) ? 1000 * text : Date.parse(text) - Date.now() || 0;
}

function unlessAborted(promise, signal) {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { __proto__: null, once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
