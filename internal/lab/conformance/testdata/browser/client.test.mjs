// The rows of the list of client bugs, each with what the client does instead.
// Node's own runner runs them: node --test client.test.mjs

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { World, clock, origin, problem, settle, unauthorized, until } from './world.mjs';

// soon is what a promise comes to without waiting for time-outs.
const soon = (promise) => Promise.race([promise, new Promise((_, reject) => setTimeout(reject, 2_000, new Error('it waits')).unref())]);

const statuses = (responses) => responses.map((response) => response.status);

test('four calls with an expired token, one of them slow: one refresh, and all succeed', async (t) => {
  const world = new World(t);
  const page = await world.customer();
  world.expire();
  const slow = world.hold('/slow');
  const calls = ['/slow', '/a', '/b', '/c'].map((path) => page.fetch(path));
  assert.deepEqual(statuses(await Promise.all(calls.slice(1))), [200, 200, 200]);
  slow();
  assert.equal((await calls[0]).status, 200);
  assert.equal(world.requests('/refresh').length, 1);
  assert.deepEqual(page.lost, []);
});

test('row 1: 401s at once share one refresh', async (t) => {
  const world = new World(t);
  const page = await world.customer();
  world.expire();
  const release = world.hold('/refresh');
  const calls = Promise.all(Array.from({ length: 20 }, (_, i) => page.fetch('/' + i)));
  await settle();
  release();
  assert.ok(statuses(await calls).every((status) => status === 200));
  assert.equal(world.requests('/refresh').length, 1);
});

test('row 2: a late 401 is only sent again', async (t) => {
  const world = new World(t);
  const page = await world.customer();
  world.expire();
  const release = world.hold('/late');
  const late = page.fetch('/late');
  await page.fetch('/early');
  assert.equal(world.requests('/refresh').length, 1);
  release();
  assert.equal((await late).status, 200);
  assert.equal(world.requests('/refresh').length, 1);
  assert.equal(world.requests('/late').length, 2);
});

test('row 3: a 401 that arrives during a refresh waits for it', async (t) => {
  const world = new World(t);
  const page = await world.customer();
  world.expire();
  const [refresh, second] = [world.hold('/refresh'), world.hold('/second')];
  const calls = [page.fetch('/first'), page.fetch('/second')];
  await until(() => world.requests('/refresh').length === 1);
  second();
  await settle();
  assert.equal(world.requests('/second').length, 1);
  refresh();
  assert.deepEqual(statuses(await Promise.all(calls)), [200, 200]);
  assert.equal(world.requests('/refresh').length, 1);
});

test('row 4: the refresh does not pass through the client', async (t) => {
  const world = new World(t);
  const native = globalThis.fetch;
  t.after(() => { globalThis.fetch = native; });
  globalThis.fetch = world.fetch;
  const page = world.page({ fetch: undefined });
  globalThis.fetch = page.fetch; // as pages do
  await page.login('/login', { method: 'POST' });
  world.expire();
  assert.equal((await fetch('/a')).status, 200);
  assert.equal(world.requests('/refresh').length, 1);
  for (const path of ['/refresh', '/logout']) { // and by hand it is a plain request
    await fetch(path, { method: 'POST', headers: { 'Refresh-Attempt': 'by-hand-by-hand-by-hand' } });
    assert.equal(world.requests(path).at(-1).token, undefined);
  }
});

test('row 5: an API that goes on with 401 gets the request twice', async (t) => {
  const world = new World(t);
  const page = await world.customer();
  for (let i = 0; i < 5; i++) world.next('/a', () => unauthorized('Bearer error="invalid_token"'));
  assert.equal((await page.fetch('/a')).status, 401);
  assert.equal(world.requests('/a').length, 2);
  assert.equal(world.requests('/refresh').length, 1);
  assert.deepEqual(page.lost, []);
});

test('row 6: a network error refreshes nothing', async (t) => {
  const world = new World(t);
  const page = await world.customer();
  const error = new TypeError('Failed to fetch');
  world.next('/a', () => { throw error; });
  await assert.rejects(page.fetch('/a'), error);
  assert.equal((await page.fetch('/a')).status, 200);
  assert.equal(world.requests('/refresh').length, 0);
  assert.equal(world.requests('/a').length, 2);
});

test('row 7: each request and each replay has the newest token, and no other page has it', async (t) => {
  const world = new World(t);
  const page = await world.customer();
  const request = new Request('/a', { headers: { 'X-Own': '1' } });
  world.expire();
  await page.fetch(request);
  await page.fetch('/a');
  const sent = world.requests('/a').map((entry) => entry.token);
  assert.equal(new Set(sent).size, 2);
  assert.equal(sent[1], sent[2]);
  assert.equal(request.headers.get('Authorization'), null);
  assert.ok(Object.isFrozen(page.client));
  assert.deepEqual(Object.keys(page.client).sort(), ['close', 'fetch', 'login', 'logout', 'ready']);
  const seen = JSON.stringify([page.client, world.storage.text, Object.values(page.client).map(String)]);
  for (const token of sent) assert.ok(!seen.includes(token));
});

test('row 8: after a reload, calls share one refresh', async (t) => {
  const world = new World(t);
  (await world.customer()).close();
  const page = world.page();
  const [ready, ...responses] = await Promise.all([page.ready(), page.fetch('/a'), page.fetch('/b'), page.fetch('/c')]);
  assert.equal(ready, true);
  assert.deepEqual(statuses(responses), [200, 200, 200]);
  assert.equal(world.requests('/refresh').length, 1);
  assert.equal(world.requests('/a').length, 1); // not without a token first
});

test('row 8: a page that is not logged in learns it, and no login is lost', async (t) => {
  const world = new World(t);
  const page = world.page();
  assert.equal(await page.ready(), false);
  assert.equal((await page.fetch('/a')).status, 401);
  assert.equal(world.requests('/refresh').length, 1);
  assert.equal(world.requests('/a').length, 1);
  assert.deepEqual(page.lost, []);
});

test('row 9: the 401 of a login form refreshes nothing', async (t) => {
  const world = new World(t);
  const page = await world.customer();
  for (const challenge of [undefined, 'Basic realm="x"', 'Bearer error="insufficient_user_authentication"']) {
    world.next('/login', () => unauthorized(challenge));
    assert.equal((await page.login('/login', { method: 'POST' })).status, 401);
    if (!challenge) continue;
    world.next('/other', () => unauthorized(challenge));
    assert.equal((await page.fetch('/other')).status, 401);
  }
  world.next('/login', () => unauthorized('Bearer error="invalid_token"')); // whatever it says
  assert.equal((await page.login('/login', { method: 'POST' })).status, 401);
  assert.equal(world.requests('/refresh').length, 0);
  assert.equal((await page.fetch('/a')).status, 200); // the old login goes on
  assert.deepEqual(page.lost, []);
});

