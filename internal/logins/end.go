package logins

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"
)

// markTries is how often a call tries to mark entries while others change the list.
// After that, the records end without a mark.
const markTries = 4

// End ends the logins that pick chooses, goes on past errors, and returns the
// logins that this call has ended. After nil all of them have ended, and none that the
// subject had is missing from the list; their entries leave the list now or with
// its next change. After an error the call can be repeated: it does not try again
// what it has ended.
func (l *Lists) End(ctx context.Context, subject string, reason Reason, pick func(Entry) bool) (ended []Entry, err error) {
	list, _, ended, err := l.end(ctx, subject, reason, pick)
	if list != nil {
		err = errors.Join(err, list.incomplete())
	}
	return ended, err
}

// EndID is [Lists.End] of the one login with a LoginID. A list that has lost others
// is an error only if this one is not in it.
func (l *Lists) EndID(ctx context.Context, subject string, reason Reason, id string) (ended []Entry, err error) {
	list, picked, ended, err := l.end(ctx, subject, reason, func(e Entry) bool { return e.Digest.LoginID() == id })
	if list != nil && len(picked) == 0 {
		err = errors.Join(err, list.incomplete())
	}
	return ended, err
}

// incomplete returns the error of a list that has lost logins which may be alive.
func (l *list) incomplete() error {
	if !time.Now().Before(l.lost) {
		return nil
	}
	return fmt.Errorf("logins: a list was corrupt: logins that it has lost may be alive until %s", l.lost.UTC().Format(time.RFC3339))
}

// end does not need the marks: each disclosed login that lives is in the list. The
// marks let later calls go on with a call that is interrupted.
func (l *Lists) end(ctx context.Context, subject string, reason Reason, pick func(Entry) bool) (found *list, picked, ended []Entry, err error) {
	found, err = l.swap(ctx, subject, markTries, func(list *list, _ bool) (marked bool, err error) {
		for i := range list.entries {
			if e := &list.entries[i]; e.Ending == 0 && pick(*e) {
				e.Ending, marked = reason, true
			}
		}
		return marked, nil
	})
	if found == nil {
		return nil, nil, nil, err
	}
	if err != nil {
		l.Fault(ctx, subject, err)
	}
	for _, e := range found.entries {
		if e.Ending != 0 && pick(e) {
			picked = append(picked, e)
		}
	}
	ended, err = l.finish(ctx, subject, picked)
	return found, picked, ended, err
}

// EndOne ends a login that is known by its own credential. After nil its record has
// ended, listed or not, even if the list cannot be read; its entry leaves the list
// now or expires.
func (l *Lists) EndOne(ctx context.Context, subject string, kind Kind, d Digest, reason Reason) error {
	if err := l.EndRecord(ctx, kind, d, reason); err != nil {
		return err
	}
	if err := l.Remove(ctx, subject, d); err != nil {
		l.Fault(ctx, subject, err)
	}
	return nil
}

// tidy goes on with endings that were interrupted. It ends the last marked logins of
// the list, as many as can end at once. The others end at their next touch.
func (l *Lists) tidy(ctx context.Context, subject string, list *list) {
	var marked []Entry
	for _, e := range list.entries {
		if e.Ending != 0 {
			marked = append(marked, e)
		}
	}
	marked = marked[max(len(marked)-parallel, 0):]
	if _, err := l.finish(ctx, subject, marked); err != nil {
		l.Fault(ctx, subject, err)
	}
}

// finish ends the records of entries, removes from the list those that have ended,
// and returns those that this call has ended. An error means that a record may be
// alive.
func (l *Lists) finish(ctx context.Context, subject string, entries []Entry) (ended []Entry, err error) {
	if len(entries) == 0 {
		return nil, nil
	}
	var failures []error
	gone := make(map[Digest]bool)
	for i, r := range l.endRecords(ctx, entries) {
		if !r.ended {
			failures = append(failures, r.err)
			continue
		}
		gone[entries[i].Digest] = true
		if r.byThis && entries[i].Ending != Evicted { // which has been reported
			ended = append(ended, entries[i])
		}
	}
	if len(gone) > 0 {
		// If this fails, the next change of the list removes the entries.
		if err := l.remove(ctx, subject, func(e Entry) bool { return gone[e.Digest] }); err != nil {
			l.Fault(ctx, subject, err)
		}
	}
	if n := len(failures); n > 0 {
		err = fmt.Errorf("logins: %d of %d may be alive: %w", n, len(entries), errors.Join(failures[:min(n, maxErrors)]...))
	}
	return ended, err
}

// maxErrors is how many errors of one call are reported.
const maxErrors = 4

// endTries is how many concurrent changes of a record are met before it is deleted. Without
// that limit, a client that keeps changing its record would keep it alive.
const endTries = 3

// EndRecord ends the record of a login, even a corrupt one: by a swap to a tombstone
// or, where that does not succeed, by its deletion. Ending a missing or ended record
// is a no-op: the first reason stays.
func (l *Lists) EndRecord(ctx context.Context, kind Kind, d Digest, reason Reason) error {
	_, err := l.EndRecordByThis(ctx, kind, d, reason)
	return err
}

// EndRecordByThis is EndRecord, and reports whether this call has ended the record. A
// login that another call ended was reported by that call.
func (l *Lists) EndRecordByThis(ctx context.Context, kind Kind, d Digest, reason Reason) (byThis bool, err error) {
	key, tombstone := d.Key(), NewTombstone(kind, reason)
	for conflicts, failures := 0, 0; conflicts < endTries && failures < 2; {
		raw, ok, err := l.Store.Get(ctx, key)
		if err == nil {
			if _, ended := ParseTombstone(raw); !ok || ended {
				return bytes.Equal(raw, tombstone), nil
			}
			var swapped bool
			if swapped, err = l.Store.CompareAndSwap(ctx, key, raw, tombstone, kind.TombstoneTTL()); swapped {
				return true, nil
			}
		}
		if err != nil {
			failures++ // the outcome is unknown: read once more
		} else {
			conflicts++
		}
	}
	if err := l.Store.Delete(ctx, key); err != nil {
		return false, fmt.Errorf("logins: end a record: %w", err)
	}
	return true, nil
}

// Supersede leaves a tombstone with the reason [Replaced] for a login that has ended, if
// something is left of it. A login that is alive ends. A concurrent change of the
// record stays.
func (l *Lists) Supersede(ctx context.Context, kind Kind, d Digest) error {
	raw, ok, err := l.Store.Get(ctx, d.Key())
	if err == nil {
		if tombstone, ended := ParseTombstone(raw); !ok || ended && tombstone.Reason.Own() {
			return nil
		}
		_, err = l.Store.CompareAndSwap(ctx, d.Key(), raw, NewTombstone(kind, Replaced), kind.TombstoneTTL())
	}
	if err != nil {
		return fmt.Errorf("logins: supersede a record: %w", err)
	}
	return nil
}
