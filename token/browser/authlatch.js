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
// Access-Control-Expose-Headers: WWW-Authenticate, Retry-After, so that the client can
// read its 401 and 503. Only pages of one origin may share a refresh cookie: give those
// of another origin an Issuer of their own, with another cookie name.
//
// EventSource, WebSocket and <img> cannot send the token: fetch a one-time ticket for
// them, and await ready() before they connect again. Create one client for each page.
// The module can be imported, and createClient called, on a server as well; the client
// then rejects whatever it is asked.

const HEADER = 'Refresh-Attempt';
const PROBLEM = 'urn:authlatch:refresh:';
const TIMEOUT = 10_000; // in milliseconds, like the next five
const LOCK_TIMEOUT = 500;
const MIN_BACKOFF = 1_000;
const MAX_BACKOFF = 60_000;
const READY_PATIENCE = 10_000;
const BEAT = 15_000;
const MAX_LOGIN = 16_384; // characters

// The functions that handle the token are captured when the module is loaded, so a script
// that patches them later does not see the token. This makes theft harder and does not
// prevent it: see the guide.
const { apply } = Reflect;
const { hasOwn } = Object;
const { get, set, delete: remove } = globalThis.Headers?.prototype ?? {};
const { json } = globalThis.Response?.prototype ?? {};
const headersOf = Object.getOwnPropertyDescriptor(globalThis.Request?.prototype ?? {}, 'headers')?.get;
const NativeResponse = globalThis.Response;

