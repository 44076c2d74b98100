package simulate

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/authlatch/auth/internal/logins"
)

var errStore = errors.New("simulate: the store failed")

// process is a host that serves one request.
type process struct {
	request  *request
	began    time.Time
	next     func() (struct{}, bool)
	yield    func() // to the caller of next
	stop     func()
	failed   bool // one of its store calls failed
	wrote    bool // one of its swaps was applied
	reported bool // and was reported
}

// message is a request or its response, in transit since sent.
type request struct {
	sent    time.Time
	from    *tab // nil for a duplicate and for the thief's
	thief   bool
	path    string
	cookie  string
	attempt string
}

type answer struct {
	*request
	*process
	*httptest.ResponseRecorder
}

// start makes a host serve a request up to its first store call.
func (w *world) start(r *request) *process {
	p := &process{request: r, began: time.Now()}
	handler := w.handlers[w.rng.IntN(len(w.handlers))][r.path]
	p.next, p.stop = iter.Pull(func(yield func(struct{}) bool) {
		p.yield = func() { yield(struct{}{}) }
		req := httptest.NewRequest(http.MethodPost, "https://app.example"+r.path, nil)
		req.Header.Set("Sec-Fetch-Site", "same-origin")
		req.Header.Set("Refresh-Attempt", r.attempt)
		req.Header.Set("Cookie", cookieName+"="+r.cookie)
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, req)
		w.answers = append(w.answers, answer{r, p, recorder})
	})
	return p
}

// faulty is the store of the hosts. Each call stops its host first.
type faulty struct{ w *world }

func (f faulty) call(apply func() error, writes bool) error {
	w, p := f.w, f.w.current
	if p == nil {
		return apply() // the login
	}
	p.yield()
	switch {
	case !w.faults || w.rng.IntN(25) > 0:
		return apply()
	case writes && w.rng.IntN(2) == 0:
		apply()
		p.failed = true
		w.totals["store calls that failed after they had been done"]++
	default:
		p.failed = true
		w.totals["store calls that failed"]++
	}
	return errStore
}

func (f faulty) Get(ctx context.Context, key string) (value []byte, ok bool, err error) {
	err = f.call(func() error { value, ok, err = f.w.backend.Get(ctx, key); return err }, false)
	if err != nil {
		return nil, false, err
	}
	return value, ok, nil
}

func (f faulty) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (swapped bool, err error) {
	err = f.call(func() error {
		swapped, err = f.w.backend.CompareAndSwap(ctx, key, old, new, ttl)
		if swapped {
			f.w.swapped(key, old, new, ttl)
		}
		return err
	}, true)
	return swapped && err == nil, err
}

func (f faulty) Delete(ctx context.Context, key string) error {
	return f.call(func() error { return f.w.backend.Delete(ctx, key) }, true)
}

// swapped receives every applied write and the value that it replaces.
func (w *world) swapped(key string, old, new []byte, ttl time.Duration) {
	if w.current != nil {
		w.current.wrote = true
	}
	if _, ended := logins.ParseTombstone(old); ended {
		w.broken = errors.New("a tombstone was overwritten")
	}
	if len(new) > 0 && new[0] == familyFormat {
		w.family, w.before, w.after, w.ttl = key, bytes.Clone(old), bytes.Clone(new), ttl
	} else if key == w.family {
		w.before = nil // a tombstone is not lost: that is a separate risk
	}
}

const familyFormat = 0x21
