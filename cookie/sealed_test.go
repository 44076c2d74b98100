package cookie_test

import (
	"errors"
	"math"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth/cookie"
)

// look is the first version of a type, and laterLook a later version.
type (
	look struct {
		Language string `json:"language"`
		Zoom     int    `json:"zoom,omitempty"`
	}
	laterLook struct {
		Language string `json:"language"`
		Zoom     int    `json:"zoom,omitempty"`
		Dark     bool   `json:"dark"`
	}
	otherLook struct {
		Language []string `json:"language"`
	}
)

var german = look{Language: "de", Zoom: 2}

func newSealed[T any](t testing.TB, s *cookie.Sealer) *cookie.Sealed[T] {
	t.Helper()
	c, err := cookie.NewSealed[T](cookie.New("look"), s, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// sent returns the Cookie header that a browser sends after a Set-Cookie
// header.
func sent(t testing.TB, h http.Header) string {
	t.Helper()
	if len(h["Set-Cookie"]) != 1 {
		t.Fatalf("fields: %q", h["Set-Cookie"])
	}
	pair, _, _ := strings.Cut(h.Get("Set-Cookie"), "; ")
	return pair
}

// set returns the Cookie header of a browser for which value was set.
func set[T any](t testing.TB, c *cookie.Sealed[T], value T) string {
	t.Helper()
	h := http.Header{}
	if err := c.Set(h, nil, value); err != nil {
		t.Fatal(err)
	}
	return sent(t, h)
}

func TestASealedValueComesBack(t *testing.T) {
	s := newSealer(t, newKey())
	for _, value := range []look{german, {}, {Language: "a \"b\"; <ä> \x00"}} {
		c := newSealed[look](t, s)
		field := set(t, c, value)
		if value.Language != "" && strings.Contains(field, value.Language) {
			t.Error("the value is readable")
		}
		if got, ok, err := c.Get(carrying(field)); got != value || !ok || err != nil {
			t.Errorf("Get = %+v, %v, %v; want %+v", got, ok, err, value)
		}
	}
	list := newSealed[[]string](t, s)
	if got, ok, err := list.Get(carrying(set(t, list, []string{"a", "b"}))); strings.Join(got, "") != "ab" || !ok || err != nil {
		t.Errorf("a list: %q, %v, %v", got, ok, err)
	}
}

// Values are encoded as JSON, in both directions.
func TestGoldenSealedJSON(t *testing.T) {
	s, p := newSealer(t, newKey()), cookie.New("look")
	c := newSealed[look](t, s)
	_, text, _ := strings.Cut(set(t, c, german), "=")
	mustOpen(t, s, p, text, `{"language":"de","zoom":2}`)
	field := p.Name() + "=" + seal(t, s, p, `{"language":"de","zoom":2}`)
	if got, ok, err := c.Get(carrying(field)); got != german || !ok || err != nil {
		t.Errorf("Get = %+v, %v, %v", got, ok, err)
	}
}

// mustBeAbsent asserts that there is no value and no error, and that the
// response is unchanged.
func mustBeAbsent[T comparable](t *testing.T, c *cookie.Sealed[T], rule, field string) {
	t.Helper()
	var zero T
	h := http.Header{}
	if got, ok, err := c.Get(carrying(field)); got != zero || ok || err != nil {
		t.Errorf("%s: Get = %+v, %v, %v", rule, got, ok, err)
	}
	if got, ok, err := c.Take(h, carrying(field)); got != zero || ok || err != nil || len(h) > 0 {
		t.Errorf("%s: Take = %+v, %v, %v; header %v", rule, got, ok, err, h)
	}
}

// CVE-2026-39324: a value that cannot be opened is not read in any other way.
func TestWhatDoesNotOpenIsAbsent(t *testing.T) {
	s := newSealer(t, newKey())
	c, name := newSealed[look](t, s), cookie.New("look").Name()
	field := set(t, c, german)
	other, err := cookie.NewSealed[look](cookie.New("mood"), s, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	_, moved, _ := strings.Cut(set(t, other, german), "=")
	for rule, field := range map[string]string{
		"no cookie":             "",
		"another cookie":        "look=a; __Host-look=b",
		"plain JSON":            name + "={}",
		"another key":           set(t, newSealed[look](t, newSealer(t, newKey())), german),
		"moved from a cookie":   name + "=" + moved,
		"cut":                   field[:len(field)-1],
		"not JSON":              name + "=" + seal(t, s, cookie.New("look"), "hello"),
		"empty":                 name + "=" + seal(t, s, cookie.New("look"), ""),
		"more than one value":   name + "=" + seal(t, s, cookie.New("look"), `{"language":"de"}{}`),
		"half a value":          name + "=" + seal(t, s, cookie.New("look"), `{"language":"de"`),
		"a value and a bracket": name + "=" + seal(t, s, cookie.New("look"), `{"language":"de"}]`),
	} {
		mustBeAbsent(t, c, rule, field)
	}
	for i := len(name) + 1; i < len(field); i++ {
		changed := []byte(field)
		if changed[i] = 'A'; field[i] == 'A' {
			changed[i] = 'B'
		}
		mustBeAbsent(t, c, "a changed byte", string(changed))
	}
}

func TestASealedValueEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newSealed[look](t, newSealer(t, newKey()))
		field := set(t, c, german)
		time.Sleep(time.Hour - 1)
		if _, ok, err := c.Get(carrying(field)); !ok || err != nil {
			t.Error("ended too early")
		}
		time.Sleep(time.Nanosecond)
		mustBeAbsent(t, c, "the end", field)
	})
}

