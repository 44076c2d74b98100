package password_test

import (
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"net/http/httptest"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth/password"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/throttle"
)

// ASVS 5.0, 6.2.10: a password still verifies after ten years, and no setting or
// function makes it expire.
func TestPasswordsDoNotExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := weak(t, password.Config{})
		s := hash(t, h, "the right one")
		time.Sleep(10 * 365 * 24 * time.Hour)
		if err := h.Verify(t.Context(), s, "the right one"); err != nil || h.NeedsRehash(s) {
			t.Error(err)
		}
	})
	var names []string
	for field := range reflect.TypeFor[password.Config]().Fields() {
		names = append(names, field.Name)
	}
	for method := range reflect.TypeFor[*password.Hasher]().Methods() {
		names = append(names, method.Name)
		for in := range method.Type.Ins() {
			if in == reflect.TypeFor[time.Time]() || in == reflect.TypeFor[time.Duration]() {
				t.Errorf("%s is given a time", method.Name)
			}
		}
	}
	ofTime := regexp.MustCompile("(?i)expir|age$|history|since|until|period|days|lifetime")
	if i := slices.IndexFunc(names, ofTime.MatchString); i >= 0 || len(names) < 10 {
		t.Errorf("%q, %d names", names[max(i, 0)], len(names))
	}
}

// ASVS 5.0, 11.2.1: only the standard library and x/crypto process a password. Add
// another import here, deliberately.
func TestPrimitivesAreOfTheStandardLibraryAndXCrypto(t *testing.T) {
	allowed := []string{
		"crypto/fips140", "crypto/rand", "crypto/subtle", "encoding/base64",
		"golang.org/x/crypto/argon2", "golang.org/x/crypto/bcrypt", "golang.org/x/crypto/scrypt",
	}
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var imported []string
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), f.Name(), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range file.Imports {
			path := strings.Trim(i.Path.Value, `"`)
			if strings.ContainsAny(path, "./") && path != "unicode/utf8" && path != "github.com/authlatch/auth" {
				imported = append(imported, path)
			}
		}
	}
	slices.Sort(imported)
	if imported = slices.Compact(imported); !slices.Equal(imported, allowed) {
		t.Errorf("%q", imported)
	}
}

// ASVS 5.0, 6.3.1 and 6.3.8: behind a throttle, only 5 of many concurrent guesses are
// hashed, and 100 over any time; the same for an account that does not exist.
func TestGuessesBehindAThrottleAreFew(t *testing.T) {
	for _, who := range []string{"known", "unknown"} {
		synctest.Test(t, func(t *testing.T) {
			var hashed, clients atomic.Int64
			h := noting(t, password.NewIdle, password.Config{}, func(password.Call) { hashed.Add(1) })
			limiter, err := throttle.New(throttle.Config{Store: &store.Memory{}})
			if err != nil {
				t.Fatal(err)
			}
			stored := map[string]string{"known": hash(t, h, "the right one")}
			hashed.Store(0)
			guess := func() error {
				n := clients.Add(1) // each from an address of its own
				r := httptest.NewRequest("POST", "/login", nil)
				r.RemoteAddr = fmt.Sprintf("10.0.%d.%d:1", n>>8, n&255)
				return limiter.Try(httptest.NewRecorder(), r, who, func() error {
					return h.Verify(r.Context(), stored[who], "guess")
				})
			}
			var all sync.WaitGroup
			for range 64 {
				all.Go(func() { guess() })
			}
			all.Wait()
			if n := hashed.Load(); n != 5 {
				t.Errorf("%s: %d of 64 at once are hashed", who, n)
			}
			for range 200 {
				time.Sleep(2 * time.Hour)
				guess()
			}
			var many *throttle.Error
			if err := guess(); !errors.As(err, &many) || hashed.Load() != 100 {
				t.Errorf("%s: %d are hashed, and then %v", who, hashed.Load(), err)
			}
		})
	}
}
