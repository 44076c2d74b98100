// Package claims encodes the claims of access tokens, and checks which of them a
// verifier accepts.
package claims

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/authlatch/auth"
)

// Access are the claims of an access token (RFC 9068, 2.2). Times are in
// whole seconds there.
type Access struct {
	Issuer, Audience, ClientID, Subject string
	ID                                  string // jti
	SID                                 string // the LoginID
	Family                              string // fam; empty without a family
	Expires, IssuedAt                   time.Time
	AuthTime                            time.Time // zero if unknown
	Scopes, Methods                     auth.Words
	Application                         auth.Claims

	Actor        string   // act.sub
	ActorLoginID string   // act.sid, the actor's own login; only in own tokens
	Further      *Further // claims that most tokens do not have; nil: none. Encode ignores it
}

// Encode returns the payload of the token.
func (c *Access) Encode() ([]byte, error) {
	// The claims of the application join the others as text, so they must be
	// an object that shadows none of them.
	checked := auth.Identity{Subject: c.Subject, Scopes: c.Scopes, Methods: c.Methods, Claims: c.Application, Actor: c.Actor, ActorLoginID: c.ActorLoginID}
	if err := checked.Validate(); err != nil {
		return nil, err
	}
	if c.Issuer == "" || c.Audience == "" || c.ClientID == "" || c.ID == "" {
		return nil, errors.New("token: claims: issuer, audience, client or ID is missing")
	}
	payload, err := json.Marshal(c.registered())
	if err != nil {
		return nil, err
	}
	own := bytes.TrimSpace([]byte(c.Application))
	if len(own) == 0 || len(bytes.TrimSpace(own[1:len(own)-1])) == 0 {
		return payload, nil
	}
	return append(append(payload[:len(payload)-1], ','), own[1:]...), nil
}

// registered returns the claims of the library for encoding/json.
func (c *Access) registered() any {
	var authTime int64
	if !c.AuthTime.IsZero() {
		authTime = c.AuthTime.Unix()
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
		Act      *act       `json:"act,omitempty"`
	}{
		c.Issuer, c.Subject, c.Audience, c.ClientID, c.Expires.Unix(), c.IssuedAt.Unix(), c.ID,
		c.Scopes, authTime, slices.Collect(c.Methods.All()), c.SID, c.Family, c.act(),
	}
}
