// Why a step led to what the server has recorded, as a sentence. Only the record decides.
import { t, span } from '/dom.js';

const last = (xs, path, from = 'browser', at) => xs.filter((x) => x.from === from && x.path?.endsWith(path) && (!at || x.at === at)).at(-1);
const status = (...search) => last(...search)?.status;
const reported = (xs, kind) => xs.some((x) => x.events?.some((e) => e.kind === kind));
const deletes = (x) => x?.received?.some((f) => f.name === 'Set-Cookie');
const either = (mode, session, token) => (mode === 'session' ? session : token);

// answers returns the statuses of A and B, such as "200 401".
const answers = (xs, from = 'browser') => ['a', 'b'].map((at) => status(xs, '/me', from, at)).join(' ');

// why explains a step.
export function why(step, state) {
  const [name, mode] = step.id.split('-');
  const { grace, access } = state.limits;
  return t(step.why ?? reasons[name](step.exchanges ?? [], mode), { grace, access: span(access) });
}

const called = (xs, mode) => {
  const got = answers(xs);
  if (mode === 'session') {
    if (got === '200 200') return 'whyCallSession';
    if (got === '503 503') return 'whyAwaySession';
    const first = last(xs, '/me', 'browser', 'a');
    return deletes(first) ? 'whyCallSessionOver' : reported(xs, 'rejected') ? 'whyCallSessionUnknown' : 'whyCallSessionOut';
  }
  if (got === '200 200') return status(xs, '/refresh') === 200 ? 'whyCallTokenRenewed' : 'whyCallToken';
  if (got === '200 503') return 'whyAwayToken';
  if (got === '503 503') return 'whyUnknownKey';
  if (got === '200 401') return 'whyCallTokenRevoked';
  return got === '401 401' ? 'whyCallTokenOut' : 'whyMixed';
};

const looted = (xs, mode) => {
  if (xs.some((x) => x.copied === '')) return 'whyNothingStolen';
  const got = answers(xs, 'thief');
  if (mode === 'session') return got === '200 200' ? 'whyLootSession' : got === '503 503' ? 'whyAwaySession' : 'whyLootSessionOut';
  if (got === '200 200') return 'whyLootToken';
  if (got === '200 401') return 'whyLootTokenRevoked';
  if (got === '200 503') return 'whyAwayToken';
  return got === '401 401' ? 'whyLootTokenOut' : 'whyMixed';
};

// served explains why the thief's refresh token was accepted, if it was.
function served(xs) {
  if (status(xs, '/refresh', 'thief') !== 200) return undefined;
  return reported(xs.filter((x) => x.from === 'thief'), 'renewed') ? 'whyAgainWorks' : 'whyRenewGrace';
}

const stolen = (xs, session, token) => (xs.some((x) => x.what === 'session') ? session
  : xs.some((x) => x.what === 'access') ? token : xs.some((x) => x.copied) ? 'whyStealRefresh' : 'whyNothingToSteal');

const reasons = {
  login: (xs, mode) => (status(xs, '/login') === 200 ? either(mode, 'whyLoginSession', 'whyLoginToken') : 'whyWrong'),
  call: called,
  away: called,
  back: (xs, mode) => (answers(xs) === '200 200' ? either(mode, 'whyBackSession', 'whyBackToken') : called(xs, mode)),
  probe: (xs, mode) => (mode === 'token' ? 'whyProbeToken' : status(xs, '/transfer') === 200 ? 'whyProbeSession' : 'whyProbeSessionOut'),
  renew: (xs) => (status(xs, '/refresh') !== 200 ? 'whyRenewOut' : reported(xs, 'renewed') ? 'whyRenew' : 'whyRenewGrace'),
  steal: (xs) => stolen(xs, 'whyStealSession', 'whyStealToken'),
  taken: (xs) => stolen(xs, 'whyStealSession', 'whyStealToken'),
  gone: (xs) => (status(xs, '/logout-everywhere') !== 204 ? 'whyEverywhereOut' : stolen(xs, 'whyGoneSession', 'whyGoneToken')),
  loot: looted,
  again: (xs) => {
    if (xs.some((x) => x.copied === '')) return 'whyNothingStolen';
    if (reported(xs, 'reuse')) return answers(xs, 'thief') === '200 401' ? 'whyRaceToken' : 'whyReuse';
    return served(xs) ?? 'whyAgainOut';
  },
  race: (xs, mode) => {
    if (xs.some((x) => x.copied === '')) return 'whyNothingStolen';
    if (mode === 'session') return status(xs, '/me', 'thief') === 200 ? 'whyRaceSession' : 'whyLootSessionOut';
    if (reported(xs, 'reuse')) return answers(xs, 'thief') === '200 401' ? 'whyRaceToken' : 'whyReuse';
    return served(xs) ?? (status(xs, '/refresh') === 401 ? 'whyRenewOut' : 'whyRaceUnderway');
  },
  late: (xs, mode) => {
    if (mode === 'session' || xs.some((x) => x.copied === '')) return looted(xs, mode);
    if (!last(xs, '/me', 'thief')) return 'whyLateUnderway';
    return answers(xs, 'thief') === '401 401' && status(xs, '/refresh', 'thief') === 401 ? 'whyLateToken' : looted(xs, mode);
  },
  logout: (xs, mode) => (!reported(xs, 'logout') ? 'whyLogoutNone' : either(mode, 'whyLogoutSession', 'whyLogoutToken')),
  everywhere: (xs, mode) => (status(xs, '/logout-everywhere') !== 204 ? 'whyEverywhereOut' : either(mode, 'whyEverywhereSession', 'whyEverywhereToken')),
  open: (xs) => (status(xs, '/refresh') === 200 ? 'whyOpen' : 'whyOpenOut'),
  background: () => 'whyBackground',
};

export const known = (step) => Object.hasOwn(reasons, step.id.split('-')[0]);
