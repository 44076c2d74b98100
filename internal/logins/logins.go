// Package logins keeps the list of a subject's logins in a store, so that they can be
// shown, bounded and ended. Sessions and refresh families are in one list.
//
// A login is a record under a key of its own and an entry in the list of its
// subject. The two cannot change in one step, so they change in an order that
// can safely be interrupted anywhere:
//
//   - A login creates its record, whose token is not disclosed yet, then has
//     [Lists.Add] swap the entry in, and only then discloses the token.
//   - Ending logins marks their entries by one swap, then ends their records,
//     then removes the entries. The next login of the subject, or the next call
//     that ends them, continues what was interrupted. If the marks cannot be
//     written, the records end all the same.
//   - A record ends by a swap to a tombstone or, where it keeps changing or the
//     store takes no swaps, by its deletion. Neither can be undone: a slow write
//     swaps a value that is no longer there, and no key is created twice.
//
// So a disclosed record that lives is listed, and an entry leaves the list only
// after its record has ended. An entry that a store has lost all the same is
// found missing when the use of its login is next recorded; see [Lists.Listed]. A list that
// has lost entries says so until their logins have ended; see [Lists.Idle].
package logins

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/authlatch/auth/internal/queue"
	"github.com/authlatch/auth/internal/record"
	"github.com/authlatch/auth/store"
)

// Lists are the lists of one namespace in one store. They are safe for concurrent use.
type Lists struct {
	Store     store.Store
	Namespace string // separates subjects of the same name
	Bound     int    // maximum of logins of a subject; a new one ends the least recently used

	// Idle is the longest time that a login lasts without its use being recorded,
	// and so without being looked up in its list. After it, logins that a corrupt
	// list has lost have ended. Less than the default of remembered logins counts as
	// that, because the other mode of the namespace may have longer-lived logins.
	Idle time.Duration

	// DescribeSession and DescribeFamily read the records of their kind. Without
	// them, no login can be shown, and eviction knows the last use of a login only
	// from its entry.
	DescribeSession, DescribeFamily Describe

	// Evicted is called for each login that was ended to keep the bound. It may be
	// nil.
	Evicted func(ctx context.Context, subject string, e Entry)

	// Fault is called for an error that does not fail the call: a corrupt list or
	// record, an ending that is left to the next change.
	Fault func(ctx context.Context, subject string, err error)

	queue queue.Queue[string] // of goroutines that change one list
}

// margin is how much longer the store keeps a login that has ended by its own time,
// because clocks may differ.
const margin = time.Minute

// errUnlisted means that a login did not get into the list, or was marked as
// ending before it was disclosed.
var errUnlisted = errors.New("logins: ended before it was listed")

// Create stores the record of a login that is not disclosed yet. fresh returns the
// record, under a new secret each time that it is called. After an error there is no
// record with a secret that could be used.
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
		// The record may exist all the same. A second write under this key could not
		// distinguish its own record from one that was ended, so the key is
		// abandoned.
		l.EndRecord(ctx, kind, d, Revoked)
	}
}

