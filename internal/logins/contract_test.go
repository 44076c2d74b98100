package logins_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	. "github.com/authlatch/auth/internal/logins"
	"github.com/authlatch/auth/store"
)

// scripted is a store that fails calls, and counts them.
type scripted struct {
	store.Memory
	swapFails []error // of the next swaps, which do not happen where it is not nil
	loses     []bool  // whether such a swap has happened all the same
	getFails  []error
	delFails  []error
	ttls      map[string]time.Duration // of the last swap of each key
	gets      int
}

func next[T any](list *[]T) (first T) {
	if len(*list) > 0 {
		first, *list = (*list)[0], (*list)[1:]
	}
	return first
}

func (s *scripted) Get(ctx context.Context, key string) ([]byte, bool, error) {
	s.gets++
	if err := next(&s.getFails); err != nil {
		return nil, false, err
	}
	return s.Memory.Get(ctx, key)
}

func (s *scripted) Delete(ctx context.Context, key string) error {
	if err := next(&s.delFails); err != nil {
		return err
	}
	return s.Memory.Delete(ctx, key)
}

// unreachable lets the record that is ended next fail all calls, after skip reads.
func (s *scripted) unreachable(skip int) {
	s.getFails = append(make([]error, skip), errStore, errStore)
	s.delFails = []error{errStore}
}

func (s *scripted) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
	failure, lost := next(&s.swapFails), next(&s.loses)
	if failure != nil && !lost {
		return false, failure
	}
	swapped, err := s.Memory.CompareAndSwap(ctx, key, old, new, ttl)
	if failure != nil {
		return false, failure
	}
	if s.ttls == nil {
		s.ttls = make(map[string]time.Duration)
	}
	if swapped {
		s.ttls[key] = ttl
	}
	return swapped, err
}

var errStore = errors.New("the store is down")

// listKey is the key of the list of a subject without a namespace.
func listKey(subject string) string {
	h := sha256.New()
	h.Write([]byte("authlatch/logins\x00" + subject))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

func lists(t *testing.T, s store.Store, bound int) *Lists {
	return &Lists{Store: s, Bound: bound, Fault: func(_ context.Context, _ string, err error) { t.Errorf("fault: %v", err) }}
}

// add lists a login with a record.
func add(t *testing.T, l *Lists, e Entry, replaced *Digest) {
	t.Helper()
	if ok, err := l.Store.CompareAndSwap(t.Context(), e.Digest.Key(), nil, liveRecord(), time.Hour); err != nil || !ok {
		t.Fatal(ok, err)
	}
	if err := l.Add(t.Context(), subject, e, replaced); err != nil {
		t.Fatal(err)
	}
}

func wantListed(t *testing.T, l *Lists, kind Kind, want ...Digest) {
	t.Helper()
	entries, err := l.Entries(t.Context(), subject)
	var got []Digest
	for _, e := range entries {
		if e.Kind == kind {
			got = append(got, e.Digest)
		}
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%d logins of kind %d are listed, want %d in their order: %v", len(got), kind, len(want), err)
	}
}

func isTombstone(t *testing.T, s store.Store, d Digest) (Tombstone, bool) {
	t.Helper()
	raw, _, err := s.Get(context.Background(), d.Key())
	if err != nil {
		t.Fatal(err)
	}
	return ParseTombstone(raw)
}

func TestNamesOfALoginAreOfFixedLength(t *testing.T) {
	var d Digest
	for i := range d {
		d[i] = byte(i)
	}
	sum := sha256.Sum256(d[:])
	if key := d.Key(); key != base64.RawURLEncoding.EncodeToString(d[:]) || len(key) != 43 {
		t.Errorf("key: %s", key)
	}
	if id := d.LoginID(); id != base64.RawURLEncoding.EncodeToString(sum[:16]) || len(id) != 22 {
		t.Errorf("login ID: %s", id)
	}
	if key, id := d.Names(); key != d.Key() || id != d.LoginID() {
		t.Errorf("both names: %s, %s", key, id)
	}
}

func TestEachReasonHasItsName(t *testing.T) {
	want := []string{"unknown", "logged out", "revoked", "evicted", "replaced", "reused", "unknown"}
	for r, name := range want {
		if got := Reason(r).String(); got != name {
			t.Errorf("%d: %s, want %s", r, got, name)
		}
		if own := Reason(r).Own(); own != (name == "logged out" || name == "replaced") {
			t.Errorf("%s: own is %v", name, own)
		}
	}
}

func TestATombstoneSaysWhatEndedWhyAndWhen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		raw := NewTombstone(Family, Reused)
		want := Tombstone{Family, Reused, time.Unix(time.Now().Unix(), 0)}
		if got, ok := ParseTombstone(raw); !ok || got.Kind != want.Kind || got.Reason != want.Reason || !got.Time.Equal(want.Time) {
			t.Errorf("%v, %v, want %v", got, ok, want)
		}
		if again := NewTombstone(Family, Reused); string(again) == string(raw) {
			t.Error("two tombstones are equal: a swap could not distinguish them")
		}
		other := slices.Clone(raw)
		other[0]++
		for rule, raw := range map[string][]byte{"none": nil, "short": raw[:len(raw)-1], "long": append(raw, 0), "another format": other} {
			if _, ok := ParseTombstone(raw); ok {
				t.Errorf("%s: is a tombstone", rule)
			}
		}
		if raw[0] != 0x80 || len(raw) != 19 {
			t.Errorf("the stored form has changed: %x", raw)
		}
	})
}

