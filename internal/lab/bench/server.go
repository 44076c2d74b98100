package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/alexedwards/scs/v2/memstore"
	"github.com/authlatch/auth/store"
	"github.com/golang-jwt/jwt/v5"
)

// users is how many users send requests to a server.
const users = 1000

// A kind is a server that is compared.
type kind struct {
	name string
	site func(keyPair) (site, error)
}

// served are the kinds of servers. The first is the floor, the second is ours.
var served = []kind{
	{"the bare handler", func(keyPair) (site, error) { return anyone(bare()), nil }},
	{"ours, sessions in memory", func(keyPair) (site, error) { return ourSessions("", &store.Memory{}) }},
	{"ours, tokens", func(k keyPair) (site, error) {
		t, err := ourTokens("", &store.Memory{}, k.Signer, false, 0)
		return t.site, err
	}},
	{"ours, tokens with RevocationCheck in memory", func(k keyPair) (site, error) {
		t, err := ourTokens("", &store.Memory{}, k.Signer, true, 0)
		return t.site, err
	}},
	{"scs, memstore", func(keyPair) (site, error) { return scsSite("", memstore.NewWithCleanupInterval(0)), nil }},
	{"golang-jwt, middleware by hand", func(k keyPair) (site, error) {
		t, err := ourTokens("", &store.Memory{}, k.Signer, false, 0)
		t.handler = k.parsing()
		return t.site, err
	}},
}

// anyone is a site that asks for no login.
func anyone(h http.Handler) site {
	return site{header: "Cookie", handler: h, login: func(string) (string, error) { return "none", nil }}
}

// A listening says how to send requests to a server of another process.
type listening struct {
	Address  string
	Requests [][]byte // one for each user
	Body     string   // of each response, as far as they are alike
}

// serve runs the server of a name until in ends. So many users are logged in.
func serve(name string, users int, in io.Reader, out io.Writer) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(served, func(k kind) bool { return k.name == name })
	if i < 0 {
		return fmt.Errorf("no server is named %q", name)
	}
	s, err := served[i].site(keyPair{key, jwt.SigningMethodES256})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	line := listening{Address: l.Addr().String(), Body: "subject-"}
	for n := range users {
		credential, err := s.login(fmt.Sprintf("subject-%04d", n))
		if err != nil {
			return err
		}
		line.Requests = append(line.Requests, fmt.Appendf(nil, "GET / HTTP/1.1\r\nHost: %s\r\n%s: %s\r\n\r\n", line.Address, s.header, credential))
	}
	server := &http.Server{Handler: s.handler}
	defer server.Close()
	go server.Serve(l)
	if err := json.NewEncoder(out).Encode(line); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, in)
	return err
}

// A throughput is what has been measured of a server.
type throughput struct {
	name            string
	perSecond       float64 // requests: the median
	toFirst, toOurs float64 // to those of another server in the same round
	p50, p99, p999  time.Duration
}

// server loads one server after the other, round after round.
func server(ctx context.Context, b *bench) error {
	b.say("servers")
	all := make([]listening, len(served))
	for i, s := range served {
		end, err := startChild(&all[i], "serve", s.name, fmt.Sprint(users))
		if err != nil {
			return err
		}
		defer end()
	}
	rates, times := make([][]float64, len(all)), make([][]time.Duration, len(all))
	for round := range b.loads + 1 {
		for k := range all {
			i := (round + k) % len(all)
			took, err := load(ctx, all[i], b.load)
			if err != nil {
				return fmt.Errorf("%s: %w", served[i].name, err)
			}
			if round > 0 { // the first warms up
				rates[i] = append(rates[i], float64(len(took))/b.load.Seconds())
				times[i] = append(times[i], took...)
			}
		}
	}
	for i, s := range served {
		b.results.servers = append(b.results.servers, summary(s.name, rates, times[i], i))
	}
	return nil
}

// summary is the throughput of the server i.
func summary(name string, rates [][]float64, times []time.Duration, i int) throughput {
	var toFirst, toOurs []float64
	for round, rate := range rates[i] {
		toFirst = append(toFirst, rate/rates[0][round])
		toOurs = append(toOurs, rate/rates[1][round])
	}
	slices.Sort(times)
	return throughput{name, median(slices.Clone(rates[i])), median(toFirst), median(toOurs), quantile(times, 0.5), quantile(times, 0.99), quantile(times, 0.999)}
}
