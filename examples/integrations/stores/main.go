// Stores is a service with sessions and tokens over a store of your choice. Start it twice,
// on two ports with the same store and key file, and each accepts the logins of the
// other.
//
//	go -C examples/integrations run ./stores -store memory:
//	go -C examples/integrations run ./stores -store redis://localhost:6379
//	go -C examples/integrations run ./stores -store 'near+redis://localhost:6379'
//	go -C examples/integrations run ./stores -store postgres://localhost/auth
//	go -C examples/integrations run ./stores -store etcd:http://localhost:2379,http://localhost:22379
//	go -C examples/integrations run ./stores -store sqlite:/tmp/auth.db
//	go -C examples/integrations run ./stores -store 'mysql:user:password@tcp(localhost:3306)/auth'
//	go -C examples/integrations run ./stores -store bbolt:/tmp/auth.bolt
//
// The last is a store of your own, in bbolt.go. Only one process can use its file.
//
// Any user name is accepted with the password "correct horse".
//
//	curl -c jar -d user=alice -d 'password=correct horse' http://localhost:8080/login
//	curl -b jar http://localhost:8080/me
//	curl -b jar -d item=tea http://localhost:8080/cart
//	curl -b jar http://localhost:8080/cart
//	curl -b jar -c jar -d user=alice -d 'password=correct horse' http://localhost:8080/token/login
//	curl -H "Authorization: Bearer $access_token" http://localhost:8080/me
//	curl -b jar -X POST http://localhost:8080/logout-everywhere
//
// The last command revokes both logins.
package main

import (
	"context"
	"errors"
	"flag"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

func main() {
	addr := flag.String("addr", "localhost:8080", "`host:port` to listen on, port 0 for any")
	storeURL := flag.String("store", "memory:", "`URL` of the store")
	keyFile := flag.String("keys", "", "`file` with the keys of tokens, made if it is missing; new ones in memory if empty")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *addr, *storeURL, *keyFile); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, addr, storeURL, keyFile string) error {
	opened, err := open(ctx, storeURL)
	if err != nil {
		return err
	}
	defer opened.close()
	keys, err := loadKeys(keyFile)
	if err != nil {
		return err
	}
	handler, err := newService(opened.Store, keys)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	go opened.sweep(ctx, time.Minute)
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { server.Close() })
	log.Printf("listening on http://%s", listener.Addr())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func loadKeys(file string) (*token.KeySet, error) {
	if file == "" {
		return token.NewKeySet(token.Ed25519)
	}
	keys, err := token.LoadKeySet(file)
	if errors.Is(err, fs.ErrNotExist) {
		if keys, err = token.NewKeySet(token.Ed25519); err == nil {
			err = keys.Save(file)
		}
	}
	return keys, err
}

// newService creates both modes over one store, in one namespace.
func newService(s store.Store, keys *token.KeySet) (http.Handler, error) {
	sessions, err := session.New(session.Config{Store: s})
	if err != nil {
		return nil, err
	}
	issuer, err := token.NewIssuer(token.IssuerConfig{
		Keys: keys, Store: s, RevocationCheck: true,
		Issuer: "https://login.example", Audience: "https://api.example", ClientID: "stores",
	})
	if err != nil {
		return nil, err
	}
	return routes(sessions, issuer), nil
}
