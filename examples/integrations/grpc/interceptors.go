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

// rules are the requirements of calls, by full name.
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

// admitted is a stream whose context has the identity of the caller.
type admitted struct {
	grpc.ServerStream
	ctx context.Context
}

func (s admitted) Context() context.Context { return s.ctx }

// admit applies the guard to a call and returns the context with the identity. The three
// outcomes become three status codes, without details.
func (all rules) admit(ctx context.Context, call string) (context.Context, error) {
	require, ok := all[call]
	if !ok {
		return nil, status.Error(codes.PermissionDenied, "forbidden")
	}
	var inside context.Context
	response := response{header: make(http.Header)}
	require(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		inside = r.Context()
	})).ServeHTTP(&response, request(ctx, call))
	switch {
	case inside != nil:
		return inside, nil
	case response.status == http.StatusUnauthorized:
		return nil, status.Error(codes.Unauthenticated, "unauthenticated")
	case response.status == http.StatusForbidden:
		return nil, status.Error(codes.PermissionDenied, "forbidden")
	}
	return nil, status.Error(codes.Unavailable, "unavailable")
}

// request is the HTTP request that the guard checks for a call. Of the metadata it has only
// the Authorization header: a repeated one is malformed, as in HTTP. Cookies are for
// browsers.
func request(ctx context.Context, call string) *http.Request {
	sent, _ := metadata.FromIncomingContext(ctx)
	r := &http.Request{Method: http.MethodPost, URL: &url.URL{Path: call}, RequestURI: call, Header: make(http.Header)}
	if values := sent["authorization"]; len(values) > 0 {
		r.Header["Authorization"] = values
	}
	return r.WithContext(ctx)
}

// response is the ResponseWriter for a guard. Only the status matters.
type response struct {
	header http.Header
	status int
}

func (a *response) Header() http.Header         { return a.header }
func (a *response) Write(b []byte) (int, error) { return len(b), nil }
func (a *response) WriteHeader(status int)      { a.status = status }