test('row 9: a challenge is found among others', async (t) => {
  const world = new World(t);
  for (const challenge of ['Bearer', 'bearer', 'Basic realm="x", Bearer error="invalid_token"', 'Bearer realm="x", error=invalid_token']) {
    const page = await world.customer();
    world.next('/a', () => unauthorized(challenge));
    assert.equal((await page.fetch('/a')).status, 200, challenge);
    page.close();
  }
});

for (const [what, act] of Object.entries({
  'a 500': () => new Response('', { status: 500 }),
  'a 503': () => new Response('', { status: 503, headers: { 'Retry-After': '5' } }),
  'a 429': () => new Response('', { status: 429, headers: { 'Retry-After': '5' } }),
  'a 409': () => new Response('', { status: 409 }),
  'a 403': () => new Response('', { status: 403 }),
  'the 401 of a proxy': () => unauthorized('Basic realm="proxy"'),
  'the 401 of another API': () => new Response('{"type":"about:blank"}', { status: 401 }),
  'a network error': () => { throw new TypeError('Failed to fetch'); },
  'a page instead of JSON': () => new Response('<h1>Welcome to our hotspot'),
  'JSON without tokens': () => new Response('null'),
})) {
  test(`row 10: ${what} is no end of the login`, async (t) => {
    const world = new World(t);
    const page = await world.customer();
    clock.now += 590_000; // due, but still valid
    world.next('/refresh', act);
    assert.equal((await page.fetch('/a')).status, 200);
    const { key } = world.storage.record;
    clock.now += 5_000;
    clock.now += 60_000; // no longer valid
    world.next('/refresh', act);
    await assert.rejects(page.fetch('/a'), TypeError);
    assert.deepEqual(page.lost, []);
    assert.equal(world.storage.record.key, key);
    clock.now += 60_000;
    assert.equal((await page.fetch('/a')).status, 200);
    assert.deepEqual(world.requests('/refresh').map((entry) => entry.headers.get('Refresh-Attempt')), [key, key, key]);
    assert.equal(world.storage.record.key, undefined);
    assert.deepEqual(page.lost, []);
  });
}

test('row 10: refreshes that fail become rarer, as Retry-After says or by themselves', async (t) => {
  const world = new World(t);
  const page = await world.customer();
  const count = () => world.requests('/refresh').length;
  const fails = async (retryAfter, wait) => {
    const headers = retryAfter ? { 'Retry-After': retryAfter } : {};
    world.next('/refresh', () => new Response('', { status: 503, headers }));
    const before = count();
    await assert.rejects(page.fetch('/a'), TypeError);
    await assert.rejects(page.fetch('/a'), TypeError);
    clock.now += wait - 1;
    await assert.rejects(page.fetch('/a'), TypeError);
    assert.equal(count(), before + 1, 'too early');
    clock.now += 1;
  };
  clock.now += 600_000;
  await fails('', 1_000);
  await fails('', 2_000);
  await fails('', 4_000);
  await fails('30', 30_000);
  await fails('', 16_000);
  await fails('99999', 60_000); // nobody waits for a day
  await fails('nonsense', 60_000);
  assert.equal(await page.ready(), true);
  clock.now += 600_000;
  await fails('', 1_000); // a success begins anew
  assert.equal(await page.ready(), true);
});

test('row 10: a date in Retry-After counts', async (t) => {
  const world = new World(t);
  const page = await world.customer();
  clock.now += 600_000;
  const date = new Date(Date.now() + 30_000).toUTCString();
  world.next('/refresh', () => new Response('', { status: 503, headers: { 'Retry-After': date } }));
  await assert.rejects(page.fetch('/a'));
  clock.now += 20_000;
  await assert.rejects(page.fetch('/a'));
  clock.now += 15_000;
  assert.equal(await page.ready(), true);
});

test('row 10: after a 401 and a failed refresh, the caller is not asked to log in', async (t) => {
  const world = new World(t);
  const page = await world.customer();
  world.expire();
  world.next('/refresh', () => new Response('', { status: 503 }));
  await assert.rejects(page.fetch('/a'), TypeError);
  assert.deepEqual(page.lost, []);
});

test('row 10: a refresh without an answer is given up', async (t) => {
  const world = new World(t);
  const page = await world.customer();
  const native = globalThis.setTimeout;
  t.after(() => { globalThis.setTimeout = native; });
  globalThis.setTimeout = (action, delay, ...rest) => native(action, delay === 10_000 ? 50 : delay, ...rest);
  world.expire();
  world.hold('/refresh');
  await assert.rejects(soon(page.fetch('/a')), TypeError);
  clock.now += 1_000;
  assert.equal((await page.fetch('/a')).status, 200);
});

test('row 11: two tabs that refresh at once stay logged in', async (t) => {
  const world = new World(t);
  const [a, b] = [await world.customer(), world.page()];
  await b.ready();
  for (let round = 0; round < 3; round++) {
    clock.now += 60_000;
    world.expire();
    assert.deepEqual(statuses(await Promise.all([a.fetch('/a'), b.fetch('/b')])), [200, 200]);
  }
  await settle();
  assert.equal(world.reused, 0);
  assert.deepEqual([...a.lost, ...b.lost], []);
});

test('row 11: what one tab has got, others use', async (t) => {
  const world = new World(t);
  const [a, b] = [await world.customer(), world.page()];
  await b.ready();
  const before = world.requests('/refresh').length;
  clock.now += 590_000;
  await a.fetch('/a');
  await settle();
  await b.fetch('/b');
  assert.equal(world.requests('/refresh').length, before + 1);
  assert.equal(world.requests('/b')[0].token, world.requests('/a')[0].token);
});

test('row 11: an older token of another tab is not taken', async (t) => {
  const world = new World(t);
  const page = await world.customer();
  clock.now += 590_000;
  await page.fetch('/a');
  const channel = new BroadcastChannel(`authlatch:${origin}/refresh`);
  t.after(() => channel.close());
  const { login } = world.storage.record;
  channel.postMessage({ login, answer: { ...world.tokens(0), access_token: 'older' } });
  channel.postMessage({ login: 'another', answer: { ...world.tokens(9), access_token: 'foreign' } });
  await settle();
  await page.fetch('/a');
  assert.equal(world.requests('/a')[1].token, world.requests('/a')[0].token);
});

