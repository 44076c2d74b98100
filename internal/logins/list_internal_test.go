package logins

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth/internal/record"
	"github.com/authlatch/auth/store"
)

var update = flag.Bool("update", false, "write the golden file of the current format")

const goldenKey = "golden"

// golden is the list in both golden files. Format 0x01 lacks some of it.
func golden() *list {
	day := time.Date(2027, 1, 2, 0, 0, 0, 0, time.UTC).Local()
	return &list{lost: day.Add(time.Hour), entries: []Entry{
		{Digest: Digest{1}, Expires: day, Used: day.Add(-time.Hour), Kind: Session},
		{Digest: Digest{2}, Expires: day.Add(time.Hour), Used: day.Add(-10 * time.Second), Kind: Family, Ending: Revoked},
		{Digest: Digest{3}, Expires: day.Add(time.Minute), Used: day, Kind: Pending, Ending: Evicted},
	}}
}

// Lists that an earlier version wrote stay readable, and the written form of this one
// stays the same.
func TestGoldenLists(t *testing.T) {
	const current = "testdata/list-0x02.bin"
	if *update {
		if err := os.WriteFile(current, golden().encode(goldenKey), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]*list{"testdata/list-0x01.bin": golden(), current: golden()} {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if raw[0] == oldListFormat {
			want.lost = time.Time{}
			for i := range want.entries {
				want.entries[i].Used = time.Unix(0, 0)
			}
		}
		got, err := parseList(goldenKey, raw)
		if err != nil || got.corrupt || !reflect.DeepEqual(got.entries, want.entries) || !got.lost.Equal(want.lost) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if again := got.encode(goldenKey); raw[0] == listFormat && !bytes.Equal(again[record.Header:], raw[record.Header:]) {
			t.Errorf("%s is written as % x", name, again)
		}
	}
}

// A login is not made to end earlier, or later each time that its list is written.
func TestAnEntryLosesNoTimeByBeingWritten(t *testing.T) {
	expires, used := time.Unix(1_800_000_001, 5), time.Unix(1_799_990_003, 0)
	l := &list{entries: []Entry{{Digest: Digest{1}, Expires: expires, Used: used, Kind: Session}}}
	for range 3 {
		var err error
		if l, err = parseList("k", l.encode("k")); err != nil {
			t.Fatal(err)
		}
	}
	e := l.entries[0]
	if late := e.Expires.Sub(expires); late < 0 || late > time.Minute {
		t.Errorf("expires %v late", late)
	}
	if late := e.Used.Sub(used); late < 0 || late > usedUnit*time.Second {
		t.Errorf("used %v late", late)
	}
}

// With any damaged byte in a list, ending all logins either returns an error or has
// ended them.
func TestADamagedListIsNeverTakenForComplete(t *testing.T) {
	ctx := t.Context()
	for at := 0; ; at++ {
		for _, flip := range []byte{0x01, 0x10, 0x80, 0xff} {
			s := &store.Memory{}
			l := &Lists{Store: s, Bound: 10, Fault: func(context.Context, string, error) {}}
			digests := []Digest{{1, 2}, {3, 4}, {5, 6}}
			for _, d := range digests {
				if _, err := s.CompareAndSwap(ctx, d.Key(), nil, []byte{sessionFormat, d[0]}, time.Hour); err != nil {
					t.Fatal(err)
				}
				if err := l.Add(ctx, "alice", Entry{Digest: d, Kind: Session, Expires: time.Now().Add(time.Hour)}, nil); err != nil {
					t.Fatal(err)
				}
			}
			raw, _, _ := s.Get(ctx, l.key("alice"))
			if at == len(raw) {
				return
			}
			damaged := bytes.Clone(raw)
			damaged[at] ^= flip
			if _, err := s.CompareAndSwap(ctx, l.key("alice"), raw, damaged, time.Hour); err != nil {
				t.Fatal(err)
			}
			everything := func(Entry) bool { return true }
			for range 2 {
				if _, err := l.End(ctx, "alice", Revoked, everything); err == nil {
					t.Errorf("byte %d ^ %#x: nil", at, flip)
				}
			}
			alive := 0
			for _, d := range digests {
				if raw, ok, _ := s.Get(ctx, d.Key()); ok && raw[0] == sessionFormat {
					alive++
				}
			}
			if at >= record.Header && alive > 1 && slices.Contains([]byte{0x01, 0x10}, flip) && (at-record.Header)%39 < 32 {
				t.Errorf("byte %d ^ %#x: %d are alive that could have been found", at, flip, alive)
			}
		}
	}
}

// A list that a store returns for another key does not end logins of another subject.
func TestTheListOfAnotherSubjectIsCorrupt(t *testing.T) {
	raw := golden().encode("k")
	if l, err := parseList("other", raw); err != nil || !l.corrupt {
		t.Errorf("%+v, %v", l, err)
	}
}

func TestAListOfALaterFormatIsNotTouched(t *testing.T) {
	for format := byte(listFormat + 1); format <= lastListFormat; format++ {
		raw := golden().encode("k")
		raw[0] = format
		if _, err := parseList("k", raw); err == nil {
			t.Errorf("format %#x is read", format)
		}
	}
}

// Damaged bytes that can be read as an entry stay for no longer than a login lasts.
func TestADamagedEntryDoesNotStayForEver(t *testing.T) {
	ctx, s := t.Context(), &store.Memory{}
	l := &Lists{Store: s, Bound: 10, Fault: func(context.Context, string, error) {}}
	raw := (&list{entries: []Entry{{Digest: Digest{1}, Kind: Session, Expires: time.Now().Add(2 * maxLifetime)}}}).encode("another key")
	if _, err := s.CompareAndSwap(ctx, l.key("alice"), nil, raw, time.Hour); err != nil {
		t.Fatal(err)
	}
	if left, err := l.Entries(ctx, "alice"); err != nil || len(left) != 0 {
		t.Errorf("%v, %v", left, err)
	}
}

// That a corrupt list has lost logins is remembered through other changes of the list, for
// 30 days at least, and for as long as the logins of the mode can be idle.
func TestWhatACorruptListHasLostIsRemembered(t *testing.T) {
	for _, idle := range []time.Duration{0, time.Hour, 60 * 24 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			ctx, s := t.Context(), &store.Memory{}
			l := &Lists{Store: s, Bound: 10, Idle: idle, Fault: func(context.Context, string, error) {}}
			if _, err := s.CompareAndSwap(ctx, l.key("alice"), nil, []byte("nonsense"), time.Hour); err != nil {
				t.Fatal(err)
			}
			add := func(i byte) {
				if err := l.Add(ctx, "alice", Entry{Digest: Digest{i}, Kind: Session, Expires: time.Now().Add(time.Minute)}, nil); err != nil {
					t.Fatal(err)
				}
			}
			add(1)
			lasts := max(idle, 30*24*time.Hour)
			for i := range byte(10) {
				time.Sleep(lasts / 11)
				if _, err := l.End(ctx, "alice", Revoked, func(Entry) bool { return true }); err == nil {
					t.Fatalf("forgotten after %d elevenths of %v", i+1, lasts)
				}
				add(i + 2)
			}
			time.Sleep(lasts/11 + 2*time.Minute)
			if _, err := l.End(ctx, "alice", Revoked, func(Entry) bool { return true }); err != nil {
				t.Error(err)
			}
		})
	}
}

