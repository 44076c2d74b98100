package rotation

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// These tests explore all that can happen to the refreshes of one login, breadth
// first, with the rules alone. So the first trace that breaks an invariant is a
// shortest one. Each known flaw of other implementations of rotation is inserted once,
// and must be found.

const (
	tick       = modelGrace/2 + time.Millisecond
	modelGrace = 10 * time.Second
	closed     = 2 // ticks after which a grace period has ended
	mostSent   = 6
	mostStolen = 7 // refreshes of the owner and of a thief
	mostFlying = 3
)

// ruleSet is the rules that are explored: those of the package, or mutants.
type ruleSet struct {
	judge     func(f *Family, generation uint64, attempt string, now time.Time) Verdict
	after     func(f *Family, v Verdict, generation uint64, attempt string, now time.Time) *Family
	perTab    bool // each tab makes its own idempotency keys
	keyless   bool // no client sends an idempotency key
	oneForAll bool // a device keeps one idempotency key for ever
	extends   bool // a retry within the grace period writes
}

func realRules() ruleSet {
	return ruleSet{
		judge: func(f *Family, generation uint64, attempt string, now time.Time) Verdict {
			return f.Judge(generation, attempt, now, modelGrace)
		},
		after: func(f *Family, v Verdict, generation uint64, attempt string, now time.Time) *Family {
			return f.After(v, generation, attempt, now, time.Hour, Device{})
		},
	}
}

// state is comparable, so that it is known when it comes again.
type state struct {
	// The store.
	generation uint64
	attempt    int  // that made the generation; 0 is none
	since      int  // ticks since the rotation, by the record
	Recovered  int  // ticks since the last recovery
	Presented  int  // ticks since the current token was first presented after one,
	shown      bool // if it was
	age        int  // ticks since the rotation, by the model: rules cannot move it
	written    int  // and since the last write
	ended      bool
	last       struct { // what a failover brings back
		generation uint64
		attempt    int
		shown      bool
		ok         bool
	}

	// The browser.
	jar, known, stored uint64
	key                int // the idempotency key in its storage
	tabs               [2]int
	flying             [mostFlying]message
	sent, keys         int

	// The thief: what it has stolen, and which of the two had the last response.
	stolen      bool
	loot        uint64
	lootKey     int
	maker       byte // of the current generation: 'o' or 't'
	had         byte // which of the two had the last response
	changes     int  // of had, since one last acted in the grace period of the other
	quiet       int  // ticks since the last change
	disappoints bool // an honest browser was refused
	late        bool // a used token was answered after its grace period
	forks       bool // a used token got another successor
}

// message is a request or a response in flight.
type message struct {
	kind       byte // 0, 'q' or 'a'
	generation uint64
	attempt    int
	tab        int
	age        int
	refused    bool
}

// order makes states that differ only in the order of their messages one.
func (m message) order() int {
	n := ((int(m.kind)*16+int(m.generation))*64+m.attempt)*4 + m.tab*2 + m.age
	if m.refused {
		return -n
	}
	return n
}

type move struct {
	name string
	next state
}

// scenario says what may happen.
type scenario struct {
	rules             ruleSet
	loss, die, forget bool
	thief             bool
	captures          bool // it has a whole request
	shares            bool // it has the current token, made with an idempotency key of its own
}

func (w scenario) moves(s state) (list []move) {
	add := func(name string, next state) { list = append(list, move{name, next}) }
	if w.thief {
		return w.theft(s)
	}
	free := slices.IndexFunc(s.flying[:], func(m message) bool { return m.kind == 0 })
	if free >= 0 && s.sent < mostSent {
		tabs := 1 // they are all alike
		if w.rules.perTab {
			tabs = 2
		}
		for tab := range tabs {
			next := s
			key := w.key(&next, tab)
			next.flying[free] = message{kind: 'q', generation: s.jar, attempt: key, tab: tab}
			next.sent++
			add(fmt.Sprintf("send(%d)", s.jar), next)
		}
	}
	for i, m := range s.flying {
		switch m.kind {
		case 'q':
			next := s
			answer, refused := w.serve(&next, m.generation, m.attempt)
			next.flying[i].kind, next.flying[i].refused = 'a', refused
			next.flying[i].generation = answer
			add(fmt.Sprintf("srv(%d)>%d", m.generation, answer), next)
		case 'a':
			add(fmt.Sprintf("deliver(%d)", m.generation), w.deliver(s, i, false))
			if w.die {
				add(fmt.Sprintf("deliver(%d) and die", m.generation), w.deliver(s, i, true))
			}
		}
		if m.kind != 0 && w.loss {
			next := s
			next.flying[i] = message{}
			add("lose", next)
		}
	}
	if w.forget && s.last.ok && s.flying == [mostFlying]message{} {
		next := s
		next.generation, next.attempt, next.shown = s.last.generation, s.last.attempt, s.last.shown
		next.last.ok = false
		next = next.paused()
		add("rollback", next)
	}
	if next, ok := s.passes(); ok {
		add("tick", next)
	}
	for i := range list {
		slices.SortFunc(list[i].next.flying[:], func(a, b message) int { return cmp.Compare(a.order(), b.order()) })
	}
	return list
}

