package simulate

import (
	"container/heap"
	"context"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

// lifetime is the duration of a day, for which a login lasts.
const lifetime = 12 * time.Hour

// limits are those with which the published numbers were measured.
var limits = auth.Limits{Lifetime: lifetime, IdleTimeout: 3 * time.Hour}

// day is one login from start to end, used by a user with the default browser client,
// over three hosts and a network. A world searches for any order that breaks a rule; a
// day measures how often and how soon things happen.
type day struct {
	rng      *rand.Rand
	began    time.Time
	queue    queue
	handlers []http.Handler
	network  network
	owner    owner

	refreshes int       // by the owner, with a response
	ended     time.Time // by reuse
	stolen    time.Time
	after     []time.Time // refreshes of the owner after the theft
}

// network has the latency and the loss rate of messages.
type network struct {
	latency time.Duration // on average, each way
	loss    float64       // of each message
}

// Day is the result of one day.
type Day struct {
	Refreshes int           // responses to the owner
	Ended     bool          // as stolen
	Detection time.Duration // from the theft to the end, if Ended
	Late      time.Duration // from the owner's second refresh after the theft to the end; negative if sooner
}

// PlayDay simulates a day, with a thief who uses a trick, or none.
func PlayDay(t *testing.T, seed, n uint64, trick Trick) (result Day) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := &day{rng: rand.New(rand.NewPCG(seed, n)), began: time.Now()}
		d.network = networks[d.rng.IntN(len(networks))]
		jar := d.open(t)
		d.owner.begin(d, jar)
		if trick != nil {
			d.in(time.Duration(d.rng.Int64N(int64(lifetime/2))), func() { d.steal(trick) })
		}
		for len(d.queue) > 0 && d.ended.IsZero() && time.Since(d.began) < lifetime {
			next := heap.Pop(&d.queue).(event)
			time.Sleep(time.Until(next.at))
			next.do()
		}
		result = d.result()
	})
	return result
}

// networks are a good one, a slow one, and a lossy one.
var networks = []network{
	{60 * time.Millisecond, 0.002},
	{1500 * time.Millisecond, 0.02},
	{300 * time.Millisecond, 0.15},
}

// open starts the hosts and logs in at one of them.
func (d *day) open(t *testing.T) (jar string) {
	keys, err := token.NewKeySet(token.HS256)
	if err != nil {
		t.Fatal(err)
	}
	backend := &store.Memory{}
	for range 3 {
		issuer, err := token.NewIssuer(token.IssuerConfig{
			Keys: keys, Store: backend, Issuer: "https://app.example", Audience: "api", ClientID: "app", Limits: limits,
			Events: func(_ context.Context, e auth.Event) {
				if e.Kind == auth.EventReuse {
					d.ended = time.Now()
				}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		d.handlers = append(d.handlers, issuer.RefreshHandler())
		if jar != "" {
			continue
		}
		recorder := httptest.NewRecorder()
		if err := issuer.Login(recorder, httptest.NewRequest(http.MethodPost, "https://app.example/login", nil), auth.Identity{Subject: "alice"}); err != nil {
			t.Fatal(err)
		}
		jar = setCookie(recorder)
	}
	return jar
}

func (d *day) result() Day {
	r := Day{Refreshes: d.refreshes, Ended: !d.ended.IsZero()}
	if r.Ended && !d.stolen.IsZero() {
		r.Detection = d.ended.Sub(d.stolen)
		if len(d.after) >= 2 {
			r.Late = d.ended.Sub(d.after[1])
		}
	}
	return r
}

// in schedules an action.
func (d *day) in(after time.Duration, do func()) {
	heap.Push(&d.queue, event{time.Now().Add(after), len(d.queue), do})
}

// around returns a random time with the given mean.
func (d *day) around(mean time.Duration) time.Duration {
	return time.Duration(d.rng.ExpFloat64() * float64(mean))
}

// refresh sends a request to one of the hosts, and its response back, if neither is lost.
func (d *day) refresh(over network, cookie, attempt string, answer func(*httptest.ResponseRecorder)) {
	if d.rng.Float64() < over.loss {
		return
	}
	d.in(d.around(over.latency), func() {
		r := httptest.NewRequest(http.MethodPost, "https://app.example/refresh", nil)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		r.Header.Set("Refresh-Attempt", attempt)
		r.Header.Set("Cookie", cookieName+"="+cookie)
		recorder := httptest.NewRecorder()
		d.handlers[d.rng.IntN(len(d.handlers))].ServeHTTP(recorder, r)
		if d.rng.Float64() < over.loss {
			return
		}
		d.in(d.around(over.latency), func() { answer(recorder) })
	})
}

// event is an action at a time.
type event struct {
	at    time.Time
	order int // among events at the same time
	do    func()
}

type queue []event

func (q queue) Len() int      { return len(q) }
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q queue) Less(i, j int) bool {
	return q[i].at.Before(q[j].at) || q[i].at.Equal(q[j].at) && q[i].order < q[j].order
}
func (q *queue) Push(x any) { *q = append(*q, x.(event)) }
func (q *queue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}