// A list is kept as long as the longest of its logins, and an entry for a margin
// more than its login: clocks may differ.
func TestAnEntryOutlastsItsLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		l := &Lists{Store: &store.Memory{}, Bound: 10, Fault: func(context.Context, string, error) {}}
		if err := l.Add(ctx, "alice", Entry{Digest: Digest{1}, Kind: Session, Expires: time.Now().Add(time.Hour)}, nil); err != nil {
			t.Fatal(err)
		}
		listed := func() bool {
			ok, err := l.Listed(ctx, "alice", Digest{1})
			return ok && err == nil
		}
		time.Sleep(time.Hour + margin)
		if !listed() {
			t.Error("the list has gone with its login")
		}
		if err := l.Add(ctx, "alice", Entry{Digest: Digest{2}, Kind: Session, Expires: time.Now().Add(time.Hour)}, nil); err != nil {
			t.Fatal(err)
		}
		if !listed() {
			t.Error("the entry is gone within the margin")
		}
		time.Sleep(2 * time.Second)
		if err := l.Remove(ctx, "alice", Digest{2}); err != nil || listed() {
			t.Error("the entry stays for ever", err)
		}
	})
}

// The most important rule of the list: a login that is marked, by a logout that was
// interrupted, is no longer listed, so it ends at its next touch.
func TestALoginThatIsBeingEndedIsNotListed(t *testing.T) {
	ctx, s := t.Context(), &store.Memory{}
	broken := errors.New("interrupted")
	l := &Lists{Store: s, Bound: 10, Fault: func(context.Context, string, error) {}}
	for i := range byte(2) {
		if _, err := s.CompareAndSwap(ctx, Digest{i}.Key(), nil, []byte{sessionFormat}, time.Hour); err != nil {
			t.Fatal(err)
		}
		if err := l.Add(ctx, "alice", Entry{Digest: Digest{i}, Kind: Session, Expires: time.Now().Add(time.Hour)}, nil); err != nil {
			t.Fatal(err)
		}
	}
	off := &Lists{Store: failing{s, Digest{0}.Key(), broken}, Bound: 10, Fault: l.Fault}
	if _, err := off.End(ctx, "alice", Revoked, func(e Entry) bool { return e.Digest == Digest{0} }); !errors.Is(err, broken) {
		t.Fatal(err)
	}
	for i, want := range []bool{false, true, false} {
		if ok, err := l.Listed(ctx, "alice", Digest{byte(i)}); ok != want || err != nil {
			t.Errorf("login %d: %v, %v", i, ok, err)
		}
	}
	if left, err := l.Entries(ctx, "alice"); err != nil || len(left) != 1 || left[0].Digest != (Digest{1}) {
		t.Errorf("%v, %v", left, err)
	}
}

