package password_test

import (
	"bufio"
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/authlatch/auth/password"
)

// A service reports which passwords are known from breaches, and learns little about
// the password: a request has the first 5 digits of its digest, and the response has
// the rest of all digests with that prefix and how often each was seen.
func ExampleConfig_breached() {
	service := leaks("correct horse battery staple")
	defer service.Close()
	passwords, err := password.New(password.Config{Breached: askFor(service.URL)})
	if err != nil {
		panic(err)
	}
	for _, chosen := range []string{"correct horse battery staple", "seven geese in a cold kitchen"} {
		switch err := passwords.Check(context.Background(), chosen); {
		case err == nil:
			fmt.Println("200")
		case errors.Is(err, password.ErrBreached), errors.Is(err, password.ErrGuessable),
			errors.Is(err, password.ErrTooShort), errors.Is(err, password.ErrTooLong):
			fmt.Println("422:", err)
		default:
			fmt.Println("503") // the service is down, and nothing is chosen
		}
	}
	// Output:
	// 422: password: known from a data breach
	// 200
}

// askFor returns a client for such a service that limits its response. Use HTTPS.
func askFor(url string) func(context.Context, string) (bool, error) {
	client := &http.Client{Timeout: 5 * time.Second}
	return func(ctx context.Context, chosen string) (bool, error) {
		digest := fmt.Sprintf("%X", sha1.Sum([]byte(chosen)))
		r, err := http.NewRequestWithContext(ctx, "GET", url+"/range/"+digest[:5], nil)
		if err != nil {
			return false, err
		}
		r.Header.Set("Add-Padding", "true") // otherwise the length of the response reveals it
		res, err := client.Do(r)
		if err != nil {
			return false, errors.New("no answer") // err has the digits in it
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			return false, errors.New(res.Status)
		}
		lines := bufio.NewScanner(http.MaxBytesReader(nil, res.Body, 1<<20))
		for lines.Scan() {
			if rest, seen, _ := strings.Cut(lines.Text(), ":"); rest == digest[5:] && seen != "0" {
				return true, nil
			}
		}
		return false, lines.Err() // an answer that was cut off says nothing
	}
}

// leaks is such a service. Other lines of its response are padding, seen 0 times.
func leaks(known ...string) *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		prefix := strings.TrimPrefix(r.URL.Path, "/range/")
		for i := range 800 {
			fmt.Fprintf(w, "%035X:0\r\n", i)
		}
		for _, p := range known {
			if digest := fmt.Sprintf("%X", sha1.Sum([]byte(p))); digest[:5] == prefix {
				fmt.Fprintf(w, "%s:%d\r\n", digest[5:], 42)
			}
		}
	}))
}

// ASVS 5.0, 6.2.12. A password is breached only if the service reports it. If the
// service fails, Check fails: an application that accepts the password then has to do
// so explicitly.
func TestBreachServiceFailsClosed(t *testing.T) {
	const chosen = "k7Qz!m2Wp0xR_eL"
	digest := fmt.Sprintf("%X", sha1.Sum([]byte(chosen)))
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		want   string
	}{
		{"it is known", write(digest[5:] + ":3\r\n"), "known"},
		{"it is known, in the last line", write("0:1\r\n" + digest[5:] + ":3"), "known"},
		{"others are", write("0:1\r\n1:1\r\n"), "good"},
		{"it is padding", write(digest[5:] + ":0\r\n"), "good"},
		{"nothing is known", write(""), "good"},
		{"it is down", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(503) }, "no answer"},
		{"it asks to wait", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(429) }, "no answer"},
		{"it hangs up", func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, "no answer"},
		{"it hangs up after some lines", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "1000")
			io.WriteString(w, "0:1\r\n")
			panic(http.ErrAbortHandler)
		}, "no answer"},
		{"a line without an end", write(strings.Repeat("0", 1<<20)), "no answer"},
		{"more lines than it can have", write(strings.Repeat("0:1\r\n", 1<<18)), "no answer"},
		{"it does not answer in time", nil, "no answer"},
	} {
		t.Run(test.name, func(t *testing.T) {
			asked := make(chan string, 9)
			ctx, timeOut := context.WithCancel(t.Context())
			defer timeOut()
			service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked <- r.URL.String()
				if test.answer == nil {
					timeOut()
					<-r.Context().Done()
					return
				}
				test.answer(w, r)
			}))
			defer service.Close()
			err := weak(t, password.Config{Breached: askFor(service.URL)}).Check(ctx, chosen)
			got := "no answer"
			switch {
			case err == nil:
				got = "good"
			case errors.Is(err, password.ErrBreached):
				got = "known"
			case strings.Contains(err.Error(), chosen) || strings.Contains(err.Error(), digest[:5]):
				t.Errorf("the error contains the password: %v", err)
			}
			if got != test.want {
				t.Errorf("%s: %v", got, err)
			}
			if url := <-asked; url != "/range/"+digest[:5] || len(asked) != 0 {
				t.Errorf("it was asked for %s, and %d times more", url, len(asked))
			}
		})
	}
}

func write(answer string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, answer) }
}
