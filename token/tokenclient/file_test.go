package tokenclient_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/token/tokenclient"
)

// kept is what stands in the file of a Transport.
type kept struct {
	AccessToken  string    `json:"access_token"`
	RefreshToken string    `json:"refresh_token"`
	Generation   uint64    `json:"gen"`
	Expires      time.Time `json:"expires"`
	RefreshAfter time.Time `json:"refresh_after"`
	Attempt      string    `json:"attempt"`
}

func inFileAt(t testing.TB, path string) (k kept) {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	must(t, json.Unmarshal(text, &k))
	return k
}

func tokenFile(t testing.TB) string { return filepath.Join(t.TempDir(), "tokens") }

func TestTokensAreKeptInAFileOfTheirOwner(t *testing.T) {
	inBubble(func(t *testing.T) {
		s, path := newSite(t), tokenFile(t)
		client, tokens := s.loggedIn(inFile(path))
		info, err := os.Stat(path)
		must(t, err)
		if k := inFileAt(t, path); info.Mode().Perm() != 0o600 || k.RefreshToken != tokens.RefreshToken || k.Attempt != "" {
			t.Errorf("%v %+v", info.Mode(), k)
		}
		time.Sleep(expiry)
		gets(t, client, 200)
		k := inFileAt(t, path)
		if k.Generation != 1 || k.Attempt != "" || time.Until(k.Expires) != 10*time.Minute {
			t.Errorf("%+v", k)
		}
		// Another run of the program goes on from there.
		gets(t, s.client(inFile(path)), 200)
		s.sees(1, 2)
		folder, err := os.ReadDir(filepath.Dir(path))
		if err != nil || len(folder) != 1 {
			t.Errorf("%v %v", folder, err)
		}
		text, err := client.Clear()
		if _, stat := os.Stat(path); err != nil || text != k.RefreshToken || !os.IsNotExist(stat) {
			t.Errorf("%v %v", err, stat)
		}
		gets(t, client, ended)
		gets(t, s.client(inFile(path)), ended)
	})(t)
}

// 8: many requests of a program that has just started make one refresh.
func TestClient8StartsWithWhatIsKept(t *testing.T) {
	inBubble(func(t *testing.T) {
		s, path := newSite(t), tokenFile(t)
		s.loggedIn(inFile(path))
		time.Sleep(expiry)
		client := s.client(inFile(path))
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() { gets(t, client, 200) })
		}
		wg.Wait()
		s.sees(1, 10)
	})(t)
}

// 23: the attempt is in the file before it is sent. So a program that dies
// with the answer under way gets it again in its next life, however late.
func TestClient23AttemptIsKeptBeforeItIsSent(t *testing.T) {
	inBubble(func(t *testing.T) {
		j := &journal{}
		s, path := newSite(t, reportTo(j)), tokenFile(t)
		client, _ := s.loggedIn(inFile(path))
		time.Sleep(expiry)
		s.refresh = func(w http.ResponseWriter, r *http.Request) bool {
			if k := inFileAt(t, path); k.Attempt == "" || k.Attempt != r.Header.Get("Refresh-Attempt") {
				t.Errorf("the file has %q", k.Attempt)
			}
			s.issuer.RefreshHandler().ServeHTTP(httptest.NewRecorder(), r)
			w.WriteHeader(502)
			return true
		}
		gets(t, client, troubled)
		s.refresh = nil
		time.Sleep(time.Hour)
		next := s.client(inFile(path))
		gets(t, next, 200)
		if kinds := j.kinds(); !slices.Contains(kinds, auth.EventRecovered) || slices.Contains(kinds, auth.EventReuse) {
			t.Errorf("events %v", kinds)
		}
		gets(t, client, 200) // and the old one, if it was still valid after all
	})(t)
}