// The stored form of a tombstone with a successor.
func TestATombstoneNamesTheLoginThatReplaced(t *testing.T) {
	next := newDigest()
	raw := NewReplaced(Session, next)
	if got, ok := ParseTombstone(raw); !ok || got.Kind != Session || got.Reason != Replaced || Successor(raw) != next {
		t.Errorf("%v, %v", got, ok)
	}
	if raw[0] != 0x81 || len(raw) != 19+32 {
		t.Errorf("the stored form has changed: %x", raw)
	}
	for rule, raw := range map[string][]byte{"none": nil, "short": raw[:len(raw)-1], "long": append(slices.Clone(raw), 0), "of the plain format": append([]byte{0x80}, raw[1:]...)} {
		if _, ok := ParseTombstone(raw); ok || Successor(raw) != (Digest{}) {
			t.Errorf("%s: is a tombstone", rule)
		}
	}
	if Successor(NewTombstone(Session, Replaced)) != (Digest{}) {
		t.Error("a plain tombstone has a successor")
	}
}

func TestATombstoneLivesAsLongAsItIsAskedFor(t *testing.T) {
	for kind, want := range map[Kind]time.Duration{Session: time.Minute, Pending: time.Minute, Family: time.Hour} {
		s := &scripted{}
		l := lists(t, s, 10)
		e := Entry{Digest: newDigest(), Kind: kind, Expires: time.Now().Add(time.Hour)}
		add(t, l, e, nil)
		if err := l.EndRecord(t.Context(), kind, e.Digest, Revoked); err != nil {
			t.Fatal(err)
		}
		if got := s.ttls[e.Digest.Key()]; got != want {
			t.Errorf("kind %d: %v, want %v", kind, got, want)
		}
		tombstone, ok := isTombstone(t, s, e.Digest)
		if !ok || tombstone.Kind != kind || tombstone.Reason != Revoked {
			t.Errorf("kind %d: %v, %v", kind, tombstone, ok)
		}
		if err := l.EndRecord(t.Context(), kind, e.Digest, LoggedOut); err != nil {
			t.Fatal(err)
		}
		if tombstone, _ := isTombstone(t, s, e.Digest); tombstone.Reason != Revoked {
			t.Errorf("the first reason became %v", tombstone.Reason)
		}
	}
}

