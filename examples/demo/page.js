// The page: buttons, languages, and the state from the server.
import * as client from '/client.js';
import * as scenarios from '/scenarios.js';
import { steps } from '/steps.js';
import { t, $, $$, translate, bar } from '/dom.js';
import { show, tick, sentence } from '/view.js';

const query = new URLSearchParams(location.search);
let state; // the last state from the server
let busy = false; // a step is under way
let said; // makes the sentence that was said last, in the language of now
const added = []; // what the page knows of steps and the server does not

// look fetches the state, or shows a notice if that fails.
async function look() {
  try {
    let found = await ask();
    if (!found.known) found = await ask(); // the server has forgotten its visitor
    state = found;
    client.know(state);
    notice(found.known ? (query.has('moved') ? 'noticeMoved' : '') : 'noticeCookies');
  } catch {
    notice('noticeUnreachable');
  }
  if (state) show(state, added);
  return state;
}

async function ask() {
  const response = await fetch('/state', { cache: 'no-store', signal: AbortSignal.timeout(5000) });
  if (!response.ok) throw new Error(`status ${response.status}`);
  return { ...(await response.json()), at: performance.now() };
}

let noticed = '';
function notice(key) {
  noticed = key;
  $('#notice').hidden = !key;
  $('#notice').textContent = key && t(key);
}

// say announces a text to screen readers.
function say(make) {
  said = make;
  $('#said').textContent = make();
}

// perform runs a step on one side, or on both at the same time. No other step runs then.
async function perform(name, sides, form) {
  if (busy || !state) return false;
  setBusy(true);
  hideMessage();
  const failed = [];
  await Promise.all(sides.map(async (mode) => {
    const id = client.begin(name, mode);
    const keep = (found) => {
      added.push({ id, time: Date.now(), ...found });
      if (added.length > 40) added.shift();
    };
    try {
      await steps[name](mode, { form, look, wait, keep });
    } catch (error) {
      failed.push(error);
      keep({ why: error.why ?? 'whyUnreachable' });
    } finally {
      client.end(mode);
    }
  }));
  await look();
  setBusy(false);
  say(() => sides.map((mode) => (sides.length > 1 ? t(mode) + ': ' : '') + sentence(mode, state, added)).join(' '));
  if (failed.length) message(() => t(failed[0].why ?? 'whyUnreachable'));
  return true;
}

function setBusy(is) {
  busy = is;
  $('#stage').ariaBusy = is;
  for (const button of $$('[data-step], form button, [data-scenario], [data-control]:not([data-control=run])')) button.setAttribute('aria-disabled', is);
}

async function reset() {
  if (busy || !state) return false;
  setBusy(true);
  try {
    await client.post('/reset', {}, 'session'); // first, since a logout needs the store
    await client.post('/session/logout', {}, 'session');
    await client.logout();
    await client.post('/reset', {}, 'session');
    added.length = 0;
    message(() => t('resetDone'));
  } catch {
    message(() => t('whyUnreachable'));
  }
  await look();
  setBusy(false);
  say(() => t('resetDone'));
  return true;
}

// The message ends by itself, unless the pointer or the focus is on it, and can be closed.
let shown; // makes its text
let ends = 0;
function message(make) {
  shown = make;
  ends = performance.now() + 8000;
  $('#message').hidden = false;
  $('#message').classList.remove('waits');
  $('[data-value=message]').textContent = make();
  $('[data-value=seconds]').textContent = '';
}

function hideMessage() {
  if ($('#message').contains(document.activeElement)) $('[data-control=next]').focus();
  $('#message').hidden = true;
  shown = undefined;
}

// wait waits and shows the remaining time.
async function wait(key, ms) {
  const end = performance.now() + ms;
  say(() => t(key)); // without the seconds, because a screen reader would read each of them
  message(() => t(key));
  const mine = shown;
  $('#message').classList.add('waits');
  for (let left = ms; left > 0; left = end - performance.now()) {
    ends = performance.now() + 1000;
    $('[data-value=seconds]').textContent = t('seconds', { n: Math.max(1, Math.round(left / 1000)) });
    bar($('[data-bar=wait]'), left / ms);
    await new Promise((resolve) => setTimeout(resolve, Math.min(left, 100)));
  }
  if (shown === mine) hideMessage();
}

// choose shows one of the sides if there is no room for both.
function choose(mode) {
  document.body.dataset.mode = mode;
  for (const button of $$('[data-show]')) button.setAttribute('aria-pressed', button.dataset.show === mode);
}

function speak(language) {
  translate(language);
  scenarios.show();
  if (state) show(state, added);
  if (noticed) notice(noticed);
  if (said) say(said);
  if (shown) $('[data-value=message]').textContent = shown();
}

for (const panel of $$('.panel')) {
  panel.addEventListener('submit', (event) => {
    event.preventDefault();
    perform('login', [panel.id], event.target);
  });
  for (const button of panel.querySelectorAll('button[data-step]')) {
    button.addEventListener('click', () => perform(button.dataset.step, [panel.id]));
  }
}
for (const button of $$('[data-show]')) button.addEventListener('click', () => choose(button.dataset.show));
$('.close').addEventListener('click', hideMessage);
for (const button of $$('[data-language]')) {
  button.addEventListener('click', () => {
    const { language } = button.dataset;
    speak(language);
    if (query.has('lang')) {
      query.set('lang', language);
      history.replaceState(null, '', '?' + query); // or a reload would undo the choice
    }
    fetch('/language', { method: 'POST', body: new URLSearchParams({ language }) }).catch(() => {});
  });
}

let asked = 0; // when the state was last asked for because something has ended
setInterval(() => {
  const now = performance.now();
  const over = state && tick(state);
  if ((over || noticed === 'noticeUnreachable') && !busy && now - asked > 1000) {
    asked = now;
    look();
  }
  if (shown && now > ends && !$('#message').matches(':hover, :focus-within')) hideMessage();
}, 250);
document.addEventListener('visibilitychange', () => { if (!document.hidden) look(); });
addEventListener('pageshow', (event) => { if (event.persisted) look(); });

// A phone has room for the reasons only on request.
const narrow = matchMedia('(max-width: 44rem)');
const fold = () => { $('.reasons').open = !narrow.matches; };
narrow.addEventListener('change', fold);
fold();

choose('session');
translate(document.documentElement.lang);
scenarios.open((name) => perform(name, ['session', 'token']), reset);
client.listen(look);
if ((await look())?.token.cookie) {
  setBusy(true);
  client.begin('open', 'token');
  await client.renew().catch(() => {});
  client.end('token');
  await look();
}
setBusy(false);
document.body.dataset.ready = 'yes';