// ASVS 5.0, 15.3.7: the server cannot know which of two cookies it has set.
func TestASealedCookieThatIsSentTwiceIsMalformed(t *testing.T) {
	c, name := newSealed[look](t, newSealer(t, newKey())), cookie.New("look").Name()
	field := set(t, c, german)
	for _, field := range []string{field + "; " + field, field + "; " + name + "=x", name, name + `="x"`} {
		h := http.Header{}
		if got, ok, err := c.Get(carrying(field)); got != (look{}) || ok || err != cookie.ErrMalformed {
			t.Errorf("Get = %+v, %v, %v", got, ok, err)
		}
		if got, ok, err := c.Take(h, carrying(field)); got != (look{}) || ok || err != cookie.ErrMalformed || len(h) > 0 {
			t.Errorf("Take = %+v, %v, %v; header %v", got, ok, err, h)
		}
	}
}

// During a deployment, two versions of a type are in use.
func TestAShapeIsUnderstoodAsAWholeOrNotAtAll(t *testing.T) {
	s := newSealer(t, newKey())
	old, later, other := newSealed[look](t, s), newSealed[laterLook](t, s), newSealed[otherLook](t, s)
	got, ok, err := later.Get(carrying(set(t, old, german)))
	if want := (laterLook{Language: "de", Zoom: 2}); got != want || !ok || err != nil {
		t.Errorf("an older value: %+v, %v, %v", got, ok, err)
	}
	mustBeAbsent(t, old, "a newer value", set(t, later, laterLook{Language: "de", Dark: true}))
	mustBeAbsent(t, old, "a value of another type", set(t, other, otherLook{[]string{"de"}}))
	// The first field is valid, but is not returned after the failure.
	field := cookie.New("look").Name() + "=" + seal(t, s, cookie.New("look"), `{"language":"de","zoom":"2"}`)
	mustBeAbsent(t, old, "a field of another type", field)
}

