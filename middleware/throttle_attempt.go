package middleware

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/netip"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/stored"
)

// attempt is one call of Try.
type attempt struct {
	throttle *Throttle
	ctx      context.Context
	account  string
	address  netip.Addr
	device   *device

	name     attemptName
	stranger bool     // or it comes from a browser that the account knows
	counted  []*tally // where it is counted
}

func (t *Throttle) attempt(w http.ResponseWriter, r *http.Request, account string) *attempt {
	a := &attempt{
		throttle: t, ctx: r.Context(), account: account, device: t.device(w, r),
		address: ClientAddress(r, t.config.TrustedProxies...),
	}
	rand.Read(a.name[:])
	return a
}

// tag is how a browser's cookie calls the account.
func (a *attempt) tag() [16]byte {
	d := a.throttle.digest("tag", a.account)
	return [16]byte(d[:])
}

// count counts the attempt, or returns a *tooMany. After an error it is counted
// nowhere, as far as the store can be reached.
func (a *attempt) count() error {
	t := a.throttle
	if a.device.knows(a.tag()) {
		id := [4]byte(a.device.id[:])
		err := a.countIn(&tally{
			throttle: t, reason: "device", limit: deviceWaits{t.waits, id}, device: id, resets: true, digest: t.digest("devices", a.account),
		})
		var refused *tooMany
		if !errors.As(err, &refused) || refused.wait > 0 {
			return err
		}
	}
	a.stranger = true
	tallies := []*tally{{throttle: t, reason: "account", limit: t.waits, resets: true, digest: t.digest("account", a.account)}}
	if !a.address.Is6() { // one that is not valid is "invalid IP", whoever has it
		tallies = append(tallies, t.from(t.address, a.address.String()))
	} else { // whoever has one has the other 2^64 of its subnet, and perhaps 2^16 subnets
		tallies = append(tallies, t.from(t.address, network(a.address, 64)), t.from(t.site, network(a.address, 48)))
	}
	return a.countIn(tallies...)
}

// from is the count of what comes from an address or a network.
func (t *Throttle) from(limit allowance, where string) *tally {
	return &tally{throttle: t, reason: "address", limit: limit, digest: t.digest("address", where)}
}

func network(address netip.Addr, bits int) string {
	n, _ := address.Prefix(bits) // which no IPv6 address has too few for
	return n.String()
}

// countIn counts the attempt in all tallies or in none. It looks at all of them
// first, so that what one refuses makes nobody wait at another meanwhile.
func (a *attempt) countIn(tallies ...*tally) error {
	ctx, done := stored.Writing(a.ctx)
	defer done()
	for _, t := range tallies {
		if err := t.read(ctx); err != nil {
			return err
		}
		if err := t.admits(time.Now()); err != nil {
			return err
		}
	}
	for _, t := range tallies {
		a.counted = append(a.counted, t)
		if err := t.take(ctx, a.name); err != nil {
			a.settle((*tally).takeBack)
			return err
		}
	}
	return nil
}

// settle changes the counts after the attempt. What fails stays counted.
func (a *attempt) settle(change func(*tally, context.Context, attemptName) error) {
	ctx, done := stored.Writing(a.ctx)
	defer done()
	for _, t := range a.counted {
		if err := change(t, ctx, a.name); err != nil {
			a.event(auth.EventFault, "", err)
		}
	}
	a.counted = nil
}

// succeed ends the row of failures, and lets the account know the browser. A
// stranger who was right also ends that of the browsers it knows: they may have
// used up all they have.
func (a *attempt) succeed(w http.ResponseWriter, r *http.Request) {
	t := a.throttle
	a.settle((*tally).succeed)
	if t.config.Sealer == nil {
		return
	}
	if a.stranger {
		if err := t.forget(a.ctx, t.digest("devices", a.account)); err != nil {
			a.event(auth.EventFault, "", err)
		}
	}
	a.device.add(a.tag())
	if err := t.setDevice(w, r, a.device); err != nil {
		a.event(auth.EventFault, "", err)
	}
}

// refused tells why the attempt is not made.
func (a *attempt) refused(err error) error {
	var refused *tooMany
	if !errors.As(err, &refused) {
		a.event(auth.EventFault, "", err)
		return err
	}
	a.event(auth.EventThrottled, refused.reason, nil)
	return &ThrottledError{RetryAfter: refused.wait}
}

func (a *attempt) event(kind auth.EventKind, reason string, err error) {
	a.throttle.config.Events(a.ctx, auth.Event{
		Kind: kind, Time: time.Now().UTC(), Mode: "throttle", Subject: stored.Printable(a.account, 128), Reason: reason, Err: err,
	})
}
