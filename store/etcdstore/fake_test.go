package etcdstore

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A fake is a server whose responses the test sets. The rules of the contract are
// tested with real clusters, in internal/lab/conformance.
type fake struct {
	pb.UnimplementedKVServer
	pb.UnimplementedMaintenanceServer
	url string

	mu      sync.Mutex
	header  *pb.ResponseHeader
	status  *pb.StatusResponse
	respond func(write bool) error
	reads   int
	writes  int
}

func newFake(t *testing.T) *fake {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{
		url:     "http://" + l.Addr().String(),
		header:  &pb.ResponseHeader{ClusterId: 1, Revision: 10},
		status:  &pb.StatusResponse{Version: "3.4.0"},
		respond: func(bool) error { return nil },
	}
	server := grpc.NewServer()
	pb.RegisterKVServer(server, f)
	pb.RegisterMaintenanceServer(server, f)
	go server.Serve(l)
	t.Cleanup(server.Stop)
	return f
}

func (f *fake) Status(context.Context, *pb.StatusRequest) (*pb.StatusResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return &pb.StatusResponse{Header: f.now(), Version: f.status.Version, IsLearner: f.status.IsLearner}, nil
}

func (f *fake) Range(context.Context, *pb.RangeRequest) (*pb.RangeResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reads++
	return &pb.RangeResponse{Header: f.now()}, f.respond(false)
}

func (f *fake) Txn(context.Context, *pb.TxnRequest) (*pb.TxnResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writes++
	return &pb.TxnResponse{Header: f.now(), Succeeded: true}, f.respond(true)
}

func (f *fake) now() *pb.ResponseHeader {
	return &pb.ResponseHeader{ClusterId: f.header.ClusterId, Revision: f.header.Revision}
}

// set changes what the fake does next.
func (f *fake) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reads, f.writes = 0, 0
	change()
}

func (f *fake) calls() (reads, writes int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reads, f.writes
}

func open(t *testing.T, fakes ...*fake) *Store {
	t.Helper()
	s, err := openFakes(t, fakes...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func openFakes(t *testing.T, fakes ...*fake) (*Store, error) {
	var urls []string
	for _, f := range fakes {
		urls = append(urls, f.url)
	}
	return Open(t.Context(), Config{Endpoints: urls})
}

// The client of etcd would send a write again after these answers, and the
// second time it would be refused because of the first.
func TestAWriteIsSentOnce(t *testing.T) {
	f := newFake(t)
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{f.url}, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	shared, err := New(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*Store{"Open": open(t, f), "New": shared} {
		for _, code := range []codes.Code{codes.Canceled, codes.DeadlineExceeded, codes.Unavailable, codes.Unknown, codes.Aborted, codes.Internal} {
			for write, do := range map[string]func() error{
				"create": func() error { return last(s.CompareAndSwap(t.Context(), "k", nil, []byte("v"), time.Hour)) },
				"swap":   func() error { return last(s.CompareAndSwap(t.Context(), "k", []byte("u"), []byte("v"), time.Hour)) },
				"delete": func() error { return s.Delete(t.Context(), "k") },
			} {
				f.set(func() {
					f.respond = func(bool) error {
						if f.writes == 1 {
							return status.Error(code, "it may have happened")
						}
						return nil
					}
				})
				err := do()
				if _, writes := f.calls(); writes != 1 || err == nil {
					t.Errorf("%s, %s after %v: sent %d times, %v", name, write, code, writes, err)
				}
			}
		}
	}
}

func TestAReadIsRepeatedWhileAMemberIsAway(t *testing.T) {
	f := newFake(t)
	s := open(t, f)
	f.set(func() {
		f.respond = func(bool) error {
			if f.reads < 3 {
				return status.Error(codes.Unavailable, "etcdserver: leader changed")
			}
			return nil
		}
	})
	if _, ok, err := s.Get(t.Context(), "k"); ok || err != nil {
		t.Error(ok, err)
	}
	if reads, _ := f.calls(); reads != 3 {
		t.Errorf("read %d times", reads)
	}
}

func TestAnswersOfAnotherClusterAreErrors(t *testing.T) {
	one, other := newFake(t), newFake(t)
	other.header.ClusterId = 2
	s, err := openFakes(t, one, other)
	wantSays(t, "two clusters", err, "different clusters, 1 and 2", "different clusters, 2 and 1")
	if s != nil {
		t.Error("it is open")
	}
	s = open(t, one)
	one.set(func() { one.header.ClusterId = 3 })
	wantEachCall(t, s, "different clusters, 1 and 3")
	one.set(func() { one.header.ClusterId = 1 })
	if _, _, err := s.Get(t.Context(), "k"); err != nil {
		t.Errorf("the first cluster again: %v", err)
	}
}

// Logouts are undone in a cluster that was restored from a backup.
func TestAClusterThatWentBackIsNotBelieved(t *testing.T) {
	f := newFake(t)
	s := open(t, f)
	f.set(func() { f.header.Revision = 9 })
	wantEachCall(t, s, "back to revision 9")
	f.set(func() { f.header.Revision = 11 })
	wantEachCall(t, s, "back to revision 11") // others have written meanwhile
	if _, _, err := open(t, f).Get(t.Context(), "k"); err != nil {
		t.Errorf("a process that starts again: %v", err)
	}
}

func TestMembersThatCannotServeAreRefused(t *testing.T) {
	good, learner, old := newFake(t), newFake(t), newFake(t)
	learner.status.IsLearner = true
	old.status.Version = "3.3.27"
	_, err := openFakes(t, good, learner)
	wantSays(t, "a learner", err, learner.url+" is a learner")
	_, err = openFakes(t, good, old)
	wantSays(t, "an old member", err, old.url+` has version "3.3.27"`)
	for version, want := range map[string]bool{
		"3.4.0": false, "3.10.1": false, "4.0.0": false, "3.7.0-rc.1": false, "3.3.99": true, "2.3.8": true, "": true, "x": true,
	} {
		if got := tooOld(version); got != want {
			t.Errorf("%q is too old: %v", version, got)
		}
	}
}
