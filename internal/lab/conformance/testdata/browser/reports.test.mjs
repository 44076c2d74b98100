// What users of other clients have reported, tried on ours. Each test names the report.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { World, clock, createClient, files, origin, settle, unauthorized, until } from './world.mjs';

const vectors = JSON.parse(await readFile(new URL('../../../../../token/tokenclient/testdata/challenges.json', import.meta.url)));

// api is another origin than that of the page.
const api = 'https://api.test';
const foreign = { refresh: api + '/refresh', logout: api + '/logout', origins: [api] };

// warned collects what the client says on the console.
function warned(t) {
  const texts = [];
  t.mock.method(console, 'warn', (text) => texts.push(text));
  return texts;
}

test('agentgateway#3172: a 401 is renewed as its challenges say', async (t) => {
  for (const { fields, renews } of vectors) {
    const world = new World(t);
    const page = await world.customer();
    const headers = new Headers(fields.map((field) => ['WWW-Authenticate', field]));
    world.next('/a', () => new Response('', { status: 401, headers }));
    assert.equal((await page.fetch('/a')).status, renews ? 200 : 401, fields.join(' | '));
    assert.equal(world.requests('/refresh').length, renews ? 1 : 0, fields.join(' | '));
    page.close();
  }
});

test('agentgateway#3172: a 401 without a challenge is renewed once', async (t) => {
  const world = new World(t);
  const page = await world.customer();
  for (let i = 0; i < 4; i++) world.next('/a', () => unauthorized());
  assert.equal((await page.fetch('/a', { method: 'POST', body: 'x' })).status, 401);
  assert.deepEqual(world.requests('/a').map((entry) => entry.body), ['x', 'x']);
  assert.equal(world.requests('/refresh').length, 1);
});

test('supabase#6464: a token that expired while the machine slept is not used, and ready is not true with it', async (t) => {
  const world = new World(t);
  const page = await world.customer();
  clock.sleep(3_600_000); // performance.now stands still
  world.next('/refresh', () => { throw new TypeError('no network yet'); });
  await assert.rejects(page.ready(), TypeError);
  assert.equal(world.requests('/a').length, 0);
  clock.sleep(60_000);
  assert.equal(await page.ready(), true);
  assert.equal(world.requests('/refresh').length, 2);
  await page.fetch('/a', { method: 'POST', body: new Blob(['stream']).stream(), duplex: 'half' });
  assert.deepEqual(world.requests('/a').map((entry) => entry.body), ['stream']); // once, with a good token
});

test('supabase#6464: of the two clocks the later one counts', async (t) => {
  for (const pass of [(ms) => { clock.now += ms; }, (ms) => clock.sleep(ms), (ms) => { clock.now += ms; clock.wall -= 1e9; }]) {
    const world = new World(t);
    const page = await world.customer();
    pass(570_000);
    await page.fetch('/a');
    assert.equal(world.requests('/refresh').length, 0);
    pass(20_000);
    await page.fetch('/a');
    assert.equal(world.requests('/refresh').length, 1);
    page.close();
  }
});

test('supabase#6464: tokens that arrive before a sleep and are read after it are old', async (t) => {
  const world = new World(t);
  const page = await world.customer();
  clock.now += 590_000;
  world.next('/refresh', async (answer) => {
    const response = await answer();
    clock.sleep(3_600_000);
    return response;
  });
  await page.fetch('/a').catch(() => {});
  world.expire();
  assert.equal(await page.ready(), true);
  assert.equal(world.requests('/refresh').length, 2);
});

test('supabase#6464: tokens of another tab that a frozen tab receives late are as old as they are', async (t) => {
  const world = new World(t);
  const page = await world.customer();
  const channel = new BroadcastChannel(`authlatch:${origin}/refresh`);
  t.after(() => channel.close());
  const { login } = world.storage.record;
  channel.postMessage({ login, answer: { ...world.tokens(1, 'family1'), access_token: 'old' }, sent: Date.now() - 3_600_000 });
  await until(async () => (await page.ready()) && world.requests('/refresh').length === 1);
  await page.fetch('/a');
  assert.notEqual(world.requests('/a')[0].token, 'old');
});

