package throttle

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/netip"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/forwarded"
	"github.com/authlatch/auth/internal/stored"
)

// attempt is one call of Try.
type attempt struct {
	limiter *Limiter
	ctx     context.Context
	account string
	address netip.Addr
	device  *device

	name    attemptName
	trusted bool     // it comes from a trusted device of the account
	counted []*tally // the counts that include it
}

func (l *Limiter) attempt(w http.ResponseWriter, r *http.Request, account string) *attempt {
	a := &attempt{
		limiter: l, ctx: r.Context(), account: account, device: l.device(w, r),
		address: forwarded.Client(r, l.config.TrustedProxies),
	}
	rand.Read(a.name[:])
	return a
}

// tag identifies the account in the browser's cookie.
func (a *attempt) tag() [16]byte {
	d := a.limiter.digest("tag", a.account)
	return [16]byte(d[:])
}

// count counts the attempt, or returns a *tooMany. After an error the attempt is
// counted nowhere, unless the store could not be reached to take it back.
func (a *attempt) count() error {
	l := a.limiter
	if a.device.trustedBy(a.tag()) {
		a.trusted = true
		id := [4]byte(a.device.id[:])
		err := a.countIn(&tally{
			limiter: l, reason: "device", limit: deviceWaits{l.waits, id}, device: id, resets: true, digest: l.digest("devices", a.account),
		})
		var refused *tooMany
		if !errors.As(err, &refused) || refused.wait > 0 {
			return err
		}
	}
	a.trusted = false
	tallies := []*tally{{limiter: l, reason: "account", limit: l.waits, resets: true, digest: l.digest("account", a.account)}}
	if !a.address.Is6() { // an invalid address is "invalid IP", one shared count
		tallies = append(tallies, l.from(l.address, a.address.String()))
	} else { // a client has a /64, and perhaps a /48 of 2^16 subnets
		tallies = append(tallies, l.from(l.address, network(a.address, 64)), l.from(l.site, network(a.address, 48)))
	}
	return a.countIn(tallies...)
}

// from returns the count of an address or a network.
func (l *Limiter) from(limit allowance, where string) *tally {
	return &tally{limiter: l, reason: "address", limit: limit, digest: l.digest("address", where)}
}

func network(address netip.Addr, bits int) string {
	n, _ := address.Prefix(bits) // cannot fail for IPv6
	return n.String()
}

// countIn counts the attempt in all tallies or in none. It checks all of them first,
// so that an attempt that one of them refuses is never counted in another.
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

// settle changes the counts after the attempt. If a change fails, the attempt stays
// counted.
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

// succeed resets the failure count and makes the browser a trusted device. A success
// of an unrecognized device also resets the count of the trusted devices, because
// they may have used all their attempts.
func (a *attempt) succeed(w http.ResponseWriter, r *http.Request) {
	l := a.limiter
	a.settle((*tally).succeed)
	if l.config.Sealer == nil {
		return
	}
	if !a.trusted {
		if err := l.forget(a.ctx, l.digest("devices", a.account)); err != nil {
			a.event(auth.EventFault, "", err)
		}
	}
	a.device.add(a.tag())
	if err := l.setDevice(w, r, a.device); err != nil {
		a.event(auth.EventFault, "", err)
	}
}

// refused reports why the attempt is not made.
func (a *attempt) refused(err error) error {
	var refused *tooMany
	if !errors.As(err, &refused) {
		a.event(auth.EventFault, "", err)
		return err
	}
	a.event(auth.EventThrottled, refused.reason, nil)
	return &Error{refused.wait}
}

func (a *attempt) event(kind auth.EventKind, reason string, err error) {
	a.limiter.config.Events(a.ctx, auth.Event{
		Kind: kind, Time: time.Now().UTC(), Source: "throttle", Subject: stored.Printable(a.account, 128), Reason: reason, Err: err,
	})
}
