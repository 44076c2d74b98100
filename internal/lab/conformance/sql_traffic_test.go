package conformance

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

// traffic is users who log in, save, look and log out at two processes, while
// something happens to the store. It keeps books of what was acknowledged. One user in
// four has tokens.
type traffic struct {
	t        *testing.T
	managers [2]*session.Manager
	issuers  [2]*token.Issuer
	stop     context.CancelFunc
	ctx      context.Context
	users    sync.WaitGroup

	mu       sync.Mutex
	tally    tally
	ended    []*client // whose logout was acknowledged
	revoked  []string  // refresh tokens whose logout was acknowledged
	standing []*stay   // that were logged in at the end
}

type tally struct {
	answered, refused int           // requests, and those of them that could not be answered
	slowest           time.Duration // of a request
	undone            int           // logouts
	lost              int           // updates
	wronglyIn         int           // who should not be
	wronglyOut        int           // logged out, and not by themselves
	recovery          time.Duration // until all is well again, after the end of the fault
}

// A stay is a login whose updates are counted.
type stay struct {
	*client
	subject             string
	acknowledged, tried int
}

// requestTimeout is the deadline of a request. Writes of a session go on for
// five seconds. A request that takes longer than slowestAllowed hangs.
const (
	requestTimeout = time.Second
	slowestAllowed = time.Minute
)

func startTraffic(t *testing.T, one, other store.Store) *traffic {
	ctx, cancel := context.WithCancel(context.Background())
	f := &traffic{t: t, ctx: ctx, stop: cancel, managers: [2]*session.Manager{newManager(t, one), newManager(t, other)}, issuers: newIssuers(t, one, other)}
	t.Cleanup(func() { f.stop(); f.users.Wait() })
	for i := range 8 {
		f.users.Go(func() {
			for n := 0; f.ctx.Err() == nil; n++ {
				if i%4 == 3 {
					f.renew(i/4, fmt.Sprintf("bearer %d.%d", i, n))
				} else {
					f.stay(i, fmt.Sprintf("user %d.%d", i, n))
				}
			}
		})
	}
	return f
}

// stay is one login from its beginning to its end.
func (f *traffic) stay(i int, subject string) {
	v := &stay{client: &client{}, subject: subject}
	here, there := f.managers[i%2], f.managers[(i+1)%2]
	if f.request(func(ctx context.Context) error { return v.login(ctx, here, subject) }) != nil {
		time.Sleep(5 * time.Millisecond)
		return
	}
	for range 3 {
		f.save(v, here)
		f.look(v, there)
		f.forge(there)
		if f.ctx.Err() != nil {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.standing = append(f.standing, v)
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
	if f.again(func(ctx context.Context) error { return v.logout(ctx, there) }) == nil {
		f.isOver(v.client, here)
		f.mu.Lock()
		defer f.mu.Unlock()
		f.ended = append(f.ended, v.client)
	}
}

// again makes a request up to three times, as a user does whose logout has failed.
func (f *traffic) again(do func(context.Context) error) (err error) {
	for range 3 {
		if err = f.request(do); err == nil || over(err) {
			break
		}
	}
	return err
}

// request measures what one request does.
func (f *traffic) request(do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	start := time.Now()
	err := do(ctx)
	took := time.Since(start)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tally.slowest = max(f.tally.slowest, took)
	if err == nil || over(err) {
		f.tally.answered++
	} else {
		f.tally.refused++
	}
	return err
}

func (f *traffic) count(n *int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	*n++
}

func (f *traffic) save(v *stay, m *session.Manager) {
	v.tried++
	err := f.request(func(ctx context.Context) error { return v.increment(ctx, m) })
	if err == nil {
		v.acknowledged++
	}
	if over(err) {
		f.count(&f.tally.wronglyOut)
	}
}

// look checks that the login lives, is the user's, and has what was saved.
func (f *traffic) look(v *stay, m *session.Manager) error {
	return f.request(func(ctx context.Context) error {
		id, err := v.authenticate(ctx, m)
		if err == nil && id.Subject != v.subject {
			f.count(&f.tally.wronglyIn)
		}
		if err != nil {
			if over(err) {
				f.count(&f.tally.wronglyOut)
			}
			return err
		}
		n, err := v.client.count(ctx, m)
		if err == nil && (n < v.acknowledged || n > v.tried) {
			f.count(&f.tally.lost)
		}
		return err
	})
}

// forge tries a cookie that was never issued.
func (f *traffic) forge(m *session.Manager) {
	random := make([]byte, 32)
	rand.Read(random)
	forged := &client{token: base64.RawURLEncoding.EncodeToString(random)}
	f.request(func(ctx context.Context) error {
		_, err := forged.authenticate(ctx, m)
		if err == nil {
			f.count(&f.tally.wronglyIn)
		}
		return err
	})
}

func (f *traffic) isOver(c *client, m *session.Manager) error {
	return f.request(func(ctx context.Context) error {
		_, err := c.authenticate(ctx, m)
		if err == nil {
			f.count(&f.tally.undone)
		}
		return err
	})
}

// recover waits until both processes serve again, ends the traffic, and looks
// at every login once more.
func (f *traffic) recover() tally {
	f.t.Helper()
	begin := time.Now()
	for i, well := 0, 0; well < 20; i++ {
		v := &stay{client: &client{}, subject: fmt.Sprint("after ", i)}
		if f.request(func(ctx context.Context) error { return v.login(ctx, f.managers[i%2], v.subject) }) == nil {
			well++
		} else {
			well = 0
		}
		if time.Since(begin) > hang {
			f.t.Fatal("the processes do not recover")
		}
	}
	f.tally.recovery = time.Since(begin)
	f.stop()
	f.users.Wait()
	refused := f.tally.refused
	for _, m := range f.managers {
		for _, c := range f.ended {
			f.isOver(c, m)
		}
		for _, v := range f.standing {
			f.look(v, m)
		}
	}
	for _, i := range f.issuers {
		for _, refresh := range f.revoked {
			f.isRevoked(refresh, i)
		}
	}
	if more := f.tally.refused - refused; more != 0 {
		f.t.Errorf("%d requests could not be answered after the recovery", more)
	}
	return f.tally
}
