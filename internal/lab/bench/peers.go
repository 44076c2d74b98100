package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/gofiber/fiber/v2"
	fibersession "github.com/gofiber/fiber/v2/middleware/session"
	gorilla "github.com/gorilla/sessions"
	"github.com/valyala/fasthttp"
)

// scsSite is a site with sessions of alexedwards/scs, as its README shows it.
func scsSite(name string, s scs.Store) site {
	m := scs.New()
	m.Store, m.Lifetime = s, time.Hour
	login := answering(func(_ http.ResponseWriter, r *http.Request) error {
		if err := m.RenewToken(r.Context()); err != nil {
			return err
		}
		m.Put(r.Context(), "subject", r.Header.Get("Subject"))
		m.Put(r.Context(), "scopes", string(typical.Scopes))
		m.Put(r.Context(), "methods", string(typical.Methods))
		return nil
	})
	read := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		respond(w, m.GetString(r.Context(), "subject"))
	})
	logout := answering(func(_ http.ResponseWriter, r *http.Request) error { return m.Destroy(r.Context()) })
	return webSite(name, m.LoadAndSave(login), m.LoadAndSave(read), m.LoadAndSave(logout))
}

// gorillaSite is a site with sessions of gorilla/sessions.
func gorillaSite(name string, s gorilla.Store) site {
	login := answering(func(w http.ResponseWriter, r *http.Request) error {
		session, err := s.New(r, "session")
		if err != nil {
			return err
		}
		session.Values["subject"] = r.Header.Get("Subject")
		session.Values["scopes"] = string(typical.Scopes)
		session.Values["methods"] = string(typical.Methods)
		return session.Save(r, w)
	})
	read := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = r.WithContext(r.Context()) // Get changes the request
		session, err := s.Get(r, "session")
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		subject, _ := session.Values["subject"].(string)
		respond(w, subject)
	})
	logout := answering(func(w http.ResponseWriter, r *http.Request) error {
		session, err := s.Get(r, "session")
		if err != nil {
			return err
		}
		session.Options.MaxAge = -1
		return session.Save(r, w)
	})
	return webSite(name, login, read, logout)
}

// cookieStore keeps a whole session in its cookie.
func cookieStore() gorilla.Store {
	key := make([]byte, 64)
	rand.Read(key)
	return gorilla.NewCookieStore(key)
}

// fiberSite is a site with the sessions of Fiber, which serves requests of
// fasthttp and not of net/http. A nil storage is its own in memory.
func fiberSite(name string, storage fiber.Storage) site {
	handler := fiberApp(fibersession.New(fibersession.Config{Storage: storage, Expiration: time.Hour})).Handler()
	pool := sync.Pool{New: func() any { return new(fasthttp.RequestCtx) }} // as its server has
	exchange := func(path, header, value string, see func(*fasthttp.Response) error) error {
		ctx := pool.Get().(*fasthttp.RequestCtx)
		defer pool.Put(ctx)
		ctx.Request.Reset()
		ctx.Response.Reset()
		ctx.ResetUserValues()
		ctx.Request.SetRequestURI(path)
		ctx.Request.Header.Set(header, value)
		handler(ctx)
		if ctx.Response.StatusCode() != http.StatusOK {
			return errors.New(string(ctx.Response.Body()))
		}
		return see(&ctx.Response)
	}
	return site{
		name: name,
		login: func(subject string) (cookie string, err error) {
			err = exchange("/login", "Subject", subject, func(r *fasthttp.Response) error {
				cookie, _, _ = strings.Cut(string(r.Header.PeekCookie("session_id")), ";")
				return nil
			})
			return cookie, err
		},
		reading: func(cookie, subject string) func() error {
			want := []byte(subject)
			see := func(r *fasthttp.Response) error {
				if !bytes.Equal(r.Body(), want) {
					return errRefused
				}
				return nil
			}
			return func() error { return exchange("/", "Cookie", cookie, see) }
		},
		logout: func(cookie string) error {
			return exchange("/logout", "Cookie", cookie, func(*fasthttp.Response) error { return nil })
		},
	}
}

// fiberApp is the application.
func fiberApp(s *fibersession.Store) *fiber.App {
	app := fiber.New()
	app.Get("/login", func(c *fiber.Ctx) error {
		session, err := s.Get(c)
		if err != nil {
			return err
		}
		session.Set("subject", strings.Clone(c.Get("Subject")))
		session.Set("scopes", string(typical.Scopes))
		session.Set("methods", string(typical.Methods))
		return session.Save()
	})
	app.Get("/logout", func(c *fiber.Ctx) error {
		session, err := s.Get(c)
		if err != nil {
			return err
		}
		return session.Destroy()
	})
	app.Get("/", func(c *fiber.Ctx) error {
		session, err := s.Get(c)
		if err != nil {
			return err
		}
		subject, _ := session.Get("subject").(string)
		c.Set("Content-Type", "text/plain")
		return c.SendString(subject)
	})
	return app
}
