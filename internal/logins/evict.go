package logins

import (
	"context"
	"time"
)

// maxPending is the maximum of pending logins of a subject. They have a separate
// bound: an attacker who knows only the password must not end complete logins.
const maxPending = 10

// evict marks the entries over their bound, expired ones first, then the least recently
// used, and returns the entries of logins that were alive. Complete logins, pending ones,
// and those with an actor are counted separately. Entries that are being ended, and the
// entry that the newest one replaces, do not count.
//
// The last use in an entry is as old as the last read of its record. So look, which
// reads the record and updates the entry, is called for each candidate. It returns
// false for a login that has ended.
func (l *list) evict(now time.Time, bound int, replaced *Digest, look func(*Entry) (live bool)) (evicted []Entry) {
	newest := l.entries[len(l.entries)-1]
	class := classOf(newest.Kind)
	switch class {
	case Pending:
		bound = maxPending
	case acting:
		bound = min(bound, maxActing)
	}
	counts := func(e *Entry) bool {
		return e.Ending == 0 && classOf(e.Kind) == class && (replaced == nil || e.Digest != *replaced)
	}
	over := -bound
	for i := range l.entries {
		if counts(&l.entries[i]) {
			over++
		}
	}
	for over > 0 {
		e := l.leastUsed(now, func(e *Entry) bool { return counts(e) && e.Digest != newest.Digest })
		if e == nil {
			return evicted
		}
		known := e.Used
		live := look(e)
		if live && e.Used.After(known) {
			continue // another may be less recently used
		}
		e.Ending = Evicted
		over--
		if live && now.Before(e.Expires) {
			evicted = append(evicted, *e)
		}
	}
	return evicted
}

// classOf returns what stands for all kinds that are counted together.
func classOf(k Kind) Kind {
	switch {
	case k.acting():
		return acting
	case k == Pending:
		return Pending
	}
	return Session
}

// leastUsed returns the entry to evict first, as far as the list knows, or nil. Of
// several with the same last use it returns the oldest.
func (l *list) leastUsed(now time.Time, candidate func(*Entry) bool) (least *Entry) {
	rank := func(e *Entry) time.Time {
		if !now.Before(e.Expires) {
			return time.Time{}
		}
		return e.Used
	}
	for i := range l.entries {
		if e := &l.entries[i]; candidate(e) && (least == nil || rank(e).Before(rank(least))) {
			least = e
		}
	}
	return least
}

// looker returns the look function of evict. It reads each record once. A record
// that cannot be read counts as its entry says.
func (l *Lists) looker(ctx context.Context) func(*Entry) (live bool) {
	type fact struct {
		used           time.Time
		live           bool
		subject, actor string
	}
	known := make(map[Digest]fact)
	return func(e *Entry) bool {
		f, ok := known[e.Digest]
		if !ok {
			f = fact{used: e.Used, live: true}
			raw, ok, err := l.Store.Get(ctx, e.Digest.Key())
			if _, ended := ParseTombstone(raw); err == nil && (!ok || ended) {
				f.live = false
			} else if login, _, unread := l.describe(*e, raw); err == nil && unread == nil {
				f.used, f.subject, f.actor = login.LastUsed, login.Subject, login.Actor
			}
			known[e.Digest] = f
		}
		if f.used.After(e.Used) {
			e.Used = f.used.Truncate(time.Second)
		}
		if e.Kind.acting() {
			e.Subject, e.Actor = f.subject, f.actor
		}
		return f.live
	}
}
