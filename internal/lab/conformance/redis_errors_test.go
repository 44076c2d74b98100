package conformance

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/lab/conformance/servers"
	"github.com/authlatch/auth/store/redisstore"
	"github.com/redis/rueidis"
)

// What is wrong with a server is said when it is opened.
func TestRedisSaysWhatIsWrongWhenOpened(t *testing.T) {
	locked := servers.Redis(t, "--requirepass", "correct-horse").URL()
	master := servers.Redis(t)
	master.Do("ACL", "SETUSER", "reader", "on", ">pw", "~*", "+@read", "+hello", "+info", "+client")
	master.Do("ACL", "SETUSER", "other", "on", ">pw", "~other:*", "+@all")
	master.Do("ACL", "SETUSER", "blind", "on", ">pw", "~*", "+@all", "-info")
	as := func(user string) string { return strings.Replace(master.URL(), "://", "://"+user+":pw@", 1) }
	replica := servers.Redis(t, "--replicaof", "127.0.0.1", fmt.Sprint(master.Port))
	stopped := servers.Redis(t)
	stopped.Kill()
	for rule, test := range map[string]struct{ url, says string }{
		"no password":                         {locked, "NOAUTH"},
		"a wrong password":                    {strings.Replace(locked, "://", "://:hunter2@", 1), "WRONGPASS"},
		"an unknown user":                     {as("unknown"), "WRONGPASS"},
		"a user who may not write":            {as("reader"), "NOPERM"},
		"a user who may not use these keys":   {as("other"), "NOPERM"},
		"a user who may not ask for INFO":     {as("blind"), "NOPERM"},
		"a replica":                           {replica.URL(), "replica"},
		"an eviction policy":                  {servers.Redis(t, "--maxmemory-policy", "volatile-lru").URL(), "volatile-lru"},
		"a server that is not there":          {stopped.URL(), "refused"},
		"a server that is too old":            {"redis://" + oldRedis(t), "version"},
		"a server that is not Redis":          {"redis://" + garbage(t), ""},
		"a database that is not there":        {master.URL() + "/999", "DB index"},
		"a server that is full":               {servers.Redis(t, "--maxmemory", "1").URL(), "OOM"},
		"a server with too few replicas":      {servers.Redis(t, "--min-replicas-to-write", "1").URL(), "NOREPLICAS"},
		"a command that has another name":     {servers.Redis(t, "--rename-command", "evalsha", "").URL(), "unknown command"},
		"an eviction policy for a near cache": {servers.Redis(t, "--maxmemory-policy", "allkeys-lfu").URL(), "allkeys-lfu"},
	} {
		s, err := redisstore.Open(t.Context(), test.url)
		if s != nil {
			t.Errorf("%s: it is open", rule)
			s.Close()
		}
		wantSays(t, rule, err, test.says)
		n, err := redisstore.OpenNear(t.Context(), test.url)
		if n != nil {
			t.Errorf("%s: a near cache is open", rule)
			n.Close()
		}
		wantSays(t, rule, err, test.says)
	}
}

func wantSays(t testing.TB, rule string, err error, says string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), says) || !strings.HasPrefix(err.Error(), "redisstore: ") {
		t.Errorf("%s: %v, want %q", rule, err, says)
		return
	}
	for _, secret := range []string{"hunter2", "probe:", "with args"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error contains %q: %v", rule, secret, err)
		}
	}
}