test('node#47724: a page that is visible notices by the gap that the machine has slept', async (t) => {
  globalThis.document = { hidden: false, addEventListener() {}, removeEventListener() {} };
  t.after(() => { delete globalThis.document; });
  let beat, cleared = 0;
  t.mock.method(globalThis, 'setInterval', (action) => { beat = action; return 'timer'; });
  t.mock.method(globalThis, 'clearInterval', (timer) => { cleared += timer === 'timer'; });
  const world = new World(t);
  const page = await world.customer();
  clock.now += 15_000;
  for (let i = 0; i < 40; i++) { // ten minutes without a sleep: an idle page does not refresh
    beat();
    clock.now += 15_000;
  }
  await settle();
  assert.equal(world.requests('/refresh').length, 0);
  beat();
  clock.sleep(3_600_000);
  document.hidden = true;
  beat();
  await settle();
  assert.equal(world.requests('/refresh').length, 0);
  document.hidden = false;
  clock.sleep(3_600_000);
  beat();
  await until(() => world.requests('/refresh').length === 1);
  page.close();
  assert.equal(cleared, 1);
});

test('axios#6686: a login that passes through fetch logs in', async (t) => {
  const world = new World(t);
  const [a, b] = [world.page(), world.page()];
  assert.deepEqual([await a.ready(), await b.ready()], [false, false]);
  const response = await a.fetch('/login', { method: 'POST', body: 'alice' });
  assert.equal((await response.json()).gen, 0); // the page can read it
  assert.equal((await a.fetch('/a')).status, 200);
  assert.equal(world.requests('/a').length, 1);
  await until(() => b.ready());
  assert.equal((await b.fetch('/b')).status, 200);
  clock.now += 650_000;
  assert.equal((await a.fetch('/a')).status, 200);
  assert.deepEqual([a.lost, b.lost, world.reused], [[], [], 0]);
  assert.equal(await world.page().ready(), true); // after a reload
});

test('axios#6686: a login as another user through fetch is that user\'s, here and in other tabs', async (t) => {
  const world = new World(t);
  const [a, b] = [await world.customer(), world.page()];
  await b.ready();
  const former = world.jar.id;
  await a.fetch('/login', { method: 'POST' });
  await a.fetch('/a');
  assert.notEqual(world.jar.id, former);
  await until(() => b.lost.length === 1);
  assert.deepEqual([a.lost, b.lost], [[], ['replaced']]);
  assert.equal(await b.ready(), true);
});

test('axios#6686: after such a login nothing is sent as the previous user, though the refresh fails', async (t) => {
  const world = new World(t);
  const page = await world.customer();
  world.next('/refresh', () => { throw new TypeError('network'); });
  assert.equal((await page.fetch('/login', { method: 'POST' })).status, 200);
  await assert.rejects(page.fetch('/a', { method: 'POST', body: 'a secret of the second' }), TypeError);
  assert.equal(world.requests('/a').length, 0);
  clock.now += 1_000;
  assert.equal((await page.fetch('/a')).status, 200);
});

test('axios#6686: a request that begins before the page has the login response is not sent as the new user', async (t) => {
  const world = new World(t);
  const page = await world.customer();
  const release = world.hold('/refresh');
  const login = page.fetch('/login', { method: 'POST' });
  await settle();
  const draft = page.fetch('/draft', { method: 'POST', body: 'a secret of the first' });
  await settle();
  release();
  await login;
  assert.equal((await draft).status, 401);
  assert.equal(world.requests('/draft').length, 0);
  assert.equal((await page.fetch('/a')).status, 200);
});

test('axios#6686: a response that only looks like a login changes no account', async (t) => {
  const forged = (world) => new Response(JSON.stringify({ ...world.tokens(0, 'mallory'), access_token: 'of mallory' }), { headers: { 'Content-Type': 'application/json' } });
  const world = new World(t);
  const page = await world.customer();
  await page.fetch('/a');
  world.next('/echo', () => forged(world));
  await page.fetch('/echo', { method: 'POST' });
  assert.equal((await page.fetch('/b')).status, 200);
  assert.notEqual(world.requests('/b')[0].token, 'of mallory');
  assert.deepEqual(page.lost, []);
  assert.deepEqual([world.reused, world.jar.id], [0, 'family1']);
  world.elsewhere(); // the cookie is another user's
  clock.now += 60_000;
  world.next('/echo', () => forged(world));
  await page.fetch('/echo', { method: 'POST' });
  assert.equal(await page.ready(), false);
  assert.deepEqual(page.lost, ['replaced']);
  for (const path of ['/echo', '/c']) { // and a page that has lost its login does not become that user
    world.next(path, () => forged(world));
    await page.fetch(path, { method: 'POST' });
    assert.equal(await page.ready(), false, path);
  }
  await page.fetch('/d');
  assert.equal(world.requests('/d')[0].token, undefined);
});

