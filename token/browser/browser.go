// Package browser serves the browser client of package token: authlatch.js, an ES module
// without dependencies. Pages import it without a build step.
//
//	import { createClient } from '/authlatch.js';
//
//	const client = createClient({ onSessionLost: showLogin });
//	await client.login('/login', { method: 'POST', body: new FormData(form) });
//	const response = await client.fetch('/me');
//
// The module keeps the access token in a closure, and shares it only with the other tabs
// of the origin, over a BroadcastChannel. All requests and tabs share one refresh. A
// request that was refused because of an old token is sent again. If another login
// replaces the login of the client in the cookie, the client's login ends, and the client
// sends no request as the other login.
//
// The closure hides the token only from script that reads storage and globals. Injected
// script (XSS) can act as the user while the page is open, and can obtain a token by a
// refresh of its own. With an AccessCookie it cannot obtain a token.
//
// The package also serves axios.js, an adapter for axios, and the TypeScript declarations
// of both modules. The module is tested in browsers against package token.
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

// Handler returns a handler that serves the files by their names: authlatch.js, axios.js,
// authlatch.d.ts and axios.d.ts. The response to another path is 404, and to methods
// other than GET and HEAD 405. Use [http.StripPrefix] under a longer path. The handler
// needs no guard, and is safe for concurrent use.
//
// Browsers revalidate their copy each time (Cache-Control: no-cache; RFC 9111, 5.2.2.4),
// and receive a 304 if it is current, so an update takes effect at once.
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

// file is a file to serve.
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
