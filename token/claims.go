package token

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
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

// registeredClaims are the names that auth.NewClaims refuses. All others are
// the application's.
var registeredClaims = []string{
	"iss", "sub", "aud", "exp", "nbf", "iat", "jti",
	"client_id", "scope", "auth_time", "acr", "amr",
	"sid", "fam", "azp", "act", "may_act", "cnf",
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

// members are the claims of a payload that has passed the envelope: no name
// stands twice, and none differs from a registered one by case alone.
type members map[string]json.RawMessage

// text takes a claim that must be a string of 1 to most bytes if it is there.
func (m members) text(name string, most int) (string, error) {
	raw, there := m[name]
	if !there {
		return "", nil
	}
	text, ok := textOf(raw)
	if !ok || text == "" || len(text) > most {
		return "", errClaimType
	}
	return text, nil
}

// texts takes a claim that must be an array of strings if it is there.
func (m members) texts(name string) ([]string, error) {
	raw, there := m[name]
	if !there {
		return nil, nil
	}
	var elements []json.RawMessage
	if raw[0] != '[' || json.Unmarshal(raw, &elements) != nil {
		return nil, errClaimType
	}
	texts := make([]string, len(elements))
	for i, element := range elements {
		var ok bool
		if texts[i], ok = textOf(element); !ok {
			return nil, errClaimType
		}
	}
	return texts, nil
}

// textOrTexts takes a string or an array of strings.
func (m members) textOrTexts(name string) ([]string, error) {
	if text, ok := textOf(m[name]); ok {
		return []string{text}, nil
	}
	return m.texts(name)
}

// application takes what is left once the registered claims are taken away.
func (m members) application() (auth.Claims, error) {
	for _, name := range registeredClaims {
		delete(m, name)
	}
	if len(m) == 0 {
		return "", nil
	}
	text, err := json.Marshal(m)
	return auth.Claims(text), err
}

func textOf(raw json.RawMessage) (text string, ok bool) {
	if len(raw) == 0 || raw[0] != '"' {
		return "", false
	}
	return text, json.Unmarshal(raw, &text) == nil
}

// words joins words; that each is one is for Identity.Validate to see.
func words(list []string) (auth.Words, error) {
	for _, word := range list {
		if word == "" || strings.Contains(word, " ") {
			return "", errClaimType
		}
	}
	return auth.Words(strings.Join(list, " ")), nil
}

var errClaimType = errors.New("token: claims: one is not of its type")
