package conformance

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/authlatch/auth/internal/lab/conformance/servers"
)

// A fault happens while two processes serve.
type fault struct {
	name    string
	cut     bool // clients lose connections, since a process is killed
	quiet   bool // clients may notice nothing
	happens func(*street)
}

// killApplication leaves the other process alone to serve for a while.
var killApplication = fault{name: "application: kill -9", cut: true, happens: func(s *street) {
	s.apps[0].Kill()
	time.Sleep(300 * time.Millisecond)
	s.apps[0].Start()
}}

// stoppable is a server to which a fault can happen.
type stoppable interface {
	Kill()
	Start()
	Pause()
	Resume()
}

func serverFaults(server stoppable) []fault {
	return []fault{
		{name: "server: kill -9 and restart", happens: func(*street) { server.Kill(); time.Sleep(300 * time.Millisecond); server.Start() }},
		{name: "server: paused", happens: func(*street) { server.Pause(); time.Sleep(6500 * time.Millisecond); server.Resume() }},
	}
}

// clusterFaults happen to a cluster of three, which goes on without one of its members.
func clusterFaults(c servers.EtcdCluster) []fault {
	return []fault{
		{name: "leader: kill -9 and restart", quiet: true, happens: func(*street) {
			leader, _ := c.Leader()
			leader.Kill()
			time.Sleep(2 * time.Second)
			leader.Start()
			c.WaitReady()
		}},
		{name: "two of three: paused", happens: func(*street) {
			c[0].Pause()
			c[1].Pause()
			time.Sleep(6500 * time.Millisecond)
			c[0].Resume()
			c[1].Resume()
			c.WaitReady()
		}},
	}
}

var hostAndPort = regexp.MustCompile(`127\.0\.0\.1:\d+`)

// behindProxy returns a URL whose connections the proxy carries.
func behindProxy(t *testing.T, url string) (string, *servers.Proxy) {
	addr := hostAndPort.FindString(url)
	p := servers.NewProxy(t, addr)
	return strings.Replace(url, addr, p.Addr(), 1), p
}

// cutOneByOne cuts them one by one, even while they are in use.
func cutOneByOne(p *servers.Proxy) fault {
	return fault{name: "connections cut one by one", quiet: true, happens: func(*street) {
		for range 60 {
			p.CutOne()
			time.Sleep(15 * time.Millisecond)
		}
	}}
}

// promote lets a replica take over. Redis acknowledges before the replica has a
// write, so writes are held back until it has all: what is lost otherwise is
// tested by TestRedisFailoverLosesTheLastWrites.
func promote(t *testing.T, master, replica *servers.RedisServer, name *servers.Proxy) fault {
	return fault{name: "server: replica promoted", happens: func(*street) {
		master.Do("CLIENT", "PAUSE", "5000", "WRITE")
		detach(t, replica, master)
		master.Kill()
		time.Sleep(200 * time.Millisecond)
		name.Lead(replica.Addr())
	}}
}

// fillDisk lets the server run out of space. If it ends itself by that, whoever
// runs it starts it again.
func fillDisk(disk *servers.Disk, server *servers.SQL) fault {
	return fault{name: "server: full disk", happens: func(*street) {
		disk.Fill()
		time.Sleep(2 * time.Second)
		disk.Free()
		if server != nil && !server.Running() {
			server.Start()
		}
	}}
}

// stage is a store for two processes, and what happens to it there.
type stage struct {
	name  string
	start func(t *testing.T) (url string, faults []fault)
}

var stages = []stage{
	{"Redis", func(t *testing.T) (string, []fault) {
		s := servers.Redis(t, durable...)
		url, p := behindProxy(t, s.URL())
		return url, append(serverFaults(s), killApplication, cutOneByOne(p))
	}},
	{"Redis", func(t *testing.T) (string, []fault) {
		s := servers.Redis(t, durable...)
		url, p := behindProxy(t, s.URL())
		return url, []fault{promote(t, s, replicaOf(t, s), p)}
	}},
	{"PostgreSQL", func(t *testing.T) (string, []fault) {
		s := servers.Postgres(t, "")
		url, p := behindProxy(t, s.URL)
		return url, append(serverFaults(s), killApplication, cutOneByOne(p))
	}},
	{"PostgreSQL", func(t *testing.T) (string, []fault) {
		disk := servers.NewDisk(t, "120")
		s := servers.Postgres(t, disk.Dir)
		return s.URL, []fault{fillDisk(disk, s)}
	}},
	{"MariaDB", func(t *testing.T) (string, []fault) {
		s := servers.MariaDB(t)
		url, p := behindProxy(t, "mysql:"+s.URL)
		return url, append(serverFaults(s), killApplication, cutOneByOne(p))
	}},
	{"etcd", func(t *testing.T) (string, []fault) {
		c := servers.Etcd(t, 3)
		return "etcd:" + strings.Join(c.URLs(), ","), append(clusterFaults(c), killApplication)
	}},
	{"SQLite", func(t *testing.T) (string, []fault) {
		disk := servers.NewDisk(t, "24")
		return "sqlite:" + disk.Dir + "/auth.db", []fault{killApplication, fillDisk(disk, nil)}
	}},
}
