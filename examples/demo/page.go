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

//go:embed page.html elsewhere.html *.js *.css en.json ko.json
var files embed.FS

var page = template.Must(template.ParseFS(files, "page.html"))

// parts are the scripts and style sheets of the page.
var parts = []string{
	"page.js", "scenarios.js", "steps.js", "client.js", "view.js", "picture.js", "log.js", "why.js", "dom.js",
	"style.css", "stage.css",
}

// languageCookie stores the chosen language. It is not secret.
var languageCookie = cookie.Preference("language")

// handler serves the page and its API on localhost, and the page of an attacker on
// 127.0.0.1. It refuses other hosts, which prevents DNS rebinding.
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
	own := http.NewCrossOriginProtection() // the modes have their own
	mux := http.NewServeMux()
	server := d.record("login", d.loginServer())
	mux.Handle("/session/", server)
	mux.Handle("/token/", server)
	mux.Handle("GET /jwks.json", d.keys.JWKSHandler())
	mux.HandleFunc("GET /state", d.state)
	mux.Handle("POST /store", own.Handler(http.HandlerFunc(d.connect)))
	mux.Handle("POST /reset", own.Handler(http.HandlerFunc(d.reset)))
	mux.Handle("POST /thief/steal", own.Handler(http.HandlerFunc(d.steal)))
	mux.Handle("POST /thief/use", own.Handler(http.HandlerFunc(d.use)))
	mux.Handle("POST /language", own.Handler(http.HandlerFunc(setLanguage)))
	mux.HandleFunc("GET /{$}", d.page)
	mux.HandleFunc("GET /text.js", texts)
	mux.Handle("GET /authlatch.js", browser.Handler())
	for _, name := range parts {
		mux.HandleFunc("GET /"+name, serveFile(name))
	}
	return middleware.SecurityHeaders(mux)
}

// elsewhere is another site to a browser, although it is the same program. Users who open
// it by mistake are redirected to the page.
func elsewhere() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /elsewhere", func(w http.ResponseWriter, r *http.Request) {
		_, port := hostname(r)
		target := "http://localhost" + port
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; connect-src "+target+"; form-action "+target+"; frame-src "+target+"; frame-ancestors "+target+"; base-uri 'none'")
		h.Set("Referrer-Policy", "origin") // or a form's Origin would be null
		http.ServeFileFS(w, r, files, "elsewhere.html")
	})
	mux.HandleFunc("GET /elsewhere.js", serveFile("elsewhere.js"))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		_, port := hostname(r)
		target := "http://localhost" + port + "/?moved"
		if named := r.URL.Query().Get("lang"); supported(named) {
			target += "&lang=" + named
		}
		http.Redirect(w, r, target, http.StatusTemporaryRedirect)
	})
	return middleware.SecurityHeaders(mux)
}

func (d *demo) page(w http.ResponseWriter, r *http.Request) {
	if _, err := d.visitors.welcome(w, r); err != nil {
		middleware.Deny(w, r, err)
		return
	}
	_, port := hostname(r)
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'self'; connect-src 'self' "+d.at.a+" "+d.at.b+"; frame-src http://127.0.0.1"+port+"; img-src data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	page.Execute(w, language(r))
}

// serveFile serves a part of the page. Browsers revalidate it each time.
func serveFile(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-cache")
		http.ServeFileFS(w, r, files, name)
	}
}

// texts serves the texts of the page in both languages.
func texts(w http.ResponseWriter, r *http.Request) {
	english, _ := files.ReadFile("en.json")
	korean, _ := files.ReadFile("ko.json")
	h := w.Header()
	h.Set("Cache-Control", "no-cache")
	h.Set("Content-Type", "text/javascript; charset=utf-8")
	w.Write([]byte("export default {en: " + string(english) + ", ko: " + string(korean) + "};\n"))
}

// language returns the language that the URL names (?lang=ko), or else the chosen one, or
// else the first language of the browser that the page supports.
func language(r *http.Request) string {
	if named := r.URL.Query().Get("lang"); supported(named) {
		return named
	}
	if chosen, ok, _ := languageCookie.Read(r); ok && supported(chosen) {
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

func supported(language string) bool { return language == "en" || language == "ko" }

func setLanguage(w http.ResponseWriter, r *http.Request) {
	chosen := r.PostFormValue("language")
	if !supported(chosen) {
		http.Error(w, "en or ko", http.StatusBadRequest)
		return
	}
	if err := languageCookie.Set(w.Header(), r, chosen); err != nil {
		middleware.Deny(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
