// Package plainhttp finds Secure cookies that browsers drop, because the page was served over
// plain HTTP.
package plainhttp

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
)

// Reason is the reason of the event.
const Reason = "plain http"

// Log is the default of the hooks of events. It logs cookies that browsers drop, since a
// program without a hook would never learn why its logins end, and nothing else.
func Log(ctx context.Context, e auth.Event) {
	if e.Reason == Reason {
		slog.WarnContext(ctx, "auth: a browser is not logged in", "event", e)
	}
}

// Watch finds such cookies of one configuration. The zero value is ready. It is safe for
// concurrent use.
type Watch struct{ next atomic.Int64 }

// pause bounds the events that a client can cause, which can send any header.
const pause = time.Minute

// Check returns an error if the browser drops the cookie that the response to r sets under
// the policy, and at most one within a minute. It believes the browser, which says from
// where the page came: a proxy in front may end TLS.
func (w *Watch) Check(r *http.Request, p cookie.Policy) error {
	secure := strings.HasPrefix(p.Name(), "__")
	if !secure || r.TLS != nil {
		return nil
	}
	from := r.Header.Get("Origin")
	if from == "" {
		from = r.Header.Get("Referer")
	}
	page, err := url.Parse(from)
	if err != nil || page.Scheme != "http" {
		return nil
	}
	local := loopback(page.Hostname())
	if keeps(r.Header, local) {
		return nil
	}
	now := time.Now()
	if next := w.next.Load(); now.UnixMilli() < next || !w.next.CompareAndSwap(next, now.Add(pause).UnixMilli()) {
		return nil
	}
	host := strings.Trim(strconv.QuoteToASCII(page.Host), `"`) // for a terminal
	if local {
		return fmt.Errorf("WebKit browsers such as Safari drop the cookie %s: it is Secure, and http://%.200s is plain HTTP: "+
			"use another browser, serve https or, in development, use cookie.Policy.Insecure", p.Name(), host)
	}
	return fmt.Errorf("browsers drop the cookie %s: it is Secure, and http://%.200s is plain HTTP and not loopback: "+
		"serve https or, in a closed network only, use cookie.Policy.InsecureAnywhere", p.Name(), host)
}

// keeps reports whether the browser keeps Secure cookies of plain HTTP. WebKit never does
// (WebKit bug 281149); all browsers of iOS are WebKit. The others do on loopback. Elsewhere
// they send Sec-Fetch-Site only if they have been told to trust the origin.
func keeps(h http.Header, local bool) bool {
	agent := h.Get("User-Agent")
	webkit := strings.Contains(agent, "AppleWebKit/") && !strings.Contains(agent, "Chrome/")
	return !webkit && (local || h.Get("Sec-Fetch-Site") != "")
}

func loopback(host string) bool {
	host = strings.ToLower(host)
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || err == nil && ip.IsLoopback()
}
