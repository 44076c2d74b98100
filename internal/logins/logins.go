// Package logins keeps the list of a subject's log-ins, over a store, so that
// they can be shown, bounded and ended. Sessions and refresh families stand in
// one list.
//
// A log-in is a record under a key of its own and an entry in the list of its
// subject. The two cannot change in one step, so they change in an order that
// is safe to break off anywhere:
//
//   - A log-in creates its record, which nobody knows of yet, then has [Lists.Add]
//     swap the entry in, and only then discloses the token.
//   - Ending log-ins marks their entries by one swap, then swaps their records
//     to tombstones, then takes the entries off. Whoever next changes the list
//     finishes what was broken off.
//
// So a disclosed record that lives is listed, and an entry leaves the list only
// after its record has ended. An entry that a store has lost all the same is
// found missing when its log-in next notes its use; see [Lists.Listed].
package logins

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/authlatch/auth/internal/stored"
	"github.com/authlatch/auth/store"
)

// Lists are the lists of one namespace in one store.
type Lists struct {
	Store     store.Store
	Namespace string // the subjects' world
	Bound     int    // log-ins of a subject at most; the oldest is ended for a new one

	// Evicted hears of each log-in that was ended to keep the bound. It may be
	// nil.
	Evicted func(ctx context.Context, subject string, e Entry)

	// Fault hears of what went wrong without failing the call: a corrupt list,
	// an ending that is left to the next change.
	Fault func(ctx context.Context, subject string, err error)
}

// margin is how much longer the store keeps what has ended by its own time, so
// that clocks may differ.
const margin = time.Minute

// errUnlisted means that a log-in did not get into the list, or was marked as
// ending before it was disclosed.
var errUnlisted = errors.New("logins: ended before it was listed")

// Create stores the record of a log-in that nobody knows of yet: what fresh
// returns, under a new secret each time that it is called. After an error
// there is none that anybody could use.
func (l *Lists) Create(ctx context.Context, kind Kind, fresh func() (Digest, []byte, time.Duration)) error {
	for failures := 0; ; {
		d, raw, ttl := fresh()
		created, err := l.Store.CompareAndSwap(ctx, d.Key(), nil, raw, ttl)
		if created {
			return nil
		}
		if err == nil {
			err = errors.New("the key is taken")
		}
		if failures++; failures > 1 {
			return fmt.Errorf("logins: create a record: %w", err)
		}
		// It may be there all the same. A second attempt under this key could
		// not tell its own record from one that was ended, so it is given up.
		l.EndRecord(ctx, kind, d, Revoked)
	}
}

// Add lists a log-in whose record exists and is not disclosed yet. After nil it
// may be disclosed; after an error its record must be ended. The log-in that
// it replaces, if any, does not count against the bound and stays in the list
// until [Lists.Remove].
func (l *Lists) Add(ctx context.Context, subject string, e Entry, replaced *Digest) error {
	var evicted []Entry
	list, err := l.swap(ctx, subject, func(list *list, again bool) (bool, error) {
		switch i := list.find(e.Digest); {
		case i >= 0 && list.entries[i].Ending == 0:
			return false, nil // the swap of unknown outcome was applied
		case i >= 0 || again:
			return false, errUnlisted
		}
		list.entries = append(list.entries, e)
		evicted = list.evict(l.Bound, replaced)
		return true, nil
	})
	if err != nil {
		return err
	}
	for _, e := range evicted {
		if l.Evicted != nil {
			l.Evicted(ctx, subject, e)
		}
	}
	if err := l.finish(ctx, subject, list); err != nil {
		l.Fault(ctx, subject, err) // those marked end at their next touch
	}
	return nil
}

// Remove takes a log-in off the list whose record has ended already.
func (l *Lists) Remove(ctx context.Context, subject string, d Digest) error {
	_, err := l.swap(ctx, subject, func(list *list, _ bool) (bool, error) {
		return list.remove(func(e Entry) bool { return e.Digest == d }), nil
	})
	return err
}

// End ends the log-ins that pick chooses, and returns them. After a nil error
// their records have ended; their entries leave the list now or with its next
// change.
func (l *Lists) End(ctx context.Context, subject string, reason Reason, pick func(Entry) bool) ([]Entry, error) {
	var picked []Entry
	list, err := l.swap(ctx, subject, func(list *list, again bool) (bool, error) {
		if !again { // or the marks of a swap of unknown outcome may be there
			picked = nil
		}
		marked := false
		for i := range list.entries {
			if e := &list.entries[i]; e.Ending == 0 && pick(*e) {
				e.Ending, marked = reason, true
				if !slices.ContainsFunc(picked, func(p Entry) bool { return p.Digest == e.Digest }) {
					picked = append(picked, *e)
				}
			}
		}
		return marked, nil
	})
	if err != nil {
		return nil, err
	}
	if err := l.finish(ctx, subject, list); err != nil {
		return nil, err
	}
	return picked, nil
}

