package token

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/jose"
)

// rules say which claims a verifier accepts.
type rules struct {
	issuer, audience string
	leeway           time.Duration
	lifetime         time.Duration // the most that exp may be after iat

	// The names under which the claims of RFC 9068 stand.
	audienceClaim, scopeClaim, clientClaim string
	scopeArray, withoutID                  bool
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
	errIssuer   = errors.New("token: claims: the issuer is another")
	errAudience = errors.New("token: claims: the token is for others")
	errMissing  = errors.New("token: claims: one is missing")
	errBound    = errors.New("token: claims: the token is bound to a key, and needs a proof of it")
	errRequired = errors.New("token: claims: one is not as required")
	errDates    = errors.New("token: claims: the dates contradict each other")
	errTooLong  = errors.New("token: claims: the token is valid for too long")
	errTooEarly = errors.New("token: claims: the token is from the future")
)

// parse reads the claims of a payload that has passed the envelope, and checks
// all but what depends on the time.
func (r *rules) parse(payload []byte, dates jose.Dates) (*accessClaims, error) {
	var m members
	if err := json.Unmarshal(payload, &m); err != nil {
		return nil, errClaimType
	}
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
	var err error
	if c.claims, err = m.application(); err != nil {
		return nil, err
	}
	probe := auth.Identity{Subject: c.subject, Scopes: c.scopes, Methods: c.methods}
	if err := probe.Validate(); err != nil {
		return nil, fmt.Errorf("token: claims: %w", err)
	}
	return c, r.checkDates(dates)
}

// checkParties checks from whom and for whom the token is, and for what.
func (r *rules) checkParties(m members) error {
	if issuer, ok := textOf(m["iss"]); !ok || issuer != r.issuer {
		return errIssuer
	}
	audience, err := m.textOrTexts(r.audienceClaim)
	if err != nil {
		return err
	}
	if !slices.Contains(audience, r.audience) {
		return errAudience
	}
	if _, bound := m["cnf"]; bound {
		return errBound
	}
	for name, value := range r.required {
		if text, ok := textOf(m[name]); !ok || text != value {
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
		{&c.clientID, r.clientClaim, maxClientID, true},
		{&c.id, "jti", maxID, !r.withoutID},
		{&c.sid, "sid", maxID, false},
		{&c.family, "fam", maxID, false},
	} {
		text, err := m.text(field.name, field.most)
		if err != nil {
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
func (r *rules) fillWords(c *accessClaims, m members) error {
	if scope, ok := textOf(m[r.scopeClaim]); ok {
		c.scopes = auth.Words(scope)
	} else if _, there := m[r.scopeClaim]; there && !r.scopeArray {
		return errClaimType
	} else if scopes, err := m.texts(r.scopeClaim); err != nil {
		return err
	} else if c.scopes, err = words(scopes); err != nil {
		return err
	}
	methods, err := m.texts("amr")
	if err != nil {
		return err
	}
	c.methods, err = words(methods)
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
