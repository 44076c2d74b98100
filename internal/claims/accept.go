package claims

import (
	"errors"
	"fmt"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/jose"
)

// Rules say which claims a verifier accepts.
type Rules struct {
	Issuer, Audience string
	Leeway           time.Duration
	Lifetime         time.Duration // maximum of exp - iat

	// The names of the claims of RFC 9068.
	AudienceClaim, SubjectClaim, ScopeClaim, ClientClaim string

	Foreign                 bool              // see token.Foreign
	ScopeNamed, ClientNamed bool              // by a field of token.Foreign
	Required                map[string]string // further claims, and their values, "" for any
}

// OwnLifetime is the maximum lifetime of an access token (RFC 6750, 5.3).
const OwnLifetime = time.Hour

// The maximum lengths of identifiers.
const (
	MaxID       = 128 // jti, sid, fam
	maxClientID = 255
	MaxSubject  = 255
)

// The errors of Parse and CheckStart.
var (
	errClaimType = errors.New("token: claims: a claim has the wrong type")
	ErrIssuer    = errors.New("token: claims: the token has another issuer")
	ErrAudience  = errors.New("token: claims: the token is for another audience")
	errMissing   = errors.New("token: claims: a claim is missing")
	errBound     = errors.New("token: claims: the token is bound to a key and needs a proof of possession")
	ErrActor     = errors.New("token: claims: act is not an actor with a sub, so it is unknown who acts for the subject")
	errRequired  = errors.New("token: claims: a claim does not have its required value")
	errDates     = errors.New("token: claims: the dates contradict each other")
	errTooLong   = errors.New("token: claims: the lifetime of the token is too long")
	errTooEarly  = errors.New("token: claims: a date of the token is in the future")
)

// Parse reads the claims of a verified token. It checks everything except what
// depends on the time.
func (r *Rules) Parse(verified jose.Verified) (Access, error) {
	m, dates := members(verified.Claims), verified.Dates
	if err := r.checkParties(m); err != nil {
		return Access{}, err
	}
	c := Access{Issuer: r.Issuer, Audience: r.Audience}
	if err := r.fill(&c, m); err != nil {
		return Access{}, err
	}
	c.Expires, c.IssuedAt = time.Unix(dates.Expires, 0), time.Unix(dates.IssuedAt, 0)
	if dates.AuthTime != 0 {
		c.AuthTime = time.Unix(dates.AuthTime, 0)
	}
	c.Application = m.application()
	if err := r.fillActors(&c, m); err != nil {
		return Access{}, err
	}
	probe := auth.Identity{Subject: c.Subject, Scopes: c.Scopes, Methods: c.Methods}
	if err := probe.Validate(); err != nil {
		return Access{}, fmt.Errorf("token: claims: %w", err)
	}
	if err := r.checkDates(dates); err != nil {
		return Access{}, err
	}
	return c, nil
}

// checkParties checks issuer, audience and purpose of the token.
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
	if bound := m.get("cnf"); bound != nil && !(r.Foreign && string(bound) == "null") {
		return errBound
	}
	for name, value := range r.Required {
		if !m.is(name, value) && (value != "" || !m.has(name)) {
			return errRequired
		}
	}
	return nil
}

// fill reads the claims that are identifiers.
func (r *Rules) fill(c *Access, m members) error {
	for _, field := range [...]struct {
		to       *string
		name     string
		most     int
		Required bool
	}{
		{&c.Subject, r.SubjectClaim, MaxSubject, true},
		{&c.ClientID, r.ClientClaim, maxClientID, r.ClientNamed || !r.Foreign},
		{&c.ID, "jti", MaxID, !r.Foreign},
		{&c.SID, "sid", MaxID, false},
		{&c.Family, "fam", MaxID, false},
	} {
		text, err := m.text(field.name, field.most)
		if err != nil && (field.Required || !r.Foreign) {
			return err
		}
		if text == "" && field.Required {
			return errMissing
		}
		*field.to = text
	}
	return r.fillWords(c, m)
}

// fillWords reads the lists of words. An issuer may send an empty list.
func (r *Rules) fillWords(c *Access, m members) (err error) {
	scope := m.get(r.ScopeClaim)
	if r.Foreign {
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

// checkDates checks the dates against each other. The envelope has checked that they
// are whole numbers in range; 0 is a missing date.
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

// CheckStart compares the dates with the clock, on each use. It checks auth_time, too,
// because a login in the future would count as recent until then.
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
