package main

import (
	"context"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/authlatch/auth"
)

// notes is the service. It gets the identity of the caller from the context, like a
// net/http handler, and does not depend on how it is served or protected.
type notes struct {
	mu      sync.Mutex
	texts   []string
	changed chan struct{} // closed with the next change
}

func (n *notes) whoami(ctx context.Context, _ *emptypb.Empty) (*wrapperspb.StringValue, error) {
	id, _ := auth.FromContext(ctx)
	return wrapperspb.String("hello, " + id.Subject + "\n"), nil
}

func (n *notes) add(ctx context.Context, text *wrapperspb.StringValue) (*emptypb.Empty, error) {
	id, _ := auth.FromContext(ctx)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.texts = append(n.texts, id.Subject+": "+text.GetValue())
	close(n.changed)
	n.changed = make(chan struct{})
	return &emptypb.Empty{}, nil
}

// watch sends all notes, and new ones until the caller disconnects. A stream is
// authenticated once, so it ends when the caller's access token expires, and the caller
// reconnects with a new one.
func (n *notes) watch(stream grpc.ServerStream) error {
	id, _ := auth.FromContext(stream.Context())
	ctx, cancel := context.WithDeadline(stream.Context(), id.Expires)
	defer cancel()
	for sent := 0; ; {
		n.mu.Lock()
		texts, changed := n.texts[sent:], n.changed
		n.mu.Unlock()
		for _, text := range texts {
			if err := stream.SendMsg(wrapperspb.String(text)); err != nil {
				return err
			}
		}
		sent += len(texts)
		select {
		case <-changed:
		case <-ctx.Done():
			if stream.Context().Err() != nil {
				return nil // the caller has disconnected
			}
			return status.Error(codes.Unauthenticated, "unauthenticated")
		}
	}
}

// register replaces code that protoc would generate.
func (n *notes) register(s *grpc.Server) {
	s.RegisterService(&grpc.ServiceDesc{
		ServiceName: "notes.Notes",
		HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{
			{MethodName: "Whoami", Handler: unary("/notes.Notes/Whoami", n.whoami)},
			{MethodName: "Add", Handler: unary("/notes.Notes/Add", n.add)},
		},
		Streams: []grpc.StreamDesc{{
			StreamName: "Watch", ServerStreams: true,
			Handler: func(_ any, stream grpc.ServerStream) error {
				if err := stream.RecvMsg(&emptypb.Empty{}); err != nil {
					return err
				}
				return n.watch(stream)
			},
		}},
	}, n)
}

func unary[Request, Response any](name string, call func(context.Context, *Request) (*Response, error)) grpc.MethodHandler {
	return func(srv any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
		req := new(Request)
		if err := decode(req); err != nil {
			return nil, err
		}
		handler := func(ctx context.Context, req any) (any, error) { return call(ctx, req.(*Request)) }
		if interceptor == nil {
			return handler(ctx, req)
		}
		return interceptor(ctx, req, &grpc.UnaryServerInfo{Server: srv, FullMethod: name}, handler)
	}
}

// whoami is a client.
func whoami(ctx context.Context, addr, accessToken string) (string, error) {
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if accessToken != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+accessToken)
	}
	var greeting wrapperspb.StringValue
	if err := conn.Invoke(ctx, "/notes.Notes/Whoami", &emptypb.Empty{}, &greeting); err != nil {
		return "", err
	}
	return greeting.GetValue(), nil
}