// failing is a store that fails for one key.
type failing struct {
	store.Store
	key string
	err error
}

func (f failing) Get(ctx context.Context, key string) ([]byte, bool, error) {
	if key == f.key {
		return nil, false, f.err
	}
	return f.Store.Get(ctx, key)
}

func (f failing) Delete(ctx context.Context, key string) error {
	if key == f.key {
		return f.err
	}
	return f.Store.Delete(ctx, key)
}

// Subjects of the same name in two namespaces are two subjects.
func TestNamespacesHaveListsOfTheirOwn(t *testing.T) {
	ctx, s := t.Context(), &store.Memory{}
	names := []string{"", "staff", "s"}
	for i, namespace := range names {
		l := &Lists{Store: s, Namespace: namespace, Bound: 10}
		if err := l.Add(ctx, "alice", Entry{Digest: Digest{byte(i)}, Kind: Session, Expires: time.Now().Add(time.Hour)}, nil); err != nil {
			t.Fatal(err)
		}
		if left, err := l.Entries(ctx, "alice"); err != nil || len(left) != 1 {
			t.Errorf("%q: %v, %v", namespace, left, err)
		}
	}
	// "s" + "taff…" is not "staff" + "…": the namespace is preceded by its length.
	if (&Lists{Namespace: "s"}).key("taffalice") == (&Lists{Namespace: "staff"}).key("alice") {
		t.Error("two namespaces meet")
	}
}

// A tombstone outlives responses in flight, and the access tokens of a family.
func TestTombstonesLastAsLongAsWhatIsUnderWay(t *testing.T) {
	for kind, want := range map[Kind]time.Duration{Session: time.Minute, Pending: time.Minute, Family: time.Hour} {
		if got := kind.TombstoneTTL(); got != want {
			t.Errorf("kind %d: %v, want %v", kind, got, want)
		}
	}
}

// An Add whose swap may have been applied, and whose entry is not there, has been
// ended by another: it must not list the login again.
func TestALoginThatWasEndedBeforeItWasDisclosedIsNotListedAgain(t *testing.T) {
	ctx := t.Context()
	s := &overtaken{}
	l := &Lists{Store: s, Bound: 10, Fault: func(context.Context, string, error) {}}
	s.after = func() { // applied, and then ended and taken off
		if _, err := (&Lists{Store: &s.Memory, Bound: 10, Fault: l.Fault}).End(ctx, "alice", Revoked, func(Entry) bool { return true }); err != nil {
			t.Error(err)
		}
	}
	err := l.Add(ctx, "alice", Entry{Digest: Digest{1}, Kind: Session, Expires: time.Now().Add(time.Hour)}, nil)
	if !errors.Is(err, errUnlisted) {
		t.Errorf("%v", err)
	}
	if ok, _ := l.Listed(ctx, "alice", Digest{1}); ok {
		t.Error("it is listed again")
	}
}

// overtaken is a store that loses the response to its first swap.
type overtaken struct {
	store.Memory
	after func()
}

func (o *overtaken) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
	swapped, err := o.Memory.CompareAndSwap(ctx, key, old, new, ttl)
	if after := o.after; after != nil {
		o.after = nil
		after()
		return false, errors.New("no response")
	}
	return swapped, err
}