func TestNearCacheNeedsPushesOfItsStoresServer(t *testing.T) {
	server, other := servers.Redis(t), servers.Redis(t)
	server.Do("ACL", "SETUSER", "untold", "on", ">pw", "~*", "+@all", "-client|tracking")
	s := openRedis(t, server.URL())
	for rule, option := range map[string]rueidis.ClientOption{
		"another server":                 {InitAddress: []string{other.Addr()}},
		"another database":               {InitAddress: []string{server.Addr()}, SelectDB: 1},
		"a protocol without pushes":      {InitAddress: []string{server.Addr()}, AlwaysRESP2: true},
		"a user who may not ask for any": {InitAddress: []string{server.Addr()}, Username: "untold", Password: "pw"},
	} {
		n, err := redisstore.NewNear(t.Context(), s, option)
		wantError(t, rule, err)
		if n != nil {
			t.Errorf("%s: it is open", rule)
		}
	}
	n, err := redisstore.NewNear(t.Context(), s, rueidis.ClientOption{InitAddress: []string{server.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	mustSwap(t, n, "k", nil, []byte("v"), time.Minute)
	wantCached(t, n, "k", "v")
	n.Close()
	_, _, err = n.GetCached(t.Context(), "k")
	wantError(t, "GetCached of what is closed", err)
	wantValue(t, s, "k", "v")
	s.Close()
	_, _, err = s.Get(t.Context(), "k")
	wantError(t, "Get of what is closed", err)
}

// A node of a Cluster that is down does not prevent a start.
func TestRedisClusterOpensWithoutOneOfItsReplicas(t *testing.T) {
	masters := servers.RedisCluster(t)
	replica := servers.RedisClusterReplica(t, masters[0])
	openNear(t, masters[0].URL())
	openNear(t, replica.URL())
	replica.Kill()
	openNear(t, masters[0].URL())
}

// The rights that the README of the module lists.
func TestRedisNeedsTheseRightsOnly(t *testing.T) {
	readme, err := os.ReadFile("../../../store/redisstore/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(readme), "rights of the user | `")
	rights, _, ok := strings.Cut(strings.ReplaceAll(rest, `\|`, "|"), "`")
	if !ok {
		t.Fatal("the README lists no rights")
	}
	for _, nodes := range [][]*servers.RedisServer{{servers.Redis(t)}, servers.RedisCluster(t), {servers.Valkey(t)}, servers.ValkeyCluster(t)} {
		for _, node := range nodes {
			node.Do(append([]string{"ACL", "SETUSER", "auth", "on", ">pw", "-@all"}, strings.Fields(rights)...)...)
		}
		n := openNear(t, strings.Replace(nodes[0].URL(), "://", "://auth:pw@", 1))
		mustSwap(t, n, "k", nil, []byte("v"), time.Minute)
		wantCached(t, n, "k", "v")
	}
}

// A client that the service has stays open.
func TestRedisStoreSharesAClient(t *testing.T) {
	server := servers.Redis(t)
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{server.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	s, err := redisstore.New(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	mustSwap(t, s, "k", nil, []byte("v"), time.Minute)
	s.Close()
	if err := client.Do(t.Context(), client.B().Ping().Build()).Error(); err != nil {
		t.Error(err)
	}
}

func TestRedisValuesOfOtherPrograms(t *testing.T) {
	server := servers.Redis(t)
	n := openNear(t, server.URL())
	server.Do("HSET", "authlatch:hash", "a", "b")
	server.Do("RPUSH", "authlatch:list", "a")
	server.Do("SETBIT", "authlatch:long", fmt.Sprint(8*(64<<10)), "1")
	server.Do("SET", "authlatch:empty", "")
	for _, key := range []string{"hash", "list", "long", "empty"} {
		for name, get := range map[string]func(context.Context, string) ([]byte, bool, error){"Get": n.Get, "GetCached": n.GetCached} {
			value, ok, err := get(t.Context(), key)
			wantError(t, name+" of a "+key, err)
			if value != nil || ok {
				t.Errorf("%s of a %s: %q, %v", name, key, value, ok)
			}
		}
		if swapped, err := n.CompareAndSwap(t.Context(), key, nil, []byte("v"), time.Minute); swapped {
			t.Errorf("create over a %s: %v, %v", key, swapped, err)
		}
		if swapped, _ := n.CompareAndSwap(t.Context(), key, []byte("x"), []byte("v"), time.Minute); swapped {
			t.Errorf("swap of a %s", key)
		}
	}
	_, err := n.CompareAndSwap(t.Context(), "hash", []byte("x"), []byte("v"), time.Minute)
	wantError(t, "swap of a hash", err)
	server.Do("SET", "authlatch:endless", "v")
	wantCached(t, n, "endless", "v") // the bytes are for the caller to judge
	for _, key := range []string{"hash", "list", "long", "empty", "endless"} {
		if err := n.Delete(t.Context(), key); err != nil {
			t.Error(err)
		}
		wantValue(t, n, key, "")
	}
}

// A session whose record another program has replaced is not a login. While
// the store cannot be read, it is not a logout either.
func TestRedisSessionsOverValuesOfOtherPrograms(t *testing.T) {
	server := servers.Redis(t)
	m := newManager(t, openNear(t, server.URL()))
	var c client
	if err := c.login(t.Context(), m, "alice"); err != nil {
		t.Fatal(err)
	}
	id, err := c.authenticate(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	var key string
	for candidate := range strings.SplitSeq(keys(t, server), "\n") {
		if strings.HasPrefix(candidate, "authlatch:") && server.Do("STRLEN", candidate) != "0" && isRecord(server, candidate, "alice") {
			key = candidate
		}
	}
	if key == "" || id.Subject != "alice" {
		t.Fatal("no record found")
	}
	server.Do("DEL", key)
	server.Do("HSET", key, "a", "b")
	waitFor(t, func() bool {
		_, err := c.authenticate(t.Context(), m)
		return err != nil && !errors.Is(err, auth.ErrUnauthenticated)
	})
	server.Do("DEL", key)
	server.Do("SET", key, "rubbish")
	waitFor(t, func() bool { _, err := c.authenticate(t.Context(), m); return over(err) })
}

func isRecord(server *servers.RedisServer, key, subject string) bool {
	return strings.Contains(server.Do("GET", key), subject)
}

// keys uses what a store must never use.
func keys(t testing.TB, server *servers.RedisServer) string {
	t.Helper()
	return server.Do("EVAL", "return table.concat(redis.call('KEYS', '*'), '\\n')", "0")
}

// hang is longer than anything takes, however busy the machine is.
const hang = 2 * time.Minute

func waitFor(t testing.TB, condition func() bool) {
	t.Helper()
	for start := time.Now(); !condition(); time.Sleep(time.Millisecond) {
		if time.Since(start) > hang {
			t.Fatal("it never happens")
		}
	}
}

// oldRedis answers as a server of version 5 does, which knows no HELLO.
func oldRedis(t testing.TB) string {
	return listen(t, func(command string) string {
		switch command {
		case "INFO":
			text := "redis_version:5.0.14\r\nrole:master\r\nmaxmemory_policy:noeviction\r\n"
			return fmt.Sprintf("$%d\r\n%s\r\n", len(text), text)
		case "PING":
			return "+PONG\r\n"
		case "CLUSTER":
			return "-ERR This instance has cluster support disabled\r\n"
		}
		return "-ERR unknown command `" + command + "`, with args beginning with: \r\n"
	})
}

func garbage(t testing.TB) string {
	return listen(t, func(string) string { return "HTTP/1.1 400 Bad Request\r\n\r\n" })
}

// listen answers each command by its name.
func listen(t testing.TB, answer func(command string) string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go serve(conn, answer)
		}
	}()
	return l.Addr().String()
}

func serve(conn net.Conn, answer func(command string) string) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		var parts, length int
		if _, err := fmt.Fscanf(in, "*%d\r\n", &parts); err != nil {
			return
		}
		var words []string
		for range parts {
			if _, err := fmt.Fscanf(in, "$%d\r\n", &length); err != nil {
				return
			}
			word, err := in.ReadString('\n')
			if err != nil {
				return
			}
			words = append(words, strings.TrimSpace(word))
		}
		if _, err := conn.Write([]byte(answer(strings.ToUpper(words[0])))); err != nil {
			return
		}
	}
}
