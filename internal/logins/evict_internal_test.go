package logins

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/record"
	"github.com/authlatch/auth/store"
)

// park is a store with logins of one subject, of which n may be alive.
type park struct {
	t        *testing.T
	store    store.Memory
	gets     atomic.Int64
	reported []byte // the first bytes of the digests that Evicted was called for
	lists    *Lists
}

func newPark(t *testing.T, bound int) *park {
	p := &park{t: t}
	p.lists = &Lists{
		Store: counting{&p.store, &p.gets}, Bound: bound, DescribeSession: describe,
		Evicted: func(_ context.Context, _ string, e Entry) { p.reported = append(p.reported, e.Digest[0]) },
		Fault:   func(_ context.Context, _ string, err error) { t.Error(err) },
	}
	return p
}

type counting struct {
	store.Store
	gets *atomic.Int64
}

func (c counting) Get(ctx context.Context, key string) ([]byte, bool, error) {
	c.gets.Add(1)
	return c.Store.Get(ctx, key)
}

// session is a record as describe reads it.
func session(created, used time.Time) []byte {
	b := append([]byte{sessionFormat}, make([]byte, 8)...)
	b = binary.AppendUvarint(b, uint64(created.UnixMilli()))
	return binary.AppendUvarint(b, uint64(used.Sub(created).Milliseconds()))
}

const sessionFormat = 0x10

func describe(_ Digest, raw []byte) (login auth.Login, live bool, err error) {
	in := record.NewReader(string(raw))
	if format := in.Take(1); format != "" && format[0] != sessionFormat {
		return auth.Login{}, false, ErrNewer
	}
	in.Take(8)
	created := in.Number()
	login.LastUsed = time.UnixMilli(created + in.Number())
	if in.Failed() {
		return auth.Login{}, false, errors.New("corrupt")
	}
	return login, true, nil
}

func (p *park) login(i byte, kind Kind, lasts time.Duration, replaced *Digest) {
	p.t.Helper()
	d, now := Digest{i}, time.Now()
	if ok, err := p.store.CompareAndSwap(p.t.Context(), d.Key(), nil, session(now, now), lasts); err != nil || !ok {
		p.t.Fatal(ok, err)
	}
	if err := p.lists.Add(p.t.Context(), "alice", Entry{Digest: d, Kind: kind, Expires: now.Add(lasts)}, replaced); err != nil {
		p.t.Fatal(err)
	}
}

func (p *park) use(i byte) {
	p.t.Helper()
	raw, _, _ := p.store.Get(p.t.Context(), Digest{i}.Key())
	if ok, err := p.store.CompareAndSwap(p.t.Context(), Digest{i}.Key(), raw, session(time.Now(), time.Now()), day); err != nil || !ok {
		p.t.Fatal(ok, err)
	}
}

// left returns the first bytes of the logins that are listed.
func (p *park) left() (left []byte) {
	entries, err := p.lists.Entries(p.t.Context(), "alice")
	if err != nil {
		p.t.Fatal(err)
	}
	for _, e := range entries {
		left = append(left, e.Digest[0])
	}
	return left
}

const day = 24 * time.Hour

// Over the bound the least recently used login ends, and not the oldest.
func TestTheLeastRecentlyUsedIsEvictedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPark(t, 3)
		for i := range byte(3) {
			p.login(i, Session, day, nil)
			time.Sleep(time.Minute)
		}
		p.use(0) // the phone
		for i := byte(3); i < 100; i++ {
			time.Sleep(time.Minute)
			p.login(i, Session, day, nil)
			p.use(0)
		}
		if left := p.left(); !slices.Equal(left, []byte{0, 98, 99}) {
			t.Errorf("%v are left", left)
		}
		if len(p.reported) != 97 || slices.Contains(p.reported, 0) {
			t.Errorf("%v were reported", p.reported)
		}
	})
}

// Expired logins make room first, and are not reported.
func TestWhatHasEndedMakesRoomFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPark(t, 3)
		p.login(0, Session, day, nil)
		p.login(1, Session, time.Minute, nil) // expires
		time.Sleep(50 * time.Second)
		p.use(1)
		p.login(2, Session, day, nil)
		time.Sleep(70 * time.Second) // expired, by the minute, and still listed
		p.login(3, Session, day, nil)
		if left := p.left(); !slices.Equal(left, []byte{0, 2, 3}) || len(p.reported) != 0 {
			t.Errorf("%v are left, %v were reported", left, p.reported)
		}
		// One whose record has ended while its entry has not, as by its idle timeout.
		if err := p.store.Delete(t.Context(), Digest{0}.Key()); err != nil {
			t.Fatal(err)
		}
		p.login(4, Session, day, nil)
		if left := p.left(); !slices.Equal(left, []byte{2, 3, 4}) || len(p.reported) != 0 {
			t.Errorf("%v are left, %v were reported", left, p.reported)
		}
	})
}

