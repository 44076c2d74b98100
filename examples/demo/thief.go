package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/authlatch/auth/token"
)

// The thief is a separate client inside of this program. It reads credentials from a
// request of its victim, as malware on the victim's machine would, and sends them over
// HTTP from another client.
const thiefAgent = "thief"

// The credentials that the thief can steal.
const (
	sessionCredential = "session"
	accessCredential  = "access"
	refreshCredential = "refresh"
)

// loot is a stolen credential.
type loot struct{ value, loginID string }

// steal copies the credentials of a mode from this request: cookies, and the access token
// in the Authorization header.
func (d *demo) steal(w http.ResponseWriter, r *http.Request) {
	v, mode, ok := d.victim(w, r)
	if !ok {
		return
	}
	found := map[string]string{}
	var err error
	if mode == sessionMode {
		found[sessionCredential], _, err = sessionCookie.Read(r)
	} else {
		found[refreshCredential], _, err = refreshCookie.Read(r)
		found[accessCredential], _ = strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	}
	if err != nil {
		http.Error(w, "the cookie is malformed", http.StatusBadRequest)
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	copied := false
	for _, what := range []string{sessionCredential, accessCredential, refreshCredential} {
		if found[what] == "" {
			continue
		}
		copied = true
		shown := legible(found[what])
		v.stolen[what] = loot{found[what], v.logins[mode].LoginID}
		v.file(r.Header.Get(stepHeader), &exchange{visitor: v, From: "thief", Copied: &shown, What: what})
	}
	if !copied {
		v.file(r.Header.Get(stepHeader), &exchange{visitor: v, From: "thief", Copied: new(string)})
	}
	writeJSON(w, map[string]any{"copied": copied})
}

// use makes the thief send a stolen credential: a session or an access token to both APIs,
// a refresh token to the login server.
func (d *demo) use(w http.ResponseWriter, r *http.Request) {
	v, _, ok := d.victim(w, r)
	if !ok {
		return
	}
	step, what := r.Header.Get(stepHeader), r.PostFormValue("with")
	v.mu.Lock()
	stolen, ok := v.stolen[what]
	if !ok {
		v.file(step, &exchange{visitor: v, From: "thief", Copied: new(string)})
	}
	v.mu.Unlock()
	if ok {
		if err := d.present(r, v, what, stolen); err != nil {
			http.Error(w, "the thief got no response", http.StatusServiceUnavailable)
			return
		}
	}
	writeJSON(w, map[string]any{"used": ok})
}

// victim returns the visitor whose credentials are meant, or responds with an error.
func (d *demo) victim(w http.ResponseWriter, r *http.Request) (v *visitor, mode string, ok bool) {
	v, mode = d.visitors.of(r), r.PostFormValue("mode")
	known := mode == sessionMode || mode == tokenMode
	if !known || v == nil || !stepID.MatchString(r.Header.Get(stepHeader)) {
		http.Error(w, "whose credentials, and which?", http.StatusBadRequest)
		return nil, "", false
	}
	return v, mode, true
}

// present sends a stolen credential. After a refresh the thief has the new tokens.
func (d *demo) present(r *http.Request, v *visitor, what string, stolen loot) error {
	switch what {
	case sessionCredential:
		cookie := http.Header{"Cookie": {sessionCookie.Name() + "=" + stolen.value}}
		return d.callBoth(r, v, "/session/me", cookie)
	case accessCredential:
		return d.callBoth(r, v, "/token/me", http.Header{"Authorization": {"Bearer " + stolen.value}})
	}
	response, body, err := request(r, v, http.MethodPost, d.at.login+"/token/refresh", http.Header{
		"Cookie": {refreshCookie.Name() + "=" + stolen.value}, token.AttemptHeader: {rand.Text()},
	})
	if err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, c := range response.Cookies() {
		if c.Name == refreshCookie.Name() && c.MaxAge >= 0 {
			v.stolen[refreshCredential] = loot{c.Value, stolen.loginID}
		}
	}
	var tokens struct {
		Access string `json:"access_token"`
	}
	if json.Unmarshal(body, &tokens); tokens.Access != "" {
		v.stolen[accessCredential] = loot{tokens.Access, stolen.loginID}
	}
	return nil
}

func (d *demo) callBoth(r *http.Request, v *visitor, path string, header http.Header) error {
	for _, server := range []string{d.at.a, d.at.b} {
		if _, _, err := request(r, v, http.MethodGet, server+path, header); err != nil {
			return err
		}
	}
	return nil
}

// request sends a request of the thief, which belongs to the step of r.
func request(r *http.Request, v *visitor, method, address string, header http.Header) (response *http.Response, body []byte, err error) {
	query := url.Values{"visitor": {v.label}, "step": {r.Header.Get(stepHeader)}}
	request, err := http.NewRequestWithContext(r.Context(), method, address+"?"+query.Encode(), nil)
	if err != nil {
		return nil, nil, err
	}
	for name, values := range header {
		request.Header[name] = values
	}
	request.Header.Set("User-Agent", thiefAgent)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second} // without a proxy
	if response, err = client.Do(request); err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	body, err = io.ReadAll(io.LimitReader(response.Body, 64<<10))
	return response, body, err
}

// expiry returns when an access token expires, by its own claims.
func expiry(access string) time.Time {
	var says struct {
		Expires int64 `json:"exp"`
	}
	if json.Unmarshal(payload(access), &says) != nil {
		return time.Time{}
	}
	return time.Unix(says.Expires, 0)
}

// payload returns the claims of a JWT, or nil.
func payload(jwt string) []byte {
	_, rest, _ := strings.Cut(jwt, ".")
	middle, _, _ := strings.Cut(rest, ".")
	text, err := base64.RawURLEncoding.DecodeString(middle)
	if err != nil {
		return nil
	}
	return text
}

// writeJSON writes JSON that no cache stores.
func writeJSON(w http.ResponseWriter, body any) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	json.NewEncoder(w).Encode(body)
}