test('row 11: a lock that is never released delays a refresh, no more', async (t) => {
  const world = new World(t);
  const asked = [];
  Object.defineProperty(globalThis, 'navigator', {
    configurable: true,
    value: {
      locks: {
        request: (name, { signal }, action) => {
          asked.push(name);
          return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
        },
      },
    },
  });
  t.after(() => { delete globalThis.navigator; });
  const page = await world.customer();
  world.expire();
  assert.equal((await page.fetch('/a')).status, 200);
  assert.deepEqual(asked, [`authlatch:${origin}/refresh`]);
});

test('row 11: the lock is held for the storage alone', async (t) => {
  const world = new World(t);
  let held = 0;
  Object.defineProperty(globalThis, 'navigator', {
    configurable: true,
    value: { locks: { request: async (name, options, action) => { held++; try { return await action(); } finally { held--; } } } },
  });
  t.after(() => { delete globalThis.navigator; });
  const page = await world.customer();
  world.expire();
  const during = [];
  world.next('/refresh', (answer) => { during.push(held); return answer(); });
  assert.equal((await page.fetch('/a')).status, 200);
  assert.deepEqual(during, [0]);
});

test('row 12: a logout in one tab ends the others, once', async (t) => {
  const world = new World(t);
  const [a, b] = [await world.customer(), world.page()];
  await b.ready();
  await a.logout();
  await until(() => b.lost.length > 0);
  await settle();
  assert.deepEqual(b.lost, ['logged out']);
  assert.deepEqual(a.lost, []); // it knows
  assert.equal(await a.ready(), false);
  assert.equal(await b.ready(), false);
  assert.equal((await b.fetch('/a')).status, 401);
  assert.equal(world.requests('/a')[0].token, undefined);
  assert.equal(world.storage.record, undefined);
});

test('row 12: a refresh in another tab does not undo a logout', async (t) => {
  const world = new World(t);
  const [a, b] = [await world.customer(), world.page()];
  await b.ready();
  clock.now += 60_000;
  world.expire();
  const release = world.hold('/refresh'); // the server has answered already
  const call = b.fetch('/b');
  await until(() => world.requests('/refresh').length === 2);
  await a.logout();
  assert.equal((await soon(call)).status, 401);
  release();
  await settle();
  assert.deepEqual([await a.ready(), await b.ready()], [false, false]);
  assert.equal(world.storage.record, undefined);
});

test('row 12: a refresh that lands before the news of a logout counts no more', async (t) => {
  const world = new World(t);
  const page = await world.customer();
  clock.now += 60_000;
  world.expire();
  world.next('/refresh', async (answer) => {
    const response = await answer();
    world.storage.removeItem(`authlatch:${origin}/refresh`); // as another tab does
    return response;
  });
  assert.equal((await page.fetch('/a')).status, 401);
  assert.equal(world.storage.record, undefined);
  assert.equal(world.requests('/a').length, 1);
  assert.equal(await page.ready(), false);
  assert.deepEqual(page.lost, ['logged out']);
});

test('row 12: a refresh that lands before the news of another login counts no more', async (t) => {
  const world = new World(t);
  const page = await world.customer();
  clock.now += 60_000;
  world.expire();
  world.next('/refresh', async (answer) => {
    const response = await answer();
    world.storage.record = { login: 'another', gen: 0 };
    return response;
  });
  assert.equal((await page.fetch('/a')).status, 401);
  assert.equal(world.requests('/a').length, 1); // it was the other one's
  assert.equal(world.requests('/refresh').length, 2);
  assert.equal((await page.fetch('/a')).status, 200);
});

test('row 12: the tab that logs out stays out, though another one refreshes meanwhile', async (t) => {
  const world = new World(t);
  const [a, b] = [await world.customer(), world.page()];
  await b.ready();
  clock.now += 60_000;
  world.expire();
  const release = world.late('/logout');
  const out = a.logout();
  await until(() => world.requests('/logout').length === 1);
  await b.fetch('/b');
  await settle();
  release();
  await out;
  await until(() => b.lost.length === 1);
  assert.deepEqual([await a.ready(), await b.ready()], [false, false]);
});

for (const what of ['login', 'logout']) {
  test(`row 12: ${what} ends the refresh before it, and lets none begin`, async (t) => {
    const world = new World(t);
    const page = await world.customer();
    clock.now += 60_000;
    world.expire();
    const order = [];
    world.next('/refresh', async (answer, entry) => {
      entry.request.signal.addEventListener('abort', () => order.push('aborted'));
      await new Promise(() => {});
    });
    const waits = page.fetch('/a').then((response) => response.status);
    await until(() => world.requests('/refresh').length === 1);
    world.next('/' + what, async (answer) => { order.push(what); await settle(); return answer(); });
    const change = page[what]('/login', { method: 'POST' });
    await until(() => order.length === 2);
    assert.deepEqual(order, ['aborted', what]);
    const during = page.fetch('/b').then((response) => response.status);
    await change;
    assert.equal(world.requests('/refresh').length, 1);
    assert.equal(await waits, 401); // it was sent for the login before
    assert.equal(await during, 401);
    assert.equal(await page.ready(), what === 'login');
    assert.equal(world.requests('/refresh').length, 1);
    assert.deepEqual(page.lost, []);
  });
}

test('row 12: a refresh that cannot be stopped is waited for', async (t) => {
  const world = new World(t);
  const page = await world.customer({ fetch: (input, init) => world.fetch(input, { ...init, signal: undefined }) });
  world.expire();
  const release = world.hold('/refresh');
  const call = page.fetch('/a');
  await until(() => world.requests('/refresh').length === 1);
  const login = page.login('/login', { method: 'POST' });
  await settle();
  assert.equal(world.requests('/login').length, 1); // the first one
  release();
  assert.equal((await login).status, 200);
  assert.equal((await call).status, 401);
  assert.equal((await page.fetch('/a')).status, 200);
});

test('row 12: an answer that is being read counts no more after the login of another tab', async (t) => {
  const world = new World(t);
  globalThis.localStorage = undefined; // there is nothing else to tell
  const [a, b] = [await world.customer(), world.page()];
  await b.ready();
  world.expire();
  let release;
  const gate = new Promise((resolve) => { release = resolve; });
  world.next('/refresh', async (answer) => {
    const response = await answer();
    const json = response.json.bind(response);
    response.json = () => gate.then(json);
    return response;
  });
  const call = b.fetch('/a');
  await until(() => world.requests('/refresh').length === 2);
  await a.login('/login', { method: 'POST' });
  await until(() => b.lost.length === 1);
  release();
  assert.equal((await call).status, 401);
  await settle();
  await a.fetch('/b');
  await b.fetch('/b');
  const [one, other] = world.requests('/b').map((entry) => entry.token);
  assert.equal(one, other);
  assert.deepEqual(b.lost, ['replaced']);
});