func TestEndingAMissingRecordIsANoOp(t *testing.T) {
	s := &scripted{}
	d := newDigest()
	if err := lists(t, s, 1).EndRecord(t.Context(), Session, d, Revoked); err != nil {
		t.Error(err)
	}
	if _, ok, _ := s.Get(t.Context(), d.Key()); ok {
		t.Error("a tombstone was created")
	}
}

func TestEndingARecordIsTriedTwiceAndThenDeletes(t *testing.T) {
	for failures, deleted := range []bool{false, false, true} {
		s := &scripted{}
		d := newDigest()
		mustCreate(t, s, d)
		s.swapFails = slices.Repeat([]error{errStore}, failures)
		if err := lists(t, s, 1).EndRecord(t.Context(), Session, d, Revoked); err != nil {
			t.Errorf("%d failures: %v", failures, err)
		}
		if _, ended := isTombstone(t, s, d); ended == deleted {
			t.Errorf("%d failures: a tombstone: %v", failures, ended)
		}
		if _, ok, _ := s.Get(t.Context(), d.Key()); ok == deleted {
			t.Errorf("%d failures: a record: %v", failures, ok)
		}
	}
	s := &scripted{}
	s.unreachable(0)
	if err := lists(t, s, 1).EndRecord(t.Context(), Session, newDigest(), Revoked); !errors.Is(err, errStore) {
		t.Errorf("a record that cannot be reached: %v", err)
	}
}

func mustCreate(t *testing.T, s store.Store, d Digest) {
	t.Helper()
	if ok, err := s.CompareAndSwap(t.Context(), d.Key(), nil, liveRecord(), time.Hour); err != nil || !ok {
		t.Fatal(ok, err)
	}
}

func TestCreateTakesAFreshKeyAfterAFailureAndEndsTheFirst(t *testing.T) {
	for name, lost := range map[string]bool{"the swap did not happen": false, "the swap happened": true} {
		s := &scripted{swapFails: []error{errStore}, loses: []bool{lost}}
		var made []Digest
		err := lists(t, s, 1).Create(t.Context(), Family, func() (Digest, []byte, time.Duration) {
			made = append(made, newDigest())
			return made[len(made)-1], liveRecord(), time.Hour
		})
		if err != nil || len(made) != 2 {
			t.Fatalf("%s: %v, %d keys", name, err, len(made))
		}
		raw, ok, _ := s.Get(t.Context(), made[0].Key())
		if tombstone, ended := ParseTombstone(raw); ok != lost || ended != lost || lost && (tombstone.Kind != Family || tombstone.Reason != Revoked) {
			t.Errorf("%s: the first key has %x", name, raw)
		}
		if _, ok, _ := s.Get(t.Context(), made[1].Key()); !ok {
			t.Errorf("%s: the second record is absent", name)
		}
	}
}

func TestCreateGivesUpAfterTwoFailures(t *testing.T) {
	for name, swapFails := range map[string][]error{"the store is down": slices.Repeat([]error{errStore}, 4), "the keys are taken": nil} {
		s := &scripted{}
		taken := newDigest()
		mustCreate(t, s, taken)
		s.swapFails = swapFails
		tries := 0
		err := lists(t, s, 1).Create(t.Context(), Session, func() (Digest, []byte, time.Duration) {
			tries++
			return taken, liveRecord(), time.Hour
		})
		if err == nil || tries != 2 || swapFails != nil && !errors.Is(err, errStore) || swapFails == nil && errors.Unwrap(err) == nil {
			t.Errorf("%s: %v after %d tries", name, err, tries)
		}
	}
}

func TestAddListsALoginOnceThoughItsFirstSwapSaidNothing(t *testing.T) {
	s := &scripted{}
	l := lists(t, s, 10)
	d := newDigest()
	mustCreate(t, s, d)
	s.swapFails, s.loses = []error{errStore}, []bool{true}
	if err := l.Add(t.Context(), subject, entry(d), nil); err != nil {
		t.Fatal(err)
	}
	wantListed(t, l, Session, d)

	other := newDigest()
	mustCreate(t, s, other)
	s.swapFails = []error{errStore}
	if err := l.Add(t.Context(), subject, entry(other), nil); err == nil {
		t.Error("after a swap that may yet happen, the login was listed")
	}
	wantListed(t, l, Session, d)
}

