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

// fetchTimeout limits a whole fetch, from the DNS lookup to the last byte.
const fetchTimeout = 10 * time.Second

// newTransport returns a transport that keeps no idle connections, because minutes pass
// between two fetches.
func newTransport() http.RoundTripper {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// withoutRedirects returns a copy of client that does not keep cookies and does not
// follow redirects, which could lead to hosts inside the network.
func withoutRedirects(client http.Client) *http.Client {
	client.Jar = nil
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client
}

// download returns a document, how long it is fresh, and the age of the copy according
// to an intermediate cache.
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
		return nil, 0, 0, fmt.Errorf("token: keys: the response of %s has status %d, not 200", k.url, response.StatusCode)
	}
	document, err = readDocument(response)
	if err != nil {
		return nil, 0, 0, fmt.Errorf("token: keys: %s: %w", k.url, err)
	}
	return document, freshFor(response.Header), ageOf(response.Header), nil
}

// readDocument reads at most one byte more than the maximum of a document. Some hosts
// send gzip although the request does not accept it; the maximum applies to the
// decompressed document as well.
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
		return nil, errors.New("the Content-Encoding is neither identity nor gzip")
	}
	return io.ReadAll(io.LimitReader(body, jose.MaxDocument+1))
}

// ageOf returns the Age of a response from a cache (RFC 9111, 5.1).
func ageOf(h http.Header) time.Duration {
	seconds, err := strconv.ParseUint(h.Get("Age"), 10, 31)
	if err != nil {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, maxAge)
}

// maxAge limits the Age that a cache may state.
const maxAge = 24 * time.Hour

// freshFor returns how long a document is fresh by its Cache-Control (RFC 9111, 5.2.2),
// limited to minInterval and maxInterval.
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