test('axios#6686: only a whole response of the own form is taken for a login', async (t) => {
  const world = new World(t);
  const page = await world.customer();
  const { access_token, ...rest } = world.tokens(0, 'another');
  const type = { 'Content-Type': 'application/json' };
  const responses = {
    'no JSON': () => new Response(JSON.stringify(rest)),
    'no name': () => new Response(JSON.stringify({ ...rest, login_id: undefined }), { headers: type }),
    'a list': () => new Response(JSON.stringify([rest]), { headers: type }),
    'an error': () => new Response(JSON.stringify(rest), { headers: type, status: 400 }),
    'another status': () => new Response(JSON.stringify(rest), { headers: type, status: 201 }),
    'too long': () => new Response(JSON.stringify({ ...rest, more: 'x'.repeat(20_000) }), { headers: type }),
    'cut': () => new Response(JSON.stringify(rest).slice(0, -1), { headers: type }),
    'another site': () => Object.defineProperty(new Response(JSON.stringify(rest), { headers: type }), 'url', { value: 'https://evil.test/' }),
    'nothing': () => new Response(null, { headers: type }),
  };
  for (const [what, act] of Object.entries(responses)) {
    world.next('/x', act);
    await page.fetch('/x', { method: 'POST' });
    assert.equal(world.requests('/refresh').length, 0, what);
  }
  world.next('/x', () => new Response(JSON.stringify(rest), { headers: type }));
  await page.fetch('/x'); // a GET logs nobody in
  assert.equal(world.requests('/refresh').length, 0);
  let source; // a long response is not held back
  world.next('/x', () => new Response(new ReadableStream({ start(c) { source = c; c.enqueue(new TextEncoder().encode('{"items": [')); } }), { headers: type }));
  const response = await page.fetch('/x', { method: 'POST' });
  source.enqueue(new TextEncoder().encode(']}'));
  source.close();
  assert.deepEqual(await response.json(), { items: [] });
});

test('axios#6686: a login at another origin without its cookie is reported on the console', async (t) => {
  const texts = warned(t);
  const world = new World(t);
  const page = world.page(foreign);
  await page.ready();
  for (let i = 0; i < 2; i++) await page.fetch(api + '/login', { method: 'POST' });
  assert.equal(texts.length, 1);
  assert.match(texts[0], /^authlatch: .*api\.test.*withCredentials: true/);
  assert.equal((await page.fetch(api + '/login', { method: 'POST', credentials: 'include' })).status, 200);
  assert.equal((await page.fetch(api + '/a')).status, 200);
});

test('axios#6686: a 401 of another origin whose challenge cannot be read is renewed, and reported once', async (t) => {
  const texts = warned(t);
  const world = new World(t);
  const page = await world.page(foreign);
  await page.login(api + '/login', { method: 'POST' });
  for (let i = 0; i < 3; i++) {
    world.next('/a', () => unauthorized());
    assert.equal((await page.fetch(api + '/a')).status, 200);
    clock.now += 60_000;
  }
  assert.equal(texts.length, 1);
  assert.match(texts[0], /^authlatch: .*https:\/\/api\.test.*Access-Control-Expose-Headers: WWW-Authenticate/);
  const own = await world.customer();
  world.next('/a', () => unauthorized());
  await own.fetch('/a');
  world.next('/a', () => unauthorized('Bearer'));
  await page.fetch(api + '/a');
  assert.equal(texts.length, 1);
});

