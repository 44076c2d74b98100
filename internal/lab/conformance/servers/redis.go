package servers

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/rueidis"
)

// RedisServer is a private Redis server. Its methods fail the test when they
// cannot do what they say.
type RedisServer struct {
	Port int
	Dir  string // where its data is

	t       testing.TB
	command []string
	bus     int // the port on which the nodes of a Cluster talk
	process *exec.Cmd
	ended   chan struct{}
}

// Redis starts a Redis server in a folder of its own, with options such as
// "--appendonly", "yes". AUTH_REDIS_SERVER names another program, as valkey-server.
func Redis(t testing.TB, options ...string) *RedisServer {
	t.Helper()
	return startRedis(t, redisServer(), options)
}

func redisServer() string { return cmp.Or(os.Getenv("AUTH_REDIS_SERVER"), "redis-server") }

// Valkey starts a Valkey server.
func Valkey(t testing.TB, options ...string) *RedisServer {
	t.Helper()
	return startRedis(t, valkeyServer, options)
}

const valkeyServer = "valkey-server"

func startRedis(t testing.TB, name string, options []string) *RedisServer {
	t.Helper()
	s := &RedisServer{Port: FreePort(t), Dir: t.TempDir(), t: t}
	s.command = append([]string{program(t, name, name), "--bind", "127.0.0.1", "--port", fmt.Sprint(s.Port),
		"--dir", s.Dir, "--save", "", "--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"}, options...)
	t.Cleanup(s.stop)
	s.Start()
	return s
}

// RedisCluster starts a Cluster of three masters without replicas, with options.
func RedisCluster(t testing.TB, options ...string) []*RedisServer {
	t.Helper()
	return startCluster(t, redisServer(), options)
}

// ValkeyCluster starts a Cluster as [RedisCluster] does.
func ValkeyCluster(t testing.TB, options ...string) []*RedisServer {
	t.Helper()
	return startCluster(t, valkeyServer, options)
}

func startCluster(t testing.TB, program string, options []string) []*RedisServer {
	t.Helper()
	const slots, masters = 16384, 3
	var all []*RedisServer
	for i := range masters {
		s := clusterNode(t, program, options...)
		s.Do("CLUSTER", "ADDSLOTSRANGE", fmt.Sprint(slots*i/masters), fmt.Sprint(slots*(i+1)/masters-1))
		s.Do("CLUSTER", "SET-CONFIG-EPOCH", fmt.Sprint(i+1))
		if i > 0 {
			s.meet(all[0])
		}
		all = append(all, s)
	}
	for _, s := range all {
		s.WaitInfo("CLUSTER", "cluster_state:ok", "cluster_known_nodes:3", "cluster_slots_ok:16384")
	}
	return all
}

// RedisClusterReplica adds a replica to a Cluster of three masters.
func RedisClusterReplica(t testing.TB, master *RedisServer) *RedisServer {
	t.Helper()
	s := clusterNode(t, filepath.Base(master.command[0]))
	s.meet(master)
	s.WaitInfo("CLUSTER", "cluster_state:ok", "cluster_known_nodes:4")
	s.Do("CLUSTER", "REPLICATE", master.Do("CLUSTER", "MYID"))
	s.WaitInfo("replication", "master_link_status:up")
	slots := []string{"EVAL", "return cjson.encode(redis.call('CLUSTER', 'SLOTS'))", "0"}
	for start := time.Now(); !strings.Contains(master.Do(slots...), fmt.Sprint(s.Port)); time.Sleep(20 * time.Millisecond) {
		if time.Since(start) > patience {
			t.Fatal("the Cluster never knows its replica")
		}
	}
	return s
}

// RedisSentinel starts a Sentinel that watches a master by the name of "auth",
// and promotes a replica when it is gone for a second.
func RedisSentinel(t testing.TB, master *RedisServer) *RedisServer {
	t.Helper()
	s := &RedisServer{Port: FreePort(t), Dir: t.TempDir(), t: t}
	config := filepath.Join(s.Dir, "sentinel.conf") // it writes what it learns here
	text := fmt.Sprintf("bind 127.0.0.1\nport %d\nsentinel monitor auth 127.0.0.1 %d 1\n"+
		"sentinel down-after-milliseconds auth 1000\nsentinel failover-timeout auth 3000\n", s.Port, master.Port)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.command = []string{master.command[0], config, "--sentinel"}
	t.Cleanup(s.stop)
	s.Start()
	s.WaitInfo("sentinel", "sentinel_masters:1")
	for start := time.Now(); !strings.Contains(s.Do("INFO", "sentinel"), "slaves=1,"); time.Sleep(20 * time.Millisecond) {
		if time.Since(start) > patience {
			t.Fatal("the Sentinel never finds the replica")
		}
	}
	return s
}

