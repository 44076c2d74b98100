package main

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

// outage is a store that can be switched off.
type outage struct {
	store.Memory
	down atomic.Bool
}

const storeText = "dial tcp 192.0.2.1:6379"

func (o *outage) Get(ctx context.Context, key string) ([]byte, bool, error) {
	if o.down.Load() {
		return nil, false, errors.New(storeText)
	}
	return o.Memory.Get(ctx, key)
}

type world struct {
	t      *testing.T
	issuer *token.Issuer
	store  *outage
	conns  map[string]*grpc.ClientConn // by the way of serving
}

// start serves in both ways on free ports, and connects a client to each.
func start(t *testing.T) *world {
	w := &world{t: t, store: &outage{}, conns: make(map[string]*grpc.ClientConn)}
	var err error
	if w.issuer, err = newIssuer(w.store); err != nil {
		t.Fatal(err)
	}
	both := newServers(w.issuer)
	t.Cleanup(both.native.Stop)
	t.Cleanup(func() { both.web.Close() })
	for way, serve := range map[string]func(net.Listener) error{"behind a guard": both.web.Serve, "with interceptors": both.native.Serve} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go serve(listener)
		conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		w.conns[way] = conn
	}
	return w
}

func (w *world) token(user string) string {
	w.t.Helper()
	id, ok := account(user, "correct horse")
	if !ok {
		w.t.Fatal("no account")
	}
	tokens, err := w.issuer.Issue(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return tokens.AccessToken
}

func sending(ctx context.Context, authorization ...string) context.Context {
	for _, value := range authorization {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", value)
	}
	return ctx
}

// call makes a call of each kind: whoami, add, watch.
func call(ctx context.Context, conn *grpc.ClientConn, name string) (string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var text wrapperspb.StringValue
	switch name {
	case "whoami":
		err := conn.Invoke(ctx, "/notes.Notes/Whoami", &emptypb.Empty{}, &text)
		return text.GetValue(), err
	case "add":
		return "", conn.Invoke(ctx, "/notes.Notes/Add", wrapperspb.String("tea"), &emptypb.Empty{})
	}
	stream, err := watch(ctx, conn)
	if err == nil {
		err = stream.RecvMsg(&text)
	}
	return text.GetValue(), err
}

func watch(ctx context.Context, conn *grpc.ClientConn) (grpc.ClientStream, error) {
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, "/notes.Notes/Watch")
	if err != nil {
		return nil, err
	}
	if err := stream.SendMsg(&emptypb.Empty{}); err != nil {
		return nil, err
	}
	return stream, stream.CloseSend()
}

