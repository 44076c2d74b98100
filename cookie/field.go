package cookie

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Set adds a Set-Cookie field to h, the header of the response to r. It
// replaces one of the same name that is there already, since a response sets
// a name once (RFC 6265bis, 4.1.1), and leaves other cookies alone.
// Call it before the body: later it is lost without an error.
//
// Set returns the policy's own error; an error if value is empty or has bytes
// other than cookie-octets (RFC 6265, 4.1.1), none of which is escaped for
// you; if name and value are longer than 4093 bytes together, which browsers
// would drop (ASVS 5.0, 3.3.5); and, under [Policy.Insecure], if r is not for a
// loopback host. Otherwise r may be nil. After an error h is as it was.
func (p Policy) Set(h http.Header, r *http.Request, value string) error {
	if err := p.allowed(r); err != nil {
		return err
	}
	if err := p.checkValue(value); err != nil {
		return err
	}
	p.put(h, value, int(p.maxAge/time.Second))
	return nil
}

// Delete adds the deletion of the cookie to h, with the attributes it was set
// with, without which browsers keep it. Like [Policy.Set] it replaces a field
// of the same name, is lost after the body, and returns the policy's own error
// and that of Insecure for other hosts.
func (p Policy) Delete(h http.Header, r *http.Request) error {
	if err := p.allowed(r); err != nil {
		return err
	}
	p.put(h, "", -1)
	return nil
}

// Pending returns what the response with header h is about to set for this
// cookie, by [Policy.Set], or "" and true if it is about to delete it, by
// [Policy.Delete]. ok is false if it does neither. Whoever acts on a cookie
// that an earlier step of the same response may have changed asks Pending
// first and the request after.
func (p Policy) Pending(h http.Header) (value string, ok bool) {
	if p.Err() != nil {
		return "", false
	}
	// Browsers obey the last one, should somebody else have added some.
	fields := h["Set-Cookie"]
	for i := len(fields) - 1; i >= 0; i-- {
		pair, _, _ := strings.Cut(fields[i], ";")
		if name, value, _ := strings.Cut(pair, "="); trim(name) == p.wire {
			return trim(value), true
		}
	}
	return "", false
}

// allowed returns why nothing may be set in the response to r, or nil.
func (p Policy) allowed(r *http.Request) error {
	switch {
	case p.Err() != nil:
		return p.Err()
	case !p.loopback:
		return nil
	case r == nil:
		return errors.New("cookie: Insecure: no request to see the host of")
	case !isLoopback(r.Host):
		return fmt.Errorf("cookie: Insecure: %.64q is not a loopback host", r.Host)
	}
	return nil
}

// checkValue never names the value: it may be a secret.
func (p Policy) checkValue(value string) error {
	switch {
	case value == "":
		return fmt.Errorf("cookie: %s: empty value", p.wire)
	case len(p.wire)+len(value) > maxPair:
		return fmt.Errorf("cookie: %s: name and value are longer than %d bytes", p.wire, maxPair)
	case !all(value, isValueByte):
		return fmt.Errorf("cookie: %s: the value has bytes that no cookie may have", p.wire)
	}
	return nil
}

// put writes the field. maxAge is as in [http.Cookie].
func (p Policy) put(h http.Header, value string, maxAge int) {
	c := http.Cookie{
		Name:        p.wire,
		Value:       value,
		Domain:      p.domain,
		Path:        "/",
		MaxAge:      maxAge,
		Secure:      !p.insecure(),
		HttpOnly:    !p.readable,
		SameSite:    p.sameSite,
		Partitioned: p.parted,
	}
	if p.path != "" {
		c.Path = p.path
	}
	// The slice in h may be shared with other headers: it is not changed.
	old := h["Set-Cookie"]
	fields := make([]string, 0, len(old)+1)
	for _, field := range old {
		pair, _, _ := strings.Cut(field, ";")
		if name, _, _ := strings.Cut(pair, "="); trim(name) != p.wire {
			fields = append(fields, field)
		}
	}
	h["Set-Cookie"] = append(fields, c.String())
}