// passes lets half of a grace period pass. No message is in flight for longer, nor
// when a grace period ends: that is a risk which is stated and accepted.
func (s state) passes() (state, bool) {
	if s == s.paused() {
		return s, false
	}
	ends := s.since == closed-1 || s.Recovered == closed-1 || s.Presented == closed-1
	for i, m := range s.flying {
		if m.kind == 0 {
			continue
		}
		if m.age > 0 || ends {
			return s, false
		}
		s.flying[i].age++
	}
	for _, ticks := range []*int{&s.since, &s.Recovered, &s.Presented, &s.age, &s.written, &s.quiet} {
		*ticks = min(*ticks+1, closed)
	}
	return s, true
}

// paused lets every grace period end.
func (s state) paused() state {
	s.since, s.Recovered, s.Presented = closed, closed, closed
	s.age, s.written, s.quiet = closed, closed, closed
	return s
}

// key follows the rules for clients.
func (w scenario) key(s *state, tab int) int {
	switch {
	case w.rules.keyless:
		return 0
	case w.rules.oneForAll:
		return 1
	case w.rules.perTab:
		if s.tabs[tab] == 0 {
			s.keys++
			s.tabs[tab] = s.keys
		}
		return s.tabs[tab]
	}
	if s.key == 0 || s.known > s.stored {
		s.keys++
		s.key, s.stored = s.keys, max(s.stored, s.known)
	}
	return s.key
}

func (w scenario) deliver(s state, i int, dies bool) state {
	m := s.flying[i]
	s.flying[i] = message{}
	if m.refused {
		s.disappoints = true
		return s
	}
	s.jar = m.generation
	if dies {
		s.known, s.tabs[m.tab] = 0, 0
		return s
	}
	s.known = max(s.known, m.generation)
	if s.key == m.attempt {
		s.key, s.stored = 0, m.generation
	}
	if s.tabs[m.tab] == m.attempt {
		s.tabs[m.tab] = 0
	}
	return s
}

// serve lets the rules answer.
func (w scenario) serve(s *state, generation uint64, attempt int) (answer uint64, refused bool) {
	if s.ended {
		return 0, true
	}
	now := time.UnixMilli(1 << 40)
	ago := func(ticks int) int64 { return now.Add(-time.Duration(ticks) * tick).UnixMilli() }
	f := &Family{
		Generation: s.generation, Attempt: AttemptHash(attemptName(s.attempt)),
		Rotated: ago(s.since), Recovered: ago(s.Recovered),
		Created: 1 << 39, Idle: 1 << 41, Expires: 1 << 41,
	}
	if s.shown {
		f.Presented = ago(s.Presented)
	}
	v := w.rules.judge(f, generation, attemptName(attempt), now)
	if v == Reuses {
		s.ended = true
		return 0, true
	}
	if generation < s.generation {
		s.forks = s.forks || v == Rotates
		own := generation == s.generation-1 && attempt != 0 && attempt == s.attempt
		s.late = s.late || s.age >= closed && !(own && (v == Recovers || s.written < closed))
	}
	if v == Answers {
		if w.rules.extends {
			s.since = 0
		}
		return s.generation, false
	}
	next := w.rules.after(f, v, generation, attemptName(attempt), now)
	s.last.generation, s.last.attempt, s.last.shown, s.last.ok = s.generation, s.attempt, s.shown, true
	if s.written = 0; next.Generation != s.generation {
		s.age = 0
	}
	since := func(then int64) int { return min(int(now.Sub(time.UnixMilli(then))/tick), closed) }
	s.generation, s.attempt = next.Generation, 0
	s.since, s.Recovered, s.Presented = since(next.Rotated), since(next.Recovered), since(next.Presented)
	s.shown = next.Presented != 0
	for n := range s.keys + 1 {
		if next.Attempt != "" && next.Attempt == AttemptHash(attemptName(n)) {
			s.attempt = n
		}
	}
	return s.generation, false
}

func attemptName(n int) string { return "abcdefghijkl"[:n] }

