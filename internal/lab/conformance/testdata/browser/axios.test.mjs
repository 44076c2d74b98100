// The adapter under the real axios, whose place is in AUTH_NODE_MODULES.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { World, clock, createAdapter, origin, problem, settle, unauthorized, until } from './world.mjs';

const axios = createRequire(process.env.AUTH_NODE_MODULES + '/')('axios');

async function customer(world) {
  const page = await world.customer();
  const api = axios.create({ baseURL: origin, adapter: createAdapter(axios, page.client) });
  return { page, api };
}

test('axios: four calls with an expired token, one of them slow: one refresh, and all succeed', async (t) => {
  const world = new World(t);
  const { page, api } = await customer(world);
  world.expire();
  const slow = world.hold('/slow');
  const calls = ['/slow', '/a', '/b', '/c'].map((path) => api.get(path));
  const responses = await Promise.all(calls.slice(1));
  assert.deepEqual(responses.map((response) => response.data.path), ['/a', '/b', '/c']);
  slow();
  assert.equal((await calls[0]).status, 200);
  assert.equal(world.requests('/refresh').length, 1);
  assert.deepEqual(page.lost, []);
});

test('axios, row 2: a late 401 is only sent again', async (t) => {
  const world = new World(t);
  const { api } = await customer(world);
  world.expire();
  const release = world.hold('/late');
  const late = api.get('/late');
  await api.get('/early');
  release();
  assert.equal((await late).status, 200);
  assert.equal(world.requests('/refresh').length, 1);
});

test('axios, row 5: an API that goes on with 401 gets the request twice, and the caller the error', async (t) => {
  const world = new World(t);
  const { api } = await customer(world);
  for (let i = 0; i < 5; i++) world.next('/a', () => unauthorized('Bearer error="invalid_token"'));
  await assert.rejects(api.get('/a'), (error) => axios.isAxiosError(error) && error.response.status === 401);
  assert.equal(world.requests('/a').length, 2);
  assert.equal(world.requests('/refresh').length, 1);
});

test('axios, row 6: errors without a response are those of axios, and refresh nothing', async (t) => {
  const world = new World(t);
  const { page, api } = await customer(world);
  world.next('/a', () => { throw new TypeError('Failed to fetch'); });
  await assert.rejects(api.get('/a'), (error) => error.code === 'ERR_NETWORK' && error.response === undefined);
  world.hold('/slow');
  await assert.rejects(api.get('/slow', { timeout: 20 }), (error) => /timeout/.test(error.message) && error.response === undefined);
  const controller = new AbortController();
  world.hold('/gone');
  const gone = api.get('/gone', { signal: controller.signal });
  await settle();
  controller.abort();
  await assert.rejects(gone, (error) => axios.isCancel(error));
  assert.equal(world.requests('/refresh').length, 0);
  clock.now += 650_000;
  world.next('/refresh', () => new Response('', { status: 503 }));
  await assert.rejects(api.get('/a'), (error) => error.code === 'ERR_NETWORK' && error.response === undefined);
  assert.deepEqual(page.lost, []);
});

test('axios, row 7: no token stands in a configuration, and a request can be made from it again', async (t) => {
  const world = new World(t);
  const { api } = await customer(world);
  const { config } = await api.get('/a');
  const [{ token }] = world.requests('/a');
  assert.ok(token);
  assert.ok(!JSON.stringify([config, api.defaults, axios.defaults]).includes(token));
  world.expire();
  assert.equal((await api.request(config)).status, 200);
});

test('axios, row 14: bodies are sent again whole, a stream as well since axios makes it a Request', async (t) => {
  const world = new World(t);
  const { api } = await customer(world);
  const form = new FormData();
  form.append('file', new Blob(['content']), 'file.txt');
  for (const [body, seen] of [
    [form, /file\.txt[^]*content/],
    [new URLSearchParams({ a: '1' }), /^a=1$/],
    [new Blob(['blob']), /^blob$/],
    ['text', /^text$/],
    [new ReadableStream({ start(c) { c.enqueue(new TextEncoder().encode('stream')); c.close(); } }), /^stream$/],
  ]) {
    world.expire();
    assert.equal((await api.post('/a', body)).status, 200);
    const [first, second] = world.requests('/a').slice(-2);
    assert.match(first.body, seen);
    assert.match(second.body, seen);
    assert.equal(first.headers.get('Content-Type'), second.headers.get('Content-Type'));
  }
  assert.equal(world.requests('/a').length, 10);
});