func clusterNode(t testing.TB, program string, options ...string) *RedisServer {
	bus := FreePort(t)
	s := startRedis(t, program, append([]string{"--cluster-enabled", "yes", "--cluster-port", fmt.Sprint(bus),
		"--cluster-node-timeout", "2000"}, options...))
	s.bus = bus
	return s
}

func (s *RedisServer) meet(other *RedisServer) {
	s.Do("CLUSTER", "MEET", "127.0.0.1", fmt.Sprint(other.Port), fmt.Sprint(other.bus))
}

// URL is how a client reaches the server, with a query such as "?addr=…".
func (s *RedisServer) URL() string { return "redis://" + s.Addr() }

// Addr is its host and port.
func (s *RedisServer) Addr() string { return loopback(s.Port) }

// Start starts the server, and waits until it answers.
func (s *RedisServer) Start() {
	s.t.Helper()
	log, err := os.OpenFile(filepath.Join(s.Dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	s.process = prepared(nil, s.Dir, s.command)
	s.process.Stdout, s.process.Stderr = log, log
	if err := s.process.Start(); err != nil {
		s.t.Fatal(err)
	}
	process, ended := s.process, make(chan struct{})
	s.ended = ended
	go func() { process.Wait(); close(ended) }()
	for start := time.Now(); time.Since(start) < patience; time.Sleep(10 * time.Millisecond) {
		_, err = s.try("PING")
		if _, refused := rueidis.IsRedisErr(err); err == nil || refused && !strings.HasPrefix(err.Error(), "LOADING") {
			return
		}
	}
	text, _ := os.ReadFile(log.Name())
	s.t.Fatalf("redis-server does not answer: %v\n%s", err, text)
}

// Kill ends the server at once, as a crash does.
func (s *RedisServer) Kill() { s.signal(syscall.SIGKILL); <-s.ended }

// Pause stops the server, and Resume lets it go on. In between connections are
// open, and no server responds.
func (s *RedisServer) Pause() { s.signal(syscall.SIGSTOP) }

// Resume ends a Pause.
func (s *RedisServer) Resume() { s.signal(syscall.SIGCONT) }

func (s *RedisServer) signal(signal syscall.Signal) {
	s.t.Helper()
	if err := s.process.Process.Signal(signal); err != nil {
		s.t.Fatal(err)
	}
}

func (s *RedisServer) stop() {
	if s.process != nil {
		s.process.Process.Kill()
		<-s.ended
	}
}

// Do gives the server a command on a connection of its own, and returns its
// answer if that is a text or a number.
func (s *RedisServer) Do(command ...string) string {
	s.t.Helper()
	answer, err := s.try(command...)
	if err != nil {
		s.t.Fatalf("%s: %v", command[0], err)
	}
	return answer
}

func (s *RedisServer) try(command ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	client, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{s.Addr()}, ForceSingleClient: true, DisableCache: true, DisableRetry: true,
	})
	if err != nil {
		return "", err
	}
	defer client.Close()
	answer, err := client.Do(ctx, client.B().Arbitrary(command...).Build()).ToMessage()
	if err != nil {
		return "", err
	}
	if n, err := answer.AsInt64(); err == nil {
		return fmt.Sprint(n), nil
	}
	return answer.ToString()
}

// WaitInfo waits until a section of INFO, or CLUSTER INFO for "CLUSTER", has
// all of these lines.
func (s *RedisServer) WaitInfo(section string, lines ...string) {
	s.t.Helper()
	command := []string{"INFO", section}
	if section == "CLUSTER" {
		command = []string{section, "INFO"}
	}
	text := ""
wait:
	for start := time.Now(); time.Since(start) < patience; time.Sleep(20 * time.Millisecond) {
		text = s.Do(command...)
		for _, line := range lines {
			if !strings.Contains(text, line+"\r\n") {
				continue wait
			}
		}
		return
	}
	s.t.Fatalf("INFO never shows %q:\n%s", lines, text)
}

// Calls returns how often the server has done a command.
func (s *RedisServer) Calls(command string) (n int) {
	s.t.Helper()
	for line := range strings.SplitSeq(s.Do("INFO", "commandstats"), "\r\n") {
		fmt.Sscanf(line, "cmdstat_"+command+":calls=%d,", &n)
	}
	return n
}

// Clients returns what CLIENT LIST shows of each connection, such as its id.
func (s *RedisServer) Clients() (clients []map[string]string) {
	s.t.Helper()
	for line := range strings.Lines(s.Do("CLIENT", "LIST")) {
		c := make(map[string]string)
		for field := range strings.FieldsSeq(line) {
			name, value, _ := strings.Cut(field, "=")
			c[name] = value
		}
		clients = append(clients, c)
	}
	return clients
}

// Cut ends a connection, if it is still there.
func (s *RedisServer) Cut(client map[string]string) { s.try("CLIENT", "KILL", "ID", client["id"]) }
