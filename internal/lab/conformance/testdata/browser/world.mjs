// What a browser and a server are to the client: storage, cookies, a clock and
// fetch, all in this process and under the control of a test.

import { webcrypto } from 'node:crypto';

globalThis.crypto ??= webcrypto; // before Node 19

export const files = process.env.AUTH_BROWSER ?? new URL('../../../../../token/browser/', import.meta.url).pathname;
export const { createClient } = await import(files + '/authlatch.js');
export const { createAdapter } = await import(files + '/axios.js');

export const origin = 'https://app.test';
globalThis.location = { origin };

// A browser knows what a relative address belongs to.
const NativeRequest = globalThis.Request;
globalThis.Request = class Request extends NativeRequest {
  constructor(input, init) {
    super(typeof input === 'string' ? new URL(input, origin) : input, init);
  }
};

// clock.now is that of performance. wall is how far that of Date is ahead of the true
// time; it runs by itself. sleep lets time pass for Date alone, as in a machine that
// sleeps.
const realNow = Date.now;
export const clock = { now: 0, wall: 0, sleep(ms) { this.wall += ms; } };
Object.defineProperty(performance, 'now', { value: () => clock.now }); // not writable in older Nodes
Date.now = () => realNow() + clock.wall;

class Storage {
  #items = new Map();
  getItem(key) { return this.#items.get(key) ?? null; }
  setItem(key, value) { this.#items.set(key, String(value)); }
  removeItem(key) { this.#items.delete(key); }
  get text() { return JSON.stringify([...this.#items]); }
  // record is what the client keeps.
  get record() {
    const text = [...this.#items.values()].at(0);
    return text && JSON.parse(text);
  }
  set record(value) { this.#items.set('authlatch:' + origin + '/refresh', JSON.stringify(value)); }
}

// until waits for what other tabs or promises bring about.
export async function until(condition, what = condition.toString()) {
  for (let i = 0; i < 400; i++) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error('never: ' + what);
}

// settle lets all that can happen by itself happen.
export const settle = () => new Promise((resolve) => setTimeout(resolve, 30));

const json = (status, body, headers) =>
  new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/json', ...headers } });

export const problem = (code, reason) => new Response(
  JSON.stringify({ type: 'urn:authlatch:refresh:' + code, title: 'Unauthorized', status: 401, reason }),
  { status: 401, headers: { 'Content-Type': 'application/problem+json', 'WWW-Authenticate': 'Bearer error="invalid_token"' } },
);

export const unauthorized = (challenge) => new Response('', { status: 401, headers: challenge ? { 'WWW-Authenticate': challenge } : {} });

const WINDOW = 10_000;

// World is a browser with a server. The server refreshes by the rules 6 to 10 of
// the state machine; its window is measured by the clock of the test.
export class World {
  log = []; // { method, path, url, token, headers, credentials, redirect, body }
  families = new Map(); // by ID: { gen, rotatedAt, attempt, ended }
  good = new Set(); // access tokens that the API takes
  jar; // the refresh token: { id, gen }
  reused = 0; // events
  #scripts = []; // { path, act }
  #clients = [];
  #count = 0;

  constructor(t) {
    clock.now = 1_000_000;
    clock.wall = 0;
    globalThis.localStorage = this.storage = new Storage();
    this.fetch = this.fetch.bind(this);
    t.after(() => this.#clients.forEach((client) => client.close()));
  }

  // page opens a page with a client, lost being what it was told.
  page(options = {}) {
    const lost = [];
    const client = createClient({ fetch: this.fetch, onSessionLost: (reason) => lost.push(reason), ...options });
    this.#clients.push(client);
    return { ...client, client, lost };
  }

  // customer opens a page and logs in.
  async customer(options) {
    const page = this.page(options);
    await page.login('/login', { method: 'POST' });
    return page;
  }

  // expire makes the access tokens useless to the API, though clients do not know.
  expire() { this.good.clear(); }

  // next changes how the next request to a path is answered: act gets a function
  // for the answer that it would have had.
  next(path, act) { this.#scripts.push({ path, act }); }

  // hold keeps the next answer of a path back until the returned function is
  // called. The server has done its work by then.
  hold(path) {
    let release;
    const gate = new Promise((resolve) => { release = resolve; });
    this.next(path, async (answer) => {
      const response = await answer();
      await gate;
      return response;
    });
    return release;
  }

  // late keeps the next request to a path back before the server gets it.
  late(path) {
    let release;
    const gate = new Promise((resolve) => { release = resolve; });
    this.next(path, async (answer) => {
      await gate;
      return answer();
    });
    return release;
  }

  requests(path) { return this.log.filter((entry) => entry.path === path); }

  async fetch(input, init) {
    const request = new Request(input, init);
    const url = new URL(request.url);
    const entry = {
      method: request.method, path: url.pathname, url: request.url, request,
      token: request.headers.get('Authorization')?.replace('Bearer ', ''),
      headers: request.headers, credentials: request.credentials, redirect: request.redirect,
      body: request.body ? await request.text() : '',
    };
    request.signal.throwIfAborted();
    this.log.push(entry);
    const at = this.#scripts.findIndex((script) => script.path === url.pathname);
    const [script] = at < 0 ? [] : this.#scripts.splice(at, 1);
    const answer = async () => {
      request.signal.throwIfAborted(); // a request that was given up does not arrive
      return this.#answer(entry);
    };
    const aborted = new Promise((_, reject) => {
      request.signal.addEventListener('abort', () => reject(request.signal.reason));
    });
    return Promise.race([script ? script.act(answer, entry) : answer(), aborted]);
  }

  #answer(entry) {
    switch (entry.path) {
      case '/login': return this.#login();
      case '/refresh': return this.#refresh(entry.headers.get('Refresh-Attempt'));
      case '/logout':
        if (this.jar) this.families.get(this.jar.id).ended = 'logged out';
        this.jar = undefined;
        return new Response(null, { status: 204 });
    }
    if (this.good.has(entry.token)) return json(200, { path: entry.path, body: entry.body });
    return unauthorized(entry.token ? 'Bearer error="invalid_token", error_description="the access token expired"' : 'Bearer');
  }

  #login() {
    const old = this.families.get(this.jar?.id);
    if (old) old.ended ??= 'replaced';
    this.jar = { id: 'family' + ++this.#count, gen: 0 };
    this.families.set(this.jar.id, { __proto__: null, gen: 0, rotatedAt: -Infinity });
    return json(200, this.tokens(0, this.jar.id));
  }

  #refresh(attempt) {
    if (!this.jar) return problem('missing');
    const { id, gen } = this.jar;
    const family = this.families.get(id);
    if (family.ended) return problem('revoked', family.ended);
    const behind = family.gen - gen;
    const open = clock.now - family.rotatedAt <= WINDOW;
    if ((behind === 0 || behind === 1) && open) {
      // the same successor once more
    } else if (behind === 0) {
      Object.assign(family, { gen: gen + 1, rotatedAt: clock.now, attempt });
    } else if (behind === 1 && attempt === family.attempt) {
      family.rotatedAt = clock.now;
    } else {
      family.ended = 'reused';
      this.reused++;
      return problem('reused');
    }
    this.jar = { id, gen: family.gen };
    return json(200, this.tokens(family.gen, id));
  }

  // elsewhere logs in without the client, as a form of another page does.
  elsewhere() { return this.#login(); }

  tokens(gen, login_id) {
    const access_token = 'access' + ++this.#count;
    this.good.add(access_token);
    return { access_token, token_type: 'Bearer', expires_in: 600, refresh_after: 580, gen, login_id };
  }
}
