package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/authlatch/auth/token"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// started returns the addresses of an API and its authorization server.
func started(t *testing.T) (resource, login string) {
	var api, server http.Handler
	apiServer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { api.ServeHTTP(w, r) }))
	t.Cleanup(apiServer.Close)
	loginServer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { server.ServeHTTP(w, r) }))
	t.Cleanup(loginServer.Close)
	resource, login = apiServer.URL+"/mcp", loginServer.URL
	var err error
	server, err = newAuthorizationServer(login, resource)
	check(t, err)
	keys, err := token.NewRemoteKeySet(login+"/jwks", token.RemoteConfig{})
	check(t, err)
	t.Cleanup(func() { check(t, keys.Close()) })
	api, err = newAPI(resource, login, keys)
	check(t, err)
	return resource, login
}

func call(t *testing.T, resource, accessToken string) (*http.Response, map[string]any) {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, resource, strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`))
	check(t, err)
	if accessToken != "" {
		r.Header.Set("Authorization", "Bearer "+accessToken)
	}
	return fetch(t, r)
}

func get(t *testing.T, address string) map[string]any {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, address, nil)
	check(t, err)
	response, body := fetch(t, r)
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("%s: %s %s", address, response.Status, response.Header.Get("Content-Type"))
	}
	return body
}

func fetch(t *testing.T, r *http.Request) (*http.Response, map[string]any) {
	t.Helper()
	response, err := http.DefaultClient.Do(r)
	check(t, err)
	defer response.Body.Close()
	var body map[string]any
	json.NewDecoder(response.Body).Decode(&body) // a 401 may have no body
	return response, body
}

var metadataParameter = regexp.MustCompile(`[ ,]resource_metadata="([^"]+)"`)

// RFC 9728, 5: a client that knows the address of the API finds everything else from its
// 401.
func TestClientFollowsTheChallenge(t *testing.T) {
	resource, login := started(t)
	refused, _ := call(t, resource, "")
	found := metadataParameter.FindStringSubmatch(refused.Header.Get("WWW-Authenticate"))
	if refused.StatusCode != http.StatusUnauthorized || found == nil {
		t.Fatalf("%s %q", refused.Status, refused.Header.Get("WWW-Authenticate"))
	}
	about := get(t, found[1])
	if about["resource"] != resource { // RFC 9728, 3.3: the client must compare it
		t.Fatalf("the document is about %v", about["resource"])
	}
	server := about["authorization_servers"].([]any)[0].(string)
	endpoints := get(t, server+"/.well-known/oauth-authorization-server")
	if server != login || endpoints["issuer"] != server { // RFC 8414, 3.3
		t.Fatalf("the document of %s is about %v", server, endpoints["issuer"])
	}
	form := url.Values{"grant_type": {"client_credentials"}, "resource": {resource}}
	r, err := http.NewRequest(http.MethodPost, endpoints["token_endpoint"].(string), strings.NewReader(form.Encode()))
	check(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("agent", "secret")
	_, tokens := fetch(t, r)
	accessToken, _ := tokens["access_token"].(string)
	response, body := call(t, resource, accessToken)
	result, _ := body["result"].(map[string]any)
	if response.StatusCode != http.StatusOK || result["caller"] != "agent" || tokens["refresh_token"] != nil {
		t.Errorf("%s %v", response.Status, body)
	}
}

// RFC 8707: the authorization server issues no token for another API.
func TestTokenForAnotherResourceIsNotIssued(t *testing.T) {
	other, _ := started(t)
	form := url.Values{"grant_type": {"client_credentials"}, "resource": {other}}
	_, login := started(t)
	r, err := http.NewRequest(http.MethodPost, login+"/token", strings.NewReader(form.Encode()))
	check(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("agent", "secret")
	if response, body := fetch(t, r); response.StatusCode != http.StatusBadRequest || body["error"] != "invalid_target" {
		t.Errorf("%s %v", response.Status, body)
	}
}