func TestAddOfALoginThatIsEndingIsAnError(t *testing.T) {
	s := &scripted{}
	l := lists(t, s, 10)
	d := newDigest()
	add(t, l, entry(d), nil)
	s.unreachable(1) // the record cannot be ended, so its entry stays marked
	if _, err := l.End(t.Context(), subject, Revoked, everything); !errors.Is(err, errStore) {
		t.Fatal(err)
	}
	if listed, err := l.Listed(t.Context(), subject, d); listed || err != nil {
		t.Errorf("a login that is ending is listed: %v, %v", listed, err)
	}
	wantListed(t, l, Session)
	if err := l.Add(t.Context(), subject, entry(d), nil); err == nil {
		t.Error("a login that is ending was added again")
	}
	if n, err := l.End(t.Context(), subject, Revoked, everything); len(n) != 1 || err != nil {
		t.Errorf("%v, %v", n, err)
	}
	if _, ended := isTombstone(t, s, d); !ended {
		t.Error("ending again did not finish what was interrupted")
	}
}

func TestListedSaysWhoStandsInTheList(t *testing.T) {
	s := &scripted{}
	l := lists(t, s, 10)
	d := newDigest()
	if listed, err := l.Listed(t.Context(), subject, d); listed || err != nil {
		t.Errorf("a subject without logins: %v, %v", listed, err)
	}
	add(t, l, entry(d), nil)
	if listed, err := l.Listed(t.Context(), subject, d); !listed || err != nil {
		t.Errorf("the first: %v, %v", listed, err)
	}
	if listed, err := l.Listed(t.Context(), "another", d); listed || err != nil {
		t.Errorf("of another subject: %v, %v", listed, err)
	}
	other := lists(t, s, 10)
	other.Namespace = "another"
	if listed, err := other.Listed(t.Context(), subject, d); listed || err != nil {
		t.Errorf("of another namespace: %v, %v", listed, err)
	}
	s.getFails = []error{errStore}
	if listed, err := l.Listed(t.Context(), subject, d); listed || !errors.Is(err, errStore) {
		t.Errorf("a store that is down: %v, %v", listed, err)
	}
	s.getFails = []error{errStore}
	if _, err := l.Entries(t.Context(), subject); !errors.Is(err, errStore) {
		t.Errorf("a store that is down: %v", err)
	}
}

func TestTheOldestLoginOverTheBoundIsEndedAndReported(t *testing.T) {
	s := &scripted{}
	l := lists(t, s, 2)
	var reported []Entry
	l.Evicted = func(_ context.Context, who string, e Entry) {
		if who != subject {
			t.Errorf("of %s", who)
		}
		reported = append(reported, e)
	}
	var d []Digest
	for range 4 {
		d = append(d, newDigest())
		add(t, l, entry(d[len(d)-1]), nil)
		time.Sleep(time.Millisecond)
	}
	wantListed(t, l, Session, d[2], d[3])
	if len(reported) != 2 || reported[0].Digest != d[0] || reported[1].Digest != d[1] || reported[0].Ending != Evicted {
		t.Errorf("reported: %v", reported)
	}
	for i := range d {
		if tombstone, ended := isTombstone(t, s, d[i]); ended != (i < 2) || ended && tombstone.Reason != Evicted {
			t.Errorf("%d: %v, %v", i, tombstone, ended)
		}
	}
	l.Evicted = nil
	add(t, l, entry(newDigest()), nil) // without Evicted
}

