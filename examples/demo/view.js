// The view of the page: it is rendered from the current state, in the chosen language.
import texts from '/text.js';
import { access } from '/client.js';

const $ = (selector, within = document) => within.querySelector(selector);
const $$ = (selector, within = document) => within.querySelectorAll(selector);
const page = document.documentElement;

export function t(key, values = {}) {
  return texts[page.lang][key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

// translate sets the texts that depend only on the language.
export function translate(language) {
  page.lang = language;
  document.title = t('title');
  for (const element of $$('[data-text]')) element.textContent = t(element.dataset.text);
  for (const element of $$('[data-label]')) element.setAttribute('aria-label', t(element.dataset.label));
  for (const button of $$('[data-language]')) button.setAttribute('aria-pressed', button.dataset.language === language);
}

const put = (element, text) => { if (element.textContent !== text) element.textContent = text; };
const clock = (time) => new Date(time).toLocaleTimeString(page.lang, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });
const span = (seconds) => new Intl.NumberFormat(page.lang, {
  style: 'unit', unitDisplay: 'long', unit: seconds % 60 ? 'second' : 'minute', maximumFractionDigits: 1,
}).format(seconds % 60 ? seconds : seconds / 60);

// show renders the state of the server and of this page.
export function show(state, local) {
  for (const mode of ['session', 'token']) showMode($('#' + mode), mode, state);
  $('#logins').replaceChildren(...showLogins(state.logins ?? []));
  const { access: a, idle, lifetime, grace: w } = state.limits;
  put($('#limits'), t('limits', { access: span(a), idle: span(idle), lifetime: span(lifetime), grace: span(w), noted: span(idle / 10) }));
  showLog([...(state.steps ?? []), ...local].sort((a, b) => b.time - a.time).slice(0, 20), state);
  tick(state);
}

function showMode(panel, mode, state) {
  const { name: named, cookie, attributes, login } = state[mode];
  const value = (key, text) => put($(`[data-value=${key}]`, panel), text);
  value('name', named);
  value('cookie', cookie ? '= ' + cookie : '—');
  value('attributes', cookie ? attributes.join(' · ') : '');
  value('stolen', state[mode].stolen || t('keptNothing'));
  $('[data-value=stolen]', panel).className = state[mode].stolen ? 'value some' : '';
  value('server', login
    ? t(mode === 'session' ? 'keptSession' : 'keptToken', { used: clock(login.used) })
    : t('keptNothing'));
}

function showLogins(logins) {
  if (!logins.length) return [element('li', '', t('loginsNone'))];
  return logins.map((login) => element('li', '',
    element('span', 'tag ' + login.mode, t(login.mode)),
    ' ' + t('loginLine', { subject: login.subject, since: clock(login.since) }) + ' ',
    element('code', '', name(login.id)), ' ',
    element('small', '', t(login.here ? 'here' : 'there'))));
}

// name is a part of a LoginID that is long enough to distinguish logins.
const name = (loginID) => loginID.slice(0, 6);

// tick shows the remaining times, and reports whether one has ended.
export function tick(state) {
  const now = performance.now();
  let over = false;
  for (const mode of ['session', 'token']) {
    const panel = $('#' + mode);
    const { cookie, login } = state[mode];
    const idle = login ? state.at + login.idleLeft - now : 0;
    const left = login ? state.at + login.left - now : 0;
    over ||= Boolean(login) && idle <= 0;
    put($('[data-value=idle]', panel), login ? t('idleLeft', { time: minutes(idle) }) : '—');
    put($('[data-value=left]', panel), login ? t('left', { time: minutes(left) }) : '');
    bar($('[data-bar=idle]', panel), idle / 1000 / state.limits.idle);
    bar($('[data-bar=left]', panel), left / 1000 / state.limits.lifetime);
    const held = mode === 'token' && access.ends > now;
    const inside = Boolean(cookie && login && idle > 0);
    put($('.who', panel), inside ? t('loggedIn', { subject: login.subject }) : held ? t('accessOnly') : t('loggedOut'));
    panel.dataset.state = inside ? 'in' : held ? 'ending' : 'out';
  }
  const left = (access.ends - now) / 1000;
  const token = $('#token');
  bar($('[data-bar=access]', token), access.lifetime ? left / access.lifetime : 0);
  put($('[data-value=access]', token), left > 0 ? t('accessHeld', { n: Math.ceil(left) })
    : token.dataset.state === 'in' && access.hint ? t('accessOver') : t('accessNone'));
  put($('[data-value=hint]', token), left > 0 ? access.hint : '');
  return over;
}

const minutes = (ms) => {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
};

export function bar(element, part) {
  element.style.setProperty('--part', Math.min(1, Math.max(0, part)));
}

function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

const titles = {
  login: 'login', me: 'me', live: 'live', renew: 'renew', read: 'read', again: 'again', logout: 'logout', everywhere: 'everywhere',
  open: 'open', background: 'background',
  steal: { session: 'stealSession', token: 'stealToken' },
  elsewhere: { session: 'elsewhereSession', token: 'elsewhereToken' },
};

const shown = new Map(); // what each step on the page was made from, by its ID

function showLog(steps, state) {
  $('#empty').hidden = steps.length > 0;
  const log = $('#log');
  const items = steps.filter((step) => Object.hasOwn(titles, step.id.split('-')[0])).map((step, i) => {
    const id = 'step-' + step.id;
    const made = JSON.stringify([step, page.lang]);
    if (shown.get(id) === made) return document.getElementById(id);
    shown.set(id, made);
    return stepItem(id, step, i === 0, state);
  });
  for (const id of shown.keys()) if (!items.some((item) => item.id === id)) shown.delete(id);
  // Unchanged elements are not touched, so they keep the focus.
  for (const item of [...log.children]) if (!items.includes(item)) item.remove();
  items.forEach((item, i) => {
    if (item !== log.children[i]) log.insertBefore(item, log.children[i] ?? null);
    const latest = i === 0;
    if (!latest && item.classList.contains('latest')) for (const details of $$('details', item)) details.open = false;
    item.classList.toggle('latest', latest);
  });
}

function stepItem(id, step, latest, state) {
  const [name, mode] = step.id.split('-');
  const item = element('li', 'step ' + mode,
    element('h3', '',
      element('span', 'tag ' + mode, t(mode)), ' ',
      element('span', '', t(titles[name][mode] ?? titles[name])), ' ',
      element('time', '', clock(step.time))),
    element('p', 'why', why(step, state)));
  item.id = id;
  for (const [key, fact] of step.facts ?? []) {
    item.append(element('p', 'fact', element('code', '', t(key)), ' ', element('code', 'value', fact || t('factNothing'))));
  }
  for (const exchange of step.exchanges ?? []) item.append(exchangeItem(exchange, latest));
  return item;
}

const statusTexts = { 200: 'OK', 204: 'No Content', 401: 'Unauthorized', 403: 'Forbidden', 405: 'Method Not Allowed', 503: 'Service Unavailable' };

const senders = { browser: 'you', thief: 'thief', site: 'site' };

function exchangeItem(x, latest) {
  const from = element('span', 'from ' + x.from, t(senders[x.from]));
  if (x.copied !== undefined) {
    const what = x.copied ? t('copied', { value: x.copied }) : t('copiedNothing');
    return element('p', 'exchange line', from, ' ', element('span', '', what));
  }
  const line = element('summary', 'line', from, ' ', element('code', '', `${x.method} ${x.path}`), ' ',
    element('b', x.status < 400 ? 'good' : 'bad', `${x.status} ${statusTexts[x.status] ?? ''}`));
  for (const [kind, events] of Map.groupBy(x.events ?? [], (e) => e.kind)) {
    const times = events.length > 1 ? ` × ${events.length}` : '';
    line.append(' ', element('span', kind === 'reuse' ? 'chip alarm' : 'chip', kind + times));
  }
  line.append(' ', element('span', 'chip store', `${t('store')}: ${work(x)}`));
  const details = element('details', 'exchange', line,
    fields('request', x.sent ?? []),
    fields('response', x.received ?? [], x.body, x.claims));
  for (const e of x.events ?? []) {
    const words = [e.kind, e.subject, e.login && name(e.login), e.reason].filter(Boolean).join(' · ');
    details.append(element('p', 'event ' + (e.kind === 'reuse' ? 'alarm' : ''), element('span', '', t('event')), ' ', words));
  }
  details.open = latest;
  return details;
}

// work describes the store calls of a request.
function work({ reads, writes }) {
  const read = t(reads === 1 ? 'storeRead' : 'storeReads', { n: reads });
  return writes ? `${read}, ${t(writes === 1 ? 'storeWrite' : 'storeWrites', { n: writes })}` : read;
}

const spaced = (json) => json.trim().replaceAll(',"', ', "');

function fields(label, lines, body, claims) {
  const list = element('ul', 'fields ' + label);
  list.setAttribute('aria-label', t(label));
  for (const { name, value, aside } of lines) {
    const text = name === 'Cookie' && !value ? t('noCookie') : value;
    const line = element('li', aside || !value ? 'aside' : '', element('span', 'name', name + ': '), text);
    if (aside) line.append(' ', element('small', '', t('aside')));
    list.append(line);
  }
  if (body?.trim()) list.append(element('li', 'body', spaced(body)));
  if (claims) list.append(element('li', 'body', element('small', '', t('claims')), spaced(claims)));
  return list;
}

// why explains the recorded step in a sentence.
export function why(step, state) {
  const [name, mode] = step.id.split('-');
  return t(step.why ?? reasons[name](step.exchanges ?? [], mode), { grace: state.limits.grace });
}

const answered = (xs, path, from = 'browser') => xs.filter((x) => x.from === from && x.path?.endsWith(path)).at(-1)?.status;
const has = (xs, field) => xs.some((x) => x.received?.some((f) => f.name === field));
const reported = (xs, kind) => xs.some((x) => x.events?.some((e) => e.kind === kind));
const either = (mode, session, token) => (mode === 'session' ? session : token);

// thiefServed explains why the thief's refresh token was accepted, if it was.
function thiefServed(xs) {
  if (answered(xs, '/refresh', 'thief') !== 200) return undefined;
  return reported(xs.filter((x) => x.from === 'thief'), 'renewed') ? 'whyAgainTokenWorks' : 'whyRenewGrace';
}

const reasons = {
  login: (xs, mode) => (answered(xs, '/login') === 200 ? either(mode, 'whyLoginSession', 'whyLoginToken') : 'whyWrong'),
  me: (xs, mode) => {
    const ok = answered(xs, '/me') === 200;
    if (mode === 'session') return ok ? 'whyMeSession' : has(xs, 'Set-Cookie') ? 'whyMeSessionOver' : reported(xs, 'rejected') ? 'whyMeSessionUnknown' : 'whyMeSessionOut';
    return !ok ? 'whyMeTokenOut' : answered(xs, '/refresh') ? 'whyMeTokenRenewed' : 'whyMeToken';
  },
  live: (xs) => (answered(xs, '/me') === 200 ? 'whyLive' : xs.some((x) => x.path.endsWith('/me') && x.reads) ? 'whyLiveOut' : 'whyMeTokenOut'),
  read: (xs, mode) => either(mode, 'whyReadSession', 'whyReadToken'),
  renew: (xs) => (answered(xs, '/refresh') !== 200 ? 'whyRenewOut' : reported(xs, 'renewed') ? 'whyRenew' : 'whyRenewGrace'),
  steal: (xs, mode) => {
    if (!xs.some((x) => x.copied)) return 'whyNothingToSteal';
    if (mode === 'session') return answered(xs, '/me', 'thief') === 200 ? 'whyStealSession' : 'whyAgainSessionOut';
    return reported(xs, 'reuse') ? 'whyStealToken' : thiefServed(xs) ?? (answered(xs, '/refresh') === 401 ? 'whyRenewOut' : 'whyStealUnderway');
  },
  again: (xs, mode) => {
    if (xs.some((x) => x.copied === '')) return 'whyNothingStolen';
    if (mode === 'session') return answered(xs, '/me', 'thief') === 200 ? 'whyAgainSession' : 'whyAgainSessionOut';
    return reported(xs, 'reuse') ? 'whyStealToken' : thiefServed(xs) ?? 'whyAgainToken';
  },
  elsewhere: (xs, mode) => (mode === 'token' ? 'whyElsewhereToken' : answered(xs, '/transfer') === 200 ? 'whyElsewhereSession' : 'whyElsewhereSessionOut'),
  logout: (xs, mode) => (!reported(xs, 'logout') ? 'whyLogoutNone' : either(mode, 'whyLogoutSession', 'whyLogoutToken')),
  everywhere: (xs) => {
    if (answered(xs, '/logout-everywhere') !== 204) return 'whyEverywhereOut';
    const session = answered(xs, '/session/me') === 401;
    const token = answered(xs, '/token/me') === 200;
    return session && token ? 'whyEverywhereBoth' : session ? 'whyEverywhereSession' : token ? 'whyEverywhereToken' : 'whyEverywhere';
  },
  open: (xs) => (answered(xs, '/refresh') === 200 ? 'whyOpen' : 'whyOpenOut'),
  background: () => 'whyBackground',
};
