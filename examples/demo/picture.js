// The picture of one side: who holds what, and who is let in by which server.
import { t, $, page, put, element, minutes } from '/dom.js';
import { access } from '/client.js';
import { ident, work } from '/log.js';

const names = { session: 'credSession', access: 'credAccess', refresh: 'credRefresh' };

// credential is a chip. It is crossed out once it grants no access.
function credential(what, value, state, note) {
  const chip = element('span', `cred ${what} ${state}`,
    element('b', '', t(names[what])), element('code', '', value));
  if (note !== undefined) chip.append(element('small', '', note));
  if (state === 'dead') chip.append(' ', element('span', 'unseen', t('worthless')));
  return chip;
}

const nothing = () => element('span', 'none', t('none'));

// drawn is what each place was made from, so that an unchanged place is not touched.
const drawn = new WeakMap();

function draw(place, key, make) {
  const before = drawn.get(place);
  if (before?.key === key && before.language === page.lang) return;
  drawn.set(place, { key, language: page.lang });
  place.replaceChildren(...[make()].flat());
  if (before && before.key !== key) flash(place);
}

// flash marks a change for a moment, unless the reader asked for reduced motion.
export function flash(place) {
  place.classList.remove('changed');
  void place.offsetWidth; // or a second change would not begin anew
  place.classList.add('changed');
  setTimeout(() => place.classList.remove('changed'), 1500);
}

// showPicture draws what the servers have said. Steps are those of this side, oldest first.
export function showPicture(panel, mode, state, steps) {
  const { cookie, attributes, login, logins, stolen, disconnected } = state[mode];
  const place = (name) => $(`[data-place=${name}]`, panel);
  const kind = mode === 'session' ? 'session' : 'refresh';
  draw(place('jar'), [cookie, Boolean(login)].join(), () => (cookie
    ? [credential(kind, cookie, login ? 'live' : 'dead'), element('small', '', attributes.join(' · '))] : nothing()));
  const loot = stolen ?? [];
  draw(place('loot'), JSON.stringify(loot.map((s) => [s.what, s.value, s.live, s.left > 0])), () => (loot.length
    ? loot.map((s) => credential(s.what, s.value, lootState(s), s.what === 'access' ? '' : undefined)) : nothing()));
  panel.classList.toggle('robbed', loot.length > 0);
  const list = logins ?? [];
  draw(place('store'), disconnected + JSON.stringify(list.map((l) => [l.id, l.here])), () => {
    if (disconnected) return element('span', 'alarm', t('disconnectedNow'));
    if (!list.length) return element('span', 'none', t('loginsNone'));
    return list.map((l) => element('span', 'login' + (l.here ? ' here' : ''),
      element('b', '', l.subject), ` ${t(l.here ? 'here' : 'there')} `, element('code', '', ident(l.id)), element('small', '', '')));
  });
  panel.classList.toggle('disconnected', disconnected);
  const since = steps.findLastIndex((step) => step.exchanges?.some((x) => x.path?.endsWith('/login') && x.status === 200));
  const exchanges = steps.slice(Math.max(0, since)).flatMap((step) => step.exchanges ?? []);
  for (const at of ['a', 'b']) showServer($(`[data-server=${at}]`, panel), exchanges.filter((x) => x.at === at));
}

// lootState: a session or a refresh token grants access while its login is in the store. An
// access token does so until it expires, at an API that does not check the store.
const lootState = ({ what, live, left }) => ((what === 'access' ? left > 0 : live) ? 'live' : 'dead');

// showServer shows the latest response of an API to the user and to the thief, and how
// often it read the store for the latest one. A thief who is accepted is not good news.
function showServer(box, exchanges) {
  for (const from of ['browser', 'thief']) {
    const status = exchanges.findLast((x) => x.from === from)?.status;
    draw($(`[data-from=${from}]`, box), String(status), () => (status
      ? element('b', (status < 400) === (from === 'browser') ? 'good' : 'bad', t(verdicts[status] ?? 'rejected'), ' ', element('code', '', String(status))) : element('span', 'none', '–')));
  }
  const latest = exchanges.at(-1);
  const link = box.parentElement.querySelector(`[data-link=${box.dataset.server}]`);
  link.classList.toggle('used', latest?.reads > 0);
  link.classList.toggle('failed', latest?.status === 503);
  put($('span', link), !latest ? '' : latest.status === 503 ? t('noResponse') : work(latest));
}

const verdicts = { 200: 'accepted', 401: 'rejected', 503: 'unavailable' };

// tickPicture shows the remaining times.
export function tickPicture(panel, mode, state, now) {
  const { logins, stolen } = state[mode];
  if (mode === 'token') {
    const left = access.ends - now;
    const over = !(left > 0);
    draw($('[data-place=memory]', panel), [access.hint, over].join(), () => (access.hint
      ? credential('access', access.hint, over ? 'dead' : 'live', '') : nothing()));
    const note = $('[data-place=memory] .access small', panel);
    if (note) put(note, over ? t('expired') : minutes(left));
    const copy = (stolen ?? []).find((s) => s.what === 'access');
    const mark = $('[data-place=loot] .access small', panel);
    if (copy && mark) {
      const rest = state.at + copy.left - now;
      put(mark, rest > 0 ? minutes(rest) : t('expired'));
      mark.parentElement.className = 'cred access ' + (rest > 0 ? 'live' : 'dead');
    }
  }
  const notes = panel.querySelectorAll('[data-place=store] .login small');
  (logins ?? []).forEach((login, i) => notes[i] && put(notes[i], t('idleLeft', { time: minutes(state.at + login.idleLeft - now) })));
}
