package claims

import (
	"errors"
	"fmt"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/jose"
	"github.com/authlatch/auth/internal/strictjson"
)

// Rules say which claims a verifier accepts.
type Rules struct {
	Issuer, Audience string
	Leeway           time.Duration
	Lifetime         time.Duration // the most that exp may be after iat

	// The names under which the claims of RFC 9068 stand.
	AudienceClaim, ScopeClaim, ClientClaim string
	ScopeNamed, WithoutID, WithoutClient   bool
	Lenient                                bool              // see token.Foreign
	Required                               map[string]string // others, and their values
}

// OwnLifetime is how long an access token lives at most (RFC 6750, 5.3).
const OwnLifetime = time.Hour

// The longest strings that are taken as names of something.
const (
	MaxID       = 128 // jti, sid, fam
	maxClientID = 255
	MaxSubject  = 255
)

var (
	errClaimType = errors.New("token: claims: one is not of its type")
	ErrIssuer    = errors.New("token: claims: the issuer is another")
	ErrAudience  = errors.New("token: claims: the token is for others")
	errMissing   = errors.New("token: claims: one is missing")
	errBound     = errors.New("token: claims: the token is bound to a key, and needs a proof of it")
	errRequired  = errors.New("token: claims: one is not as required")
	errDates     = errors.New("token: claims: the dates contradict each other")
	errTooLong   = errors.New("token: claims: the token is valid for too long")
	errTooEarly  = errors.New("token: claims: the token is from the future")
)

// Parse reads the claims of a payload that has passed the envelope, and checks
// all but what depends on the time.
func (r *Rules) Parse(payload []byte, dates jose.Dates) (*Access, error) {
	var few [20]strictjson.Member // a token has more only with many facts in it
	m := appendMembers(few[:0], payload)
	if err := r.checkParties(m); err != nil {
		return nil, err
	}
	c := &Access{Issuer: r.Issuer, Audience: r.Audience}
	if err := r.fill(c, m); err != nil {
		return nil, err
	}
	c.Expires, c.IssuedAt = time.Unix(dates.Expires, 0), time.Unix(dates.IssuedAt, 0)
	if dates.AuthTime != 0 {
		c.AuthTime = time.Unix(dates.AuthTime, 0)
	}
	c.Application = m.application()
	probe := auth.Identity{Subject: c.Subject, Scopes: c.Scopes, Methods: c.Methods}
	if err := probe.Validate(); err != nil {
		return nil, fmt.Errorf("token: claims: %w", err)
	}
	if err := r.checkDates(dates); err != nil {
		return nil, err
	}
	return c, nil
}

// checkParties checks from whom and for whom the token is, and for what.
func (r *Rules) checkParties(m members) error {
	if !m.is("iss", r.Issuer) {
		return ErrIssuer
	}
	ours, err := m.names(r.AudienceClaim, r.Audience)
	if err != nil {
		return err
	}
	if !ours {
		return ErrAudience
	}
	if bound := m.get("cnf"); bound != nil && !(r.Lenient && string(bound) == "null") {
		return errBound
	}
	for name, value := range r.Required {
		if !m.is(name, value) {
			return errRequired
		}
	}
	return nil
}

// fill takes the claims that name something.
func (r *Rules) fill(c *Access, m members) error {
	for _, field := range [...]struct {
		to       *string
		name     string
		most     int
		Required bool
	}{
		{&c.Subject, "sub", MaxSubject, true},
		{&c.ClientID, r.ClientClaim, maxClientID, !r.WithoutClient},
		{&c.ID, "jti", MaxID, !r.WithoutID},
		{&c.SID, "sid", MaxID, false},
		{&c.Family, "fam", MaxID, false},
	} {
		text, err := m.text(field.name, field.most)
		if err != nil && (field.Required || !r.Lenient) {
			return err
		}
		if text == "" && field.Required {
			return errMissing
		}
		*field.to = text
	}
	return r.fillWords(c, m)
}

// fillWords takes the lists. An issuer may send an empty one.
func (r *Rules) fillWords(c *Access, m members) (err error) {
	scope := m.get(r.ScopeClaim)
	if r.Lenient {
		if r.ScopeNamed && scope != nil && scope[0] != '"' { // it is needed
			if _, err := m.words(r.ScopeClaim); err != nil {
				return err
			}
		}
		c.Scopes, c.Methods = m.lenientWords(r.ScopeClaim), m.lenientWords("amr")
		return nil
	}
	switch {
	case scope == nil:
	case scope[0] == '"':
		text, _ := scope.Text()
		c.Scopes = auth.Words(text)
	default:
		return errClaimType
	}
	c.Methods, err = m.words("amr")
	return err
}

// checkDates checks the dates against each other. That they are whole numbers
// in range, the envelope has checked; 0 is a date that is not there.
func (r *Rules) checkDates(d jose.Dates) error {
	switch {
	case d.Expires == 0 || d.IssuedAt == 0:
		return errMissing
	case d.Expires <= d.IssuedAt || d.Expires <= d.NotBefore:
		return errDates
	case d.Expires-d.IssuedAt > int64(r.Lifetime/time.Second):
		return errTooLong
	}
	return nil
}

// CheckStart compares the dates with the clock, on each use. A login from the
// future would be recent for ever, so auth_time counts too.
func (r *Rules) CheckStart(d jose.Dates, now time.Time) error {
	latest := now.Add(r.Leeway)
	for _, date := range [...]int64{d.NotBefore, d.IssuedAt, d.AuthTime} {
		if time.Unix(date, 0).After(latest) {
			return errTooEarly
		}
	}
	return nil
}

// Expired reports whether a token of these dates has expired.
func (r *Rules) Expired(d jose.Dates, now time.Time) bool {
	return !now.Before(time.Unix(d.Expires, 0).Add(r.Leeway))
}
