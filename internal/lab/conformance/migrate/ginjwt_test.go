package migrate

import (
	"net/http"
	"strings"
	"time"

	ginjwt "github.com/appleboy/gin-jwt/v2"
	"github.com/gin-gonic/gin"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/token"
)

func newGinJWT(key []byte) (*ginjwt.GinJWTMiddleware, error) {
	return ginjwt.New(&ginjwt.GinJWTMiddleware{
		Key: key, Timeout: time.Hour, MaxRefresh: 24 * time.Hour,
		SendCookie: true, SecureCookie: true, CookieHTTPOnly: true,
		TokenLookup: "header: Authorization, cookie: jwt",
		Authenticator: func(c *gin.Context) (any, error) {
			user := c.PostForm("user")
			if !isPassword(user, c.PostForm("password")) {
				return nil, ginjwt.ErrFailedAuthentication
			}
			return user, nil
		},
		PayloadFunc: func(user any) ginjwt.MapClaims {
			return ginjwt.MapClaims{ginjwt.IdentityKey: user}
		},
	})
}

func withGinJWT(tokens *ginjwt.GinJWTMiddleware) *gin.Engine {
	r := gin.New()
	r.POST("/login", tokens.LoginHandler)
	r.POST("/logout", tokens.LogoutHandler)
	r.POST("/refresh", tokens.RefreshHandler)
	members := r.Group("/", tokens.MiddlewareFunc())
	members.GET("/me", func(c *gin.Context) {
		c.String(http.StatusOK, "%s\n", ginjwt.ExtractClaims(c)[ginjwt.IdentityKey])
	})
	return r
}

func withGin(issuer *token.Issuer) *gin.Engine {
	guard := &middleware.Guard{Authenticator: issuer}
	r := gin.New()
	r.POST("/login", func(c *gin.Context) {
		user := c.PostForm("user")
		if !isPassword(user, c.PostForm("password")) {
			c.String(http.StatusUnauthorized, "wrong password\n")
			return
		}
		id := auth.Identity{Subject: user}
		if err := issuer.Login(c.Writer, c.Request, id); err != nil {
			middleware.Deny(c.Writer, c.Request, err)
		}
	})
	r.POST("/logout", gin.WrapH(issuer.LogoutHandler()))
	r.POST("/refresh", gin.WrapH(issuer.RefreshHandler()))
	members := r.Group("/", through(guard.Require))
	members.GET("/me", func(c *gin.Context) {
		id, _ := auth.FromContext(c.Request.Context())
		c.String(http.StatusOK, "%s\n", id.Subject)
	})
	return r
}

func through(guard func(http.Handler) http.Handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		passed := false
		guard(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			passed, c.Request = true, r // with the identity in its context
			c.Next()
		})).ServeHTTP(c.Writer, c.Request)
		if !passed {
			c.Abort()
		}
	}
}

func readGinJWT(old *ginjwt.GinJWTMiddleware) func(*http.Request) (oldLogin, error) {
	return func(r *http.Request) (oldLogin, error) {
		c, err := r.Cookie(old.CookieName)
		if err != nil {
			return oldLogin{}, nil
		}
		t, err := old.ParseTokenString(c.Value)
		if err != nil {
			return oldLogin{}, nil
		}
		claims := ginjwt.ExtractClaimsFromToken(t)
		user, _ := claims[ginjwt.IdentityKey].(string)
		issued, _ := claims["orig_iat"].(float64)
		login := time.Unix(int64(issued), 0)
		signed := c.Value[:strings.LastIndex(c.Value, ".")] // a signature has several encodings
		return oldLogin{
			Identity: auth.Identity{
				Subject: user, AuthTime: login,
				Expires: login.Add(old.MaxRefresh + old.Timeout), // the move extends no login
			},
			once: []byte(signed),
		}, nil
	}
}