test('row 12: a request is never sent again for another login', async (t) => {
  const world = new World(t);
  const page = await world.customer();
  const release = world.hold('/a');
  world.expire();
  const call = page.fetch('/a', { method: 'POST', body: 'a secret of the first' });
  await until(() => world.requests('/a').length === 1);
  await page.login('/login', { method: 'POST' });
  release();
  assert.equal((await call).status, 401);
  assert.equal(world.requests('/a').length, 1);
});

test('row 12: a request that waits is not sent for another login', async (t) => {
  const world = new World(t);
  const [a, b] = [await world.customer(), world.page()];
  await b.ready();
  clock.now += 650_000;
  const release = world.hold('/refresh');
  const call = b.fetch('/a', { method: 'POST', body: 'a secret of the first' });
  await until(() => world.requests('/refresh').length === 2);
  await a.login('/login', { method: 'POST' });
  await until(() => b.lost.length === 1);
  const response = await soon(call);
  release();
  assert.equal(response.status, 401);
  assert.match(response.headers.get('Content-Type'), /problem\+json/);
  assert.equal(world.requests('/a').length, 0);
  assert.deepEqual(b.lost, ['replaced']);
  assert.equal(await b.ready(), true); // as who is logged in now
  assert.equal(world.requests('/refresh').length, 2);
});

test('row 12: a login in one tab is one in those that wait for it', async (t) => {
  const world = new World(t);
  const [a, b] = [world.page(), world.page()];
  assert.deepEqual([await a.ready(), await b.ready()], [false, false]);
  await a.login('/login', { method: 'POST' });
  await until(() => b.ready());
  assert.equal((await b.fetch('/a')).status, 200);
  assert.deepEqual(b.lost, []);
});

test('row 12: a logout that the server has not received can be repeated', async (t) => {
  const world = new World(t);
  const page = await world.customer();
  for (const act of [() => new Response('', { status: 503 }), () => { throw new TypeError('Failed to fetch'); }]) {
    world.next('/logout', act);
    await assert.rejects(page.logout());
    assert.equal(await page.ready(), false);
  }
  await page.logout();
  assert.equal(world.families.get('family1').ended, 'logged out');
});

test('row 13: a POST is sent again only after a 401 from before the handler, as it was', async (t) => {
  const world = new World(t);
  const page = await world.customer();
  const pay = () => page.fetch('/pay', { method: 'POST', body: '{"amount":1}', headers: { 'Idempotency-Key': 'one' } });
  world.expire();
  assert.equal((await pay()).status, 200);
  const [first, second] = world.requests('/pay');
  assert.deepEqual([first.body, first.headers.get('Idempotency-Key')], ['{"amount":1}', 'one']);
  assert.deepEqual([second.body, second.headers.get('Idempotency-Key')], ['{"amount":1}', 'one']);
  for (const status of [400, 402, 409, 425, 500, 503]) {
    world.next('/pay', () => new Response('', { status, headers: { 'WWW-Authenticate': 'Bearer error="invalid_token"' } }));
    assert.equal((await pay()).status, status);
  }
  world.next('/pay', () => unauthorized('Basic')); // the handler's own
  assert.equal((await pay()).status, 401);
  assert.equal(world.requests('/pay').length, 2 + 6 + 1);
  await page.fetch('/pay', { method: 'POST' });
  assert.equal(world.requests('/pay').at(-1).headers.get('Idempotency-Key'), null);
});

const form = new FormData();
form.append('file', new Blob(['content']), 'file.txt');
for (const [what, body, seen] of [
  ['text', 'text', /^text$/],
  ['a form', form, /file\.txt[^]*content/],
  ['a Blob', new Blob(['blob']), /^blob$/],
  ['parameters', new URLSearchParams({ a: '1' }), /^a=1$/],
  ['an array', new TextEncoder().encode('array'), /^array$/],
]) {
  test(`row 14: ${what} is sent again whole`, async (t) => {
    const world = new World(t);
    const page = await world.customer();
    for (const call of [
      () => page.fetch('/a', { method: 'POST', body }),
      () => page.fetch(new Request('/a', { method: 'POST', body })),
    ]) {
      world.expire();
      assert.equal((await call()).status, 200);
      const [first, second] = world.requests('/a').slice(-2);
      assert.match(first.body, seen);
      assert.match(second.body, seen);
    }
    assert.equal(world.requests('/a').length, 4);
  });
}

const stream = () => new ReadableStream({ start(c) { c.enqueue(new TextEncoder().encode('stream')); c.close(); } });

test('row 14: a stream is sent once, and the next request has the newer token', async (t) => {
  const world = new World(t);
  const page = await world.customer();
  world.expire();
  const upload = () => page.fetch('/a', { method: 'POST', body: stream(), duplex: 'half' });
  assert.equal((await upload()).status, 401);
  assert.equal(world.requests('/a').length, 1);
  assert.equal((await upload()).status, 200);
  assert.equal(world.requests('/refresh').length, 1);
  assert.equal(world.requests('/a')[1].body, 'stream');
});

test('row 14: a token that is due is refreshed before a stream is sent', async (t) => {
  const world = new World(t);
  const page = await world.customer();
  clock.now += 590_000;
  world.expire();
  assert.equal((await page.fetch('/a', { method: 'POST', body: stream(), duplex: 'half' })).status, 200);
  assert.equal(world.requests('/a').length, 1);
});

test('row 16: the token goes to no other origin', async (t) => {
  const world = new World(t);
  const page = await world.customer({ origins: [origin, 'https://api.test'] });
  await page.fetch('/a');
  await page.fetch('https://api.test/a');
  const elsewhere = [
    'https://evil.test/a', 'http://app.test/a', 'https://app.test:444/a', 'https://app.test.evil.test/a', 'https://app.test@evil.test/a',
    'https://evil.test/?https://app.test/', 'https://api.test.:443/a', '//evil.test/a',
  ];
  for (const url of elsewhere) {
    const before = world.log.length;
    await page.fetch(url.replace('app.test@', '')); // an address with a password is none to fetch
    assert.equal(world.log[before].token, undefined, url);
  }
  assert.equal(world.log.filter((entry) => entry.token).length, 2);
  assert.equal(world.requests('/refresh').length, 0); // nor does a 401 from there refresh
  await page.fetch('https://evil.test/a', { headers: { Authorization: 'Bearer ' + world.requests('/a')[0].token } });
  assert.equal(world.log.at(-1).token, undefined); // not even by hand
});