// What cannot be kept is not sent: without its attempt a lost answer would end
// the login. That is a failure, and does not end the login.
func TestAttemptThatCannotBeKeptIsNotSent(t *testing.T) {
	inBubble(func(t *testing.T) {
		s, path := newSite(t), tokenFile(t)
		client, _ := s.loggedIn(inFile(path))
		time.Sleep(9*time.Minute + 55*time.Second)
		must(t, os.Remove(path))
		must(t, os.MkdirAll(filepath.Join(path, "in the way"), 0o700))
		gets(t, client, 200) // it is good for 5 seconds more
		time.Sleep(6 * time.Second)
		gets(t, client, troubled)
		s.sees(0, 1)
		must(t, os.RemoveAll(path))
		must(t, os.WriteFile(path, []byte("half of"), 0o600)) // is replaced
		time.Sleep(2 * time.Second)
		gets(t, client, 200)
		if k := inFileAt(t, path); k.Generation != 1 {
			t.Errorf("%+v", k)
		}
	})(t)
}

// An answer that cannot be kept is got again when it can.
func TestAnswerThatCannotBeKeptIsGotAgain(t *testing.T) {
	inBubble(func(t *testing.T) {
		s, path := newSite(t), tokenFile(t)
		client, tokens := s.loggedIn(inFile(path))
		time.Sleep(expiry)
		before := ""
		s.refresh = func(w http.ResponseWriter, r *http.Request) bool {
			text, err := os.ReadFile(path)
			must(t, err)
			before = string(text)
			must(t, os.Remove(path))
			must(t, os.MkdirAll(filepath.Join(path, "in the way"), 0o700))
			return false
		}
		gets(t, client, troubled)
		s.refresh = nil
		must(t, os.RemoveAll(path))
		must(t, os.WriteFile(path, []byte(before), 0o600))
		time.Sleep(time.Hour)
		gets(t, client, 200)
		if k := inFileAt(t, path); k.Generation != 1 || k.RefreshToken == tokens.RefreshToken {
			t.Errorf("%+v", k)
		}
	})(t)
}

func TestLoginThatCannotBeKeptChangesNothing(t *testing.T) {
	s, path := newSite(t), tokenFile(t)
	client, tokens := s.loggedIn(inFile(path))
	must(t, os.Remove(path))
	must(t, os.MkdirAll(filepath.Join(path, "in the way"), 0o700))
	if client.SetTokens(issued(t, s.issuer)) == nil {
		t.Error("no error")
	}
	gets(t, client, 200)
	text, err := client.Clear()
	if err == nil || text != tokens.RefreshToken {
		t.Error("Logout does not say that the file is still there")
	}
	gets(t, client, ended)
}

// 11: several processes use one file. The second process takes what the first one
// has got.
func TestClient11ProcessesShareAFile(t *testing.T) {
	inBubble(func(t *testing.T) {
		s, path := newSite(t), tokenFile(t)
		a, tokens := s.loggedIn(inFile(path))
		b := s.client(inFile(path))
		time.Sleep(expiry)
		gets(t, a, 200)
		s.sees(1, 1)
		gets(t, b, 200)
		s.sees(0, 1)
		s.kill(inFileAt(t, path).AccessToken) // and now both at once
		var wg sync.WaitGroup
		for _, client := range []*tokenclient.Transport{a, b} {
			wg.Go(func() { gets(t, client, 200) })
		}
		wg.Wait()
		for range 20 {
			time.Sleep(expiry)
			for _, client := range []*tokenclient.Transport{a, b} {
				wg.Go(func() { gets(t, client, 200) })
			}
			wg.Wait()
		}
		if !good(s.issuer, inFileAt(t, path).RefreshToken) || tokens.RefreshToken == "" {
			t.Error("the login has ended")
		}
	})(t)
}

