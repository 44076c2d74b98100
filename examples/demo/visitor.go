package main

import (
	"crypto/rand"
	"net/http"
	"sync"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
)

// The two modes, as they are called in addresses and on the page.
const (
	sessionMode = "session"
	tokenMode   = "token"
)

// visitorCookie tells browsers apart, so that nobody sees the requests of
// others. It logs nobody in.
var visitorCookie = cookie.New("visitor")

// visitor is what the demo keeps of one browser: its latest steps, which of the
// log-ins are its own, and what the thief has taken from it.
type visitor struct {
	label string // names it to the thief and to the other site, which have not its cookie

	mu      sync.Mutex
	steps   []*step
	logins  map[string]auth.Event // the event of the latest log-in, by mode
	renewed time.Time             // when its refresh token was last exchanged
	stolen  map[string]string     // cookie values that the thief has, by mode
}

// visitors are bounded: a new one takes the place of the oldest.
type visitors struct {
	mu      sync.Mutex
	byID    map[string]*visitor
	byLabel map[string]*visitor
	ids     []string // oldest first
}

const maxVisitors = 256

// of returns the visitor of a request, or nil.
func (all *visitors) of(r *http.Request) *visitor {
	id, ok, err := visitorCookie.Read(r)
	if err != nil || !ok {
		return nil
	}
	all.mu.Lock()
	defer all.mu.Unlock()
	return all.byID[id]
}

// labelled returns the visitor that the thief, or the other site, speaks of, or
// nil.
func (all *visitors) labelled(label string) *visitor {
	all.mu.Lock()
	defer all.mu.Unlock()
	return all.byLabel[label]
}

// welcome returns the visitor of a request, who is a new one if need be. The ID
// is never one that the browser has chosen.
func (all *visitors) welcome(w http.ResponseWriter, r *http.Request) (*visitor, error) {
	if v := all.of(r); v != nil {
		return v, nil
	}
	id := rand.Text()
	if err := visitorCookie.Set(w.Header(), r, id); err != nil {
		return nil, err
	}
	v := &visitor{label: rand.Text(), logins: make(map[string]auth.Event), stolen: make(map[string]string)}
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.byID == nil {
		all.byID, all.byLabel = make(map[string]*visitor), make(map[string]*visitor)
	}
	if len(all.ids) == maxVisitors {
		delete(all.byLabel, all.byID[all.ids[0]].label)
		delete(all.byID, all.ids[0])
		all.ids = all.ids[1:]
	}
	all.byID[id], all.byLabel[v.label] = v, v
	all.ids = append(all.ids, id)
	return v, nil
}