test('row 16: a list of origins stands instead of the own one, and has nothing else', async (t) => {
  const world = new World(t);
  const page = await world.customer({ origins: ['https://api.test'] });
  await page.fetch('/a');
  assert.equal(world.log.at(-1).token, undefined);
  for (const wrong of ['https://api.test/', 'https://api.test/v1', 'api.test', 'localhost:8080', '*', '', 'null', 'data:']) {
    assert.throws(() => world.page({ origins: [wrong] }), TypeError, wrong);
  }
});

test('row 16: a 401 from where a redirect has led refreshes nothing', async (t) => {
  const world = new World(t);
  const page = await world.customer();
  const led = (to) => () => Object.defineProperty(unauthorized('Bearer error="invalid_token"'), 'url', { value: to });
  world.next('/a', led('https://evil.test/a'));
  assert.equal((await page.fetch('/a')).status, 401);
  assert.equal(world.requests('/refresh').length, 0);
  world.next('/a', led(origin + '/b'));
  assert.equal((await page.fetch('/a')).status, 200);
});

test('row 17: an old token of ours is replaced, and what is not ours is left alone', async (t) => {
  const world = new World(t);
  const page = await world.customer();
  await page.fetch('/a');
  const headers = { Authorization: 'Bearer ' + world.requests('/a')[0].token };
  world.expire();
  assert.equal((await page.fetch('/a', { headers })).status, 200);
  assert.equal((await page.fetch('/a', { headers })).status, 200); // it is two tokens old now, and still known
  const before = world.requests('/refresh').length;
  for (const own of ['Bearer foreign', 'Basic YTpi', 'Bearer']) {
    assert.equal((await page.fetch('/own', { headers: { Authorization: own } })).status, 401);
    assert.equal(world.requests('/own').at(-1).headers.get('Authorization'), own);
  }
  assert.equal(world.requests('/own').length, 3);
  assert.equal(world.requests('/refresh').length, before);
});

test('row 18: a caller that gives up does not wait, and cancels no other', async (t) => {
  const world = new World(t);
  const page = await world.customer();
  world.expire();
  const release = world.hold('/refresh');
  const controller = new AbortController();
  const gone = page.fetch('/gone', { signal: controller.signal });
  const stays = page.fetch('/stays');
  await until(() => world.requests('/refresh').length === 1);
  controller.abort(new Error('enough'));
  await assert.rejects(gone, /enough/);
  release();
  assert.equal((await stays).status, 200);
  assert.equal(world.requests('/gone').length, 1);
  assert.equal(world.requests('/refresh').length, 1);
});

test('row 18: who has given up sends nothing', async (t) => {
  const world = new World(t);
  const page = await world.customer();
  clock.now += 650_000;
  const release = world.hold('/refresh');
  const controller = new AbortController();
  const gone = page.fetch('/gone', { signal: controller.signal });
  await until(() => world.requests('/refresh').length === 1);
  controller.abort();
  await assert.rejects(gone, { name: 'AbortError' });
  await assert.rejects(page.fetch('/gone', { signal: AbortSignal.abort() }), { name: 'AbortError' });
  await assert.rejects(page.fetch(new Request('/gone', { signal: AbortSignal.timeout(1) })), { name: 'TimeoutError' });
  release();
  await settle();
  assert.equal(world.requests('/gone').length, 0);
});

test('row 19: the end of a login is reported once, with its reason, and no page is redirected', async (t) => {
  for (const [answer, reason] of [
    [() => problem('expired'), 'expired'],
    [() => problem('invalid'), 'invalid'],
    [() => problem('missing'), 'missing'],
    [() => problem('reused'), 'reused'],
    [() => problem('revoked', 'evicted'), 'evicted'],
  ]) {
    const world = new World(t);
    const page = await world.customer();
    world.expire();
    world.next('/refresh', answer);
    const responses = await Promise.all(['/a', '/b', '/c', '/d'].map((path) => page.fetch(path)));
    assert.deepEqual(statuses(responses), [401, 401, 401, 401]);
    await page.fetch('/e');
    assert.deepEqual(page.lost, [reason]);
    assert.equal(await page.ready(), false);
    assert.equal(world.requests('/refresh').length, 1); // the end is the end
    assert.equal(world.storage.record, undefined);
    await page.login('/login', { method: 'POST' });
    world.expire();
    world.next('/refresh', answer);
    await page.fetch('/a');
    assert.deepEqual(page.lost, [reason, reason]); // once for each
    page.close();
  }
});

test('row 19: what waits for a login that ends is not sent without it', async (t) => {
  const world = new World(t);
  const page = await world.customer();
  clock.now += 650_000;
  world.next('/refresh', () => problem('expired'));
  const response = await page.fetch('/a', { method: 'POST', body: 'x' });
  assert.equal(response.status, 401);
  assert.equal((await response.json()).reason, 'expired');
  assert.equal(world.requests('/a').length, 0);
});

test('row 19: it is reported to other tabs too, and a callback that throws breaks nothing', async (t) => {
  const world = new World(t);
  const a = await world.customer({ onSessionLost: () => { throw new Error('in the page'); } });
  const b = world.page();
  await b.ready();
  const listeners = process.listeners('unhandledRejection');
  process.removeAllListeners('unhandledRejection');
  t.after(() => listeners.forEach((listener) => process.on('unhandledRejection', listener)));
  const thrown = new Promise((resolve) => process.once('unhandledRejection', resolve));
  world.expire();
  world.next('/refresh', () => problem('expired'));
  assert.equal((await a.fetch('/a')).status, 401);
  assert.match((await thrown).message, /in the page/);
  await until(() => b.lost.length === 1);
  assert.deepEqual(b.lost, ['expired']);
});

test('row 20: credentials go along with refresh, login and logout, to another origin too', async (t) => {
  const world = new World(t);
  const page = world.page({ refresh: 'https://api.test/refresh', logout: 'https://api.test/logout' });
  await page.ready();
  await page.login('https://api.test/login', { method: 'POST' });
  await page.logout();
  for (const path of ['/refresh', '/login', '/logout']) {
    const [entry] = world.requests(path);
    assert.equal(entry.credentials, 'include', path);
    assert.equal(entry.method, 'POST', path);
    assert.equal(new URL(entry.url).origin, 'https://api.test', path);
    assert.equal(entry.token, undefined, path);
    if (path !== '/login') assert.equal(entry.redirect, 'error', path); // a login page is no answer
  }
});