// EndOne ends a log-in that is known by its own credential. After nil its record
// has ended, listed or not, even if the list cannot be read; its entry leaves
// the list now or lapses.
func (l *Lists) EndOne(ctx context.Context, subject string, kind Kind, d Digest, reason Reason) error {
	if err := l.EndRecord(ctx, kind, d, reason); err != nil {
		return err
	}
	if err := l.Remove(ctx, subject, d); err != nil {
		l.Fault(ctx, subject, err)
	}
	return nil
}

// Listed reports whether a log-in stands in the list and is not being ended.
// A log-in that does not is to be ended by whoever notices.
func (l *Lists) Listed(ctx context.Context, subject string, d Digest) (bool, error) {
	list, err := l.read(ctx, subject)
	if err != nil {
		return false, err
	}
	i := list.find(d)
	return i >= 0 && list.entries[i].Ending == 0, nil
}

// Entries returns the log-ins of some kinds that are not being ended, oldest
// first.
func (l *Lists) Entries(ctx context.Context, subject string, kinds ...Kind) ([]Entry, error) {
	list, err := l.read(ctx, subject)
	if err != nil {
		return nil, err
	}
	list.remove(func(e Entry) bool { return !slices.Contains(kinds, e.Kind) || e.Ending != 0 })
	return list.entries, nil
}

// EndRecord swaps the record of a log-in to a tombstone, whatever it holds. It
// is no error if there is none, or if it has ended already: the first reason
// stays.
func (l *Lists) EndRecord(ctx context.Context, kind Kind, d Digest, reason Reason) error {
	key := d.Key()
	for failures := 0; ; {
		raw, ok, err := l.Store.Get(ctx, key)
		if err != nil {
			return fmt.Errorf("logins: end a record: %w", err)
		}
		if _, ended := ParseTombstone(raw); !ok || ended {
			return nil
		}
		swapped, err := l.Store.CompareAndSwap(ctx, key, raw, NewTombstone(kind, reason), kind.TombstoneTTL())
		if swapped {
			return nil
		}
		if err != nil {
			// The outcome is unknown: one more look tells.
			if failures++; failures > 1 {
				return fmt.Errorf("logins: end a record: %w", err)
			}
		}
	}
}

// swap changes the list by one swap and returns it as it then stands. It calls
// edit with each version that it finds until a swap succeeds or edit leaves the
// list alone; again is true once a swap has had an unknown outcome, so edit
// must know its own work when it sees it.
func (l *Lists) swap(ctx context.Context, subject string, edit func(list *list, again bool) (changed bool, err error)) (*list, error) {
	for failures := 0; ; {
		list, err := l.read(ctx, subject)
		if err != nil {
			return nil, err
		}
		changed, err := edit(list, failures > 0)
		if err != nil || !changed && !list.corrupt {
			return list, err
		}
		swapped, err := l.write(ctx, subject, list)
		switch {
		case swapped:
			return list, nil
		case err != nil:
			if failures++; failures > 1 {
				return nil, err
			}
		}
	}
}

// finish ends the records of the entries that are marked in the list, and then
// takes them off. Its error says that a record may not have ended.
func (l *Lists) finish(ctx context.Context, subject string, marked *list) error {
	ended := make(map[Digest]bool)
	for _, e := range marked.entries {
		if e.Ending == 0 {
			continue
		}
		if err := l.EndRecord(ctx, e.Kind, e.Digest, e.Ending); err != nil {
			return err
		}
		ended[e.Digest] = true
	}
	if len(ended) == 0 {
		return nil
	}
	// That the entries leave is tidiness: the next change would see to it.
	_, err := l.swap(ctx, subject, func(list *list, _ bool) (bool, error) {
		return list.remove(func(e Entry) bool { return ended[e.Digest] }), nil
	})
	if err != nil {
		l.Fault(ctx, subject, err)
	}
	return nil
}

func (l *Lists) read(ctx context.Context, subject string) (*list, error) {
	raw, ok, err := l.Store.Get(ctx, l.key(subject))
	if err != nil {
		return nil, fmt.Errorf("logins: read a list: %w", err)
	}
	if !ok {
		return &list{}, nil
	}
	list, err := parseList(raw)
	if err != nil {
		return nil, err
	}
	if list.corrupt {
		l.Fault(ctx, subject, errors.New("logins: a list is corrupt"))
	}
	return list, nil
}

// write swaps the list in for the bytes that it was read from.
func (l *Lists) write(ctx context.Context, subject string, list *list) (bool, error) {
	now := time.Now()
	// A record has ended by its own time, too.
	list.remove(func(e Entry) bool { return now.After(e.Expires.Add(margin)) })
	raw := list.encode()
	swapped, err := l.Store.CompareAndSwap(ctx, l.key(subject), list.raw, raw, list.ttl(now))
	if err != nil {
		return false, fmt.Errorf("logins: write a list: %w", err)
	}
	list.raw = raw
	return swapped, nil
}

// key is where the list of a subject is kept. It tells nothing of either name.
func (l *Lists) key(subject string) string {
	h := sha256.New()
	h.Write([]byte("authlatch/logins"))
	h.Write(stored.AppendText(nil, l.Namespace))
	h.Write([]byte(subject))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}
