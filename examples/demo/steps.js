// The action of each step, for one side. The page shows requests as the server has recorded
// them. It adds only what scripts can read, and that a response is missing.
import * as client from '/client.js';

// steps are called with the mode and these parts of the page: form, the login form, if
// any; look, which fetches and shows the state; wait, to show a waiting time; and keep, to
// show what the server has not recorded.
export const steps = {
  async login(mode, { form }) {
    await client.post('/reset', { mode }, mode);
    const body = new URLSearchParams(form ? new FormData(form) : { user: 'alice', password: 'correct horse' });
    await (mode === 'session' ? client.post('/session/login', body, mode) : client.login(body));
  },

  async call(mode) {
    await client.call(mode, 'a');
    await client.call(mode, 'b');
  },

  // The access token is renewed first if it is due, since that needs the store.
  async away(mode) {
    if (mode === 'token') await client.ready();
    await client.post('/store', { mode, connected: 'no' }, mode);
    await steps.call(mode);
  },

  async back(mode) {
    await client.post('/store', { mode, connected: 'yes' }, mode);
    await steps.call(mode);
  },

  async renew() {
    await client.renew();
  },

  // An injected script can read what a script of this page can read. A page of another
  // site can make the browser send requests.
  async probe(mode, { look, keep }) {
    const storage = Object.entries(localStorage).map(([name, value]) => `${name}: ${value}`).join('; ');
    const facts = [['factCookie', document.cookie], ['factStorage', storage]];
    if (mode === 'token') facts.push(['factClosure', client.access.ends > performance.now() ? client.access.hint : '']);
    keep({ facts });
    if (mode === 'session') await client.post('/session/transfer', {}, mode);
    await visitElsewhere(mode, (await look()).label, client.begun(mode));
  },

  // The request has what the thief copies: the cookies, and the access token if there is one.
  async steal(mode) {
    await (mode === 'session' ? client.post('/thief/steal', { mode }, mode) : client.withToken('/thief/steal', { mode }));
  },

  async loot(mode) {
    await client.post('/thief/use', { mode, with: mode === 'session' ? 'session' : 'access' }, mode);
  },

  async again() {
    await client.post('/thief/use', { mode: 'token', with: 'refresh' }, 'token');
  },

  // The user goes on, and the thief after that. A refresh token that was exchanged just now
  // is still accepted, so there are two waits.
  async race(mode, { look, wait }) {
    if (mode === 'session') {
      await client.call(mode, 'a');
      await steps.loot(mode);
      return;
    }
    const { token, limits } = await look();
    if (token.rest > 0) await wait('waitRest', token.rest + 200);
    if (!(await client.renew())) return;
    await look();
    await wait('waitGrace', 1000 * limits.grace + 300);
    await steps.again();
    await client.renew();
    await steps.loot(mode);
  },

  async taken(mode, parts) {
    await steps.login(mode, parts);
    await steps.steal(mode);
  },

  async gone(mode, parts) {
    await steps.taken(mode, parts);
    await steps.everywhere(mode);
  },

  // The thief waits until the access token has expired.
  async late(mode, { look, wait }) {
    const state = await look();
    const left = Math.max(0, ...(state.token.stolen ?? []).map((stolen) => stolen.left));
    if (mode === 'token' && left > 0) await wait('waitExpiry', left + 300);
    await steps.loot(mode);
    if (mode === 'token') await steps.again();
  },

  async logout(mode) {
    await (mode === 'session' ? client.post('/session/logout', {}, mode) : client.logout());
  },

  async everywhere(mode) {
    await (mode === 'session' ? client.post('/session/logout-everywhere', {}, mode) : client.withToken('/token/logout-everywhere'));
  },
};

// visitElsewhere opens the other site in a frame, which sends its requests.
function visitElsewhere(mode, label, step) {
  const origin = `http://127.0.0.1${location.port && ':' + location.port}`;
  const frame = document.createElement('iframe');
  frame.className = 'elsewhere';
  frame.tabIndex = -1;
  frame.setAttribute('aria-hidden', 'true');
  frame.src = `${origin}/elsewhere?${new URLSearchParams({ mode, visitor: label, step })}`;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => done(reject, { why: 'whyElsewhereSilent' }), 8000);
    const receive = (event) => {
      if (event.origin === origin && event.source === frame.contentWindow) done(resolve);
    };
    const done = (settle, value) => {
      clearTimeout(timer);
      removeEventListener('message', receive);
      frame.remove();
      settle(value);
    };
    addEventListener('message', receive);
    document.body.append(frame);
  });
}