test('row 21: a 403 refreshes nothing, nor does a demand for a new login', async (t) => {
  const world = new World(t);
  const page = await world.customer();
  for (const [status, challenge] of [
    [403, 'Bearer error="insufficient_scope", scope="admin"'],
    [403, 'Bearer error="invalid_token"'],
    [401, 'Bearer error="insufficient_user_authentication", max_age="60"'],
  ]) {
    world.next('/a', () => new Response('', { status, headers: { 'WWW-Authenticate': challenge } }));
    assert.equal((await page.fetch('/a')).status, status);
  }
  assert.equal(world.requests('/refresh').length, 0);
  assert.equal(world.requests('/a').length, 3);
  assert.deepEqual(page.lost, []);
});

test('row 22: a clock that is set back does not count, and refresh_after does', async (t) => {
  const world = new World(t);
  const page = await world.customer();
  clock.wall -= 1e9;
  clock.now += 579_000;
  await page.fetch('/a');
  assert.equal(world.requests('/refresh').length, 0);
  clock.now += 1_001;
  await Promise.all([page.fetch('/a'), page.fetch('/b')]);
  assert.equal(world.requests('/refresh').length, 1);
  assert.equal(world.requests('/a').length, 2); // before it was sent, not after
});

test('row 22: time counts from when the answer came', async (t) => {
  const world = new World(t);
  const page = world.page();
  const release = world.hold('/login');
  const login = page.login('/login', { method: 'POST' });
  await until(() => world.requests('/login').length === 1);
  clock.now += 100_000;
  release();
  await login;
  clock.now += 579_000;
  await page.fetch('/a');
  assert.equal(world.requests('/refresh').length, 0);
});

test('row 22: a page that is seen again refreshes if that is due', async (t) => {
  const listeners = new Map();
  globalThis.document = {
    hidden: false,
    addEventListener: (type, listener) => listeners.set(type, listener),
    removeEventListener: (type) => listeners.delete(type),
  };
  t.after(() => { delete globalThis.document; });
  const world = new World(t);
  const page = await world.customer();
  const wake = listeners.get('visibilitychange');
  wake();
  clock.now += 590_000;
  document.hidden = true;
  wake();
  await settle();
  assert.equal(world.requests('/refresh').length, 0);
  document.hidden = false;
  wake();
  await until(() => world.requests('/refresh').length === 1);
  page.close();
  assert.equal(listeners.size, 0);
});

test('row 22: a token that is never good makes no storm', async (t) => {
  const world = new World(t);
  const page = await world.customer();
  clock.now += 590_000;
  world.next('/refresh', async (answer) => {
    const tokens = await (await answer()).json();
    return new Response(JSON.stringify({ ...tokens, expires_in: 1, refresh_after: 0 }));
  });
  assert.equal((await page.fetch('/a')).status, 200);
  assert.equal(world.requests('/refresh').length, 1);
  world.next('/refresh', async (answer) => { // the last moment of a login
    const tokens = await (await answer()).json();
    return new Response(JSON.stringify({ ...tokens, expires_in: 0, refresh_after: 0 }));
  });
  clock.now += 1_000;
  await assert.rejects(page.fetch('/a'), TypeError);
  assert.equal(world.requests('/refresh').length, 2);
  assert.deepEqual(page.lost, []);
});

test('row 23: refresh and logout carry an attempt, and failures clear nothing', async (t) => {
  const world = new World(t);
  const page = await world.customer();
  const jar = world.jar;
  world.expire();
  world.next('/refresh', () => new Response('', { status: 503 }));
  await assert.rejects(page.fetch('/a'));
  assert.equal(world.jar, jar);
  clock.now += 1_000;
  await page.fetch('/a');
  await page.logout();
  for (const path of ['/refresh', '/logout']) {
    for (const entry of world.requests(path)) assert.match(entry.headers.get('Refresh-Attempt'), /^[\w-]{22,128}$/);
  }
  assert.notEqual(world.requests('/refresh')[0].headers.get('Refresh-Attempt'), world.requests('/logout')[0].headers.get('Refresh-Attempt'));
});

test('row 24: before a stream opens, ready refreshes what is due', async (t) => {
  const world = new World(t);
  const page = await world.customer();
  clock.now += 590_000;
  assert.equal(await page.ready(), true); // then the ticket, then new EventSource('/stream?ticket=…')
  assert.equal(world.requests('/refresh').length, 1);
  assert.equal((await page.fetch('/ticket', { method: 'POST' })).status, 200);
  assert.equal(world.requests('/ticket').length, 1);
});

test('row 25: a page that starts twice stays logged in', async (t) => {
  const world = new World(t);
  (await world.customer()).close();
  clock.now += 60_000;
  const [a, b] = [world.page(), world.page()]; // as development servers do
  assert.deepEqual(await Promise.all([a.ready(), b.ready(), a.ready()]), [true, true, true]);
  assert.equal(world.requests('/refresh').length, 2);
  assert.equal(new Set(world.requests('/refresh').map((entry) => entry.headers.get('Refresh-Attempt'))).size, 1);
  assert.equal(world.reused, 0);
  clock.now += 590_000;
  assert.equal((await a.fetch('/a')).status, 200);
});

test('attempt: a lost answer is asked for again, by any tab, and no theft is reported', async (t) => {
  const world = new World(t);
  const a = await world.customer();
  clock.now += 590_000;
  const jar = world.jar;
  world.next('/refresh', async (answer) => {
    await answer();
    world.jar = jar; // neither the answer nor its cookie has arrived
    throw new TypeError('Failed to fetch');
  });
  assert.equal((await a.fetch('/a')).status, 200);
  a.close();
  clock.now += 1_000_000;
  const b = world.page();
  assert.equal(await b.ready(), true);
  assert.equal(world.reused, 0);
  const [first, second] = world.requests('/refresh').map((entry) => entry.headers.get('Refresh-Attempt'));
  assert.equal(first, second);
});

test('attempt: each one has a new key', async (t) => {
  const world = new World(t);
  const page = await world.customer();
  for (let i = 0; i < 5; i++) {
    clock.now += 590_000;
    await page.fetch('/a');
  }
  assert.equal(new Set(world.requests('/refresh').map((entry) => entry.headers.get('Refresh-Attempt'))).size, 5);
  assert.equal(world.storage.record.gen, 5);
});

test('attempt: a key that has done its work is not used again', async (t) => {
  const world = new World(t);
  const page = await world.customer();
  const { login } = world.storage.record;
  clock.now += 590_000;
  await page.fetch('/a');
  const { key } = world.storage.record = { login, gen: 0, key: 'a-tab-died-before-it-had-cleared' };
  clock.now += 590_000;
  await page.fetch('/a');
  assert.notEqual(world.requests('/refresh')[1].headers.get('Refresh-Attempt'), key);
});

