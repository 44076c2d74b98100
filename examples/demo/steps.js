// The action of each button. The page shows requests as the server has recorded them. It
// adds only what scripts can read, and that a response is missing.
import * as client from '/client.js';

// steps are called with the mode and these parts of the page: form, the login form; state,
// the state from the server; showRecord, to show the record so far; wait, to show a waiting
// time; and keep, to show what the server has not recorded.
export const steps = {
  async login(mode, { form }) {
    const body = new URLSearchParams(new FormData(form));
    await (mode === 'session' ? client.post('/session/login', body) : client.login(body));
  },

  async me(mode) {
    await (mode === 'session' ? client.send('/session/me') : client.call('/token/me'));
  },

  async live() {
    await client.call('/token/live/me');
  },

  async renew() {
    await client.renew();
  },

  // An injected script can read and steal what a script of this page can read.
  async read(mode, { keep }) {
    const storage = Object.entries(localStorage).map(([name, value]) => `${name}: ${value}`).join('; ');
    const facts = [['factCookie', document.cookie], ['factStorage', storage]];
    if (mode === 'token') facts.push(['factClosure', client.access.ends > performance.now() ? client.access.hint : '']);
    keep({ facts });
  },

  // A thief uses the cookie of a session at once, but a refresh token only after its owner
  // has used it.
  async steal(mode, { state, showRecord, wait }) {
    const response = await client.post('/thief/steal', { mode });
    const { copied, wait: pause } = await response.json();
    if (!copied) return;
    if (mode === 'session') {
      await client.post('/thief/use', { mode });
      return;
    }
    if (pause > 0) await wait('waitRest', pause + 200);
    if (!(await client.renew())) return;
    await showRecord();
    await wait('waitGrace', 1000 * state.limits.grace + 300);
    await client.post('/thief/use', { mode });
    await client.renew();
  },

  async again(mode) {
    await client.post('/thief/use', { mode });
  },

  async elsewhere(mode, { state }) {
    if (mode === 'session') await client.post('/session/transfer', {});
    await visitElsewhere(mode, state.label);
  },

  async logout(mode) {
    await (mode === 'session' ? client.post('/session/logout', {}) : client.logout());
  },

  // Afterwards the APIs of all modes are called in which this browser had a login.
  async everywhere(mode, { state }) {
    const init = { method: 'POST' };
    const response = await (mode === 'session' ? client.send('/session/logout-everywhere', init) : client.call('/token/logout-everywhere', init));
    if (!response.ok) return;
    if (state.session.login) await client.send('/session/me');
    if (client.access.ends > performance.now()) await client.call('/token/me');
  },
};

// visitElsewhere opens the other site in a frame, which sends its requests.
function visitElsewhere(mode, label) {
  const origin = `http://127.0.0.1${location.port && ':' + location.port}`;
  const frame = document.createElement('iframe');
  frame.className = 'elsewhere';
  frame.tabIndex = -1;
  frame.setAttribute('aria-hidden', 'true');
  frame.src = `${origin}/elsewhere?${new URLSearchParams({ mode, visitor: label, step: client.step() })}`;
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
