package token

import (
	"errors"
	"fmt"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/jose"
	"github.com/authlatch/auth/internal/strictjson"
)

// rules say which claims a verifier accepts.
type rules struct {
	issuer, audience string
	leeway           time.Duration
	lifetime         time.Duration // the most that exp may be after iat

	// The names under which the claims of RFC 9068 stand.
	audienceClaim, scopeClaim, clientClaim string
	scopeNamed, withoutID, withoutClient   bool
	lenient                                bool              // see Foreign
	required                               map[string]string // others, and their values
}

// ownLifetime is how long an access token lives at most (RFC 6750, 5.3).
const ownLifetime = time.Hour

// The longest strings that are taken as names of something.
const (
	maxID       = 128 // jti, sid, fam
	maxClientID = 255
	maxSubject  = 255
)

var (
	errClaimType = errors.New("token: claims: one is not of its type")
	errIssuer    = errors.New("token: claims: the issuer is another")
	errAudience  = errors.New("token: claims: the token is for others")
	errMissing   = errors.New("token: claims: one is missing")
	errBound     = errors.New("token: claims: the token is bound to a key, and needs a proof of it")
	errRequired  = errors.New("token: claims: one is not as required")
	errDates     = errors.New("token: claims: the dates contradict each other")
	errTooLong   = errors.New("token: claims: the token is valid for too long")
	errTooEarly  = errors.New("token: claims: the token is from the future")
)

// parse reads the claims of a payload that has passed the envelope, and checks
// all but what depends on the time.
func (r *rules) parse(payload []byte, dates jose.Dates) (*accessClaims, error) {
	var few [20]strictjson.Member // a token has more only with many facts in it
	m := appendMembers(few[:0], payload)
	if err := r.checkParties(m); err != nil {
		return nil, err
	}
	c := &accessClaims{issuer: r.issuer, audience: r.audience}
	if err := r.fill(c, m); err != nil {
		return nil, err
	}
	c.expires, c.issuedAt = time.Unix(dates.Expires, 0), time.Unix(dates.IssuedAt, 0)
	if dates.AuthTime != 0 {
		c.authTime = time.Unix(dates.AuthTime, 0)
	}
	c.claims = m.application()
	probe := auth.Identity{Subject: c.subject, Scopes: c.scopes, Methods: c.methods}
	if err := probe.Validate(); err != nil {
		return nil, fmt.Errorf("token: claims: %w", err)
	}
	if err := r.checkDates(dates); err != nil {
		return nil, err
	}
	return c, nil
}

// checkParties checks from whom and for whom the token is, and for what.
func (r *rules) checkParties(m members) error {
	if !m.is("iss", r.issuer) {
		return errIssuer
	}
	ours, err := m.names(r.audienceClaim, r.audience)
	if err != nil {
		return err
	}
	if !ours {
		return errAudience
	}
	if bound := m.get("cnf"); bound != nil && !(r.lenient && string(bound) == "null") {
		return errBound
	}
	for name, value := range r.required {
		if !m.is(name, value) {
			return errRequired
		}
	}
	return nil
}

// fill takes the claims that name something.
func (r *rules) fill(c *accessClaims, m members) error {
	for _, field := range [...]struct {
		to       *string
		name     string
		most     int
		required bool
	}{
		{&c.subject, "sub", maxSubject, true},
		{&c.clientID, r.clientClaim, maxClientID, !r.withoutClient},
		{&c.id, "jti", maxID, !r.withoutID},
		{&c.sid, "sid", maxID, false},
		{&c.family, "fam", maxID, false},
	} {
		text, err := m.text(field.name, field.most)
		if err != nil && (field.required || !r.lenient) {
			return err
		}
		if text == "" && field.required {
			return errMissing
		}
		*field.to = text
	}
	return r.fillWords(c, m)
}

// fillWords takes the lists. An issuer may send an empty one.
func (r *rules) fillWords(c *accessClaims, m members) (err error) {
	scope := m.get(r.scopeClaim)
	if r.lenient {
		if r.scopeNamed && scope != nil && scope[0] != '"' { // it is needed
			if _, err := m.words(r.scopeClaim); err != nil {
				return err
			}
		}
		c.scopes, c.methods = m.lenientWords(r.scopeClaim), m.lenientWords("amr")
		return nil
	}
	switch {
	case scope == nil:
	case scope[0] == '"':
		text, _ := scope.Text()
		c.scopes = auth.Words(text)
	default:
		return errClaimType
	}
	c.methods, err = m.words("amr")
	return err
}

// checkDates checks the dates against each other. That they are whole numbers
// in range, the envelope has checked; 0 is a date that is not there.
func (r *rules) checkDates(d jose.Dates) error {
	switch {
	case d.Expires == 0 || d.IssuedAt == 0:
		return errMissing
	case d.Expires <= d.IssuedAt || d.Expires <= d.NotBefore:
		return errDates
	case d.Expires-d.IssuedAt > int64(r.lifetime/time.Second):
		return errTooLong
	}
	return nil
}

// checkTime compares the dates with the clock. It does so on each use. A log-in
// from the future would be recent for ever, so auth_time counts too.
func (r *rules) checkTime(d jose.Dates, now time.Time) error {
	latest := now.Add(r.leeway)
	for _, date := range [...]int64{d.NotBefore, d.IssuedAt, d.AuthTime} {
		if time.Unix(date, 0).After(latest) {
			return errTooEarly
		}
	}
	if !now.Before(time.Unix(d.Expires, 0).Add(r.leeway)) {
		return ErrExpired
	}
	return nil
}
