// The browser's side of package token of github.com/authlatch/auth. It keeps the
// access token in a closure, sends it to the API, and renews it when it is due.
// The refresh token is in an HttpOnly cookie, which no script sees.
//
//   import { createClient } from '/authlatch.js';
//
//   const client = createClient({ onSessionLost: (reason) => showLogin(reason) });
//   if (!(await client.ready())) showLogin();
//   // in the form: await client.login('/login', { method: 'POST', body });
//   const response = await client.fetch('/me');
//
// The page and the API are of one site (app.example.com and api.example.com):
// the cookie is SameSite=Strict. From another origin, a 401 is understood only
// with Access-Control-Expose-Headers: WWW-Authenticate. EventSource, WebSocket
// and <img> cannot carry the token: fetch a one-time ticket for them, and await
// ready() before they connect again. Make one client for a page.

const HEADER = 'Refresh-Attempt';
const PROBLEM = 'urn:authlatch:refresh:';
const TIMEOUT = 10_000; // milliseconds, like the following
const LOCK_TIMEOUT = 500;
const LEAST_BACKOFF = 1_000;
const MOST_BACKOFF = 60_000;

// What handles the token is taken when the module is loaded, so a script that
// patches these later does not see it. It is a hurdle and no wall: see the guide.
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
  const send = (own(options, 'fetch') ?? globalThis.fetch).bind(globalThis); // kept before a page replaces it by ours
  const refreshURL = new Request(refresh).url;
  const logoutURL = new Request(logout).url;
  const name = 'authlatch:' + refreshURL; // of what the tabs share
  const trusted = new Set(origins.map(checkedOrigin));
  const channel = globalThis.BroadcastChannel && new BroadcastChannel(name);
  const issued = new Set(); // the latest access tokens, to know them again

  // { access, gen, login, id, refreshAt, expiresAt }: somebody is logged in. login
  // is the tabs' name for the log-in, id the server's, its LoginID.
  let tokens;
  let over; // why nobody is, as soon as that is certain
  let flight; // the refresh that is under way; one that is not here counts no more
  let changing; // the log-in or log-out that is under way; never rejects
  let failure, backoff = 0, retryAt = 0; // of the last refresh, if it failed
  let kept; // the record, where there is no storage

  // The record is { login, gen, key }: a name for the log-in, and the attempt to
  // leave generation gen, while there is one. It is no secret that opens anything
  // without the cookie. All tabs share it: see attempt.
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
      if (!read()) kept = record; // some storages only pretend
    } catch {
      kept = record;
    }
  }

  function drop() {
    kept = undefined;
    try {
      localStorage.removeItem(name);
    } catch { /* there is none */ }
  }

  // attempt returns the record to refresh with. Its key stays the same, in all
  // tabs, until an answer has arrived: so the server tells a lost answer that is
  // asked for again, however late, from a thief. The next attempt has a new one.
  function attempt() {
    const record = read();
    const gen = tokens && (!record || tokens.login === record.login) ? tokens.gen : 0;
    if (record?.key && gen <= record.gen) return record;
    const login = record?.login ?? tokens?.login ?? random();
    const mine = { login, gen: Math.max(gen, record?.gen ?? 0), key: random() };
    write(mine);
    return read() ?? mine; // that of another tab, if it was a little later
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
    // Nothing comes of it if the log-in is another one by now, here or in the
    // storage, of which another tab will tell. What follows is not interrupted.
    if (flight !== mine) return;
    const type = String(own(answer, 'type'));
    const ended = response.status === 401 && type.startsWith(PROBLEM);
    const record = read();
    if (record ? record.login !== sent.login : !ended) {
      discard();
      if (!record) end('logged out');
    } else if (ended) {
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
    backoff = Math.min(Math.max(2 * backoff, LEAST_BACKOFF), MOST_BACKOFF);
    retryAt = performance.now() + Math.min(Math.max(backoff, wait), MOST_BACKOFF);
  }

  // isAnother reports whether tokens are of another log-in than that of this tab:
  // the cookie has been replaced by a log-in that the client has not seen.
  function isAnother(answer) {
    const id = own(answer, 'login_id');
    return tokens?.id !== undefined && id !== undefined && id !== tokens.id;
  }

  // adopt begins to use tokens. Times count from when they were received, by a
  // clock that nobody sets.
  function adopt(login, answer, received) {
    tokens = {
      login, access: own(answer, 'access_token'), gen: answer.gen,
      id: own(answer, 'login_id') ?? (tokens?.login === login ? tokens.id : undefined),
      expiresAt: received + 1000 * answer.expires_in,
      refreshAt: received + 1000 * Math.min(own(answer, 'refresh_after') ?? Infinity, answer.expires_in),
    };
    issued.add(tokens.access);
    if (issued.size > 16) issued.delete(issued.values().next().value);
    over = undefined;
    backoff = retryAt = 0;
  }

  // end is the end of a log-in that nobody here has asked for.
  function end(reason) {
    if (tokens) Promise.resolve(reason).then(onSessionLost); // once: then there are none
    tokens = undefined;
    over = reason;
  }

  // discard lets nothing come of the refresh that is under way.
  function discard() {
    flight?.controller.abort();
    flight = undefined;
    backoff = retryAt = 0;
  }

  // receive hears other tabs. A log-in or log-out there is one here too; other
  // news count only if they are of our log-in. Tokens of another one make this tab
  // look at once what the cookie says: the news may be late.
  function receive({ data }) {
    const login = own(data, 'login');
    const ended = own(data, 'ended');
    const answer = own(data, 'answer');
    if (ended) {
      if (login && login !== tokens?.login) return;
      discard();
      kept = undefined;
      end(ended);
    } else if (!isTokens(answer)) {
      return;
    } else if (own(data, 'entered')) {
      discard();
      kept = undefined;
      if (tokens) end('replaced');
      adopt(login, answer, performance.now());
    } else if (isAnother(answer)) {
      doubt();
    } else if (tokens ? login === tokens.login && answer.gen >= tokens.gen : !over && login === read()?.login) {
      adopt(login, answer, performance.now());
    }
  }

  // doubt refreshes at once, to find out whether our log-in is still that of the
  // cookie.
  function doubt() {
    if (!tokens) return;
    tokens.refreshAt = -Infinity;
    fresh().catch(() => {});
  }

  // fresh returns tokens other than refused, and nothing if nobody is logged in.
  // It refreshes if that is due or needed, together with all others who wait; a
  // 401 that is late only finds what is newer already. If the refresh fails, the
  // old token serves as long as it is valid.
  async function fresh(refused, signal) {
    for (let tried = false; ;) {
      const now = performance.now();
      const rests = tried || now < retryAt;
      if (tokens && tokens !== refused && now < (rests ? tokens.expiresAt : tokens.refreshAt)) return tokens;
      if (changing) {
        await unlessAborted(changing, signal);
      } else if (over) {
        return undefined;
      } else if (rests) {
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
      apply(remove, headers, ['Authorization']); // an old one of ours
    } else if (credential) {
      return send(request);
    }
    const ours = trusted.has(new URL(request.url).origin) && request.url !== refreshURL && request.url !== logoutURL;
    if (!ours) return send(request);

    const before = tokens;
    const first = await fresh(undefined, request.signal);
    if (before && first?.login !== before.login) return refusal(over); // it was meant for that log-in
    const stream = typeof init?.body?.getReader === 'function'; // is read once
    const response = await send(withToken(stream ? request : request.clone(), first));
    if (!first || !concernsToken(response, trusted)) return response;
    const second = await fresh(first, request.signal);
    if (stream || second?.login !== first.login) return response;
    response.body?.cancel().catch(() => {}); // frees the connection
    return send(withToken(request, second));
  }

  // change does what writes the cookie: one thing at a time, and no refresh is
  // under way or begins meanwhile, whose late answer would write it again.
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

  // enter logs in. An answer that cannot be read may have replaced the cookie, so
  // it is the end of the log-in before; where one has no tokens, the cookie tells.
  async function enter(input, init) {
    let response, answer;
    try {
      response = await send(new Request(input, { __proto__: null, credentials: 'include', ...init }));
      if (!response.ok) return response;
    } catch (error) {
      doubt();
      throw error;
    }
    const received = performance.now();
    try {
      answer = await entryOf(response.clone());
    } catch (cause) {
      const login = tokens?.login;
      drop();
      end('replaced');
      if (login) channel?.postMessage({ login, ended: over });
      throw new TypeError('authlatch: log in: the answer cannot be read, and the former log-in is over', { cause });
    }
    if (isTokens(answer)) {
      const login = random();
      write({ login, gen: answer.gen });
      adopt(login, answer, received);
      channel?.postMessage({ login, answer, entered: true });
    } else {
      doubt();
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
      // Once more, after the server: until then a refresh of another tab succeeds.
      forget();
      channel?.postMessage({ ended: over });
    }
  }

  function forget() {
    tokens = undefined;
    over = 'logged out';
    drop();
  }

  function wake() {
    if (!document.hidden && tokens) fresh().catch(() => {});
  }

  function close() {
    discard();
    tokens = undefined;
    over ??= 'closed';
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

// own reads a property that is the object's own. What a script has put on
// Object.prototype counts nowhere.
function own(object, name) {
  return typeof object === 'object' && object !== null && hasOwn(object, name) ? object[name] : undefined;
}

// parsed reads a body as JSON.
function parsed(response) {
  const native = response instanceof NativeResponse && !hasOwn(response, 'json');
  return native ? apply(json, response, []) : response.json();
}

// entryOf reads the answer to a log-in: tokens, or whatever a page or a step of a
// log-in answers. It rejects if the answer has ended early, or is no JSON though
// it says so.
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
  if (new URL(text).origin !== text) throw new TypeError(`authlatch: ${text} is no origin`);
  return text;
}

// random returns 128 bits.
function random() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

// locked runs action while no other tab does, if that can be had soon: it is only
// for the storage, and nothing depends on it.
async function locked(name, action) {
  try {
    return await navigator.locks.request(name, { __proto__: null, signal: AbortSignal.timeout(LOCK_TIMEOUT) }, action);
  } catch {
    return action();
  }
}

// isTokens tells tokens from other answers. They have no access_token if the
// server keeps that in a cookie as well.
function isTokens(answer) {
  return Number.isSafeInteger(own(answer, 'gen')) && own(answer, 'expires_in') >= 0;
}

function withToken(request, tokens) {
  if (tokens?.access) apply(set, apply(headersOf, request, []), ['Authorization', 'Bearer ' + tokens.access]);
  return request;
}

// concernsToken reports whether a newer token can help: after a 401 from before
// the handler, with a Bearer challenge (RFC 6750, 3) that says nothing else, such
// as that a new log-in is wanted (RFC 9470, 3). A redirect may have led away.
function concernsToken(response, trusted) {
  if (response.status !== 401 || (response.url && !trusted.has(new URL(response.url).origin))) return false;
  const challenge = /(?:^|,)\s*Bearer(?=[\s,]|$)(.*)/i.exec(response.headers.get('WWW-Authenticate') ?? '');
  const error = /\berror="?(\w+)/.exec(challenge?.[1]);
  return challenge !== null && (error === null || error[1] === 'invalid_token');
}

// refusal is the answer to a request whose log-in has ended before it was sent.
function refusal(reason = 'replaced') {
  const problem = { title: 'Unauthorized', status: 401, reason };
  return new Response(JSON.stringify(problem), { __proto__: null, status: 401, headers: { __proto__: null, 'Content-Type': 'application/problem+json' } });
}

// retryAfter reads the field of that name: seconds, or a date.
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
