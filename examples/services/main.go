// Services is three services without a shared database: an issuer for logins, a shop
// and a warehouse. The two APIs know only the URL of the issuer's public keys. The
// shop calls the warehouse with a login of its own, through a tokenclient.Transport. The
// keys rotate every half minute, while all services run.
//
//	go run ./examples/services
//	curl -d user=alice -d 'password=correct horse' http://localhost:8080/login
//	curl -H "Authorization: Bearer $access_token" http://localhost:8081/me
//	curl -H "Authorization: Bearer $access_token" http://localhost:8081/tea
//	curl -H "Authorization: Bearer $access_token" http://localhost:8082/stock
//	curl http://localhost:8080/jwks.json
//
// The second curl prints "hello, alice" if access_token is the value from the
// response to the first one, and the third one "hello, alice: 7 boxes of tea". The
// fourth is refused with a 403, because only the shop may call the warehouse. The
// last one shows the signing key, the next one, and former ones; repeat it a minute
// later, and then use the token once more.
//
// The services run in one program for simplicity. On three hosts they would behave in
// the same way.
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"time"
)

func main() {
	config := config{}
	flag.StringVar(&config.issuer, "addr", "localhost:8080", "`host:port` of the issuer")
	flag.StringVar(&config.shop, "shop", "localhost:8081", "`host:port` of the shop")
	flag.StringVar(&config.warehouse, "warehouse", "localhost:8082", "`host:port` of the warehouse")
	rotate := flag.Duration("rotate", 30*time.Second, "how often the keys rotate")
	flag.DurationVar(&config.access, "access", time.Minute, "how long access tokens are valid")
	flag.Parse()
	config.rotations = time.Tick(*rotate)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, config); err != nil {
		log.Fatal(err)
	}
}

type config struct {
	issuer, shop, warehouse string
	rotations               <-chan time.Time // when the keys rotate
	access                  time.Duration
}

// audience is the name of both APIs in access tokens.
const audience = "https://apis.example"

// run starts the three services, the issuer first, and stops them with ctx.
func run(ctx context.Context, c config) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel(nil)

	issuerURL := "http://" + c.issuer
	issuer, err := newIssuer(issuerURL, c.access)
	if err != nil {
		return err
	}
	serve := func(addr string, handler http.Handler) error {
		listener, err := net.Listen("tcp", addr)
		if err != nil {
			return err
		}
		server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second}
		context.AfterFunc(ctx, func() { server.Close() })
		all.Go(func() { cancel(server.Serve(listener)) })
		return nil
	}
	if err := serve(c.issuer, issuer.routes()); err != nil {
		return err
	}
	all.Go(func() { issuer.rotate(ctx, c.rotations) })

	warehouse, err := newAPI(issuerURL)
	if err != nil {
		return err
	}
	defer warehouse.Close()
	shop, err := newShop(issuerURL, "http://"+c.warehouse)
	if err != nil {
		return err
	}
	defer shop.Close()
	if err := errors.Join(serve(c.warehouse, warehouse.stock()), serve(c.shop, shop.routes())); err != nil {
		return err
	}
	log.Printf("issuer %s, shop http://%s, warehouse http://%s", issuerURL, c.shop, c.warehouse)
	<-ctx.Done()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