test('axios, row 15: data is transformed once, and interceptors run once', async (t) => {
  const world = new World(t);
  const { api } = await customer(world);
  let transformed = 0, sent = 0, received = 0;
  api.interceptors.request.use((config) => { sent++; return config; });
  api.interceptors.response.use((response) => { received++; return response; });
  world.expire();
  const response = await api.post('/a', { amount: 1 }, {
    transformRequest: [(data, headers) => { transformed++; headers.setContentType('application/json'); return JSON.stringify(data); }],
    headers: { 'Idempotency-Key': 'one' },
  });
  assert.equal(response.data.body, '{"amount":1}');
  assert.deepEqual([transformed, sent, received], [1, 1, 1]);
  assert.deepEqual(world.requests('/a').map((entry) => entry.body), ['{"amount":1}', '{"amount":1}']);
  assert.deepEqual(world.requests('/a').map((entry) => entry.headers.get('Idempotency-Key')), ['one', 'one']);
  world.expire();
  assert.equal((await api.post('/b', { amount: 2 })).data.body, '{"amount":2}'); // by axios's own transformation
});

test('axios, row 16: the token goes to no other origin', async (t) => {
  const world = new World(t);
  const { api } = await customer(world);
  await assert.rejects(api.get('https://evil.test/a'), (error) => error.response.status === 401);
  assert.equal(world.requests('/a')[0].token, undefined);
  assert.equal(world.requests('/refresh').length, 0);
});

test('axios, row 18: who gives up while a refresh is under way does not wait', async (t) => {
  const world = new World(t);
  const { api } = await customer(world);
  world.expire();
  const release = world.hold('/refresh');
  const controller = new AbortController();
  const gone = api.get('/gone', { signal: controller.signal });
  const stays = api.get('/stays');
  await until(() => world.requests('/refresh').length === 1);
  controller.abort();
  await assert.rejects(gone, (error) => axios.isCancel(error));
  release();
  assert.equal((await stays).status, 200);
  assert.equal(world.requests('/gone').length, 1);
});

test('axios, row 19: the end of a login is reported once', async (t) => {
  const world = new World(t);
  const { page, api } = await customer(world);
  world.expire();
  world.next('/refresh', () => problem('expired'));
  const results = await Promise.allSettled(['/a', '/b', '/c', '/d'].map((path) => api.get(path)));
  assert.deepEqual(results.map((result) => result.reason?.response?.status), [401, 401, 401, 401]);
  assert.deepEqual(page.lost, ['expired']);
});

test('axios: one that is too old is refused', () => {
  const old = () => () => {};
  const one = () => {};
  for (const axios of [{}, { getAdapter: () => one }, { getAdapter: () => undefined }]) {
    assert.throws(() => createAdapter(axios, { fetch: old }), TypeError);
  }
});

test('axios#6686: a login by axios logs in', async (t) => {
  const world = new World(t);
  const page = world.page();
  const api = axios.create({ baseURL: origin, adapter: createAdapter(axios, page.client) });
  const { data } = await api.post('/login', { user: 'alice' });
  assert.equal(data.gen, 0);
  assert.equal((await api.get('/a')).status, 200);
  assert.equal(world.requests('/a').length, 1);
});

test('axios#6686: a failure of onUploadProgress says that it needs HTTP/2', async (t) => {
  const world = new World(t);
  const { api } = await customer(world);
  const fail = () => { throw new TypeError('Failed to fetch'); };
  world.next('/a', fail);
  await assert.rejects(api.post('/a', 'x', { onUploadProgress() {} }), (error) => axios.isAxiosError(error) && /HTTP\/2/.test(error.message));
  world.next('/a', fail);
  await assert.rejects(api.post('/a', 'x'), (error) => axios.isAxiosError(error) && !/HTTP\/2/.test(error.message));
  assert.equal((await api.post('/a', 'x', { onUploadProgress() {} })).data.body, 'x');
});