test('attempt: an answer clears its own key alone', async (t) => {
  const world = new World(t);
  const page = await world.customer();
  const { login } = world.storage.record;
  world.expire();
  const other = { login, gen: 1, key: 'the-next-attempt-of-another-tab' };
  world.next('/refresh', async (answer) => {
    const response = await answer();
    world.storage.record = other;
    return response;
  });
  assert.equal((await page.fetch('/a')).status, 200);
  assert.deepEqual(world.storage.record, other);
});

test('attempt: of two tabs that begin at once, the one in the storage counts', async (t) => {
  const world = new World(t);
  const page = await world.customer();
  world.expire();
  const { login } = world.storage.record;
  const other = { login, gen: 0, key: 'the-other-tab-was-a-bit-later' };
  const setItem = world.storage.setItem;
  world.storage.setItem = () => { world.storage.setItem = setItem; world.storage.record = other; };
  await page.fetch('/a');
  assert.equal(world.requests('/refresh')[0].headers.get('Refresh-Attempt'), other.key);
});

test('attempt: what is no key is replaced', async (t) => {
  for (const record of ['x', null, 7, {}, { login: 1, gen: 0 }, { login: ['x'], gen: 0, key: 'long-enough-for-an-attempt' }, { login: 'a', gen: '0' }, { login: 'a', gen: 0, key: 'short' }, { login: 'a', gen: 0, key: 'with\nline breaks and more' }]) {
    const world = new World(t);
    (await world.customer()).close();
    world.storage.record = record;
    assert.equal(await world.page().ready(), true, JSON.stringify(record));
    assert.match(world.requests('/refresh')[0].headers.get('Refresh-Attempt'), /^[\w-]{22,128}$/);
  }
});

for (const [what, storage] of Object.entries({
  'no storage': undefined,
  'a storage that throws': { getItem() { throw new Error('SecurityError'); }, setItem() { throw new Error('SecurityError'); }, removeItem() { throw new Error('SecurityError'); } },
  'a full storage': { getItem: () => null, setItem() { throw new Error('QuotaExceededError'); }, removeItem() {} },
  'a storage that forgets': { getItem: () => null, setItem() {}, removeItem() {} },
})) {
  test(`storage: with ${what} all works but the retry after a reload`, async (t) => {
    const world = new World(t);
    globalThis.localStorage = storage;
    const page = await world.customer();
    for (let i = 0; i < 2; i++) {
      clock.now += 590_000;
      world.next('/refresh', () => new Response('', { status: 503 }));
      await page.fetch('/a');
      clock.now += 2_000;
      assert.equal((await page.fetch('/a')).status, 200);
    }
    const keys = world.requests('/refresh').map((entry) => entry.headers.get('Refresh-Attempt'));
    assert.deepEqual([keys[0] === keys[1], keys[1] === keys[2], keys[2] === keys[3]], [true, false, true]);
    const other = world.page();
    assert.equal(await other.ready(), true);
    await page.logout();
    await until(() => other.lost.length === 1);
    assert.equal(await other.ready(), false);
  });
}

test('storage: it has no token, whatever happens', async (t) => {
  const world = new World(t);
  const page = await world.customer();
  clock.now += 590_000;
  world.next('/refresh', () => new Response('', { status: 503 }));
  await page.fetch('/a');
  assert.deepEqual(Object.keys(world.storage.record), ['login', 'gen', 'key']);
  assert.ok(!world.storage.text.includes('access'));
  clock.now += 2_000;
  await page.fetch('/a');
  assert.ok(!world.storage.text.includes('access'));
});

test('login: a second factor has no tokens yet, and the response is the caller\'s', async (t) => {
  const world = new World(t);
  const page = world.page();
  world.next('/login', () => new Response('{"next":"totp"}', { status: 200 }));
  const response = await page.login('/login', { method: 'POST' });
  assert.deepEqual(await response.json(), { next: 'totp' });
  assert.equal(await page.ready(), false);
  assert.equal((await (await page.login('/login', { method: 'POST' })).json()).gen, 0);
  assert.equal(await page.ready(), true);
  assert.equal(world.requests('/refresh').length, 1);
});

test('login: a failed one leaves things as they are', async (t) => {
  const world = new World(t);
  const page = await world.customer();
  world.next('/login', () => { throw new TypeError('Failed to fetch'); });
  await assert.rejects(page.login('/login', { method: 'POST' }), TypeError);
  assert.equal((await page.fetch('/a')).status, 200);
});

test('access cookie: without an access token in the body, requests go without one and are sent again', async (t) => {
  const world = new World(t);
  const page = world.page();
  const bare = async (answer) => {
    const { access_token, ...rest } = await (await answer()).json();
    return new Response(JSON.stringify(rest));
  };
  world.next('/login', bare);
  await page.login('/login', { method: 'POST' });
  world.next('/a', () => unauthorized('Bearer'));
  world.next('/refresh', bare);
  world.next('/a', () => new Response('in the cookie'));
  assert.equal(await (await page.fetch('/a')).text(), 'in the cookie');
  assert.deepEqual(world.requests('/a').map((entry) => entry.token), [undefined, undefined]);
});

// Another account: the cookie is of another login than the tab.

test('another account: a refresh that answers with its tokens ends the login of the tab', async (t) => {
  const world = new World(t);
  const page = await world.customer();
  world.elsewhere();
  world.expire();
  assert.equal((await page.fetch('/a', { method: 'POST', body: 'of alice' })).status, 401);
  assert.deepEqual(page.lost, ['replaced']);
  assert.equal(await page.ready(), false);
  await page.fetch('/b');
  assert.equal(world.requests('/b')[0].token, undefined);
  assert.equal(world.requests('/a').length, 1); // with the token of the former login alone
});

test('another account: a tab that reloads is that account, and the others find out at once', async (t) => {
  const world = new World(t);
  const [a, b] = [await world.customer(), world.page()];
  await b.ready();
  world.elsewhere();
  clock.now += 60_000; // the grace period of the last refresh has passed
  const c = world.page();
  assert.equal(await c.ready(), true);
  await until(() => a.lost.length && b.lost.length);
  assert.deepEqual([a.lost, b.lost, c.lost], [['replaced'], ['replaced'], []]);
  await settle();
  for (const page of [a, b]) await page.fetch('/late');
  assert.deepEqual(world.requests('/late').map((entry) => entry.token), [undefined, undefined]);
  assert.equal((await c.fetch('/c')).status, 200);
  clock.now += 590_000;
  await c.fetch('/c'); // what it refreshes does not log in the others
  await settle();
  assert.equal(await a.ready(), false);
});

