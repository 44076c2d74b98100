package simulate

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/token"
)

// world is one login, with its browser, hosts, store and thief.
type world struct {
	rng     *mathrand.Rand
	flavour flavour
	began   time.Time
	trace   []string
	totals  Totals
	broken  error // an invariant that was broken in the middle of a step

	// The hosts and their store.
	backend  *outside
	keys     *token.KeySet
	handlers []map[string]http.Handler // of each host, by path
	serving  []*process
	current  *process
	faults   bool
	family   string // the key of its record, and what was last written there
	before   []byte
	after    []byte
	ttl      time.Duration

	// The network.
	requests []*request
	answers  []answer

	// The browser: one cookie jar and one storage for all tabs.
	jar     string
	storage struct {
		generation uint64
		attempt    string
	}
	tabs    []*tab
	leftFor bool // it has asked to log out

	loggedOut bool // a logout was answered
	thief     thief
	killed    int               // events
	opened    time.Time         // the grace period began here or later,
	renewed   time.Time         // and here or earlier
	tokens    map[uint64]string // the refresh token of each generation
}

type tab struct {
	number     int
	waits      bool
	generation uint64
}

const cookieName = "__Host-Http-refresh"

func newWorld(backend *outside, rng *mathrand.Rand) *world {
	w := &world{
		rng: rng, backend: backend, began: time.Now(), totals: make(Totals),
		flavour: flavour(rng.IntN(int(flavours))),
		tabs:    []*tab{{number: 1}, {number: 2}, {number: 3}},
		tokens:  make(map[uint64]string),
	}
	w.faults = w.flavour != failover
	return w
}

// logIn starts two hosts and logs in at the first one.
func (w *world) logIn() error {
	keys, err := token.NewKeySet(token.HS256) // cheap: this is not about signatures
	if err != nil {
		return err
	}
	w.keys = keys
	subject := "simulate:" + rand.Text() // the store may serve others
	for host := range 2 {
		issuer, err := token.NewIssuer(token.IssuerConfig{
			Keys: keys, Store: faulty{w}, Issuer: "https://app.example", Audience: "api", ClientID: "app",
			Limits: limits, Events: w.event,
		})
		if err != nil {
			return err
		}
		w.handlers = append(w.handlers, map[string]http.Handler{"/refresh": issuer.RefreshHandler(), "/logout": issuer.LogoutHandler()})
		if host > 0 {
			continue
		}
		recorder := httptest.NewRecorder()
		if err := issuer.Login(recorder, httptest.NewRequest(http.MethodPost, "https://app.example/login", nil), auth.Identity{Subject: subject}); err != nil {
			return err
		}
		w.jar = setCookie(recorder)
		w.tokens[0] = w.jar
	}
	return nil
}

func (w *world) event(_ context.Context, e auth.Event) {
	w.totals["event "+string(e.Kind)]++
	if w.current != nil {
		w.current.reported = true
	}
	w.note("event: %s", e.Kind)
	switch e.Kind {
	case auth.EventReuse:
		w.killed++
		w.note("REUSE %s", e.Reason)
		if w.flavour != theft {
			w.broken = errors.New("an honest login was ended as stolen")
		}
		if w.killed > 1 {
			w.broken = errors.New("one theft was reported twice")
		}
	case auth.EventRecovered, auth.EventHealed:
		w.noteGracePeriod()
	case auth.EventRenewed:
		// There is at most one rotation in a grace period. Its time is taken before
		// the swap, which may take as long as a message.
		if since := time.Since(w.renewed); w.flavour != failover && since < gracePeriod-inFlight {
			w.broken = fmt.Errorf("rotated again after %v", since)
		}
		w.noteGracePeriod()
	}
}

// opens records that a grace period has begun while a host was serving a request.
func (w *world) noteGracePeriod() {
	w.renewed = time.Now()
	if w.opened = w.renewed; w.current != nil {
		w.opened = w.current.began
	}
}

func (w *world) idleTab() *tab {
	t := w.tabs[w.rng.IntN(len(w.tabs))]
	if t.waits {
		return nil
	}
	return t
}

// attempt follows the rules for clients: one idempotency key for all tabs, kept until
// there is a response, and replaced by a page that knows a later generation.
func (w *world) attempt(t *tab) string {
	if w.storage.attempt == "" || t.generation > w.storage.generation {
		w.storage.generation, w.storage.attempt = max(w.storage.generation, t.generation), newAttempt()
	}
	return w.storage.attempt
}

