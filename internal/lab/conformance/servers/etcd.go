package servers

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// EtcdMember is one member of a private etcd cluster. Its methods fail the test
// when they cannot do what they say.
type EtcdMember struct {
	URL  string // where it serves clients
	*SQL        // its process
	ID   uint64

	network *peerNetwork
}

// EtcdCluster is a private etcd cluster.
type EtcdCluster []*EtcdMember

// Etcd starts a cluster of so many members in folders of their own, with options
// such as "--quota-backend-bytes", "1000000".
func Etcd(t testing.TB, members int, options ...string) EtcdCluster {
	t.Helper()
	c := etcdCluster(t, "http", members, pingEtcd, func() string { return Folder(t, nil) }, options)
	c.name()
	return c
}

// EtcdOnDisks starts a cluster of so many members, each on a small file system of its own.
func EtcdOnDisks(t testing.TB, members int) (EtcdCluster, map[*EtcdMember]*Disk) {
	t.Helper()
	var disks []*Disk
	c := etcdCluster(t, "http", members, pingEtcd, func() string {
		disks = append(disks, NewDisk(t, "256")) // a write-ahead log takes 128 from the start
		return disks[len(disks)-1].Dir
	}, nil)
	c.name()
	of := make(map[*EtcdMember]*Disk)
	for i, m := range c {
		of[m] = disks[i]
	}
	return c, of
}

func (c EtcdCluster) name() {
	for _, m := range c {
		m.ID = m.status().Header.MemberId
		m.network.name(m)
	}
}

// EtcdTLS starts a member that serves https, with options for its certificate.
func EtcdTLS(t testing.TB, options ...string) *EtcdMember {
	t.Helper()
	metrics := "http://" + loopback(quietPort(t))
	healthy := func(ctx context.Context, _ string) error {
		r, err := http.NewRequestWithContext(ctx, "GET", metrics+"/health", nil)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return errors.New(response.Status)
		}
		return nil
	}
	return etcdCluster(t, "https", 1, healthy, func() string { return Folder(t, nil) }, append(options, "--listen-metrics-urls", metrics))[0]
}

func etcdCluster(t testing.TB, scheme string, members int, ping func(context.Context, string) error, folder func() string, options []string) EtcdCluster {
	t.Helper()
	etcd := program(t, "etcd", "etcd")
	cluster, peers := make(EtcdCluster, members), make([]string, members)
	network := newPeerNetwork(t)
	for i := range cluster {
		listen := "http://" + loopback(quietPort(t))
		advertised := "http://" + network.lead(strings.TrimPrefix(listen, "http://"))
		peers[i] = fmt.Sprintf("m%d=%s", i, advertised)
		url := scheme + "://" + loopback(quietPort(t))
		dir := folder()
		cluster[i] = &EtcdMember{URL: url, network: network, SQL: &SQL{URL: url, Dir: dir, t: t, ping: ping, command: []string{
			etcd, "--name", fmt.Sprint("m", i), "--data-dir", filepath.Join(dir, "data"),
			"--listen-client-urls", url, "--advertise-client-urls", url,
			"--listen-peer-urls", listen, "--initial-advertise-peer-urls", advertised,
			"--logger", "zap", "--log-level", "error", "--log-outputs", "stderr",
		}}}
	}
	for _, m := range cluster {
		m.command = append(m.command, "--initial-cluster", strings.Join(peers, ","))
		m.command = append(m.command, options...)
		t.Cleanup(m.stop)
		m.spawn()
	}
	cluster.WaitReady()
	return cluster
}

// quietPort returns a free port below those that the system gives to outgoing
// connections, so that a member which starts again gets it again.
func quietPort(t testing.TB) int {
	t.Helper()
	for range 100 {
		port := 20_000 + rand.IntN(12_000)
		if l, err := net.Listen("tcp", loopback(port)); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}

// pingEtcd asks for what a majority has to confirm.
func pingEtcd(ctx context.Context, url string) error {
	client, err := etcdClient(url)
	if err != nil {
		return err
	}
	defer client.Close()
	_, err = client.Get(ctx, "any")
	return err
}

func etcdClient(urls ...string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{Endpoints: urls, Logger: zap.NewNop()})
}

// Start starts the process. It waits for no answer, which a member without the
// others cannot give.
func (m *EtcdMember) Start() { m.spawn() }

func (m *EtcdMember) spawn() {
	m.t.Helper()
	log, err := os.OpenFile(filepath.Join(m.Dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		m.t.Fatal(err)
	}
	defer log.Close()
	m.process = prepared(nil, m.Dir, m.command)
	m.process.Stdout, m.process.Stderr = log, log
	if err := m.process.Start(); err != nil {
		m.t.Fatal(err)
	}
	process, ended := m.process, make(chan struct{})
	m.ended = ended
	go func() { process.Wait(); close(ended) }()
}

func (m *EtcdMember) stop() {
	if m.process != nil && m.Running() {
		m.Kill()
	}
}

func (m *EtcdMember) status() *clientv3.StatusResponse {
	m.t.Helper()
	client := m.Client()
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	status, err := client.Status(ctx, m.URL)
	if err != nil {
		m.t.Fatal(err)
	}
	return status
}

// Old reports whether the member is of version 3.4.
func (m *EtcdMember) Old() bool { return strings.HasPrefix(m.status().Version, "3.4.") }

// Client returns a client of this member alone, which the caller closes.
func (m *EtcdMember) Client() *clientv3.Client {
	m.t.Helper()
	client, err := etcdClient(m.URL)
	if err != nil {
		m.t.Fatal(err)
	}
	return client
}

// URLs are those of all members.
func (c EtcdCluster) URLs() (urls []string) {
	for _, m := range c {
		urls = append(urls, m.URL)
	}
	return urls
}

// WaitReady waits until every member answers with the consent of a majority.
func (c EtcdCluster) WaitReady() {
	for _, m := range c {
		m.WaitReady()
	}
}

// Leader returns the leader and the others.
func (c EtcdCluster) Leader() (leader *EtcdMember, followers EtcdCluster) {
	c[0].t.Helper()
	for start := time.Now(); time.Since(start) < patience; time.Sleep(50 * time.Millisecond) {
		leader, followers = nil, nil
		status := c[0].status()
		for _, m := range c {
			if m.ID == status.Leader {
				leader = m
			} else {
				followers = append(followers, m)
			}
		}
		if leader != nil {
			return leader, followers
		}
	}
	c[0].t.Fatal("the cluster has no leader")
	return nil, nil
}

// SlowDisk delays each fsync of the members for some time, as a disk that is overloaded.
func (c EtcdCluster) SlowDisk(delay, d time.Duration) {
	t := c[0].t
	t.Helper()
	strace := program(t, "strace", "strace")
	var all []*exec.Cmd
	for _, m := range c {
		inject := fmt.Sprintf("inject=fdatasync,fsync:delay_enter=%d", delay.Microseconds())
		command := exec.Command(strace, "-f", "-qq", "-o", os.DevNull, "-e", "trace=fdatasync,fsync", "-e", inject, "-p", fmt.Sprint(m.process.Process.Pid))
		command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		all = append(all, command)
	}
	time.Sleep(d)
	for _, command := range all {
		command.Process.Signal(syscall.SIGINT) // it detaches
		command.Wait()
	}
}

// Isolate cuts a member off from the others; its clients still reach it.
func (m *EtcdMember) Isolate() { m.network.isolate(m.ID) }

// Join ends an Isolate.
func (m *EtcdMember) Join() { m.network.isolate(0) }
