package cookie

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Set adds a Set-Cookie header to h, the header of the response to r. It
// replaces an earlier Set-Cookie header of the same cookie, and keeps those of
// other cookies. To a browser, two cookies of one name are different cookies if
// their Domain, Path or Partitioned differs (RFC 6265bis, 5.7), so a response can
// set one and delete the other. Call Set before writing the body: a header that
// is added later is lost without an error.
//
// Set returns the policy's own error. It also returns an error if
//
//   - value is empty or contains bytes other than cookie-octets (RFC 6265,
//     4.1.1), which Set does not escape;
//   - name and value together are longer than 4093 bytes, which browsers drop
//     (ASVS 5.0, 3.3.5);
//   - the policy is [Policy.Insecure] and r is nil or not for a loopback host.
//     For other policies r may be nil.
//
// After an error h is unchanged.
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

// Delete adds a Set-Cookie header to h that deletes the cookie. The header has
// the attributes of the policy, without which browsers keep the cookie. Like
// [Policy.Set], Delete replaces an earlier header of the same cookie, must be
// called before the body is written, and returns the policy's own error and
// that of Insecure for a request to another host.
func (p Policy) Delete(h http.Header, r *http.Request) error {
	if err := p.allowed(r); err != nil {
		return err
	}
	p.put(h, "", -1)
	return nil
}

// Pending returns the value that the response with header h will set for this
// cookie after [Policy.Set], or "" and true after [Policy.Delete]. ok is false
// if h neither sets nor deletes the cookie. If an earlier step of the same
// response may have changed the cookie, call Pending first and [Policy.Read]
// second.
func (p Policy) Pending(h http.Header) (value string, ok bool) {
	if p.Err() != nil {
		return "", false
	}
	// Other code may have added the cookie twice: browsers obey the last.
	fields := h["Set-Cookie"]
	for i := len(fields) - 1; i >= 0; i-- {
		if p.sets(fields[i]) {
			pair, _, _ := strings.Cut(fields[i], ";")
			_, value, _ := strings.Cut(pair, "=")
			return trim(value), true
		}
	}
	return "", false
}

// allowed returns the error for which the response to r must not set or delete
// the cookie, or nil.
func (p Policy) allowed(r *http.Request) error {
	switch {
	case p.Err() != nil:
		return p.Err()
	case !p.loopback:
		return nil
	case r == nil:
		return errors.New("cookie: Insecure: the request is nil, so its host cannot be checked")
	case !isLoopback(r.Host):
		return fmt.Errorf("cookie: Insecure: %.64q is not a loopback host: serve https or, in a closed network only, use InsecureAnywhere", r.Host)
	}
	return nil
}

// checkValue returns errors that do not contain the value, which may be a
// secret.
func (p Policy) checkValue(value string) error {
	switch {
	case value == "":
		return fmt.Errorf("cookie: %s: empty value", p.wire)
	case len(p.wire)+len(value) > maxPair:
		return fmt.Errorf("cookie: %s: name and value are longer than %d bytes", p.wire, maxPair)
	case !all(value, isValueByte):
		return fmt.Errorf("cookie: %s: the value contains bytes that are not allowed in a cookie", p.wire)
	}
	return nil
}

// put writes the Set-Cookie header. maxAge is as in [http.Cookie].
func (p Policy) put(h http.Header, value string, maxAge int) {
	c := http.Cookie{
		Name:        p.wire,
		Value:       value,
		Domain:      p.domain,
		Path:        cmp.Or(p.path, "/"),
		MaxAge:      maxAge,
		Secure:      !p.insecure(),
		HttpOnly:    !p.readable,
		SameSite:    p.sameSite,
		Partitioned: p.partitioned,
	}
	// The slice in h may be shared with other headers, so copy it.
	old := h["Set-Cookie"]
	fields := make([]string, 0, len(old)+1)
	for _, field := range old {
		if !p.sets(field) {
			fields = append(fields, field)
		}
	}
	h["Set-Cookie"] = append(fields, c.String())
}

// sets reports whether a Set-Cookie header sets or deletes the cookie of p: whether
// its name, Domain, Path and Partitioned are those of p.
func (p Policy) sets(field string) bool {
	pair, rest, _ := strings.Cut(field, ";")
	if name, _, _ := strings.Cut(pair, "="); trim(name) != p.wire {
		return false
	}
	domain, path, partitioned := "", "/", false
	for rest != "" {
		var attribute string
		attribute, rest, _ = strings.Cut(rest, ";")
		name, value, _ := strings.Cut(attribute, "=")
		switch value = trim(value); strings.ToLower(trim(name)) { // the last one counts
		case "domain":
			domain = strings.ToLower(strings.TrimPrefix(value, "."))
		case "path":
			path = value
		case "partitioned":
			partitioned = true
		}
	}
	return domain == p.domain && path == cmp.Or(p.path, "/") && partitioned == p.partitioned
}