// A client that knows only the password cannot end a complete login.
func TestPendingLoginsEvictEachOtherOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPark(t, 2)
		p.login(0, Session, day, nil)
		p.login(1, Session, day, nil)
		for i := range byte(maxPending + 3) {
			time.Sleep(10 * time.Second)
			p.login(10+i, Pending, 10*time.Minute, nil)
		}
		if left := p.left(); len(left) != 2+maxPending || left[0] != 0 || left[1] != 1 || left[2] != 13 {
			t.Errorf("%v are left", left)
		}
		p.reported = nil
		p.login(2, Session, day, nil)
		if left := p.left(); len(left) != 2+maxPending || left[0] != 1 || !slices.Equal(p.reported, []byte{0}) {
			t.Errorf("%v are left, %v were reported", left, p.reported)
		}
	})
}

// The session that a login replaces does not count, so nothing else ends for it.
func TestALoginOverAnotherEvictsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPark(t, 2)
		p.login(0, Session, day, nil)
		p.login(1, Session, day, nil)
		p.login(2, Session, day, &Digest{1})
		if left := p.left(); !slices.Equal(left, []byte{0, 1, 2}) || len(p.reported) != 0 {
			t.Errorf("%v are left, %v were reported", left, p.reported)
		}
		// It evicts those that are over the bound without it.
		p.lists.Bound = 1
		p.login(9, Session, day, &Digest{2})
		if left := p.left(); !slices.Equal(left, []byte{2, 9}) {
			t.Errorf("%v are left", left)
		}
		p.lists.Bound = 2
		// One in another browser evicts.
		p.login(3, Session, day, nil)
		if left := p.left(); !slices.Equal(left, []byte{9, 3}) {
			t.Errorf("%v are left", left)
		}
	})
}

// A login of a subject at its bound reads one other record, not all of them.
func TestEvictionLooksAtFewRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const bound, more = 50, 100
		p := newPark(t, bound)
		for i := range byte(bound) {
			p.login(i, Session, day, nil)
		}
		for i := range byte(bound) { // all but one
			if time.Sleep(time.Minute); i > 0 {
				p.use(i)
			}
		}
		p.gets.Store(0)
		for i := range byte(more) {
			time.Sleep(time.Minute)
			p.login(100+i, Session, day, nil)
		}
		// For each: the list, the record to end, the list to remove it from, and the
		// record of the candidate. Each login that was used is read once in vain.
		if n := p.gets.Load(); n > 4*more+bound {
			t.Errorf("%d reads", n)
		}
	})
}

// A login that another clock has used in the future is not kept for the newest.
func TestALoginDoesNotEvictItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPark(t, 1)
		p.login(0, Session, day, nil)
		raw, _, _ := p.store.Get(t.Context(), Digest{0}.Key())
		if _, err := p.store.CompareAndSwap(t.Context(), Digest{0}.Key(), raw, session(time.Now(), time.Now().Add(9*time.Hour)), day); err != nil {
			t.Fatal(err)
		}
		p.login(1, Session, day, nil)
		if left := p.left(); !slices.Equal(left, []byte{1}) {
			t.Errorf("%v are left", left)
		}
	})
}

// A record that cannot be read counts as its entry says.
func TestEvictionKnowsADamagedRecordByItsEntry(t *testing.T) {
	whole := session(time.Now(), time.Now().Add(time.Hour))
	for rule, raw := range map[string][]byte{
		"damaged": whole[:len(whole)-1], "of a newer version": append([]byte{0x1f}, whole[1:]...), "of another kind": {0x20},
	} {
		p := newPark(t, 10)
		if ok, err := p.store.CompareAndSwap(t.Context(), Digest{1}.Key(), nil, raw, day); err != nil || !ok {
			t.Fatal(ok, err)
		}
		used := time.Now().Add(-time.Hour)
		for _, kind := range []Kind{Session, Pending, Family} { // no reader is set for families
			e := Entry{Digest: Digest{1}, Kind: kind, Used: used}
			if live := p.lists.looker(t.Context())(&e); !live || e.Used != used {
				t.Errorf("%s, kind %d: %v, %v", rule, kind, live, e.Used)
			}
		}
	}
}
