package token

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/authlatch/auth/internal/jose"
)

// fetchTimeout bounds a whole fetch, from the name's look-up to the last byte.
const fetchTimeout = 10 * time.Second

// checkAddress admits https, and http of a loopback host.
func checkAddress(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "":
		return errors.New("token: an address is not a URL")
	case u.User != nil:
		return errors.New("token: an address has a user name in it")
	case u.Scheme == "https", u.Scheme == "http" && loopback(u.Hostname()):
		return nil
	}
	return errors.New("token: an address is not https")
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// newTransport shares no connection with anybody and keeps none, since minutes
// pass between two fetches.
func newTransport() http.RoundTripper {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// newClient follows no redirect, which could lead inside the network, and has
// no cookies.
func newClient(transport http.RoundTripper) *http.Client {
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// download returns a document, and how long it is fresh.
func (k *RemoteKeySet) download(ctx context.Context) ([]byte, time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, k.url, nil)
	if err != nil {
		return nil, 0, fmt.Errorf("token: keys: %w", err)
	}
	r.Header.Set("Accept", "application/jwk-set+json, application/json")
	response, err := k.client.Do(r)
	if err != nil {
		return nil, 0, fmt.Errorf("token: keys: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, 0, fmt.Errorf("token: keys: their host answers %d", response.StatusCode)
	}
	document, err := io.ReadAll(io.LimitReader(response.Body, jose.MaxDocument+1))
	if err != nil {
		return nil, 0, fmt.Errorf("token: keys: %w", err)
	}
	return document, freshFor(response.Header), nil
}

// freshFor reads how long a document is fresh (RFC 9111, 5.2.2), within bounds
// that no host can move.
func freshFor(h http.Header) time.Duration {
	fresh := defaultInterval
	for directive := range strings.SplitSeq(strings.Join(h["Cache-Control"], ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch strings.ToLower(name) {
		case "no-store", "no-cache":
			return minInterval
		case "max-age":
			seconds, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31)
			if err != nil {
				return minInterval
			}
			fresh = time.Duration(seconds) * time.Second
		}
	}
	return min(max(fresh, minInterval), maxInterval)
}