// 12: a logout in one process is one in all. A refresh that is under way in
// another brings nothing back.
func TestClient12LogoutInAnotherProcess(t *testing.T) {
	inBubble(func(t *testing.T) {
		s, path := newSite(t), tokenFile(t)
		a, _ := s.loggedIn(inFile(path))
		b := s.client(inFile(path))
		time.Sleep(expiry)
		s.refresh = func(http.ResponseWriter, *http.Request) bool {
			_, err := b.Clear() // and it is not even revoked
			must(t, err)
			return false
		}
		gets(t, a, ended)
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Error("the file is back")
		}
		s.refresh = nil
		gets(t, a, ended)

		a, _ = s.loggedIn(inFile(path))
		b = s.client(inFile(path))
		_, err := b.Clear()
		must(t, err)
		gets(t, a, 200) // it has a good access token
		time.Sleep(expiry)
		s.seen()
		gets(t, a, ended)
		s.sees(0, 0)
	})(t)
}

// Another login in another process is taken over, whichever generation it is
// of, and is not removed when the old one turns out to have ended. A request that
// waited for a refresh of the old one is not sent as the new one.
func TestNewLoginInAnotherProcessIsTakenOver(t *testing.T) {
	for rule, during := range map[string]bool{"before the refresh": false, "during the refresh": true} {
		t.Run(rule, inBubble(func(t *testing.T) {
			s, path := newSite(t), tokenFile(t)
			a, _ := s.loggedIn(inFile(path))
			time.Sleep(expiry)
			gets(t, a, 200) // generation 1
			b := s.client(inFile(path))
			logInAgain := func() {
				text, err := b.Clear()
				must(t, err)
				must(t, s.issuer.Revoke(t.Context(), text))
				must(t, b.SetTokens(issued(t, s.issuer))) // generation 0
			}
			if during {
				s.refresh = func(http.ResponseWriter, *http.Request) bool { s.refresh = nil; logInAgain(); return false }
				time.Sleep(expiry)
			} else {
				time.Sleep(expiry)
				logInAgain()
			}
			if during {
				gets(t, a, ended)
			}
			gets(t, a, 200)
			gets(t, b, 200)
			if k := inFileAt(t, path); !good(s.issuer, k.RefreshToken) {
				t.Error("the new login has ended")
			}
		}))
	}
}

// A clock that was wrong when the file was written costs a refresh at most.
func TestClockOfTheFileMayBeWrong(t *testing.T) {
	for _, off := range []time.Duration{-1000 * time.Hour, -time.Hour, time.Hour, 1000 * time.Hour} {
		inBubble(func(t *testing.T) {
			s, path := newSite(t), tokenFile(t)
			s.loggedIn(inFile(path))
			k := inFileAt(t, path)
			k.Expires, k.RefreshAfter = k.Expires.Add(off), k.RefreshAfter.Add(off)
			text, err := json.Marshal(k)
			must(t, err)
			must(t, os.WriteFile(path, text, 0o600))
			client := s.client(inFile(path))
			gets(t, client, 200)
			time.Sleep(time.Hour)
			gets(t, client, 200)
			if refreshes, _ := s.seen(); refreshes == 0 || refreshes > 2 {
				t.Errorf("%v: %d refreshes", off, refreshes)
			}
		})(t)
	}
}

func TestFilesThatAreNoTokensAreRefused(t *testing.T) {
	for rule, write := range map[string]func(path string) error{
		"open to others": func(path string) error { return os.WriteFile(path, []byte("{}"), 0o644) },
		"no JSON":        func(path string) error { return os.WriteFile(path, []byte("{"), 0o600) },
		"empty":          func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"a list":         func(path string) error { return os.WriteFile(path, []byte("[]"), 0o600) },
		"too large":      func(path string) error { return os.WriteFile(path, []byte("{}"+strings.Repeat(" ", 1<<20)), 0o600) },
	} {
		path := tokenFile(t)
		must(t, write(path))
		must(t, os.Chmod(path, map[bool]os.FileMode{true: 0o644, false: 0o600}[rule == "open to others"]))
		client, err := tokenclient.New(tokenclient.Config{Origins: []string{apiOrigin}, Refresh: tokenclient.RefreshAt(refreshURL, nil), File: path})
		if err == nil || client != nil || !strings.HasPrefix(err.Error(), "tokenclient: ") {
			t.Errorf("%s: %v", rule, err)
		}
	}
}