// Add lists a login whose record exists and is not disclosed yet. After nil it
// may be disclosed; after an error its record must be ended. The login that
// it replaces, if any, does not count against the bound and stays in the list
// until [Lists.Remove].
func (l *Lists) Add(ctx context.Context, subject string, e Entry, replaced *Digest) error {
	now := time.Now()
	e.Used = now
	asides, cancel := context.WithTimeout(ctx, asideTimeout)
	defer cancel()
	look := l.looker(asides)
	var evicted []Entry
	list, err := l.swap(ctx, subject, unlimited, func(list *list, retried bool) (bool, error) {
		switch i := list.find(e.Digest); {
		case i >= 0 && list.entries[i].Ending == 0:
			return false, nil // the swap of unknown outcome was applied
		case i >= 0 || retried:
			return false, errUnlisted
		}
		list.entries = append(list.entries, e)
		evicted = list.evict(now, l.Bound, replaced, look)
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
	l.tidy(asides, subject, list)
	return nil
}

// asideTimeout bounds the time that a login spends on other logins of its subject.
const asideTimeout = time.Second

// Remove removes a login whose record has already ended from the list.
func (l *Lists) Remove(ctx context.Context, subject string, d Digest) error {
	return l.remove(ctx, subject, func(e Entry) bool { return e.Digest == d })
}

func (l *Lists) remove(ctx context.Context, subject string, leave func(Entry) bool) error {
	_, err := l.swap(ctx, subject, unlimited, func(list *list, _ bool) (bool, error) {
		return list.remove(leave), nil
	})
	return err
}

// Listed reports whether a login is in the list and is not being ended. A caller that
// finds a login not listed must end it.
func (l *Lists) Listed(ctx context.Context, subject string, d Digest) (bool, error) {
	list, err := l.read(ctx, subject)
	if err != nil {
		return false, err
	}
	i := list.find(d)
	return i >= 0 && list.entries[i].Ending == 0, nil
}

// Entries returns the logins that are not being ended, oldest first.
func (l *Lists) Entries(ctx context.Context, subject string) ([]Entry, error) {
	list, err := l.read(ctx, subject)
	if err != nil {
		return nil, err
	}
	list.remove(func(e Entry) bool { return e.Ending != 0 })
	return list.entries, nil
}

// unlimited is the patience of a swap that queues behind others.
const unlimited = 0

var errBusy = errors.New("logins: write a list: it keeps changing")

// swap changes the list by one swap and returns it as it then stands. It calls
// edit with each version that it finds until a swap succeeds or edit leaves the
// list alone; retried is true once a swap has had an unknown outcome, so edit
// must recognize its own change.
//
// A swap that has met another waits for its turn. One with a patience does not,
// and gives up after so many conflicts. With an error it returns the list that it
// could not write, or nil if the list could not be read.
func (l *Lists) swap(ctx context.Context, subject string, patience int, edit func(list *list, retried bool) (changed bool, err error)) (*list, error) {
	key := l.key(subject)
	for failures, conflicts := 0, 0; ; {
		list, err := l.read(ctx, subject)
		if err != nil {
			return nil, err
		}
		changed, err := edit(list, failures > 0)
		if err != nil || !changed && !list.corrupt {
			return list, err
		}
		swapped, err := l.write(ctx, key, list)
		switch {
		case swapped:
			return list, nil
		case err != nil:
			if failures++; failures > 1 {
				return list, err
			}
			continue
		}
		conflicts++
		if patience != unlimited {
			if conflicts == patience {
				return list, errBusy
			}
		} else if conflicts == 1 {
			leave, err := l.queue.Enter(ctx, key)
			if err != nil {
				return list, fmt.Errorf("logins: write a list: %w", err)
			}
			defer leave()
		}
	}
}

func (l *Lists) read(ctx context.Context, subject string) (*list, error) {
	key := l.key(subject)
	raw, ok, err := l.Store.Get(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("logins: read a list: %w", err)
	}
	if !ok {
		return &list{}, nil
	}
	list, err := parseList(key, raw)
	if err != nil {
		return nil, err
	}
	if list.corrupt {
		now := time.Now()
		list.repair(now, now.Add(max(l.Idle, minIdle)))
		l.Fault(ctx, subject, errors.New("logins: a list is corrupt"))
	}
	return list, nil
}

// minIdle is the minimum of [Lists.Idle].
const minIdle = defaultMaxLifetime

// write swaps the list in for the bytes that it was read from.
func (l *Lists) write(ctx context.Context, key string, list *list) (bool, error) {
	now := time.Now()
	list.expire(now)
	raw := list.encode(key)
	swapped, err := l.Store.CompareAndSwap(ctx, key, list.raw, raw, list.ttl(now))
	if err != nil {
		return false, fmt.Errorf("logins: write a list: %w", err)
	}
	list.raw = raw
	return swapped, nil
}

// key returns the key of the list of a subject. It reveals neither the namespace nor
// the subject.
func (l *Lists) key(subject string) string {
	h := sha256.New()
	h.Write([]byte("authlatch/logins"))
	h.Write(record.AppendText(nil, l.Namespace))
	h.Write([]byte(subject))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}