// theft lets the owner refresh and possibly lose the response, and a thief act that
// has the cookie, or a whole request, of one moment. Each acts at any time, within the
// grace periods of the other, too, and knows them.
func (w scenario) theft(s state) (list []move) {
	if s.sent < mostStolen {
		for _, lost := range []bool{false, true} {
			next := s
			next.sent++
			key := w.key(&next, 0)
			if !s.stolen && w.captures {
				copied := next
				copied.stolen, copied.loot, copied.lootKey = true, s.jar, key
				w.ownerRefreshes(&copied, key, lost)
				list = append(list, move{fmt.Sprintf("o!(%d)>%d", s.jar, copied.generation), copied})
			}
			w.ownerRefreshes(&next, key, lost)
			list = append(list, move{fmt.Sprintf("o(%d)>%d", s.jar, next.generation), next})
		}
	}
	if !s.stolen && !w.captures {
		next := s
		next.stolen, next.loot = true, s.jar
		list = append(list, move{fmt.Sprintf("copy(%d)", s.jar), next})
	}
	if s.stolen && s.sent < mostStolen {
		fresh := s
		fresh.keys++
		for _, key := range []int{s.lootKey, fresh.keys} {
			for _, loot := range []uint64{s.loot, max(s.loot, 1) - 1} {
				next := fresh
				if key != fresh.keys {
					next.keys--
				}
				next.sent++
				before := next.generation
				if answer, refused := w.serve(&next, loot, key); !refused {
					next.loot = answer
					next.counts('t', before)
					if answer > before {
						next.lootKey = key // it may say it again
					}
				}
				list = append(list, move{fmt.Sprintf("t(%d)>%d", loot, next.generation), next})
			}
		}
	}
	if next, ok := s.passes(); ok {
		list = append(list, move{"tick", next})
	}
	return list
}

func (w scenario) ownerRefreshes(s *state, key int, lost bool) {
	before := s.generation
	answer, refused := w.serve(s, s.jar, key)
	if refused {
		return
	}
	if s.generation > before {
		s.maker = 'o'
	}
	if lost {
		return
	}
	s.counts('o', before)
	s.jar, s.known = answer, answer
	s.key, s.stored = 0, answer
}

// counts records whether the owner or the thief goes on after the theft, and how often
// that changes. Several changes within a grace period are one. To act in the grace period after a rotation
// of the other is a risk that is stated and accepted: it counts anew. So does a
// response that the owner loses, because the thief could have it.
func (s *state) counts(who byte, before uint64) {
	if s.generation > before {
		s.maker = who
	}
	if !s.stolen {
		return
	}
	switch {
	case s.maker != who && s.age < closed:
		s.changes, s.had, s.quiet = 0, who, 0
	case s.had == 0:
		s.had = who
	case s.had != who && s.quiet >= closed:
		s.changes, s.had, s.quiet = s.changes+1, who, 0
	}
}

// explore returns the shortest trace to a state that is wrong, or "", and how
// many states there are.
func (w scenario) explore(wrong func(state) string) (trace string, states int) {
	type step struct {
		from state
		name string
	}
	start := state{}.paused()
	if w.shares {
		start.generation, start.attempt = 1, 1
		start.jar, start.known, start.stored, start.keys = 1, 1, 1, 1
		start.stolen, start.loot, start.lootKey = true, 1, 1
	}
	seen := map[state]step{start: {}}
	for queue := []state{start}; len(queue) > 0; queue = queue[1:] {
		s := queue[0]
		if what := wrong(s); what != "" {
			var names []string
			for at := s; at != start; at = seen[at].from {
				names = append(names, seen[at].name)
			}
			slices.Reverse(names)
			return strings.Join(names, " ") + ": " + what, len(seen)
		}
		for _, m := range w.moves(s) {
			if _, known := seen[m.next]; !known {
				seen[m.next] = step{s, m.name}
				queue = append(queue, m.next)
			}
		}
	}
	return "", len(seen)
}

// honest is wrong if a browser that did nothing wrong is refused, if two
// successors of one token are in use, or if a used token stays valid.
func honest(s state) string {
	switch {
	case s.disappoints:
		return "an honest browser is refused"
	case s.forks:
		return "a used token has two successors"
	case s.late:
		return "a used token is answered after its grace period"
	}
	return ""
}

// atMost is wrong if a thief and the owner go on beside each other for longer
// than they may.
func atMost(changes int) func(state) string {
	return func(s state) string {
		switch {
		case s.changes > changes:
			return "the owner and the thief both go on"
		case s.late:
			return "a used token is answered after its grace period"
		}
		return ""
	}
}

// The scenarios of an honest browser, and of thieves.
var explored = []struct {
	name  string
	world scenario
	wrong func(state) string
}{
	{"parallel refreshes, pauses", scenario{}, honest},
	{"lost messages", scenario{loss: true}, honest},
	{"pages that die", scenario{loss: true, die: true}, honest},
	{"a store that forgets", scenario{forget: true}, honest},
	{"a thief with the cookie", scenario{thief: true}, atMost(3)},
	{"a thief with a request", scenario{thief: true, captures: true}, atMost(4)},
	{"a thief who shares the current token", scenario{thief: true, shares: true}, atMost(3)},
}

