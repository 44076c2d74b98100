package simulate

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"time"
)

// clientTimeout is the timeout of the browser client.
const clientTimeout = 10 * time.Second

// owner is a user with a browser: one cookie jar, one storage, several tabs.
type owner struct {
	day     *day
	jar     string
	storage struct {
		generation uint64
		attempt    string
	}
	tabs   []*page
	asleep bool
	naps   int // answers to a laptop that has slept meanwhile are lost
}

// page is a tab with the default browser client.
type page struct {
	generation uint64
	refreshAt  time.Time
	backoff    time.Duration
	retryAt    time.Time
	waits      bool
}

func (o *owner) begin(d *day, jar string) {
	o.day, o.jar = d, jar
	for range 1 + d.rng.IntN(4) {
		o.tabs = append(o.tabs, &page{})
	}
	o.works()
	o.reloads()
	d.in(d.around(40*time.Minute), o.sleeps)
}

// works makes the user act in a tab, and schedules the next action.
func (o *owner) works() {
	if !o.asleep {
		o.request(o.tabs[o.day.rng.IntN(len(o.tabs))])
	}
	o.day.in(o.day.around(20*time.Second), o.works)
}

// reloads makes the user reload a page from time to time. A reloaded page has no token.
func (o *owner) reloads() {
	if !o.asleep {
		tab := o.day.rng.IntN(len(o.tabs))
		o.tabs[tab] = &page{}
		o.request(o.tabs[tab])
	}
	o.day.in(o.day.around(15*time.Minute), o.reloads)
}

// sleeps closes the laptop for less than the idle timeout of a login. All its tabs wake up
// together.
func (o *owner) sleeps() {
	o.asleep = true
	o.naps++
	o.day.in(min(o.day.around(20*time.Minute), 170*time.Minute), func() {
		o.asleep = false
		for _, tab := range o.tabs {
			tab.waits = false
			o.day.in(o.day.around(time.Second), func() { o.request(tab) })
		}
		o.day.in(o.day.around(40*time.Minute), o.sleeps)
	})
}

// request is an API call from a tab, which refreshes first if that is due.
func (o *owner) request(tab *page) {
	now := time.Now()
	if o.asleep || tab.waits || now.Before(tab.refreshAt) || now.Before(tab.retryAt) {
		return
	}
	if o.storage.attempt == "" || tab.generation > o.storage.generation {
		o.storage.generation, o.storage.attempt = max(o.storage.generation, tab.generation), newAttempt()
	}
	tab.waits = true
	attempt, nap := o.storage.attempt, o.naps
	answered := false
	o.day.refresh(o.day.network, o.jar, attempt, func(recorder *httptest.ResponseRecorder) {
		if answered || o.naps != nap {
			return
		}
		answered = true
		o.receives(tab, attempt, recorder)
	})
	o.day.in(clientTimeout, func() {
		if !answered && o.naps == nap {
			answered = true
			o.fails(tab)
		}
	})
}

func (o *owner) fails(tab *page) {
	tab.waits = false
	tab.backoff = min(max(2*tab.backoff, time.Second), time.Minute)
	tab.retryAt = time.Now().Add(tab.backoff)
}

func (o *owner) receives(tab *page, attempt string, recorder *httptest.ResponseRecorder) {
	if recorder.Code != http.StatusOK {
		o.fails(tab)
		return
	}
	var body struct {
		Generation   uint64 `json:"gen"`
		RefreshAfter int64  `json:"refresh_after"`
	}
	json.Unmarshal(recorder.Body.Bytes(), &body)
	o.jar = setCookie(recorder)
	o.day.refreshes++
	if !o.day.stolen.IsZero() {
		o.day.after = append(o.day.after, time.Now())
	}
	if o.storage.attempt == attempt {
		o.storage.generation, o.storage.attempt = body.Generation, ""
	}
	refreshAt := time.Now().Add(time.Duration(body.RefreshAfter) * time.Second)
	tab.waits, tab.backoff = false, 0
	for _, each := range o.tabs { // by their channel
		if body.Generation >= each.generation && (each == tab || each.refreshAt != (time.Time{})) {
			each.generation, each.refreshAt, each.retryAt = body.Generation, refreshAt, time.Time{}
		}
	}
}
