// The page: buttons, languages, and the state from the server.
import * as client from '/client.js';
import { steps } from '/steps.js';
import { t, translate, show, tick, bar, why } from '/view.js';

const $ = (selector) => document.querySelector(selector);
const $$ = (selector) => document.querySelectorAll(selector);

let state; // the last state from the server
let busy = false; // a step is under way
let said; // makes the sentence that was said last, in the language of now
const local = []; // steps of which the server has no record

// look fetches the state, or shows a notice if that fails.
async function look() {
  try {
    let found = await ask();
    if (!found.known) found = await ask(); // the server has forgotten its visitor
    state = found;
    notice(found.known ? (location.search === '?moved' ? 'noticeMoved' : '') : 'noticeCookies');
  } catch {
    notice('noticeUnreachable');
  }
  if (state) show(state, local);
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

// say announces a text to screen readers, and to users who have scrolled the record away.
function say(sentence) {
  said = sentence;
  $('#said').textContent = sentence();
}

// showRecord shows the record, the newest step first.
async function showRecord() {
  await look();
  $('.log').scrollTop = 0;
}

// run runs one step, and no other one at the same time.
async function run(name, mode, form) {
  if (busy || !state) return;
  setBusy(true);
  client.begin(name, mode);
  const id = client.step();
  try {
    await steps[name](mode, { form, state, showRecord, wait, keep: (found) => keep({ id, ...found }) });
  } catch (error) {
    keep({ id: id + '-', why: error.why ?? 'whyUnreachable' }); // beside what the server may have of it
  } finally {
    client.end();
    await showRecord();
    setBusy(false);
  }
  const done = [...local, ...state.steps ?? []].find((step) => step.id === id || step.id === id + '-');
  if (done) say(() => why(done, state));
}

function keep(step) {
  local.push({ ...step, time: Date.now() });
  if (local.length > 20) local.shift();
}

function setBusy(is) {
  busy = is;
  for (const button of $$('[data-step], form button')) button.setAttribute('aria-disabled', is);
}

// wait waits and shows the remaining time.
async function wait(key, ms) {
  const end = performance.now() + ms;
  say(() => t(key)); // without the seconds, because a screen reader would read each of them
  $('#wait').hidden = false;
  for (let left = ms; left > 0; left = end - performance.now()) {
    $('[data-value=wait]').textContent = t(key);
    $('[data-value=seconds]').textContent = t('seconds', { n: Math.max(1, Math.round(left / 1000)) });
    bar($('[data-bar=wait]'), left / ms);
    await new Promise((resolve) => setTimeout(resolve, Math.min(left, 100)));
  }
  $('#wait').hidden = true;
}

// choose shows one of the modes if there is no room for both.
function choose(mode) {
  document.body.dataset.mode = mode;
  for (const button of $$('[data-show]')) button.setAttribute('aria-pressed', button.dataset.show === mode);
}

function speak(language) {
  translate(language);
  if (state) show(state, local);
  if (noticed) notice(noticed);
  if (said) say(said);
}

for (const panel of $$('.panel')) {
  panel.addEventListener('submit', (event) => {
    event.preventDefault();
    run('login', panel.id, event.target);
  });
  for (const button of panel.querySelectorAll('button[data-step]')) {
    button.addEventListener('click', () => run(button.dataset.step, panel.id));
  }
}
for (const button of $$('[data-show]')) button.addEventListener('click', () => choose(button.dataset.show));
for (const button of $$('[data-language]')) {
  button.addEventListener('click', () => {
    const { language } = button.dataset;
    speak(language);
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
}, 250);
document.addEventListener('visibilitychange', () => { if (!document.hidden) look(); });
addEventListener('pageshow', (event) => { if (event.persisted) look(); });

choose('session');
translate(document.documentElement.lang);
client.open(look);
await look();
if (state?.token.cookie) {
  setBusy(true);
  client.begin('open', 'token');
  await client.renew().catch(() => {});
  client.end();
  await look();
  setBusy(false);
}
document.body.dataset.ready = 'yes';
