package simulate

import (
	"net/http"
	"net/http/httptest"
	"time"
)

// Trick is a way in which a thief uses a copied refresh token.
type Trick func(*burglar)

// Tricks are all tricks, by name.
var Tricks = map[string]Trick{
	"refreshes like a browser":           func(b *burglar) { b.every(9*time.Minute, b.refresh) },
	"refreshes as often as it can":       func(b *burglar) { b.every(justAfter, b.refresh) },
	"repeats its own attempt":            (*burglar).repeats,
	"repeats it, and its token with it":  (*burglar).alternates,
	"replays a request of the owner":     (*burglar).replays,
	"expects the owner by its schedule":  (*burglar).waits,
	"races the owner with many requests": func(b *burglar) { b.every(justAfter, b.races) },
	"does any of this":                   (*burglar).anything,
}

// justAfter is when a grace period that began now has ended.
const justAfter = gracePeriod + 5*time.Millisecond

// burglar is a thief, on a good network.
type burglar struct {
	day             *day
	token           string
	parent, attempt string // the request that returned token
}

func (d *day) steal(trick Trick) {
	d.stolen = time.Now()
	trick(&burglar{day: d, token: d.owner.jar})
}

// every makes the thief repeat an action.
func (b *burglar) every(period time.Duration, do func()) {
	do()
	b.day.in(period, func() { b.every(period, do) })
}

func (b *burglar) send(cookie, attempt string) { b.sendThen(cookie, attempt, func() {}) }

func (b *burglar) sendThen(cookie, attempt string, then func()) {
	b.day.refresh(network{latency: 20 * time.Millisecond}, cookie, attempt, func(recorder *httptest.ResponseRecorder) {
		if text := setCookie(recorder); recorder.Code == http.StatusOK && text != b.token {
			b.token, b.parent, b.attempt = text, cookie, attempt
		}
		then()
	})
}

func (b *burglar) refresh() { b.send(b.token, newAttempt()) }

// repeat sends the request that returned its token again.
func (b *burglar) repeat() {
	if b.attempt == "" {
		b.refresh()
		return
	}
	b.send(b.parent, b.attempt)
}

// repeats refreshes once, and then repeats that request for ever.
func (b *burglar) repeats() {
	b.sendThen(b.token, newAttempt(), b.keepsUp)
}

// keepsUp repeats the request whenever a grace period that its last answer may
// have started has passed.
func (b *burglar) keepsUp() {
	b.day.in(justAfter, func() {
		if b.attempt == "" {
			b.repeats()
			return
		}
		b.sendThen(b.parent, b.attempt, b.keepsUp)
	})
}

func (b *burglar) alternates() {
	b.refresh()
	b.day.in(justAfter, func() {
		b.every(justAfter/2, func() {
			if b.day.rng.IntN(3) == 0 {
				b.send(b.token, b.attempt)
			} else {
				b.repeat()
			}
		})
	})
}

// replays waits for a request of the owner that it can read completely, and sends it
// repeatedly.
func (b *burglar) replays() {
	o := &b.day.owner
	if o.storage.attempt == "" {
		b.day.in(10*time.Millisecond, b.replays)
		return
	}
	b.day.stolen = time.Now()
	b.day.after = nil
	b.token, b.parent, b.attempt = o.jar, o.jar, o.storage.attempt
	b.keepsUp()
}

// waits refreshes at the earliest moment at which the owner's client may refresh, and
// repeats its request around it.
func (b *burglar) waits() {
	now := time.Now()
	due := now.Add(time.Minute) // unknown for a sleeping tab
	act := func() {}
	for _, tab := range b.day.owner.tabs {
		if tab.refreshAt.After(now) && tab.refreshAt.Before(due) {
			due, act = tab.refreshAt, func() {
				b.refresh()
				for n := range 3 {
					b.day.in(time.Duration(n+1)*justAfter, b.repeat)
				}
			}
		}
	}
	b.day.in(due.Sub(now), func() {
		act()
		b.day.in(5*justAfter, b.waits)
	})
}

// races sends the same token to several hosts concurrently.
func (b *burglar) races() {
	for range 4 {
		b.refresh()
	}
}

func (b *burglar) anything() {
	tricks := []func(){b.refresh, b.repeat, b.repeat, b.repeat, b.races, func() {}, func() {}}
	tricks[b.day.rng.IntN(len(tricks))]()
	b.day.in(b.day.around(30*time.Second), b.anything)
}