func TestNewSealedRefuses(t *testing.T) {
	s := newSealer(t, newKey())
	p := cookie.New("look")
	for name, err := range map[string]error{
		"no sealer":                       failure(cookie.NewSealed[look](p, nil, time.Hour)),
		"a sealer without keys":           failure(cookie.NewSealed[look](p, new(cookie.Sealer), time.Hour)),
		"the zero policy":                 failure(cookie.NewSealed[look](cookie.Policy{}, s, time.Hour)),
		"a bad policy":                    failure(cookie.NewSealed[look](p.Partitioned(), s, time.Hour)),
		"no time":                         failure(cookie.NewSealed[look](p, s, 0)),
		"too little time":                 failure(cookie.NewSealed[look](p, s, time.Second-1)),
		"too much time":                   failure(cookie.NewSealed[look](p, s, 400*day+1)),
		"a name without room":             failure(cookie.NewSealed[look](cookie.New(strings.Repeat("n", 4020)), s, time.Hour)),
		"a type that JSON cannot encode":  failure(cookie.NewSealed[chan int](p, s, time.Hour)),
		"a field that JSON cannot encode": failure(cookie.NewSealed[struct{ F func() }](p, s, time.Hour)),
		"a map with a bad key":            failure(cookie.NewSealed[map[look]int](p, s, time.Hour)),
		"complex numbers in JSON":         failure(cookie.NewSealed[complex128](p, s, time.Hour)),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	// A type that cannot encode its zero value may be able to encode others.
	if err := failure(cookie.NewSealed[choosy](p, s, time.Hour)); err != nil {
		t.Error(err)
	}
}

func failure[T any](c *cookie.Sealed[T], err error) error {
	if err != nil && c != nil {
		return nil // a value returned with an error must not be usable
	}
	return err
}

// choosy fails to encode some values, and names them in its error.
type choosy string

func (c choosy) MarshalText() ([]byte, error) {
	if c == "" || c == "secret" {
		return nil, errors.New("I do not like " + string(c))
	}
	return []byte(c), nil
}

func TestSetRefusesWhatCannotBeKept(t *testing.T) {
	s := newSealer(t, newKey())
	local, err := cookie.NewSealed[string](cookie.New("look").Insecure(), s, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := request()
	elsewhere.Host = "shop.example"
	kept := http.Header{"Set-Cookie": {"a=b"}}
	for name, err := range map[string]error{
		"a value that is too long":        newSealed[string](t, s).Set(kept, nil, strings.Repeat("secret", 1000)),
		"a value that JSON cannot encode": newSealed[float64](t, s).Set(kept, nil, math.NaN()),
		"a value whose encoder fails":     newSealed[choosy](t, s).Set(kept, nil, "secret"),
		"an insecure cookie elsewhere":    local.Set(kept, elsewhere, "secret"),
		"its deletion":                    local.Delete(kept, elsewhere),
		"the zero Sealed":                 new(cookie.Sealed[look]).Set(kept, nil, german),
		"the deletion by a zero one":      new(cookie.Sealed[look]).Delete(kept, nil),
	} {
		if err == nil || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "NaN") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := kept["Set-Cookie"]; len(got) != 1 || got[0] != "a=b" {
		t.Errorf("the header has changed: %q", got)
	}
	if _, ok, err := new(cookie.Sealed[look]).Take(kept, request()); ok || err == nil {
		t.Error("Take of the zero Sealed succeeds")
	}
	// The longest value that fits is accepted.
	if err := newSealed[string](t, s).Set(kept, nil, strings.Repeat("v", 2999)); err != nil {
		t.Error(err)
	}
}

func TestTakeReadsAndDeletes(t *testing.T) {
	c := newSealed[look](t, newSealer(t, newKey()))
	field := set(t, c, german)
	h := http.Header{"Set-Cookie": {"other=kept; Path=/"}}
	if got, ok, err := c.Take(h, carrying(field)); got != german || !ok || err != nil {
		t.Errorf("Take = %+v, %v, %v", got, ok, err)
	}
	want := []string{"other=kept; Path=/", "__Host-Http-look=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Strict"}
	if got := h["Set-Cookie"]; len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("the header has %q", got)
	}
	// The request still has the cookie; the response deletes it.
	if got, ok, err := c.Take(h, carrying(field)); got != (look{}) || ok || err != nil || len(h["Set-Cookie"]) != 2 {
		t.Errorf("again: Take = %+v, %v, %v", got, ok, err)
	}
}

func TestTakeSeesWhatTheSameResponseSets(t *testing.T) {
	c := newSealed[look](t, newSealer(t, newKey()))
	h := http.Header{}
	if err := c.Set(h, nil, look{Language: "en"}); err != nil {
		t.Fatal(err)
	}
	got, ok, err := c.Take(h, carrying(set(t, c, german)))
	if got.Language != "en" || !ok || err != nil || !strings.Contains(h.Get("Set-Cookie"), "Max-Age=0") || len(h["Set-Cookie"]) != 1 {
		t.Errorf("Take = %+v, %v, %v; %q", got, ok, err, h["Set-Cookie"])
	}
}

// Lost responses and concurrent requests, as in the doc comment of Take.
func TestTakeIsNoProofThatSomethingHappensOnce(t *testing.T) {
	c := newSealed[look](t, newSealer(t, newKey()))
	field := set(t, c, german)
	lost, tab, other := http.Header{}, http.Header{}, http.Header{}
	for _, h := range []http.Header{lost, tab, other} {
		if got, ok, err := c.Take(h, carrying(field)); got != german || !ok || err != nil {
			t.Errorf("Take = %+v, %v, %v", got, ok, err)
		}
	}
	if tab.Get("Set-Cookie") != other.Get("Set-Cookie") {
		t.Error("the responses differ")
	}
}

func TestTakeDeletesNothingWhereItMayNot(t *testing.T) {
	c, err := cookie.NewSealed[string](cookie.New("look").Insecure(), newSealer(t, newKey()), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	if err := c.Set(h, request(), "v"); err != nil {
		t.Fatal(err)
	}
	r := carrying(sent(t, h))
	r.Host, h = "shop.example", http.Header{}
	if got, ok, err := c.Take(h, r); got != "" || ok || err == nil || len(h) > 0 {
		t.Errorf("Take = %q, %v, %v; header %v", got, ok, err, h)
	}
}

func TestSealedIsSafeForConcurrentUse(t *testing.T) {
	c := newSealed[look](t, newSealer(t, newKey()))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 100 {
				want := look{Zoom: i + 1}
				if got, ok, err := c.Get(carrying(set(t, c, want))); got != want || !ok || err != nil {
					t.Errorf("Get = %+v, %v, %v", got, ok, err)
				}
			}
		})
	}
	wg.Wait()
}
