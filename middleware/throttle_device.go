package middleware

import (
	"crypto/rand"
	"net/http"
	"slices"
)

// device is a browser as its cookie tells: a random ID, and the accounts that it
// has proved itself for, the last one first. It is sealed as
//
//	format (1 byte) | ID (16 bytes) | for each account: digest (16 bytes)
type device struct {
	id       [16]byte
	accounts [][16]byte
}

// Six accounts are three people with a password and a second factor each. They
// keep the cookie, which goes along with every request, below 250 bytes.
const (
	deviceFormat      = 0x01
	maxDeviceAccounts = 6
)

// newDevice returns a browser that has not been seen before.
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

func (d *device) knows(account [16]byte) bool { return slices.Contains(d.accounts, account) }

// add puts an account first, and drops the one that has been so for longest if
// there are too many.
func (d *device) add(account [16]byte) {
	d.accounts = slices.DeleteFunc(d.accounts, func(a [16]byte) bool { return a == account })
	d.accounts = slices.Insert(d.accounts, 0, account)
	d.accounts = d.accounts[:min(len(d.accounts), maxDeviceAccounts)]
}

// device returns the browser that sends r. Without a cookie that opens it is a
// new one, which knows no account.
func (t *Throttle) device(w http.ResponseWriter, r *http.Request) *device {
	if t.config.Sealer == nil {
		return &device{}
	}
	// An earlier step of this response, the password, may have set the cookie.
	sealed, ok := t.config.Cookie.Pending(w.Header())
	if !ok {
		sealed, _, _ = t.config.Cookie.Read(r) // empty if it is malformed
	}
	value, err := t.config.Sealer.Open(t.config.Cookie, sealed)
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
func (t *Throttle) setDevice(w http.ResponseWriter, r *http.Request, d *device) error {
	sealed, err := t.config.Sealer.Seal(t.config.Cookie, d.encode(), t.config.DeviceLifetime)
	if err != nil {
		return err
	}
	return t.config.Cookie.Set(w.Header(), r, sealed)
}
