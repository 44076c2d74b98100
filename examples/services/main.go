// Services is three services that share no database: an issuer that logs in, a
// shop and a warehouse. The two APIs know of the issuer nothing but the URL of
// its public keys. The shop asks the warehouse in a name of its own, through a
// tokenclient.Transport. The keys rotate every half minute, while all of them run.
//
//	go run ./examples/services
//	curl -d user=alice -d 'password=correct horse' http://localhost:8080/login
//	curl -H "Authorization: Bearer $access_token" http://localhost:8081/me
//	curl -H "Authorization: Bearer $access_token" http://localhost:8081/tea
//	curl -H "Authorization: Bearer $access_token" http://localhost:8082/stock
//	curl http://localhost:8080/jwks.json
//
// The second curl prints "hello, alice", if access_token is what the first one
// has answered under that name, and the third "hello, alice: 7 boxes of tea".
// The fourth is refused with a 403: alice may not ask the warehouse, only the
// shop may. The last one shows the key that signs, the next one, and former
// ones; ask it again a minute later, and then use the token once more.
//
// In one program they are easy to run. They would do the same on three hosts.
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

// run starts the three services, the issuer first, and ends them with ctx.
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
