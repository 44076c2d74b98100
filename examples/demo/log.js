// The HTTP exchange of one side, newest step first, as the server has recorded it.
import { t, $, $$, page, put, element, clock } from '/dom.js';
import { why, known } from '/why.js';

// title names a step. Some names differ between the sides.
export const title = (name, mode) => t({
  steal: { session: 'stealSession', token: 'stealToken' }[mode], open: 'opened', background: 'background',
}[name] ?? name);

// ident is a part of a LoginID that is long enough to distinguish logins.
export const ident = (loginID) => loginID.slice(0, 6);

const shown = new Map(); // what each step on the page was made from, by its ID

// showLog shows the steps of a side. Unchanged elements are not touched, so they keep the
// focus.
export function showLog(panel, steps, state) {
  const log = $('.log ol', panel);
  const items = steps.filter(known).map((step) => {
    const id = 'step-' + step.id;
    const made = JSON.stringify([step, page.lang]);
    if (shown.get(id) === made) return document.getElementById(id);
    shown.set(id, made);
    return stepItem(id, step, state);
  });
  for (const item of [...log.children]) {
    if (items.includes(item)) continue;
    if (!items.some(({ id }) => id === item.id)) shown.delete(item.id);
    item.remove();
  }
  items.forEach((item, i) => {
    if (item !== log.children[i]) log.insertBefore(item, log.children[i] ?? null);
    const latest = i === 0;
    if (!latest && item.classList.contains('latest')) for (const details of $$('details', item)) details.open = false;
    item.classList.toggle('latest', latest);
  });
  const requests = steps.flatMap((step) => step.exchanges ?? []).filter((x) => x.path).length;
  put($('.log .count', panel), requests ? t(requests === 1 ? 'request1' : 'requests', { n: requests }) : '');
  $('.log .empty', panel).hidden = items.length > 0;
}

function stepItem(id, step, state) {
  const [name, mode] = step.id.split('-');
  const item = element('li', 'step',
    element('h4', '', element('span', '', title(name, mode)), ' ', element('time', '', clock(step.time))),
    element('p', 'why', why(step, state)));
  item.id = id;
  for (const [key, fact] of step.facts ?? []) {
    item.append(element('p', 'fact', element('code', '', t(key)), ' ', element('code', 'value', fact || t('factNothing'))));
  }
  for (const exchange of step.exchanges ?? []) item.append(exchangeItem(exchange));
  return item;
}

const statusTexts = { 200: 'OK', 204: 'No Content', 401: 'Unauthorized', 403: 'Forbidden', 405: 'Method Not Allowed', 503: 'Service Unavailable' };
const senders = { browser: 'you', thief: 'thief', site: 'site', store: 'store' };
const servers = { login: 'atLogin', a: 'atA', b: 'atB' };
const kinds = {
  login: 'eventLogin', logout: 'eventLogout', renewed: 'eventRenewed', reuse: 'eventReuse', revoked: 'eventRevoked',
  rejected: 'eventRejected', expired: 'eventExpired', failed: 'eventFailed', fault: 'eventFault',
};
const eventName = (kind) => (kinds[kind] ? t(kinds[kind]) : kind);
const credentials = { session: 'credSession', access: 'credAccess', refresh: 'credRefresh' };

function exchangeItem(x) {
  const from = element('span', 'from ' + x.from, t(senders[x.from]));
  if (x.from === 'store') return element('p', 'exchange line', from, ' ', element('span', '', t({ connected: 'connected', disconnected: 'disconnected' }[x.what])));
  if (x.copied !== undefined) {
    const what = x.copied ? t('copied', { what: t(credentials[x.what]), value: x.copied }) : t('copiedNothing');
    return element('p', 'exchange line', from, ' ', element('span', '', what));
  }
  const line = element('summary', 'line', from, ' ', element('span', 'at', t(servers[x.at])), ' ',
    element('code', '', `${x.method} ${x.path}`), ' ',
    element('b', x.status < 400 ? 'good' : 'bad', `${x.status} ${statusTexts[x.status] ?? ''}`));
  for (const [kind, events] of Map.groupBy(x.events ?? [], (e) => e.kind)) {
    const times = events.length > 1 ? ` × ${events.length}` : '';
    const chip = element('span', kind === 'reuse' ? 'chip alarm' : 'chip', eventName(kind) + times);
    line.append(' ', chip);
  }
  line.append(' ', element('span', 'chip work', `${t('store')}: ${work(x)}`));
  const details = element('details', 'exchange', line,
    fields('request', x.sent ?? []),
    fields('response', x.received ?? [], x.body, x.claims));
  for (const e of x.events ?? []) {
    const words = [e.kind, e.subject, e.login && ident(e.login), e.reason].filter(Boolean).join(' · ');
    details.append(element('p', 'event ' + (e.kind === 'reuse' ? 'alarm' : ''), element('span', '', t('event')), ' ', words));
  }
  return details;
}

// work describes the store calls of a request.
export function work({ reads, writes }) {
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