// ASVS 5.0, 10.4.5.
func TestEveryOrderOfSixRefreshes(t *testing.T) {
	for _, scenario := range explored {
		w := scenario.world
		w.rules = realRules()
		trace, states := w.explore(scenario.wrong)
		if trace != "" {
			t.Errorf("%s: %s", scenario.name, trace)
		}
		t.Logf("%s: %d states", scenario.name, states)
	}
}

// The flaws of other implementations of rotation, and the scenario that must find each.
func TestKnownFlawsOfRotationAreFound(t *testing.T) {
	judged := func(change func(behind int64, v Verdict) Verdict) func(*ruleSet) {
		return func(r *ruleSet) {
			judge := r.judge
			r.judge = func(f *Family, generation uint64, attempt string, now time.Time) Verdict {
				return change(int64(f.Generation)-int64(generation), judge(f, generation, attempt, now))
			}
		}
	}
	for rule, c := range map[string]struct {
		scenario int
		change   func(*ruleSet)
		trace    string // its beginning
	}{
		"no grace period": {0, judged(func(behind int64, v Verdict) Verdict {
			switch {
			case v == Answers && behind == 0:
				return Rotates
			case v == Answers:
				return Reuses
			}
			return v
		}), "send(0) send(0) srv(0)>1 srv(0)>0"},
		"a retry displaces the successor": {0, judged(func(behind int64, v Verdict) Verdict {
			if v == Answers && behind == 1 {
				return Rotates
			}
			return v
		}), "send(0) send(0) srv(0)>1 srv(0)>2"},
		"a rotation within the grace period": {0, judged(func(behind int64, v Verdict) Verdict {
			if v == Answers && behind == 0 {
				return Rotates
			}
			return v
		}), "send(0) send(0) srv(0)>1"},
		"no idempotency key":           {1, func(r *ruleSet) { r.keyless = true }, "send(0) srv(0)>1"},
		"idempotency keys of each tab": {1, func(r *ruleSet) { r.perTab = true }, "send(0) srv(0)>1"},
		"a later generation is refused": {3, judged(func(_ int64, v Verdict) Verdict {
			if v == Heals {
				return Reuses
			}
			return v
		}), "send(0) srv(0)>1 deliver(1)"},
		"the parent without a bound of time": {4, judged(func(behind int64, v Verdict) Verdict {
			if behind == 1 {
				return Answers
			}
			return v
		}), ""},
		"retries extend the grace period":          {0, func(r *ruleSet) { r.extends = true }, "send(0)"},
		"one idempotency key of a device for ever": {6, func(r *ruleSet) { r.oneForAll = true }, ""},
		"a recovery that opens the grace period": {4, func(r *ruleSet) {
			after := r.after
			r.after = func(f *Family, v Verdict, generation uint64, attempt string, now time.Time) *Family {
				next := after(f, v, generation, attempt, now)
				if v == Recovers {
					next.Rotated = next.Recovered
				}
				return next
			}
		}, "o(0)>1 copy(0)"},
		"recoveries without an end": {6, func(r *ruleSet) {
			judge := r.judge
			r.judge = func(f *Family, generation uint64, attempt string, now time.Time) Verdict {
				forgets := *f
				forgets.Presented = 0
				if v := judge(&forgets, generation, attempt, now); v != Arrives {
					return v
				}
				return Answers
			}
		}, ""},
		"a rotation right after a recovery": {1, func(r *ruleSet) {
			judge := r.judge
			r.judge = func(f *Family, generation uint64, attempt string, now time.Time) Verdict {
				forgets := *f
				forgets.Recovered = 0
				return judge(&forgets, generation, attempt, now)
			}
		}, "send(0) srv(0)>1 lose tick tick send(0) send(0) srv(0)>1 deliver(1) send(1) srv(1)>2 srv(0)>0"},
		"no time for requests in flight": {1, func(r *ruleSet) {
			judge := r.judge
			r.judge = func(f *Family, generation uint64, attempt string, now time.Time) Verdict {
				v := judge(f, generation, attempt, now)
				if v == Answers && generation < f.Generation && f.Presented != 0 {
					return Reuses
				}
				return v
			}
		}, "send(0) srv(0)>1 lose tick tick send(0) send(0)"},
	} {
		w := explored[c.scenario].world
		w.rules = realRules()
		c.change(&w.rules)
		trace, states := w.explore(explored[c.scenario].wrong)
		if trace == "" || !strings.HasPrefix(trace, c.trace) {
			t.Errorf("%s: not found in %d states: %q", rule, states, trace)
		}
		t.Logf("%s: %s", rule, trace)
	}
}
