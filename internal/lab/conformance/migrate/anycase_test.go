package migrate

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"github.com/authlatch/auth/store"
)

// anyCase is a store of scs that finds a token in any case and with spaces behind it, as a
// CHAR column does in the default collation of MySQL.
type anyCase struct{ scs.Store }

func unify(token string) string { return strings.ToLower(strings.TrimRight(token, " ")) }

func (s anyCase) Find(token string) ([]byte, bool, error) { return s.Store.Find(unify(token)) }
func (s anyCase) Delete(token string) error               { return s.Store.Delete(unify(token)) }
func (s anyCase) Commit(token string, b []byte, expiry time.Time) error {
	return s.Store.Commit(unify(token), b, expiry)
}

// A thief with a copy of the cookie comes after the user and writes it in another way.
func TestAnSCSTokenInAnotherCaseIsTakenOverOnce(t *testing.T) {
	old := scs.New()
	old.Store = anyCase{memstore.NewWithCleanupInterval(0)}
	s := &store.Memory{}
	after := move(old, newSessions(t, s), s, time.Now().Add(time.Hour))
	alice := &visitor{cookies: map[string]string{}}
	alice.send(withSCS(old), "POST", "/login", url.Values{"user": {"alice"}, "password": {"correct horse"}})
	value := alice.cookies[old.Cookie.Name]
	for i, written := range []string{value, strings.ToUpper(value), strings.ToLower(value), `"` + value + ` "`} {
		r := httptest.NewRequest("GET", "https://app.example/me", nil)
		r.Header.Set("Cookie", old.Cookie.Name+"="+written)
		w := httptest.NewRecorder()
		after.ServeHTTP(w, r)
		if (w.Code == http.StatusOK) != (i == 0) {
			t.Errorf("%d: status %d", i, w.Code)
		}
	}
}
