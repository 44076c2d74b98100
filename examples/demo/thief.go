package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/token"
)

// The thief is a separate client inside of this program. It reads a cookie from a request
// of its victim, as malware on the victim's machine would, and sends it over HTTP from
// another client.

const thiefAgent = "thief"

// policyOf returns the policy of the cookie that the thief steals in a mode.
func policyOf(mode string) (cookie.Policy, bool) {
	switch mode {
	case sessionMode:
		return sessionCookie, true
	case tokenMode:
		return refreshCookie, true
	}
	return cookie.Policy{}, false
}

// steal copies the cookie. The response says whether there was one, and for how many ms a
// refresh of its owner returns no new one: the page waits for that.
func (d *demo) steal(w http.ResponseWriter, r *http.Request) {
	v, mode, ok := d.victim(w, r)
	if !ok {
		return
	}
	policy, _ := policyOf(mode)
	value, _, err := policy.Read(r)
	if err != nil {
		http.Error(w, "the cookie is malformed", http.StatusBadRequest)
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if value != "" {
		v.stolen[mode] = value
	}
	shown := legible(value)
	v.file(r.Header.Get(stepHeader), &exchange{visitor: v, From: "thief", Copied: &shown})
	writeJSON(w, map[string]any{
		"copied": value != "",
		"wait":   max(0, d.limits.grace-time.Since(v.renewed)).Milliseconds(),
	})
}

// use makes the thief send its cookie.
func (d *demo) use(w http.ResponseWriter, r *http.Request) {
	v, mode, ok := d.victim(w, r)
	if !ok {
		return
	}
	id := r.Header.Get(stepHeader)
	v.mu.Lock()
	stolen := v.stolen[mode]
	if stolen == "" {
		v.file(id, &exchange{visitor: v, From: "thief", Copied: new(string)})
	}
	v.mu.Unlock()
	if stolen != "" {
		newer, err := present(r, v.label, id, mode, stolen)
		if err != nil {
			http.Error(w, "the thief got no response", http.StatusServiceUnavailable)
			return
		}
		if newer != "" {
			v.mu.Lock()
			v.stolen[mode] = newer
			v.mu.Unlock()
		}
	}
	writeJSON(w, map[string]any{"used": stolen != ""})
}

// victim returns the visitor whose cookie is meant, or responds with an error.
func (d *demo) victim(w http.ResponseWriter, r *http.Request) (v *visitor, mode string, ok bool) {
	v, mode = d.visitors.of(r), r.PostFormValue("mode")
	if _, ok = policyOf(mode); !ok || v == nil || !stepID.MatchString(r.Header.Get(stepHeader)) {
		http.Error(w, "whose cookie, and which?", http.StatusBadRequest)
		return nil, "", false
	}
	return v, mode, true
}

// present sends a stolen cookie to this server, and returns the value of the cookie in the
// response, if any.
func present(r *http.Request, label, step, mode, stolen string) (newer string, err error) {
	policy, _ := policyOf(mode)
	method, path := http.MethodGet, "/session/me"
	if mode == tokenMode {
		method, path = http.MethodPost, "/token/refresh"
	}
	// The address that received the victim's request, not the one in its Host.
	here, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return "", errors.New("the request has come by no server")
	}
	query := url.Values{"visitor": {label}, "step": {step}}
	request, err := http.NewRequestWithContext(r.Context(), method, "http://"+here.String()+path+"?"+query.Encode(), nil)
	if err != nil {
		return "", err
	}
	request.Host = "localhost"
	request.Header.Set("User-Agent", thiefAgent)
	request.Header.Set("Cookie", policy.Name()+"="+stolen)
	if mode == tokenMode {
		request.Header.Set(token.AttemptHeader, rand.Text())
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second} // without a proxy
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10))
	for _, c := range response.Cookies() {
		if c.Name == policy.Name() && c.MaxAge >= 0 {
			newer = c.Value
		}
	}
	return newer, nil
}

// writeJSON writes JSON that no cache stores.
func writeJSON(w http.ResponseWriter, body any) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	json.NewEncoder(w).Encode(body)
}
