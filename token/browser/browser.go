// Package browser serves the browser's side of package token: authlatch.js, an
// ES module without dependencies, to be imported by pages as it is.
//
//	import { createClient } from '/authlatch.js';
//
//	const client = createClient({ onSessionLost: showLogin });
//	await client.login('/login', { method: 'POST', body: new FormData(form) });
//	const response = await client.fetch('/me');
//
// The module keeps the access token in a closure and tells it to nobody but the
// site's other tabs, over a BroadcastChannel. It refreshes it for all requests and
// tabs together, and sends a request again that came with an old one. If another
// login takes the place of its own in the cookie, it ends, and sends nothing as
// that one.
//
// The closure hides the token from script that looks into storage and globals, and
// from no other: injected script can act as the user while the page is open, and get
// a token by a refresh of its own. With an AccessCookie it gets none. It is tested in real
// browsers against package token. Beside it stand axios.js, an adapter for axios,
// and the TypeScript declarations of both.
package browser

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"net/http"
	"strings"
	"time"
)

var (
	//go:embed authlatch.js
	module string
	//go:embed authlatch.d.ts
	moduleTypes string
	//go:embed axios.js
	adapter string
	//go:embed axios.d.ts
	adapterTypes string
)

// Handler serves the files by their names: authlatch.js, axios.js, authlatch.d.ts
// and axios.d.ts. Anything else is 404; methods but GET and HEAD are 405. Under a
// longer path it is used with [http.StripPrefix]. It needs no guard, and is safe
// for concurrent use.
//
// Browsers ask each time whether their copy is the newest (RFC 9111, 5.2.2.4),
// which a 304 answers: a client that is updated is updated at once.
func Handler() http.Handler {
	const script, types = "text/javascript; charset=utf-8", "text/plain; charset=utf-8" // RFC 9239
	files := map[string]file{
		"authlatch.js":   newFile(module, script),
		"authlatch.d.ts": newFile(moduleTypes, types),
		"axios.js":       newFile(adapter, script),
		"axios.d.ts":     newFile(adapterTypes, types),
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/")
		f, ok := files[name]
		switch {
		case !ok:
			http.NotFound(w, r)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		default:
			f.serve(w, r, name)
		}
	})
}

// file is what is served under a name.
type file struct {
	content, contentType, etag string
}

func newFile(content, contentType string) file {
	sum := sha256.Sum256([]byte(content))
	return file{content, contentType, `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`}
}

func (f file) serve(w http.ResponseWriter, r *http.Request, name string) {
	h := w.Header()
	h.Set("Content-Type", f.contentType)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("ETag", f.etag)
	h.Set("Cache-Control", "no-cache")
	http.ServeContent(w, r, name, time.Time{}, strings.NewReader(f.content))
}
