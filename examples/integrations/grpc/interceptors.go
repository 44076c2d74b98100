package main

import (
	"context"
	"net/http"
	"net/url"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// rules says what calls require, by their full name.
type rules map[string]func(http.Handler) http.Handler

func (all rules) unary(ctx context.Context, req any, call *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	ctx, err := all.admit(ctx, call.FullMethod)
	if err != nil {
		return nil, err
	}
	return handler(ctx, req)
}

func (all rules) stream(srv any, s grpc.ServerStream, call *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	ctx, err := all.admit(s.Context(), call.FullMethod)
	if err != nil {
		return err
	}
	return handler(srv, admitted{s, ctx})
}

// admitted is a stream whose handler sees who opened it.
type admitted struct {
	grpc.ServerStream
	ctx context.Context
}

func (s admitted) Context() context.Context { return s.ctx }

// admit asks the guard of a call, and returns the context with the identity in
// it. The three outcomes become three codes, and nothing more is told.
func (all rules) admit(ctx context.Context, call string) (context.Context, error) {
	require, ok := all[call]
	if !ok {
		return nil, status.Error(codes.PermissionDenied, "forbidden")
	}
	var inside context.Context
	answer := answer{header: make(http.Header)}
	require(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		inside = r.Context()
	})).ServeHTTP(&answer, request(ctx, call))
	switch {
	case inside != nil:
		return inside, nil
	case answer.status == http.StatusUnauthorized:
		return nil, status.Error(codes.Unauthenticated, "unauthenticated")
	case answer.status == http.StatusForbidden:
		return nil, status.Error(codes.PermissionDenied, "forbidden")
	}
	return nil, status.Error(codes.Unavailable, "unavailable")
}

// request is what a guard has to see of a call. Of the metadata it is the
// credential alone: a field that is there twice is malformed, as in HTTP, and
// cookies are for browsers.
func request(ctx context.Context, call string) *http.Request {
	sent, _ := metadata.FromIncomingContext(ctx)
	r := &http.Request{Method: http.MethodPost, URL: &url.URL{Path: call}, RequestURI: call, Header: make(http.Header)}
	if values := sent["authorization"]; len(values) > 0 {
		r.Header["Authorization"] = values
	}
	return r.WithContext(ctx)
}

// answer is the ResponseWriter of a guard, of which the status counts.
type answer struct {
	header http.Header
	status int
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) Write(b []byte) (int, error) { return len(b), nil }
func (a *answer) WriteHeader(status int)      { a.status = status }