// A client that knows only the password must not end complete logins.
func TestPendingLoginsHaveABoundOfTheirOwn(t *testing.T) {
	s := &scripted{}
	l := lists(t, s, 2)
	whole := []Digest{newDigest(), newDigest()}
	var pending []Digest
	add(t, l, entry(whole[0]), nil)
	for range 12 {
		d := newDigest()
		pending = append(pending, d)
		add(t, l, Entry{Digest: d, Kind: Pending, Expires: time.Now().Add(time.Hour)}, nil)
	}
	add(t, l, entry(whole[1]), nil)
	wantListed(t, l, Session, whole...)
	wantListed(t, l, Pending, pending[2:]...)
}

func TestALoginThatIsReplacedDoesNotCountAgainstTheBound(t *testing.T) {
	s := &scripted{}
	l := lists(t, s, 2)
	one, two, three, four := newDigest(), newDigest(), newDigest(), newDigest()
	add(t, l, entry(one), nil)
	add(t, l, entry(two), nil)
	add(t, l, entry(three), &two)
	wantListed(t, l, Session, one, two, three)
	if err := l.EndOne(t.Context(), subject, Session, two, Replaced); err != nil {
		t.Fatal(err)
	}
	wantListed(t, l, Session, one, three)
	add(t, l, entry(four), nil)
	wantListed(t, l, Session, three, four)
}

func TestEndEndsOnlyWhatIsPicked(t *testing.T) {
	s := &scripted{}
	l := lists(t, s, 10)
	one, two := newDigest(), newDigest()
	add(t, l, entry(one), nil)
	add(t, l, Entry{Digest: two, Kind: Family, Expires: time.Now().Add(time.Hour)}, nil)
	ended, err := l.End(t.Context(), subject, Revoked, func(e Entry) bool { return e.Kind == Family })
	if err != nil || len(ended) != 1 || ended[0].Digest != two || ended[0].Kind != Family {
		t.Errorf("%v, %v", ended, err)
	}
	wantListed(t, l, Session, one)
	wantListed(t, l, Family)
	if tombstone, ok := isTombstone(t, s, two); !ok || tombstone.Reason != Revoked || tombstone.Kind != Family {
		t.Errorf("%v, %v", tombstone, ok)
	}
	if _, ok := isTombstone(t, s, one); ok {
		t.Error("the other was ended too")
	}
}

func TestEndOneEndsTheRecordEvenIfTheListCannotBeChanged(t *testing.T) {
	s := &scripted{}
	l := lists(t, s, 10)
	d := newDigest()
	add(t, l, entry(d), nil)
	faults := 0
	l.Fault = func(_ context.Context, _ string, err error) {
		faults++
		if !errors.Is(err, errStore) {
			t.Error(err)
		}
	}
	s.getFails = []error{nil, errStore}
	if err := l.EndOne(t.Context(), subject, Session, d, LoggedOut); err != nil || faults == 0 {
		t.Errorf("%v, %d faults", err, faults)
	}
	if _, ok := isTombstone(t, s, d); !ok {
		t.Error("the record is alive")
	}
	s.unreachable(0)
	if err := l.EndOne(t.Context(), subject, Session, d, LoggedOut); !errors.Is(err, errStore) {
		t.Errorf("a record that cannot be read: %v", err)
	}
}

func TestAListLivesTwoMinutesLongerThanItsLongestLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &scripted{}
		l := lists(t, s, 10)
		for _, life := range []time.Duration{time.Hour, 3 * time.Hour, 2 * time.Hour} {
			add(t, l, Entry{Digest: newDigest(), Kind: Session, Expires: time.Now().Add(life)}, nil)
		}
		if got := s.ttls[listKey(subject)]; got != 3*time.Hour+2*time.Minute {
			t.Errorf("%v", got)
		}
	})
}

