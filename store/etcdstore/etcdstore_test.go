package etcdstore

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func wantSays(t *testing.T, rule string, err error, says ...string) {
	t.Helper()
	for _, text := range says {
		if err != nil && strings.Contains(err.Error(), text) {
			return
		}
	}
	t.Errorf("%s: %v, want %q", rule, err, says)
}

func wantEachCall(t *testing.T, s *Store, says string) {
	t.Helper()
	value, ok, err := s.Get(t.Context(), "k")
	wantSays(t, "Get", err, says)
	if value != nil || ok {
		t.Errorf("Get: %q, %v", value, ok)
	}
	swapped, err := s.CompareAndSwap(t.Context(), "k", nil, []byte("v"), time.Hour)
	wantSays(t, "CompareAndSwap", err, says)
	if swapped {
		t.Error("swapped")
	}
	wantSays(t, "Delete", s.Delete(t.Context(), "k"), says)
	_, err = s.DeleteExpired(t.Context())
	wantSays(t, "DeleteExpired", err, says)
}

func TestConfigErrorsNameTheField(t *testing.T) {
	https := []string{"https://10.0.0.1:2379"}
	for says, config := range map[string]Config{
		"Config.Endpoints is empty":                  {},
		"Config.Endpoints[0] is not of the form":     {Endpoints: []string{"10.0.0.1:2379"}},
		"Config.Endpoints[1] is not of the form":     {Endpoints: []string{"https://a:1", "https://app:hunter2@b:1"}},
		"Config.Endpoints[2] is not of the form":     {Endpoints: []string{"https://a:1", "https://b:1", "https://c:1/path"}},
		"Config.Endpoints[1] has another scheme":     {Endpoints: []string{"https://a:1", "http://b:1"}},
		"Config.TLS is set":                          {Endpoints: []string{"http://a:1"}, TLS: &tls.Config{}},
		"Config.Username and Config.Password belong": {Endpoints: https, Username: "app"},
		"Config.Password would be sent in the clear": {Endpoints: []string{"http://127.0.0.1:1", "http://a:1"}, Username: "app", Password: "hunter2"},
	} {
		s, err := Open(t.Context(), config)
		wantSays(t, says, err, says)
		if s != nil || err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v, %v", s, err)
		}
	}
	if _, err := Open(t.Context(), Config{Endpoints: []string{"ftp://a:1"}}); err == nil {
		t.Error("ftp")
	}
	for _, good := range []Config{
		{Endpoints: https, Username: "app", Password: "hunter2"},
		{Endpoints: []string{"http://127.0.0.1:1", "http://[::1]:1", "http://localhost:1"}, Username: "app", Password: "hunter2"},
		{Endpoints: []string{"https://a:1", "https://b:1"}, TLS: &tls.Config{}},
	} {
		if err := good.check(); err != nil {
			t.Error(err)
		}
	}
}

func TestNilClientIsAnError(t *testing.T) {
	if s, err := New(t.Context(), nil); err == nil || s != nil {
		t.Errorf("%v, %v", s, err)
	}
}

// A server that takes connections and never answers.
func TestOpenEndsWithItsContext(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	s, err := Open(ctx, Config{Endpoints: []string{"http://" + silent.Addr().String()}})
	if !errors.Is(err, context.DeadlineExceeded) || s != nil {
		t.Errorf("%v, %v", s, err)
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	for _, test := range []struct {
		err  error
		is   error
		says string
	}{
		{rpctypes.ErrGRPCNoSpace, rpctypes.ErrNoSpace, "compact, defragment, then disarm"},
		{rpctypes.ErrGRPCPermissionDenied, rpctypes.ErrPermissionDenied, "readwrite on the prefix authlatch/"},
		{rpctypes.ErrGRPCRequestTooLarge, rpctypes.ErrRequestTooLarge, "--max-request-bytes"},
		{rpctypes.ErrGRPCTimeout, rpctypes.ErrTimeout, "majority"},
		{status.Error(codes.DeadlineExceeded, "context deadline exceeded"), context.DeadlineExceeded, "context deadline exceeded"},
		{status.Error(codes.DeadlineExceeded, "latest balancer error: refused"), context.DeadlineExceeded, "balancer error: refused"},
		{status.Error(codes.Canceled, "context canceled"), context.Canceled, "context canceled"},
	} {
		err := (&Store{}).failed("swap", test.err)
		wantSays(t, test.says, err, test.says)
		if !errors.Is(err, test.is) || !strings.HasPrefix(err.Error(), "etcdstore: swap: ") {
			t.Errorf("%v is not %v", err, test.is)
		}
	}
}