export function createClient(options) {
  const missing = ['location', 'Request'].find((name) => !globalThis[name]);
  const origins = (own(options, 'origins') ?? ownOrigins()).map(checkedOrigin);
  if (missing) return outsideBrowser(missing);

  const onSessionLost = own(options, 'onSessionLost') ?? (() => {});
  const send = (own(options, 'fetch') ?? globalThis.fetch).bind(globalThis); // captured before the page replaces it by client.fetch
  const refreshURL = resolved('refresh', own(options, 'refresh') ?? '/refresh');
  const logoutURL = resolved('logout', own(options, 'logout') ?? '/logout');
  const name = 'authlatch:' + refreshURL; // of the record and the channel that the tabs share
  const trusted = new Set(origins);
  const channel = globalThis.BroadcastChannel && new BroadcastChannel(name);
  const issued = new Set(); // the latest access tokens, to recognize them

  // { access, gen, login, id, received, refreshAfter, expiresAfter } while a user is
  // logged in. login is the tabs' name for the login, id its LoginID.
  let tokens;
  let hinted; // the LoginID of a login response that passed through fetch, until a refresh has confirmed it
  let released = false; // the page has that response, and its login is not confirmed
  let ended; // the reason, once it is certain that no user is logged in
  let flight; // the refresh that is under way; the result of any other is ignored
  let changing; // the login or logout that is under way; never rejects
  let failure, failed, pause = 0; // of the last refresh, if it failed: the error, the time, and how long to wait
  let backoff = 0;
  let kept; // the record, if there is no storage
  let beaten = stamp(); // the last beat
  const warnings = new Set(); // those that the page has had

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
    const begun = stamp();
    const response = await send(refreshURL, {
      __proto__: null, method: 'POST', headers: { __proto__: null, [HEADER]: sent.key }, credentials: 'include',
      cache: 'no-store', redirect: 'error', signal: mine.controller.signal,
    });
    // The timeout stands still while the machine sleeps, and the tokens do not.
    const received = since(begun) > TIMEOUT ? begun : stamp();
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
    } else if (response.status === 200 && isTokens(answer) && hinted !== undefined && own(answer, 'login_id') === hinted) {
      accept(answer, received);
    } else if (response.status === 200 && isTokens(answer)) {
      if (record.key === sent.key) write({ login: sent.login, gen: answer.gen });
      if (isAnother(answer)) end('replaced');
      else adopt(sent.login, answer, received);
      channel?.postMessage({ login: sent.login, answer, sent: Date.now() });
    } else {
      fail(statusError(refreshURL, response), retryAfter(response));
    }
  }

  function fail(error, wait = 0) {
    failure = error;
    backoff = Math.min(Math.max(2 * backoff, MIN_BACKOFF), MAX_BACKOFF);
    pause = Math.min(Math.max(backoff, wait), MAX_BACKOFF);
    failed = stamp();
  }

  // accept uses the tokens of a new login, here and in the other tabs.
  function accept(answer, received) {
    const login = random();
    write({ login, gen: answer.gen });
    adopt(login, answer, received);
    channel?.postMessage({ login, answer, entered: true, sent: Date.now() });
  }

  // isAnother reports whether tokens belong to another login than that of this tab, or
  // than the login that fetch has seen. Then a login that the client has not seen has
  // replaced the cookie.
  function isAnother(answer) {
    const id = own(answer, 'login_id');
    const mine = tokens ? tokens.id : hinted;
    return mine !== undefined && id !== undefined && id !== mine;
  }

  // adopt uses tokens from now on. Times count from when they were received.
  function adopt(login, answer, received) {
    tokens = {
      login, access: own(answer, 'access_token'), gen: answer.gen,
      id: own(answer, 'login_id') ?? (tokens?.login === login ? tokens.id : undefined),
      received,
      expiresAfter: 1000 * answer.expires_in,
      refreshAfter: 1000 * Math.min(own(answer, 'refresh_after') ?? Infinity, answer.expires_in),
    };
    issued.add(tokens.access);
    if (issued.size > 16) issued.delete(issued.values().next().value);
    ended = hinted = undefined;
    released = false;
    backoff = pause = 0;
    failure = undefined;
  }

  // end ends a login without a logout by this page.
  function end(reason) {
    if (tokens) Promise.resolve(reason).then(onSessionLost); // once, because tokens is undefined afterwards
    tokens = hinted = undefined;
    released = false;
    ended = reason;
  }

  // discard cancels the refresh that is under way, and ignores its result.
  function discard() {
    flight?.controller.abort();
    flight = undefined;
    backoff = pause = 0;
  }

  // receive handles messages of other tabs. A login or logout there applies here too.
  // Other messages apply only if they are of the login of this tab. After tokens of
  // another login, this tab refreshes at once, because the message may be late and only
  // the cookie is current.
  function receive({ data }) {
    const login = own(data, 'login');
    const reason = own(data, 'ended');
    const answer = own(data, 'answer');
    const received = stamp(own(data, 'sent')); // a tab that was frozen receives it late
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
      adopt(login, answer, received);
    } else if (isAnother(answer)) {
      verifyLogin();
    } else if (tokens ? login === tokens.login && answer.gen >= tokens.gen : !ended && login === read()?.login) {
      adopt(login, answer, received);
    }
  }

  // verifyLogin refreshes at once, to check that the cookie still belongs to the login of
  // this tab.
  function verifyLogin() {
    if (!tokens) return;
    tokens.refreshAfter = 0;
    fresh().catch(() => {});
  }

  // fresh returns tokens other than refused, or undefined if no user is logged in. It
  // refreshes if that is due or needed; all requests that wait share the refresh. After a
  // late 401 it returns the newer tokens that exist already. If the refresh fails, it
  // returns the old tokens as long as they are valid.
  async function fresh(refused, signal) {
    for (let tried = false; ;) {
      const paused = tried || (pause > 0 && since(failed) < pause);
      if (tokens && tokens !== refused && since(tokens.received) < (paused ? tokens.expiresAfter : tokens.refreshAfter)) return tokens;
      if (changing) {
        await unlessAborted(changing, signal);
      } else if (ended) {
        return undefined;
      } else if (paused) {
        throw new TypeError(`Failed to fetch: the access token cannot be refreshed now: ${failure?.message ?? 'its lifetime is too short'}`, { cause: failure });
      } else {
        if (!flight) begin();
        tried = await unlessAborted(flight.done, signal);
      }
    }
  }

  // ready repeats a refresh that the server answers with an error, and then gives up, so
  // that a page reaches its login form although the server can never refresh its login.
  async function ready() {
    for (let patience = READY_PATIENCE; ;) {
      try {
        return (await fresh()) !== undefined;
      } catch (error) {
        if (!(own(failure, 'status') >= 500 || own(failure, 'status') === 429)) throw error;
        patience -= Math.max(pause - since(failed), MIN_BACKOFF / 10);
        if (patience < 0) return false;
        await new Promise((resolve) => setTimeout(resolve, pause - since(failed)));
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
    const response = await authorized(request, typeof init?.body?.getReader === 'function');
    await recognize(request, response);
    return response;
  }

  // authorized sends a request with the access token, and once more after a 401 for the
  // token. A stream is not copied, so it cannot be sent again.
  async function authorized(request, stream) {
    const before = released ? undefined : tokens;
    const first = await fresh(undefined, request.signal);
    if (before && first?.login !== before.login) return refusal(ended); // the request began under that login
    const response = await send(withToken(stream ? request : request.clone(), first));
    if (response.status === 401 && isForeign(request) && !response.headers.get('WWW-Authenticate')) {
      warn(`a 401 of ${new URL(request.url).origin} shows no challenge. If it has one, add the header Access-Control-Expose-Headers: WWW-Authenticate, Retry-After`);
    }
    if (!first || !concernsToken(response, trusted)) return response;
    const second = await fresh(first, request.signal);
    if (stream || second?.login !== first.login) return response;
    response.body?.cancel().catch(() => {}); // releases the connection
    return send(withToken(request, second));
  }

  // recognize finds the response to a login among those that pass through fetch. Its
  // tokens are not used, because another response may look the same: it causes a
  // refresh, and the cookie decides whose login it is.
  async function recognize(request, response) {
    if (request.method !== 'POST' || response.status !== 200 || (response.url && !trusted.has(new URL(response.url).origin))) return;
    const answer = await loginOf(response).catch(() => undefined);
    const id = own(answer, 'login_id');
    if (!isTokens(answer) || typeof id !== 'string' || id === tokens?.id) return;
    if (isForeign(request) && request.credentials !== 'include') {
      warn(`the cookie of a login at ${new URL(request.url).origin} was not stored. Use client.login, or add credentials: 'include' (withCredentials: true in axios)`);
      return;
    }
    await change(async () => {
      hinted = id;
      ended = undefined;
      if (tokens) tokens.refreshAfter = tokens.expiresAfter = 0; // they may be of the previous login
    });
    await fresh(undefined, request.signal).catch(() => {});
    released = hinted !== undefined;
  }

  // warn tells the developer, once.
  function warn(text) {
    if (warnings.has(text)) return;
    warnings.add(text);
    console.warn(`authlatch: ${text}.`);
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
    const received = stamp();
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
      accept(answer, received);
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
      if (!response.ok) throw new Error(`authlatch: log out: ${statusError(logoutURL, response).message}`);
    } finally {
      // Again, after the server's response: until then a refresh of another tab succeeds.
      forget();
      channel?.postMessage({ ended });
    }
  }

  function forget() {
    tokens = hinted = undefined;
    released = false;
    ended = 'logged out';
    drop();
  }

  function wake() {
    if (!document.hidden && tokens) fresh().catch(() => {});
  }

  // beat notices that the machine has slept. A page that is seen again then has no event.
  function beat() {
    const slept = since(beaten) > 2 * BEAT;
    beaten = stamp();
    if (slept) wake();
  }

  function close() {
    discard();
    tokens = hinted = undefined;
    released = false;
    ended ??= 'closed';
    channel?.close();
    clearInterval(timer);
    globalThis.document?.removeEventListener('visibilitychange', wake);
  }

  channel?.addEventListener('message', receive);
  globalThis.document?.addEventListener('visibilitychange', wake);
  const timer = globalThis.document && setInterval(beat, BEAT);
  return Object.freeze({
    fetch: authFetch,
    ready,
    login: (input, init) => change(() => enter(input, init)),
    logout: () => change(leave),
    close,
  });
}