func TestAnEntryLeavesAMinuteAfterItsEndWithTheNextChange(t *testing.T) {
	for after, kept := range map[time.Duration]bool{time.Hour + time.Minute: true, time.Hour + time.Minute + time.Second: false} {
		synctest.Test(t, func(t *testing.T) {
			l := lists(t, &scripted{}, 10)
			old := newDigest()
			add(t, l, entry(old), nil)
			long := newDigest()
			add(t, l, Entry{Digest: long, Kind: Session, Expires: time.Now().Add(9 * time.Hour)}, nil)
			time.Sleep(after)
			newest := newDigest()
			add(t, l, entry(newest), nil)
			listed, err := l.Listed(t.Context(), subject, old)
			if listed != kept || err != nil {
				t.Errorf("%v after: %v, %v", after, listed, err)
			}
			wantHas(t, l, long)
			wantHas(t, l, newest)
		})
	}
}

func wantHas(t *testing.T, l *Lists, d Digest) {
	t.Helper()
	if listed, err := l.Listed(t.Context(), subject, d); !listed || err != nil {
		t.Errorf("not listed: %v", err)
	}
}

func TestTheEndOfALoginIsRoundedUpToAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := time.Unix(time.Now().Unix()+3600, 0)
		for expires, want := range map[time.Time]time.Time{
			base: base, base.Add(1): base.Add(time.Minute), base.Add(time.Minute - 1): base.Add(time.Minute),
		} {
			l := lists(t, &scripted{}, 10)
			add(t, l, Entry{Digest: newDigest(), Kind: Session, Expires: expires}, nil)
			entries, err := l.Entries(t.Context(), subject)
			if err != nil || len(entries) != 1 || !entries[0].Expires.Equal(want) {
				t.Errorf("%v: %v, %v, want %v", expires, entries, err, want)
			}
		}
	})
}

// golden returns a list of the first format, as it was stored by version 1.
func golden(entries ...Entry) []byte {
	b := append([]byte{0x01}, "write-id"...)
	for _, e := range entries {
		b = append(b, e.Digest[:]...)
		b = binary.AppendUvarint(b, uint64(e.Expires.Unix()))
		b = append(b, byte(e.Kind)|byte(e.Ending)<<4)
	}
	return b
}

func TestListsOfTheFirstFormatAreRead(t *testing.T) {
	end := time.Unix(time.Now().Unix()+3600, 0)
	want := []Entry{{Digest: newDigest(), Kind: Session, Expires: end}, {Digest: newDigest(), Kind: Session, Expires: end.Add(1e9)}}
	s := &scripted{}
	raw := golden(want[0], Entry{Digest: newDigest(), Kind: Session, Ending: Reused, Expires: end}, want[1])
	if ok, err := s.CompareAndSwap(t.Context(), listKey(subject), nil, raw, time.Hour); !ok || err != nil {
		t.Fatal(ok, err)
	}
	got, err := lists(t, s, 10).Entries(t.Context(), subject)
	if err != nil || len(got) != 2 {
		t.Fatalf("%v, %v", got, err)
	}
	for i := range want {
		if got[i].Digest != want[i].Digest || !got[i].Expires.Equal(want[i].Expires) || got[i].Kind != Session || got[i].Ending != 0 {
			t.Errorf("%v, want %v", got[i], want[i])
		}
	}
}

