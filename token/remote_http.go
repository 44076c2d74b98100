package token

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/authlatch/auth/internal/jose"
)

// fetchTimeout bounds a whole fetch, from the name's look-up to the last byte.
const fetchTimeout = 10 * time.Second

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

// withoutRedirects follows no redirect, which could lead inside the network, and
// has no cookies.
func withoutRedirects(client http.Client) *http.Client {
	client.Jar = nil
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client
}

// download returns a document, how long it is fresh, and how old a cache says
// that its copy is.
func (k *RemoteKeySet) download(ctx context.Context) (document []byte, fresh, age time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, k.url, nil)
	if err != nil {
		return nil, 0, 0, fmt.Errorf("token: keys: %w", err)
	}
	r.Header.Set("Accept", "application/jwk-set+json, application/json")
	r.Header.Set("Accept-Encoding", "identity")
	response, err := k.client.Do(r)
	if err != nil {
		return nil, 0, 0, fmt.Errorf("token: keys: %w", err) // names the URL
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, 0, 0, fmt.Errorf("token: keys: %s answers %d, not 200", k.url, response.StatusCode)
	}
	document, err = readDocument(response)
	if err != nil {
		return nil, 0, 0, fmt.Errorf("token: keys: %s: %w", k.url, err)
	}
	return document, freshFor(response.Header), ageOf(response.Header), nil
}

// readDocument reads one byte more than a document may have at most. Some hosts
// compress it though nobody has asked for that; the bound holds for what comes
// out.
func readDocument(response *http.Response) ([]byte, error) {
	var body io.Reader = response.Body
	switch encoding := strings.ToLower(strings.TrimSpace(strings.Join(response.Header["Content-Encoding"], ","))); encoding {
	case "", "identity":
	case "gzip", "x-gzip":
		unpacked, err := gzip.NewReader(io.LimitReader(body, jose.MaxDocument+1))
		if err != nil {
			return nil, err
		}
		body = unpacked
	default:
		return nil, errors.New("its Content-Encoding is neither identity nor gzip")
	}
	return io.ReadAll(io.LimitReader(body, jose.MaxDocument+1))
}

// ageOf reads how old a response is that comes from a cache (RFC 9111, 5.1).
func ageOf(h http.Header) time.Duration {
	seconds, err := strconv.ParseUint(h.Get("Age"), 10, 31)
	if err != nil {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, maxAge)
}

// maxAge bounds what a cache can say of itself.
const maxAge = 24 * time.Hour

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
