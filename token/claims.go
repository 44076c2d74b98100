package token

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/authlatch/auth"
)

// accessClaims are the claims of an access token (RFC 9068, 2.2). Times are in
// whole seconds there.
type accessClaims struct {
	issuer, audience, clientID, subject string
	id                                  string // jti
	sid                                 string // the LoginID
	family                              string // fam; empty if there is none
	expires, issuedAt                   time.Time
	authTime                            time.Time // zero if it is not known
	scopes, methods                     auth.Words
	claims                              auth.Claims
}

// encode returns the payload of the token.
func (c *accessClaims) encode() ([]byte, error) {
	// The claims of the application join the others as text, so they must be
	// an object that shadows none of them.
	checked := auth.Identity{Subject: c.subject, Scopes: c.scopes, Methods: c.methods, Claims: c.claims}
	if err := checked.Validate(); err != nil {
		return nil, err
	}
	if c.issuer == "" || c.audience == "" || c.clientID == "" || c.id == "" {
		return nil, errors.New("token: claims: issuer, audience, client or ID is missing")
	}
	payload, err := json.Marshal(c.registered())
	if err != nil {
		return nil, err
	}
	own := bytes.TrimSpace([]byte(c.claims))
	if len(own) == 0 || len(bytes.TrimSpace(own[1:len(own)-1])) == 0 {
		return payload, nil
	}
	return append(append(payload[:len(payload)-1], ','), own[1:]...), nil
}

// registered returns what encoding/json turns into the library's own claims.
func (c *accessClaims) registered() any {
	var authTime int64
	if !c.authTime.IsZero() {
		authTime = c.authTime.Unix()
	}
	return struct {
		Issuer   string     `json:"iss"`
		Subject  string     `json:"sub"`
		Audience string     `json:"aud"`
		ClientID string     `json:"client_id"`
		Expires  int64      `json:"exp"`
		IssuedAt int64      `json:"iat"`
		ID       string     `json:"jti"`
		Scopes   auth.Words `json:"scope,omitempty"`
		AuthTime int64      `json:"auth_time,omitempty"`
		Methods  []string   `json:"amr,omitempty"`
		LoginID  string     `json:"sid,omitempty"`
		Family   string     `json:"fam,omitempty"`
	}{
		c.issuer, c.subject, c.audience, c.clientID, c.expires.Unix(), c.issuedAt.Unix(), c.id,
		c.scopes, authTime, slices.Collect(c.methods.All()), c.sid, c.family,
	}
}