// outsideBrowser returns a client for a server, where a page is only rendered.
function outsideBrowser(missing) {
  const refuse = (what) => async () => {
    throw new TypeError(`authlatch: client.${what} needs a browser: there is no ${missing} here. Call it in the page, not while a server renders it`);
  };
  return Object.freeze({ fetch: refuse('fetch'), ready: refuse('ready'), login: refuse('login'), logout: refuse('logout'), close() {} });
}

// stamp notes the time by two clocks, and since returns how many milliseconds ago that
// was, by the clock that shows more. performance.now may stand still while the machine
// sleeps, and Date.now may be set back.
function stamp(wall) {
  return { __proto__: null, ticks: performance.now(), wall: Number.isFinite(wall) ? wall : Date.now() };
}

function since(then) {
  return Math.max(performance.now() - then.ticks, Date.now() - then.wall);
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

// loginOf returns the parsed body of a response if it may be that of a login, which
// begins with a member of the tokens. It leaves the body unread.
async function loginOf(response) {
  if (!/^application\/json *(;|$)/i.test(response.headers.get('Content-Type') ?? '')) return undefined;
  const reader = response.clone().body.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ''; ;) {
    const { value = '', done } = await reader.read();
    text += value;
    if (done) return JSON.parse(text);
    if (text.length > MAX_LOGIN || !/^\s*(\{\s*("(access_token|token_type|expires_in|refresh_after|gen|login_id)"|"\w{0,13}$|$)|$)/.test(text)) {
      reader.cancel().catch(() => {});
      return undefined;
    }
  }
}

// isForeign reports whether a request goes to another origin than that of the page.
function isForeign(request) {
  return new URL(request.url).origin !== location.origin;
}

// ownOrigins returns the origin of the page, if it has one.
function ownOrigins() {
  return [globalThis.location?.origin].filter((origin) => origin && origin !== 'null');
}

function checkedOrigin(text, index) {
  let origin;
  try {
    origin = new URL(text).origin;
  } catch { /* it is not a URL */ }
  if (origin === text && text !== 'null') return text;
  throw new TypeError(`authlatch: createClient: origins[${index}]: ${JSON.stringify(text)} is not an origin: scheme, host and port, without a path`);
}

// resolved returns a URL as requests have it. A worker that was made of a Blob has an
// origin and no base.
function resolved(option, url) {
  try {
    return new Request(url).url;
  } catch { /* see below */ }
  try {
    return new URL(url, location.origin).href;
  } catch (cause) {
    throw new TypeError(`authlatch: createClient: ${option}: "${url}" is not a URL here. Give the whole URL`, { cause });
  }
}

// statusError is the error of an unexpected status.
function statusError(url, response) {
  const hint = response.status === 403 ? '. The CrossOrigin of the Issuer must trust the origin of the page' : '';
  return Object.assign(new Error(`POST ${url}: status ${response.status}${hint}`), { status: response.status });
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

// concernsToken reports whether a newer token may help: the response is a 401 with a
// Bearer challenge that does not require a newer login (RFC 9470, 3), or a 401 without
// any challenge, as gateways send it. Such a 401 precedes the handler. A response after a
// redirect to another origin does not count.
function concernsToken(response, trusted) {
  if (response.status !== 401 || (response.url && !trusted.has(new URL(response.url).origin))) return false;
  const field = response.headers.get('WWW-Authenticate') ?? '';
  const concerns = ({ scheme, error }) => scheme === 'bearer' && error !== 'insufficient_user_authentication';
  return field.trim() === '' || challenges(field).some(concerns);
}

// challenges parses the challenges of a WWW-Authenticate header, as far as it is sound
// (RFC 9110, 11.6.1): the scheme of each, and its error. A comma separates challenges as
// well as parameters, and a quoted string may contain commas.
function challenges(field) {
  const all = [];
  let at = 0;
  const cut = (pattern) => {
    pattern.lastIndex = at;
    const found = pattern.exec(field);
    if (found) at = pattern.lastIndex;
    return found;
  };
  for (;;) {
    cut(/[ \t,]*/y);
    const word = cut(/[\w!#$%&'*+.^`|~-]+/y)?.[0].toLowerCase();
    if (!word) return all;
    if (all.length === 0 || !cut(/[ \t]*=[ \t]*/y)) {
      all.push({ __proto__: null, scheme: word });
      cut(/ +[\w!#$%&'*+.^`|~/-]+=*(?=$|[ \t]*,)/y); // a token68
      continue;
    }
    const value = cut(/"((?:[^"\\]|\\[^])*)"|(?!")[\w!#$%&'*+.^`|~-]*/y);
    if (!value) return all;
    if (word === 'error') all.at(-1).error = value[1] === undefined ? value[0] : value[1].replace(/\\([^])/g, '$1');
  }
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
