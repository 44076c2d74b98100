package main

import (
	"crypto/rand"
	"net/http"
	"sync"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
)

// The names of the two modes in URLs and on the page.
const (
	sessionMode = "session"
	tokenMode   = "token"
)

// visitorCookie identifies a browser, so that no visitor sees the requests of another. It
// cannot authenticate a request.
var visitorCookie = cookie.New("visitor")

// visitor is the demo's record of one browser: its latest steps, its logins, what the
// thief has stolen from it, and the stores that it has disconnected.
type visitor struct {
	label string // identifies it to the thief and to the other site, which do not have its cookie

	mu           sync.Mutex
	steps        []*step
	logins       map[string]auth.Event // the event of the latest login, by mode
	renewed      time.Time             // when its refresh token was last exchanged
	stolen       map[string]loot       // by credential
	disconnected map[string]bool       // whether the store of a mode fails
}

// visitors is bounded: a new visitor replaces the oldest one.
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

// labelled returns the visitor with a label, or nil.
func (all *visitors) labelled(label string) *visitor {
	all.mu.Lock()
	defer all.mu.Unlock()
	return all.byLabel[label]
}

// welcome returns the visitor of a request, and creates it if necessary. The browser never
// chooses the ID.
func (all *visitors) welcome(w http.ResponseWriter, r *http.Request) (*visitor, error) {
	if v := all.of(r); v != nil {
		return v, nil
	}
	id := rand.Text()
	if err := visitorCookie.Set(w.Header(), r, id); err != nil {
		return nil, err
	}
	v := &visitor{label: rand.Text(), logins: make(map[string]auth.Event), stolen: make(map[string]loot), disconnected: make(map[string]bool)}
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
