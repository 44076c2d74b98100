package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/authlatch/auth"
)

// A request in progress is completed when the program is asked to end.
func TestTheSiteEndsInGoodOrder(t *testing.T) {
	s, _ := siteOver(t, nil, auth.Limits{})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.serve(ctx, listener, stopping{func() {}}) }()
	res, err := http.Get("http://" + listener.Addr().String() + "/static/style.css")
	if err != nil {
		t.Fatal(err)
	}
	stop()
	text, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil || len(text) == 0 || res.StatusCode != 200 {
		t.Error(res.StatusCode, len(text), err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestFlagsAreReadAsTheyAreMeant(t *testing.T) {
	if u, err := publicURL("https://shop.example/", nil); err != nil || u != "https://shop.example" {
		t.Errorf("%q, %v", u, err)
	}
	if n, err := parseNetworks("10.0.0.1,2001:db8::1,192.168.0.0/16"); err != nil || len(n) != 3 || n[0].Bits() != 32 || n[1].Bits() != 128 {
		t.Errorf("%v, %v", n, err)
	}
}

func TestFlagsThatCannotWorkAreErrors(t *testing.T) {
	dir := t.TempDir()
	short := filepath.Join(dir, "short.key")
	if err := os.WriteFile(short, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*options){
		"networks of proxies":  func(o *options) { o.proxies = "10.0.0" },
		"a URL without https":  func(o *options) { o.url = "shop.example" },
		"a URL in the clear":   func(o *options) { o.url = "http://shop.example" },
		"a URL with a query":   func(o *options) { o.url = "https://shop.example/?a" },
		"a URL with a user":    func(o *options) { o.url = "https://shop.example@evil.example" },
		"no URL for mails":     func(o *options) { o.addr = ":0" },
		"staff without a mail": func(o *options) { o.staff = "notamail" },
		"a missing folder":     func(o *options) { o.sqlite = filepath.Join(dir, "none", "site.db") },
		"a key that is short":  func(o *options) { o.keyFile = short },
		"a database elsewhere": func(o *options) { o.postgres = "postgres://127.0.0.1:1/none?connect_timeout=1" },
		"an address in use":    func(o *options) { o.addr = "256.0.0.1:1" },
	} {
		o := options{addr: "127.0.0.1:0", sqlite: filepath.Join(dir, "site.db"), keyFile: filepath.Join(dir, "site.key")}
		change(&o)
		if err := run(t.Context(), o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for _, file := range []string{"site.db", "site.key"} {
		info, err := os.Stat(filepath.Join(dir, file))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", file, info.Mode(), err)
		}
	}
}

// Several processes of a new site start at once, and must agree on one key.
func TestProcessesThatMakeTheKeyAtOnceHaveTheSame(t *testing.T) {
	for range 100 {
		folder := t.TempDir()
		file := filepath.Join(folder, "site.key")
		keys := make([][]byte, 4)
		var all sync.WaitGroup
		for i := range keys {
			all.Go(func() {
				var err error
				if keys[i], err = loadKey(file); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		kept, err := os.ReadFile(file)
		for _, key := range keys {
			if err != nil || len(kept) != 32 || !bytes.Equal(key, kept) {
				t.Fatalf("%d bytes and not those of the file, %d, %v", len(key), len(kept), err)
			}
		}
		if rest, err := os.ReadDir(folder); err != nil || len(rest) != 1 {
			t.Fatal(rest, err)
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Fatal(info, err)
		}
	}
}