test('another account: late news of the former one end nothing', async (t) => {
  const world = new World(t);
  const page = await world.customer();
  const channel = new BroadcastChannel('authlatch:' + origin + '/refresh');
  t.after(() => channel.close());
  channel.postMessage({ login: 'former', answer: { ...world.tokens(9, 'former'), access_token: 'of the former' } });
  await until(() => world.requests('/refresh').length === 1);
  await settle();
  assert.equal((await page.fetch('/a')).status, 200);
  assert.notEqual(world.requests('/a')[0].token, 'of the former');
  assert.deepEqual(page.lost, []);
});

test('another account: a logout in one tab and a login in the other', async (t) => {
  const world = new World(t);
  const [a, b] = [await world.customer(), world.page()];
  await b.ready();
  await a.logout();
  await until(() => b.lost.length === 1);
  world.elsewhere();
  for (const page of [a, b]) {
    await page.fetch('/late');
    assert.equal(await page.ready(), false);
  }
  assert.deepEqual(world.requests('/late').map((entry) => entry.token), [undefined, undefined]);
  await a.login('/login', { method: 'POST' });
  await until(async () => await b.ready());
  assert.equal((await b.fetch('/b')).status, 200);
});

test('another account: a tab that wakes late finds out by its first refresh', async (t) => {
  const world = new World(t);
  const page = await world.customer();
  world.elsewhere();
  clock.now += 3_600_000;
  assert.equal((await page.fetch('/a')).status, 401);
  assert.deepEqual(page.lost, ['replaced']);
  assert.equal(world.requests('/a').length, 0);
});

test('another account: an answer to a login that cannot be read is an error and an end', async (t) => {
  const cut = () => new ReadableStream({ start: (controller) => {
    controller.enqueue(new TextEncoder().encode('{"access_token":"acc'));
    controller.error(new TypeError('network'));
  } });
  const type = { headers: { 'Content-Type': 'application/json; charset=utf-8' } };
  for (const broken of [() => new Response(cut()), () => new Response(cut(), type), () => new Response('{"access_token":"acc', type), () => new Response('', type)]) {
    const world = new World(t);
    const [a, b] = [await world.customer(), world.page()];
    await b.ready();
    world.next('/login', async (answer) => {
      await answer();
      return broken();
    });
    await assert.rejects(a.login('/login', { method: 'POST' }), TypeError);
    assert.equal(await a.ready(), false);
    await until(() => b.lost.length === 1);
    for (const page of [a, b]) await page.fetch('/late');
    assert.deepEqual(world.requests('/late').map((entry) => entry.token), [undefined, undefined]);
    assert.deepEqual([a.lost, b.lost], [['replaced'], ['replaced']]);
  }
});

test('another account: after a login without tokens, or without a response, the cookie decides', async (t) => {
  for (const act of [() => new Response('{}'), () => new Response(null, { status: 204 }), () => new Response('<html>'), () => { throw new TypeError('network'); }]) {
    const world = new World(t);
    const page = await world.customer();
    world.next('/login', act); // its first factor: the login goes on
    await page.login('/login', { method: 'POST' }).catch(() => {});
    assert.equal((await page.fetch('/a')).status, 200);
    clock.now += 60_000;
    world.next('/login', async (answer) => {
      await answer();
      return act();
    });
    await page.login('/login', { method: 'POST' }).catch(() => {});
    assert.equal((await page.fetch('/b')).status, 401);
    assert.deepEqual(page.lost, ['replaced']);
  }
});

test('another account: a server that does not name logins is trusted as before', async (t) => {
  const world = new World(t);
  const page = await world.customer();
  world.next('/refresh', async (answer) => {
    const { login_id, ...rest } = await (await answer()).json();
    return new Response(JSON.stringify(rest));
  });
  world.expire();
  assert.equal((await page.fetch('/a')).status, 200);
  clock.now += 60_000;
  world.elsewhere();
  world.expire();
  assert.equal((await page.fetch('/a')).status, 401); // and what it had named is kept
  assert.deepEqual(page.lost, ['replaced']);
});

test('Object.prototype: what a script has put there counts nowhere', async (t) => {
  const evil = {
    refresh: 'https://evil.test/refresh', logout: 'https://evil.test/logout', origins: ['https://evil.test'],
    fetch: () => { throw new Error('the fetch of Object.prototype'); }, onSessionLost: () => { throw new Error('called'); },
    gen: 0, expires_in: 1e9, access_token: 'evil', login_id: 'evil', login: 'evil', key: 'x'.repeat(32), type: 'urn:authlatch:refresh:evil',
    ended: 'evil', entered: true, reason: 'evil',
  };
  for (const name of Object.keys(evil)) {
    const world = new World(t);
    Object.defineProperty(Object.prototype, name, { value: evil[name], configurable: true, writable: true });
    try {
      try { new WritableStream({}); } catch { continue; } // Node 18 cannot clone a response then
      const [a, b] = [await world.customer({}), world.page()];
      assert.equal(await b.ready(), true, name);
      assert.equal((await a.fetch('/a')).status, 200, name);
      assert.equal((await a.fetch('https://evil.test/b')).status, 401, name);
      assert.equal(world.requests('/b')[0].token, undefined, name);
      world.next('/refresh', () => new Response('{}'));
      clock.now += 590_000;
      assert.equal((await a.fetch('/a')).status, 200, name); // by the old token, for {} is none
      world.next('/refresh', () => new Response('{}', { status: 401 }));
      clock.now += 5_000;
      assert.equal((await a.fetch('/a')).status, 200, name); // for {} is no end
      assert.equal(await b.ready(), true, name);
      await settle();
      assert.deepEqual([a.lost, b.lost], [[], []], name);
    } finally {
      delete Object.prototype[name];
    }
  }
});

test('Headers: a script that patches them later does not see the token', async (t) => {
  const world = new World(t);
  const page = await world.customer();
  const { set } = Headers.prototype;
  const headers = Object.getOwnPropertyDescriptor(Request.prototype, 'headers') ?? Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Request.prototype), 'headers');
  const seen = [];
  Headers.prototype.set = function (...args) { seen.push(args); return set.apply(this, args); };
  try {
    assert.equal((await page.fetch('/a')).status, 200);
  } finally {
    Headers.prototype.set = set;
  }
  assert.ok(headers);
  assert.deepEqual(seen, []);
});

test('close: nothing is received or sent any more', async (t) => {
  const world = new World(t);
  const [a, b] = [await world.customer(), world.page()];
  await b.ready();
  b.close();
  await a.logout();
  await settle();
  assert.deepEqual(b.lost, []);
  assert.equal(await b.ready(), false);
});