func newAttempt() string {
	var b [16]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// send makes a tab refresh.
func (w *world) send(t *tab) {
	t.waits = true
	w.note("tab %d refreshes %s", t.number, w.generation(w.jar))
	w.requests = append(w.requests, &request{sent: time.Now(), from: t, path: "/refresh", cookie: w.jar, attempt: w.attempt(t)})
	w.totals["refreshes"]++
}

// arrive delivers a request to a host once, twice, or not at all.
func (w *world) arrive() error {
	r := take(&w.requests, w.rng)
	switch w.rng.IntN(20) {
	case 0:
		w.note("a request is lost")
		w.totals["requests lost"]++
		w.lose(r)
		return nil
	case 1:
		w.note("a request is sent twice")
		w.totals["requests sent twice"]++
		double := *r
		double.from = nil
		w.serving = append(w.serving, w.start(&double))
	}
	w.serving = append(w.serving, w.start(r))
	return nil
}

// serve runs a host up to its next store call.
func (w *world) serve() error {
	i := w.rng.IntN(len(w.serving))
	w.step(w.serving[i])
	return w.broken
}

func (w *world) step(p *process) {
	w.current = p
	_, more := p.next()
	w.current = nil
	if !more {
		w.serving = remove(w.serving, p)
	}
}

// answer delivers a response to the browser, or loses it.
func (w *world) answer() error {
	a := take(&w.answers, w.rng)
	if a.path == "/logout" && a.Code == http.StatusNoContent {
		w.loggedOut = true
	}
	if w.rng.IntN(12) == 0 && w.flavour != failover {
		w.note("an answer is lost: %d", a.Code)
		w.totals["answers lost"]++
		w.lose(a.request)
		return nil
	}
	return w.deliver(a)
}

// deliver handles a response in the browser.
func (w *world) deliver(a answer) error {
	w.note("an answer: %d %s%s to %s", a.Code, problemType(a.ResponseRecorder), w.generation(setCookie(a.ResponseRecorder)), w.generation(a.cookie))
	if a.Code != http.StatusOK && a.path == "/refresh" && a.Header().Get("Set-Cookie") != "" {
		return errors.New("a failed refresh sets a cookie")
	}
	if a.Code == http.StatusServiceUnavailable && !a.process.failed {
		w.totals["503 without a failure of the store"]++
	}
	if a.Code == http.StatusOK && a.wrote && !a.reported && !a.process.failed && a.cookie != setCookie(a.ResponseRecorder) {
		return errors.New("a retry has written, and so extended its grace period")
	}
	if a.thief {
		return w.thieve(a)
	}
	if a.from == nil {
		return nil // a duplicated request, whose response no client receives
	}
	a.from.waits = false
	switch a.Code {
	case http.StatusOK:
		return w.refreshed(a)
	case http.StatusUnauthorized:
		if w.flavour != theft && !w.leftFor {
			return fmt.Errorf("an honest browser was logged out: %s", problemType(a.ResponseRecorder))
		}
		w.storage.attempt = ""
	case http.StatusServiceUnavailable:
		if !w.faults && w.flavour != failover {
			return errors.New("503 without a store failure")
		}
	case http.StatusNoContent:
		w.jar = ""
	default:
		return fmt.Errorf("a response of status %d", a.Code)
	}
	return nil
}

func (w *world) refreshed(a answer) error {
	generation, err := w.learn(a.ResponseRecorder)
	if err != nil {
		return err
	}
	w.totals["refreshes answered"]++
	w.jar = setCookie(a.ResponseRecorder)
	if w.rng.IntN(15) == 0 {
		w.note("tab %d dies before it has cleaned up", a.from.number)
		w.totals["pages that died"]++
		a.from.generation = 0
		return nil
	}
	a.from.generation = max(a.from.generation, generation)
	if w.storage.attempt == a.attempt {
		w.storage.generation, w.storage.attempt = generation, ""
	}
	return nil
}

// learn checks that a generation has only one refresh token in all responses.
func (w *world) learn(recorder *httptest.ResponseRecorder) (generation uint64, err error) {
	var body struct {
		Generation  uint64 `json:"gen"`
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(recorder.Body.Bytes(), &body); err != nil || body.AccessToken == "" {
		return 0, fmt.Errorf("a malformed response: %v", err)
	}
	text := setCookie(recorder)
	if known, ok := w.tokens[body.Generation]; ok && known != text {
		return 0, fmt.Errorf("two refresh tokens of generation %d", body.Generation)
	}
	w.tokens[body.Generation] = text
	return body.Generation, nil
}

// lose drops a message: the client sees a network error
// and keeps its attempt.
func (w *world) lose(r *request) {
	if r.from != nil {
		r.from.waits = false
	}
}

// quiet reports whether no message is in transit.
func (w *world) quiet() bool {
	return len(w.requests)+len(w.serving)+len(w.answers) == 0
}

func setCookie(recorder *httptest.ResponseRecorder) string {
	for _, c := range recorder.Result().Cookies() {
		if c.Name == cookieName {
			return c.Value
		}
	}
	return ""
}

func problemType(recorder *httptest.ResponseRecorder) string {
	var problem struct{ Type, Reason string }
	json.Unmarshal(recorder.Body.Bytes(), &problem)
	return problem.Type + " " + problem.Reason
}

// generation names a refresh token in the trace.
func (w *world) generation(text string) string {
	for generation, known := range w.tokens {
		if known == text {
			return fmt.Sprint(generation)
		}
	}
	return "?"
}

func take[T any](list *[]T, rng *mathrand.Rand) T {
	i := rng.IntN(len(*list))
	taken := (*list)[i]
	*list = append((*list)[:i:i], (*list)[i+1:]...)
	return taken
}

func remove[T comparable](list []T, gone T) []T {
	kept := list[:0:0]
	for _, each := range list {
		if each != gone {
			kept = append(kept, each)
		}
	}
	return kept
}