test('auth0-react#64, next-auth#579: the module and createClient work on a server, and say what does not', async () => {
  const program = `
    for (const name of ['Request', 'Response', 'Headers', 'fetch'].slice(0, ${process.argv.length ? 'Number(process.argv[1])' : 0})) delete globalThis[name];
    const { createClient } = await import(${JSON.stringify(files + '/authlatch.js')});
    const { createAdapter } = await import(${JSON.stringify(files + '/axios.js')});
    const client = createClient({ refresh: '/api/refresh', origins: ['https://api.example.com'] });
    createClient();
    for (const name of ['ready', 'fetch', 'login', 'logout']) await client[name]('/').then(() => console.log('works'), (error) => console.log(error.name, error.message));
    try { createClient({ origins: ['api'] }) } catch (error) { console.log(error.message) }
    client.close();
  `;
  for (const removed of ['0', '4']) {
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program, removed]);
    const lines = stdout.trim().split('\n');
    assert.equal(lines.length, 5, stdout);
    for (const [i, name] of ['ready', 'fetch', 'login', 'logout'].entries()) {
      assert.match(lines[i], new RegExp(`^TypeError authlatch: client\\.${name} needs a browser: there is no location here`));
    }
    assert.match(lines[4], /origins\[0\]: "api" is not an origin/);
  } // and nothing keeps the process alive
});

test('auth0-react#64: a worker that was made of a Blob has an origin and no base', async (t) => {
  const world = new World(t);
  const NativeRequest = globalThis.Request;
  t.after(() => { globalThis.Request = NativeRequest; });
  globalThis.Request = class extends NativeRequest {
    constructor(input, init) {
      if (typeof input === 'string') new URL(input); // throws, as without a base
      super(input, init);
    }
  };
  const page = world.page();
  await page.login(origin + '/login', { method: 'POST' });
  assert.equal((await page.fetch(origin + '/a')).status, 200);
  assert.throws(() => createClient({ refresh: 'https://' }), /createClient: refresh: "https:\/\/" is not a URL here/);
});

test('InkVisitor#2305: a server that can never refresh ends in the login form, and the form logs in', async (t) => {
  t.mock.method(globalThis, 'setTimeout', immediately(globalThis.setTimeout));
  const world = new World(t);
  (await world.customer()).close();
  const down = () => new Response('{}', { status: 503, headers: { 'Retry-After': '5' } });
  for (let i = 0; i < 9; i++) world.next('/refresh', down);
  const page = world.page();
  assert.equal(await page.ready(), false);
  const tries = world.requests('/refresh').length;
  assert.ok(tries >= 2 && tries <= 4, `${tries} refreshes`);
  assert.equal(new Set(world.requests('/refresh').map((entry) => entry.headers.get('Refresh-Attempt'))).size, 1);
  assert.deepEqual(page.lost, []);
  await page.login('/login', { method: 'POST' });
  assert.equal(await page.ready(), true);
  assert.equal((await page.fetch('/a')).status, 200);
});

test('papercups#90: ready waits for a server that restarts, and then the login goes on', async (t) => {
  t.mock.method(globalThis, 'setTimeout', immediately(globalThis.setTimeout));
  const world = new World(t);
  (await world.customer()).close();
  for (let i = 0; i < 2; i++) world.next('/refresh', () => new Response('', { status: 503 }));
  assert.equal(await world.page().ready(), true);
});

test('papercups#90: what waiting does not change is an error that says what is wrong', async (t) => {
  const world = new World(t);
  (await world.customer()).close();
  for (const [act, message] of [
    [() => new Response('', { status: 403 }), /https:\/\/app\.test\/refresh: status 403\. The CrossOrigin of the Issuer must trust/],
    [() => new Response('', { status: 404 }), /https:\/\/app\.test\/refresh: status 404/],
    [() => { throw new TypeError('the network is down'); }, /the network is down/],
  ]) {
    world.next('/refresh', act);
    const page = world.page();
    await assert.rejects(page.ready(), message);
    page.close();
  }
});

// immediately is setTimeout for a client whose clocks go on while it waits. Both must: the
// client waits for what remains by the clock that shows more.
const immediately = (native) => (action, delay = 0, ...rest) => {
  if (delay < 500 || delay === 10_000) return native(action, delay, ...rest);
  return native(() => {
    clock.now += delay;
    clock.sleep(delay);
    action(...rest);
  });
};
