package throttle

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/former"
	"github.com/authlatch/auth/internal/plainhttp"
)

// device is the content of a browser's cookie: a random ID, and the accounts that
// were proved in the browser, the most recent one first. The cookie encrypts and
// authenticates
//
//	format (1 byte) | ID (16 bytes) | for each account: digest (16 bytes)
type device struct {
	id       [16]byte
	accounts [][16]byte
}

// Six accounts are enough for three people with a password and a second factor each.
// They keep the cookie, which is part of every request, below 250 bytes.
const (
	deviceFormat      = 0x01
	maxDeviceAccounts = 6
)

// newDevice returns an unrecognized browser.
func newDevice() *device {
	d := &device{}
	rand.Read(d.id[:])
	return d
}

func (d *device) encode() []byte {
	b := append([]byte{deviceFormat}, d.id[:]...)
	for _, account := range d.accounts {
		b = append(b, account[:]...)
	}
	return b
}

func decodeDevice(b []byte) (*device, bool) {
	const size = len(device{}.id)
	if len(b) < 1+size || b[0] != deviceFormat || (len(b)-1)%size != 0 || len(b) > 1+size*(1+maxDeviceAccounts) {
		return nil, false
	}
	d := &device{id: [16]byte(b[1:])}
	for each := range slices.Chunk(b[1+size:], size) {
		d.accounts = append(d.accounts, [16]byte(each))
	}
	return d, true
}

// trustedBy reports whether the browser is a trusted device of an account.
func (d *device) trustedBy(account [16]byte) bool { return slices.Contains(d.accounts, account) }

// add puts an account first, and drops the least recent one if there are too many.
func (d *device) add(account [16]byte) {
	d.accounts = slices.DeleteFunc(d.accounts, func(a [16]byte) bool { return a == account })
	d.accounts = slices.Insert(d.accounts, 0, account)
	d.accounts = d.accounts[:min(len(d.accounts), maxDeviceAccounts)]
}

// device returns the browser that sends r. Without a valid cookie it is an
// unrecognized browser with a new ID.
func (l *Limiter) device(w http.ResponseWriter, r *http.Request) *device {
	if l.config.Sealer == nil {
		return &device{}
	}
	// An earlier step of this response, such as the password, may have set the cookie.
	sealed, ok := l.config.Cookie.Pending(w.Header())
	if !ok {
		sealed, _, _ = l.config.Cookie.Read(r) // empty if it is malformed
	}
	value, err := l.config.Sealer.Open(l.config.Cookie, sealed)
	if err != nil {
		return newDevice()
	}
	d, ok := decodeDevice(value)
	if !ok {
		return newDevice()
	}
	return d
}

// setDevice sets the cookie of a browser.
func (l *Limiter) setDevice(w http.ResponseWriter, r *http.Request, d *device) error {
	sealed, err := l.config.Sealer.Seal(l.config.Cookie, d.encode(), l.config.DeviceLifetime)
	if err != nil {
		return err
	}
	former.Policies(l.config.FormerCookies).Expire(w.Header(), r)
	if err := l.config.Cookie.Set(w.Header(), r, sealed); err != nil {
		return err
	}
	if err := l.plain.Check(r, l.config.Cookie); err != nil {
		l.config.Events(r.Context(), auth.Event{
			Kind: auth.EventFault, Time: time.Now().UTC(), Source: "throttle", Reason: plainhttp.Reason, Err: fmt.Errorf("throttle: %w", err),
		})
	}
	return nil
}
