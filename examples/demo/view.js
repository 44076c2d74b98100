// The view of the page: it is rendered from the current state, in the chosen language.
import { t, $, put, span } from '/dom.js';
import { access } from '/client.js';
import { showLog } from '/log.js';
import { flash, showPicture, tickPicture } from '/picture.js';
import { why, known } from '/why.js';

const modes = ['session', 'token'];

// show renders the state of the server and what this page adds to its steps.
export function show(state, added) {
  const steps = merged(state.steps ?? [], added);
  for (const mode of modes) {
    const panel = $('#' + mode);
    const mine = steps.filter((step) => step.id.split('-')[1] === mode && known(step));
    const newest = mine.toReversed();
    verdict($('[data-value=verdict]', panel), newest.find((step) => !step.id.startsWith('background')), mode, state);
    showPicture(panel, mode, state, mine);
    showLog(panel, newest, state);
    put($('[data-value=wayA]', panel), t(mode === 'session' ? 'waySession' : 'wayTokenA'));
    put($('[data-value=wayB]', panel), t(mode === 'session' ? 'waySession' : 'wayTokenB'));
    for (const [name, origin] of Object.entries({ login: location.origin, ...state.apis })) {
      put($(`[data-address=${name}]`, panel), ':' + (new URL(origin).port || '80'));
    }
  }
  const { access: a, idle, lifetime, grace } = state.limits;
  put($('#limits'), t('limits', { access: span(a), idle: span(idle), lifetime: span(lifetime), grace: span(grace), noted: span(idle / 10) }));
  tick(state);
}

// merged adds to the steps of the server what only the page knows.
function merged(steps, added) {
  const all = new Map(steps.map((step) => [step.id, step]));
  for (const step of added) all.set(step.id, { ...step, ...all.get(step.id), time: all.get(step.id)?.time ?? step.time });
  return [...all.values()].sort((a, b) => a.time - b.time);
}

// sentence explains the newest step of a side.
export function sentence(mode, state, added) {
  const newest = merged(state.steps ?? [], added).findLast((step) => step.id.split('-')[1] === mode && known(step));
  return newest ? why(newest, state) : '';
}

// verdict shows the first sentence in bold, and also on the switch to this side, since a
// narrow page hides one side.
function verdict(place, step, mode, state) {
  const text = step ? why(step, state) : t(mode === 'session' ? 'leadSession' : 'leadToken');
  if (place.textContent === text) return;
  const [, lead, rest] = /^(.+?[.])(\s.*)?$/s.exec(text) ?? [text, text, ''];
  const bold = document.createElement('strong');
  bold.textContent = lead;
  place.replaceChildren(bold, rest ?? '');
  const other = $(`[data-show=${mode}]`);
  put($('small', other), lead);
  if (step && other.ariaPressed !== 'true') flash(other);
}

// tick shows the remaining times, and reports whether one has ended.
export function tick(state) {
  const now = performance.now();
  let over = false;
  for (const mode of modes) {
    const panel = $('#' + mode);
    const { cookie, login } = state[mode];
    const idle = login ? state.at + login.idleLeft - now : 0;
    over ||= Boolean(login) && idle <= 0;
    const held = mode === 'token' && access.ends > now;
    const inside = Boolean(cookie && login && idle > 0);
    put($('.who', panel), inside ? t('loggedIn', { subject: login.subject }) : held ? t('accessOnly') : t('loggedOut'));
    panel.dataset.state = inside ? 'in' : held ? 'ending' : 'out';
    tickPicture(panel, mode, state, now);
  }
  return over;
}
