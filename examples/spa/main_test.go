package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/authlatch/auth/cookie"
)

func TestThePageAndItsPartsAreServed(t *testing.T) {
	handler, err := newHandler("https://app.example", cookie.Refresh(), time.Hour, 3*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	defer server.Close()
	for path, want := range map[string]string{
		"/": "<!DOCTYPE html>", "/page.js": "createClient", "/style.css": "color-scheme", "/authlatch.js": "export function createClient",
	} {
		response, err := http.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("GET %s: %d %v", path, response.StatusCode, err)
		}
	}
}

func TestTheFlagsOfTheExampleWork(t *testing.T) {
	if _, err := newHandler("http://localhost:8080", cookie.Refresh().Insecure(), 5*time.Second, 30*time.Second); err != nil {
		t.Error(err)
	}
}
