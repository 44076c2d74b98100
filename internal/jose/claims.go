package jose

import (
	"bytes"
	"strconv"

	"github.com/authlatch/auth/internal/registered"
	"github.com/authlatch/auth/internal/strictjson"
)

// Dates are the dates of a payload in seconds since 1970. 0, which is not a valid
// date, means absent.
type Dates struct {
	Expires   int64 // exp
	NotBefore int64 // nbf
	IssuedAt  int64 // iat
	AuthTime  int64 // auth_time
}

// maxDate is the last second of the year 9999.
const maxDate = 253402300799

var (
	errName = refuse(ErrMalformed, "a claim differs from a registered one by case")
	errDate = refuse(ErrMalformed, "a date is not a whole number in range")
)

// parseClaims implements step 8 and returns the members, which it reads once.
func parseClaims(payload []byte, form *Form) ([]strictjson.Member, Dates, error) {
	members, err := strictjson.ParseObject(payload)
	if err != nil {
		return nil, Dates{}, malformed(err)
	}
	var dates Dates
	for i := range members {
		if err := dates.read(&members[i], form); err != nil {
			return nil, Dates{}, err
		}
	}
	return members, dates, nil
}

// checkClaims implements step 8 without allocating.
func checkClaims(payload []byte, form *Form) (Dates, error) {
	if err := strictjson.CheckObject(payload); err != nil {
		return Dates{}, malformed(err)
	}
	var dates Dates
	for m := range strictjson.Object(payload).Members {
		if err := dates.read(&m, form); err != nil {
			return Dates{}, err
		}
	}
	return dates, nil
}

// read checks the name of a claim, and reads the claim if it is a date.
func (d *Dates) read(m *strictjson.Member, form *Form) error {
	if !ownCase(m.Name) {
		return errName
	}
	field := d.field(m.Name)
	if field == nil {
		return nil
	}
	seconds, ok := date(m.Value, form.Foreign)
	switch {
	case ok:
		*field = seconds
	case !form.Foreign || !mayIgnore(*m):
		return errDate
	}
	return nil
}

// ownCase reports whether name is a registered claim or differs from all of them by
// more than case. Registered claims are in lower case, so only names with other
// characters need the comparison.
func ownCase(name []byte) bool {
	lower := true
	for _, c := range name {
		lower = lower && c <= '~' && (c < 'A' || c > 'Z')
	}
	return lower || !registered.Alike(string(name))
}

// mayIgnore reports whether an invalid date has no effect: without a valid auth_time
// that is unknown, and an nbf of 0 or null means that the token was always valid.
func mayIgnore(m strictjson.Member) bool {
	switch string(m.Name) {
	case "auth_time":
		return true
	case "nbf":
		return string(m.Value) == "0" || string(m.Value) == "null"
	}
	return false
}

func (d *Dates) field(name []byte) *int64 {
	switch string(name) {
	case "exp":
		return &d.Expires
	case "nbf":
		return &d.NotBefore
	case "iat":
		return &d.IssuedAt
	case "auth_time":
		return &d.AuthTime
	}
	return nil
}

// date parses a JSON number. It returns false for any other value.
func date(value []byte, fractions bool) (int64, bool) {
	if whole, fraction, ok := bytes.Cut(value, []byte(".")); ok && fractions {
		for _, c := range fraction {
			if !digit(c) {
				return 0, false
			}
		}
		value = whole
	}
	for _, c := range value {
		if !digit(c) {
			return 0, false
		}
	}
	const longest = len("253402300799")
	if len(value) > longest {
		return 0, false
	}
	seconds, err := strconv.ParseInt(string(value), 10, 64)
	return seconds, err == nil && 1 <= seconds && seconds <= maxDate
}

func digit(c byte) bool { return '0' <= c && c <= '9' }
