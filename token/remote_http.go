package token

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/authlatch/auth/internal/jose"
	"github.com/authlatch/auth/internal/stored"
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

// answer is a response with status 200.
type answer struct {
	document    []byte
	contentType string
	fresh, age  time.Duration // by its headers
}

// download requests the document. Its error names the URL, and the status if there is one.
func (k *RemoteKeySet) download(ctx context.Context) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, k.url, nil)
	if err != nil {
		return answer{}, fmt.Errorf("token: keys: %w", err)
	}
	r.Header.Set("Accept", "application/jwk-set+json, application/json")
	r.Header.Set("Accept-Encoding", "identity")
	response, err := k.client.Do(r)
	if err != nil {
		return answer{}, fmt.Errorf("token: keys: %w", err) // names the URL
	}
	defer response.Body.Close()
	switch {
	case 300 <= response.StatusCode && response.StatusCode <= 399:
		return answer{}, fmt.Errorf("token: keys: %s: status %d%s, expected 200: redirects are not followed", k.url, response.StatusCode, target(response))
	case response.StatusCode != http.StatusOK:
		return answer{}, fmt.Errorf("token: keys: %s: status %d, expected 200", k.url, response.StatusCode)
	}
	document, err := readDocument(response)
	if err != nil {
		return answer{}, k.unfit(err)
	}
	return answer{document, response.Header.Get("Content-Type"), freshFor(response.Header), ageOf(response.Header)}, nil
}

// unfit is the error for a response with status 200 that cannot be used.
func (k *RemoteKeySet) unfit(err error) error {
	return fmt.Errorf("token: keys: %s: status 200, but %w", k.url, err)
}

// target returns the Location of a redirect without its query, which may be a secret.
func target(response *http.Response) string {
	to, err := response.Location()
	if err != nil {
		return ""
	}
	return fmt.Sprintf(" to %q", stored.Printable(to.Scheme+"://"+to.Host+to.Path, maxQuoted))
}

// maxQuoted is the maximum length of what an error quotes of a response.
const maxQuoted = 128

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
		return nil, fmt.Errorf("the Content-Encoding is %q, expected identity or gzip", stored.Printable(encoding, maxQuoted))
	}
	document, err := io.ReadAll(io.LimitReader(body, jose.MaxDocument+1))
	if err != nil {
		return nil, err
	}
	if len(document) > jose.MaxDocument {
		return nil, fmt.Errorf("the document has more than %d bytes", jose.MaxDocument)
	}
	return document, nil
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
