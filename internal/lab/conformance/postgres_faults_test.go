package conformance

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/authlatch/auth/internal/lab/conformance/servers"
)

// A replicated is a primary whose writes one of its standbys must have.
type replicated struct {
	primary  *servers.SQL
	standbys []*servers.SQL
	link     *servers.Proxy // on which the standbys reach the primary
	way      *servers.Proxy // on which the clients reach it
	url      string         // of all servers, for the clients
	former   string         // of the first primary alone
}

func startReplicated(t *testing.T, names ...string) *replicated {
	t.Helper()
	r := &replicated{primary: servers.Postgres(t, "", servers.Replicated(1, names...)...)}
	addr := hostAndPort.FindString(r.primary.URL)
	r.link, r.way = servers.NewProxy(t, addr), servers.NewProxy(t, addr)
	hosts := []string{r.way.Addr()}
	for _, name := range names {
		standby := servers.PostgresStandby(t, r.primary, r.link.Addr(), name)
		r.standbys, hosts = append(r.standbys, standby), append(hosts, hostAndPort.FindString(standby.URL))
	}
	r.waitReady(t)
	r.former = newDatabase(t, r.primary.URL)
	r.url = strings.Replace(r.former, addr, strings.Join(hosts, ","), 1) +
		"?target_session_attrs=read-write&connect_timeout=2"
	return r
}

// waitReady waits until all standbys stream.
func (r *replicated) waitReady(t *testing.T) {
	t.Helper()
	p := pool(t, r.primary.URL)
	defer p.Close()
	waitFor(t, func() bool {
		return ask[int](t, p, `SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND sync_state <> 'async'`) == len(r.standbys)
	})
}

// promote makes the standby a primary that has received the most.
func (r *replicated) promote(t *testing.T) {
	t.Helper()
	best, most := r.standbys[0], int64(-1)
	for _, s := range r.standbys {
		p := pool(t, s.URL)
		if got := ask[int64](t, p, `SELECT (pg_last_wal_receive_lsn() - '0/0')::bigint`); got > most {
			best, most = s, got
		}
		p.Close()
	}
	p := pool(t, best.URL)
	defer p.Close()
	if !ask[bool](t, p, `SELECT pg_promote()`) {
		t.Fatal("the standby is not promoted")
	}
}

// longer is more than the five seconds that the writes of a session go on for.
const longer = 5500 * time.Millisecond

type replicatedFault struct {
	name    string
	happens func(t *testing.T, r *replicated)
	bites   bool // some requests must fail
}

// replicatedFaults are those of each replicated, one after the other. The last is
// a failover.
var replicatedFaults = []struct {
	standbys []string
	faults   []replicatedFault
}{
	{[]string{"s1"}, []replicatedFault{
		{"the standby: kill -9 and restart", func(t *testing.T, r *replicated) {
			r.standbys[0].Kill()
			time.Sleep(longer)
			r.standbys[0].Start()
		}, true},
		{"the standby: paused", func(t *testing.T, r *replicated) {
			r.standbys[0].Pause()
			time.Sleep(1500 * time.Millisecond)
			r.standbys[0].Resume()
		}, false},
		{"the standby: cut off", func(t *testing.T, r *replicated) {
			r.link.Lead("")
			time.Sleep(1500 * time.Millisecond)
			r.link.Lead(hostAndPort.FindString(r.primary.URL))
		}, false},
		{"the primary: kill -9 and restart", func(t *testing.T, r *replicated) {
			r.primary.Kill()
			time.Sleep(300 * time.Millisecond)
			r.primary.Start()
		}, true},
		{"the primary: kill -9, the standby promoted", func(t *testing.T, r *replicated) {
			r.primary.Kill()
			r.promote(t)
		}, true},
	}},
	{[]string{"s1"}, []replicatedFault{
		{"the primary: cut off from its standby, which is promoted", func(t *testing.T, r *replicated) {
			r.link.Lead("")
			time.Sleep(longer) // its clients reach it until it is ended
			r.primary.Kill()
			r.promote(t)
		}, true},
	}},
	{[]string{"s1"}, []replicatedFault{
		{"the primary: cut off from all, the standby promoted", func(t *testing.T, r *replicated) {
			r.way.Lead("")
			r.link.Lead("")
			r.promote(t)
		}, true},
	}},
	{[]string{"s1", "s2"}, []replicatedFault{
		{"one of two standbys: kill -9 and restart", func(t *testing.T, r *replicated) {
			r.standbys[0].Kill()
			time.Sleep(time.Second)
			r.standbys[0].Start()
		}, false},
		{"the primary: paused, ended, one of two promoted", func(t *testing.T, r *replicated) {
			r.primary.Pause()
			time.Sleep(2 * time.Second)
			r.primary.Kill()
			r.promote(t)
		}, true},
	}},
}

// ASVS 5.0, 16.5.2.
// TestSynchronousPostgresSurvivesFaults prints a table: in none of its rows a logout is
// undone, an update lost, or a user logged in or out by mistake. All connection strings
// name all servers.
func TestSynchronousPostgresSurvivesFaults(t *testing.T) {
	table := []string{"", fmt.Sprintf("%-56s %8s %8s %9s %7s %6s %9s %10s %9s %9s", "PostgreSQL with a synchronous standby", "answered",
		"refused", "slowest", "undone", "lost", "wrong in", "wrong out", "recovery", "logouts")}
	for _, group := range replicatedFaults {
		r := startReplicated(t, group.standbys...)
		for _, fault := range group.faults {
			t.Run(fault.name, func(t *testing.T) {
				f := startTraffic(t, openPostgres(t, r.url), openPostgres(t, r.url))
				time.Sleep(300 * time.Millisecond)
				fault.happens(t, r)
				got := f.recover()
				row := fmt.Sprintf("%-56s %8d %8d %9v %7d %6d %9d %10d %9v %9d", fault.name, got.answered, got.refused,
					got.slowest.Round(time.Millisecond), got.undone, got.lost, got.wronglyIn, got.wronglyOut,
					got.recovery.Round(time.Millisecond), len(f.ended)+len(f.revoked))
				table = append(table, row)
				if got.undone+got.lost+got.wronglyIn+got.wronglyOut != 0 || got.slowest > slowestAllowed || len(f.ended) == 0 || len(f.revoked) == 0 {
					t.Error(row)
				}
				if fault.bites && got.refused == 0 {
					t.Error("no request noticed the fault")
				}
			})
		}
	}
	t.Log(strings.Join(table, "\n"))
}
