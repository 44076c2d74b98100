package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// freeAddr returns an unused address.
func freeAddr(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func get(t *testing.T, url, access string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+access)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func login(t *testing.T, issuerURL string) string {
	t.Helper()
	form := url.Values{"user": {"alice"}, "password": {"correct horse"}}
	response, err := http.PostForm(issuerURL+"/login", form)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var tokens struct {
		Access string `json:"access_token"`
	}
	if err := json.NewDecoder(response.Body).Decode(&tokens); err != nil {
		t.Fatal(err)
	}
	return tokens.Access
}

// waitUntilTheyListen returns when all addresses accept connections.
func waitUntilTheyListen(t *testing.T, ended <-chan error, addresses ...string) {
	t.Helper()
	for _, address := range addresses {
		for {
			conn, err := net.Dial("tcp", address)
			if err == nil {
				conn.Close()
				break
			}
			select {
			case err := <-ended:
				t.Fatalf("the services have ended: %v", err)
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
}

func TestTheServicesKnowEachOtherWhileTheKeysRotate(t *testing.T) {
	rotations := make(chan time.Time)
	c := config{
		issuer: freeAddr(t), shop: freeAddr(t), warehouse: freeAddr(t),
		rotations: rotations, access: time.Hour,
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, c) }()
	waitUntilTheyListen(t, ended, c.issuer, c.warehouse, c.shop)
	access := login(t, "http://"+c.issuer)
	uses := func() {
		t.Helper()
		if status, body := get(t, "http://"+c.shop+"/tea", access); status != http.StatusOK || body != "hello, alice: 7 boxes of tea\n" {
			t.Fatalf("the shop answers %d %q", status, body)
		}
		if status, _ := get(t, "http://"+c.warehouse+"/stock", access); status != http.StatusForbidden {
			t.Fatalf("the warehouse answers alice %d", status)
		}
	}
	uses()
	first := keys(t, c.issuer)
	select {
	case rotations <- time.Now():
	case err := <-ended:
		t.Fatalf("the services have ended: %v", err)
	}
	for rotated := false; !rotated; rotated = keys(t, c.issuer) != first { // meanwhile, and once after it
		uses()
	}
	uses()
	// Tokens of the previous key and of the current one are accepted, because a key is
	// published before it signs.
	for _, access := range []string{access, login(t, "http://"+c.issuer)} {
		if status, body := get(t, "http://"+c.shop+"/me", access); status != http.StatusOK || body != "hello, alice\n" {
			t.Errorf("after a rotation the shop answers %d %q", status, body)
		}
	}
	if status, _ := get(t, "http://"+c.shop+"/tea", "no token"); status != http.StatusUnauthorized {
		t.Errorf("the shop answers %d without a token", status)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func keys(t *testing.T, issuer string) string {
	t.Helper()
	status, body := get(t, "http://"+issuer+"/jwks.json", "")
	if status != http.StatusOK || strings.Contains(body, `"d"`) {
		t.Fatalf("the keys: %d", status)
	}
	return body
}
