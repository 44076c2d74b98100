package migrate

import (
	"net/http"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"
	fibersession "github.com/gofiber/fiber/v2/middleware/session"
	"github.com/valyala/fasthttp"

	"github.com/authlatch/auth"
)

func withFiber(store *fibersession.Store) *fiber.App {
	app := fiber.New()
	app.Post("/login", func(c *fiber.Ctx) error {
		user := c.FormValue("user")
		if !isPassword(user, c.FormValue("password")) {
			return fiber.ErrUnauthorized
		}
		s, err := store.Get(c)
		if err != nil {
			return err
		}
		if err := s.Regenerate(); err != nil {
			return err
		}
		s.Set("user", user)
		return s.Save()
	})
	app.Post("/logout", func(c *fiber.Ctx) error {
		s, err := store.Get(c)
		if err != nil {
			return err
		}
		return s.Destroy()
	})
	app.Get("/me", func(c *fiber.Ctx) error {
		s, err := store.Get(c)
		if err != nil {
			return err
		}
		user, ok := s.Get("user").(string)
		if !ok {
			return fiber.ErrUnauthorized
		}
		return c.SendString(user + "\n")
	})
	return app
}

// withFiberAndSessions serves the routes that need a login by net/http.
func withFiberAndSessions(members http.Handler) *fiber.App {
	app := fiber.New()
	app.Get("/public", func(c *fiber.Ctx) error { return c.SendString("welcome\n") })
	app.Use(adaptor.HTTPHandler(members))
	return app
}

func readFiber(old *fibersession.Store) func(*http.Request) (oldLogin, error) {
	app := fiber.New()
	return func(r *http.Request) (oldLogin, error) {
		cookie, err := r.Cookie("session_id")
		if err != nil {
			return oldLogin{}, nil
		}
		c := app.AcquireCtx(&fasthttp.RequestCtx{})
		defer app.ReleaseCtx(c)
		c.Request().Header.SetCookie("session_id", cookie.Value)
		s, err := old.Get(c)
		if err != nil {
			return oldLogin{}, err // the old storage is down: 503, and the cookie stays
		}
		user, _ := s.Get("user").(string)
		return oldLogin{
			Identity: auth.Identity{
				Subject:  user,
				AuthTime: time.Unix(1, 0), // not known: RequireRecent asks for a login
			},
			// A column of MySQL finds an ID in any case and with spaces behind it.
			once: []byte(strings.ToLower(strings.TrimRight(cookie.Value, " "))),
		}, nil
	}
}