// The three outcomes arrive as three status codes, however a call is served, without
// details.
//
// ASVS 5.0, 16.5.1.
func TestACallIsAdmittedAsByAGuard(t *testing.T) {
	w := start(t)
	alice, bob := "Bearer "+w.token("alice"), "Bearer "+w.token("bob")
	ended := "Bearer " + w.token("alice")
	// Something to watch.
	if _, err := call(sending(t.Context(), alice), w.conns["with interceptors"], "add"); err != nil {
		t.Fatal(err)
	}
	id, err := w.issuer.Verify(t.Context(), strings.TrimPrefix(ended, "Bearer "))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.issuer.LogoutOne(t.Context(), "alice", id.Identity().LoginID); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		rule  string
		sent  []string
		down  bool
		name  string
		code  codes.Code
		reply string
	}{
		{"no credential", nil, false, "whoami", codes.Unauthenticated, ""},
		{"a stream without a credential is refused", nil, false, "watch", codes.Unauthenticated, ""},
		{"no credential, with any scope", nil, false, "add", codes.Unauthenticated, ""},
		{"a bad credential", []string{"Bearer forged"}, false, "whoami", codes.Unauthenticated, ""},
		{"a credential of another scheme", []string{"Basic YTpi"}, false, "whoami", codes.Unauthenticated, ""},
		{"a malformed credential", []string{alice + " "}, false, "whoami", codes.Unauthenticated, ""},
		{"a credential that is there twice", []string{alice, alice}, false, "whoami", codes.Unauthenticated, ""},
		{"a stream with an invalid credential is refused", []string{"Bearer forged"}, false, "watch", codes.Unauthenticated, ""},
		{"a login that has ended", []string{ended}, false, "whoami", codes.Unauthenticated, ""},
		{"a lack of scope", []string{bob}, false, "add", codes.PermissionDenied, ""},
		{"a store that is down", []string{alice}, true, "whoami", codes.Unavailable, ""},
		{"a stream is refused while the store is down", []string{alice}, true, "watch", codes.Unavailable, ""},
		{"a store that is down is not reported as a lack of scope", []string{bob}, true, "add", codes.Unavailable, ""},
		{"an authenticated caller is known", []string{alice}, false, "whoami", codes.OK, "hello, alice\n"},
		{"another authenticated caller is known", []string{bob}, false, "whoami", codes.OK, "hello, bob\n"},
		{"a caller with the scope", []string{alice}, false, "add", codes.OK, ""},
		{"a caller who may watch", []string{bob}, false, "watch", codes.OK, "alice: tea"},
		{"a call that does not exist", []string{alice}, false, "nothing", codes.Unimplemented, ""},
	} {
		for way, conn := range w.conns {
			w.store.down.Store(c.down)
			var reply string
			var err error
			if c.name == "nothing" {
				err = conn.Invoke(sending(t.Context(), c.sent...), "/notes.Notes/Nothing", &emptypb.Empty{}, &emptypb.Empty{})
			} else {
				reply, err = call(sending(t.Context(), c.sent...), conn, c.name)
			}
			if status.Code(err) != c.code || reply != c.reply {
				t.Errorf("%s, %s: %q %v, want %q %v", way, c.rule, reply, err, c.reply, c.code)
			}
			for _, secret := range []string{storeText, "token:", "auth:", "goroutine", "forged"} {
				if err != nil && strings.Contains(err.Error(), secret) {
					t.Errorf("%s, %s: the client receives %v", way, c.rule, err)
				}
			}
		}
	}
}

// Streamed messages arrive while the stream is open.
func TestAStreamPassesAGuard(t *testing.T) {
	for _, way := range []string{"behind a guard", "with interceptors"} {
		t.Run(way, func(t *testing.T) {
			w := start(t)
			conn, ctx := w.conns[way], sending(t.Context(), "Bearer "+w.token("alice"))
			stream, err := watch(ctx, conn)
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				if _, err := call(ctx, conn, "add"); err != nil {
					t.Fatal(err)
				}
				var text wrapperspb.StringValue
				if err := stream.RecvMsg(&text); err != nil || text.GetValue() != "alice: tea" {
					t.Fatalf("%q %v", text.GetValue(), err)
				}
			}
		})
	}
}

// A call without a rule is refused for all callers.
func TestACallWithoutARuleIsRefused(t *testing.T) {
	w := start(t)
	ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs("authorization", "Bearer "+w.token("alice")))
	inside, err := rules{}.admit(ctx, "/notes.Notes/Whoami")
	if inside != nil || status.Code(err) != codes.PermissionDenied {
		t.Errorf("%v, %v", inside, err)
	}
}

type quietStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s quietStream) Context() context.Context { return s.ctx }

func TestAStreamEndsWithTheAccessToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		ctx := auth.NewContext(t.Context(), auth.Identity{Subject: "alice", Expires: start.Add(10 * time.Minute)})
		n := &notes{changed: make(chan struct{})}
		if err := n.watch(quietStream{ctx: ctx}); status.Code(err) != codes.Unauthenticated {
			t.Error(err)
		}
		if lasted := time.Since(start); lasted != 10*time.Minute {
			t.Errorf("it ended after %v", lasted)
		}
		gone, cancel := context.WithCancel(ctx)
		cancel()
		if err := n.watch(quietStream{ctx: gone}); err != nil {
			t.Errorf("a caller that has gone: %v", err)
		}
	})
}
