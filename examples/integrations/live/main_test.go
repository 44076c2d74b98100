package main

import (
	"bufio"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

// browser is one that is logged in as alice.
func browser(t *testing.T, server *httptest.Server) *http.Client {
	jar, _ := cookiejar.New(nil)
	client := &http.Client{Transport: server.Client().Transport, Jar: jar}
	post(t, client, server.URL+"/login", url.Values{"user": {"alice"}, "password": {"correct horse"}})
	return client
}

func post(t *testing.T, client *http.Client, url string, form url.Values) {
	t.Helper()
	response, err := client.PostForm(url, form)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatal(url, response.Status)
	}
}

func TestBothConnectionsEndWithTheLogin(t *testing.T) {
	sessions, err := session.New(session.Config{Store: &store.Memory{}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewTLSServer(routes(sessions))
	defer server.Close()
	for _, end := range []string{"/logout", "/logout-everywhere"} {
		client := browser(t, server)
		events, err := client.Get(server.URL + "/events")
		if err != nil {
			t.Fatal(err)
		}
		defer events.Body.Close()
		socket, _, err := websocket.Dial(t.Context(), server.URL+"/socket", &websocket.DialOptions{HTTPClient: client})
		if err != nil {
			t.Fatal(err)
		}
		defer socket.CloseNow()
		lines := bufio.NewScanner(events.Body)
		if lines.Scan(); !strings.HasPrefix(lines.Text(), "data: ") {
			t.Fatalf("%q", lines.Text())
		}
		if _, _, err := socket.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
		post(t, client, server.URL+end, nil)
		var last string
		for lines.Scan() {
			if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				last = name
			}
		}
		if last != "login-ended" {
			t.Errorf("%s: the last event is %q", end, last)
		}
		for err == nil {
			_, _, err = socket.Read(t.Context())
		}
		if websocket.CloseStatus(err) != loginEnded {
			t.Errorf("%s: the WebSocket ends with %v", end, err)
		}
	}
}

func TestNeitherOpensWithoutALogin(t *testing.T) {
	sessions, err := session.New(session.Config{Store: &store.Memory{}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewTLSServer(routes(sessions))
	defer server.Close()
	client := browser(t, server)
	post(t, client, server.URL+"/logout", nil)
	for _, path := range []string{"/events", "/socket"} {
		response, err := client.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusUnauthorized {
			t.Error(path, response.Status)
		}
	}
	// A page of another site does not open it with the cookie of the user.
	foreign := browser(t, server)
	header := http.Header{"Origin": {"https://evil.example"}}
	if _, response, err := websocket.Dial(t.Context(), server.URL+"/socket", &websocket.DialOptions{HTTPClient: foreign, HTTPHeader: header}); err == nil || response.StatusCode != http.StatusForbidden {
		t.Error("another site opens the WebSocket", err)
	}
}
