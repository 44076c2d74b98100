package main

import (
	"embed"
	"html/template"
	"net/http"
	"strings"

	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/token/browser"
)

//go:embed page.html page.js view.js steps.js client.js style.css elsewhere.html elsewhere.js en.json ko.json
var files embed.FS

var page = template.Must(template.ParseFS(files, "page.html"))

// languageCookie keeps the choice of a language, which is no secret.
var languageCookie = cookie.Preference("language")

// handler serves the page and its API under the name localhost, and the page of
// an attacker under 127.0.0.1. Other names lead nowhere, so no site reaches the
// demo by a name of its own that it lets point here.
func (d *demo) handler() http.Handler {
	here, elsewhere := d.here(), elsewhere()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch name, _ := hostname(r); name {
		case "localhost":
			here.ServeHTTP(w, r)
		case "127.0.0.1":
			elsewhere.ServeHTTP(w, r)
		default:
			http.Error(w, "open http://localhost", http.StatusMisdirectedRequest)
		}
	})
}

func (d *demo) here() http.Handler {
	own := http.NewCrossOriginProtection() // the modes have theirs
	mux := http.NewServeMux()
	api := d.record(d.api())
	mux.Handle("/session/", api)
	mux.Handle("/token/", api)
	mux.HandleFunc("GET /state", d.state)
	mux.Handle("POST /thief/steal", own.Handler(http.HandlerFunc(d.steal)))
	mux.Handle("POST /thief/use", own.Handler(http.HandlerFunc(d.use)))
	mux.Handle("POST /language", own.Handler(http.HandlerFunc(setLanguage)))
	mux.HandleFunc("GET /{$}", d.page)
	mux.HandleFunc("GET /text.js", texts)
	mux.Handle("GET /authlatch.js", browser.Handler())
	for _, name := range []string{"page.js", "view.js", "steps.js", "client.js", "style.css"} {
		mux.HandleFunc("GET /"+name, serveFile(name))
	}
	return mux
}

// elsewhere is another site to a browser, though it is the same program. Who
// comes to it by mistake is sent to the page.
func elsewhere() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /elsewhere", func(w http.ResponseWriter, r *http.Request) {
		_, port := hostname(r)
		target := "http://localhost" + port
		protect(w, "default-src 'none'; script-src 'self'; connect-src "+target+"; form-action "+target+"; frame-src "+target+"; frame-ancestors "+target+"; base-uri 'none'")
		w.Header().Set("Referrer-Policy", "origin") // or a form's Origin would be null
		http.ServeFileFS(w, r, files, "elsewhere.html")
	})
	mux.HandleFunc("GET /elsewhere.js", serveFile("elsewhere.js"))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		_, port := hostname(r)
		http.Redirect(w, r, "http://localhost"+port+"/?moved", http.StatusTemporaryRedirect)
	})
	return mux
}

func (d *demo) page(w http.ResponseWriter, r *http.Request) {
	if _, err := d.visitors.welcome(w, r); err != nil {
		middleware.Deny(w, r, err, "")
		return
	}
	_, port := hostname(r)
	protect(w, "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; frame-src http://127.0.0.1"+port+"; frame-ancestors 'none'; form-action 'self'; base-uri 'none'")
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	page.Execute(w, language(r))
}

// serveFile serves a part of the page.
func serveFile(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		protect(w, "default-src 'none'; frame-ancestors 'none'")
		http.ServeFileFS(w, r, files, name)
	}
}

// protect lets in no script but that of the policy, and none of it inline.
func protect(w http.ResponseWriter, policy string) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-cache")
}

// texts serves all that the page says, in both languages.
func texts(w http.ResponseWriter, r *http.Request) {
	english, _ := files.ReadFile("en.json")
	korean, _ := files.ReadFile("ko.json")
	protect(w, "default-src 'none'; frame-ancestors 'none'")
	w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
	w.Write([]byte("export default {en: " + string(english) + ", ko: " + string(korean) + "};\n"))
}

// language is the one that was chosen, or else the first of the browser's that
// the page speaks.
func language(r *http.Request) string {
	if chosen, ok, _ := languageCookie.Read(r); ok && (chosen == "en" || chosen == "ko") {
		return chosen
	}
	for want := range strings.SplitSeq(r.Header.Get("Accept-Language"), ",") {
		switch want = strings.TrimSpace(want); {
		case strings.HasPrefix(want, "ko"):
			return "ko"
		case strings.HasPrefix(want, "en"):
			return "en"
		}
	}
	return "en"
}

func setLanguage(w http.ResponseWriter, r *http.Request) {
	chosen := r.PostFormValue("language")
	if chosen != "en" && chosen != "ko" {
		http.Error(w, "en or ko", http.StatusBadRequest)
		return
	}
	if err := languageCookie.Set(w.Header(), r, chosen); err != nil {
		middleware.Deny(w, r, err, "")
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