// A list of a later format is an error, because a newer version of the program needs
// it. Bytes that no version wrote are reported.
func TestListsThatCannotBeReadAreReported(t *testing.T) {
	whole := golden(Entry{Digest: newDigest(), Kind: Session, Expires: time.Unix(1<<31, 0)})
	for rule, test := range map[string]struct {
		raw    []byte
		newer  bool
		faults bool
	}{
		"whole":                 {whole, false, false},
		"no entries":            {whole[:9], false, false},
		"the last format":       {[]byte{0x0f}, true, false},
		"beyond lists":          {[]byte{0x10, 0, 0, 0, 0, 0, 0, 0, 0}, false, true},
		"format zero":           {[]byte{0x00, 0, 0, 0, 0, 0, 0, 0, 0}, false, true},
		"half a header":         {whole[:8], false, true},
		"half a digest":         {whole[:9+31], false, true},
		"a digest alone":        {whole[:9+32], false, true},
		"half a time":           {whole[:9+32+2], false, true},
		"no kind":               {whole[:len(whole)-1], false, true},
		"one byte too many":     {append(slices.Clone(whole), 7), false, true},
		"an endless time":       {append(slices.Clone(whole[:9+32]), slices.Repeat([]byte{0xff}, 12)...), false, true},
		"a time without an end": {append(slices.Clone(whole[:9+32]), 0x80), false, true},
	} {
		s := &scripted{}
		if ok, err := s.CompareAndSwap(t.Context(), listKey(subject), nil, test.raw, time.Hour); !ok || err != nil {
			t.Fatal(ok, err)
		}
		l := lists(t, s, 10)
		faults := 0
		l.Fault = func(context.Context, string, error) { faults++ }
		_, err := l.Entries(t.Context(), subject)
		if (err != nil) != test.newer || (faults > 0) != test.faults {
			t.Errorf("%s: %v, %d faults", rule, err, faults)
		}
		if _, err := l.Listed(t.Context(), subject, newDigest()); (err != nil) != test.newer {
			t.Errorf("%s: Listed: %v", rule, err)
		}
		if err := l.Add(t.Context(), subject, entry(newDigest()), nil); (err != nil) != test.newer {
			t.Errorf("%s: Add: %v", rule, err)
		}
	}
}

func TestTheNumbersOfStoredKindsAndReasonsNeverChange(t *testing.T) {
	if kinds := [...]Kind{Session, Family, Pending}; kinds != [...]Kind{1, 2, 3} {
		t.Errorf("kinds: %v", kinds)
	}
	if reasons := [...]Reason{LoggedOut, Revoked, Evicted, Replaced, Reused}; reasons != [...]Reason{1, 2, 3, 4, 5} {
		t.Errorf("reasons: %v", reasons)
	}
}

// An emptying store breaks its contract.
type emptying struct{ store.Memory }

func (*emptying) Get(context.Context, string) ([]byte, bool, error) { return []byte{}, true, nil }

func TestAnEmptyListIsCorruptAndNoPanic(t *testing.T) {
	l := lists(t, &emptying{}, 10)
	faults := 0
	l.Fault = func(context.Context, string, error) { faults++ }
	if entries, err := l.Entries(t.Context(), subject); len(entries) != 0 || err != nil || faults != 1 {
		t.Errorf("%v, %v, %d faults", entries, err, faults)
	}
}

func TestReplacingALoginThatIsNotListedKeepsTheBound(t *testing.T) {
	l := lists(t, &scripted{}, 1)
	one, two, gone := newDigest(), newDigest(), newDigest()
	add(t, l, entry(one), nil)
	add(t, l, entry(two), &gone)
	wantListed(t, l, Session, two)
}

func TestAddReportsAnEvictionThatCannotBeFinished(t *testing.T) {
	s := &scripted{}
	l := lists(t, s, 1)
	add(t, l, entry(newDigest()), nil)
	d := newDigest()
	mustCreate(t, s, d)
	faults := 0
	l.Fault = func(_ context.Context, _ string, err error) {
		faults++
		if !errors.Is(err, errStore) {
			t.Error(err)
		}
	}
	s.unreachable(2)
	if err := l.Add(t.Context(), subject, entry(d), nil); err != nil || faults != 1 {
		t.Errorf("%v, %d faults", err, faults)
	}
	wantListed(t, l, Session, d)
}

func TestWhatHasEndedLeavesTheList(t *testing.T) {
	l := lists(t, &scripted{}, 10)
	one, two := newDigest(), newDigest()
	add(t, l, entry(one), nil)
	add(t, l, entry(two), nil)
	if _, err := l.End(t.Context(), subject, Revoked, only(one)); err != nil {
		t.Fatal(err)
	}
	for _, e := range l.All(subject) {
		if e.Digest != two {
			t.Errorf("an entry is left: %v", e.Ending)
		}
	}
}
