// Site is an ordinary web site with accounts: sign up, log in, a list of devices, a
// change and a reset of the password, and a cart that visitors keep when they log in.
// Accounts and logins are in one SQLite file, or in PostgreSQL. Run it,
//
//	go -C examples/integrations run ./site
//
// open the address that it prints, and sign up. The mail with the link is in the log.
// README.md says in which order to read the files, and what to change for production.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/authlatch/auth"
)

// options are the flags of the program.
type options struct {
	addr, url               string
	sqlite, postgres        string
	keyFile, staff, proxies string
	idle                    time.Duration
	insecure                bool
}

func main() {
	var o options
	flag.StringVar(&o.addr, "addr", "localhost:8080", "`host:port` to listen on")
	flag.StringVar(&o.url, "url", "", "public `address` of the site, for the links in mails; empty: http:// and the address it listens on")
	flag.StringVar(&o.sqlite, "db", "site.db", "SQLite `file` with accounts and logins, made if it is missing")
	flag.StringVar(&o.postgres, "postgres", "", "`URL` of a PostgreSQL database to use instead of the file")
	flag.StringVar(&o.keyFile, "key", "site.key", "`file` with the key of cookies, made if it is missing; the same one on all hosts")
	flag.StringVar(&o.staff, "staff", "", "email `address` whose account, present or future, may see the page of the staff")
	flag.StringVar(&o.proxies, "proxies", "", "comma-separated addresses or `networks` of proxies whose X-Forwarded-For is trusted")
	flag.DurationVar(&o.idle, "idle", time.Hour, "how long a session lasts without use")
	flag.BoolVar(&o.insecure, "insecure", false, "set cookies without Secure, for Safari on http://localhost")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		slog.Error("the site has stopped", "error", err)
		os.Exit(1)
	}
}

// run serves the site until ctx ends.
func run(ctx context.Context, o options) (err error) {
	db, err := openDatabase(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.close()) }()
	key, err := loadKey(o.keyFile)
	if err != nil {
		return err
	}
	proxies, err := parseNetworks(o.proxies)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", o.addr)
	if err != nil {
		return err
	}
	defer listener.Close()
	if o.url, err = publicURL(o.url, listener.Addr()); err != nil {
		return err
	}
	if o.staff != "" && !isMail(mailOf(o.staff)) {
		return fmt.Errorf("-staff: %q is not an email address", o.staff)
	}
	s, err := newSite(config{
		Accounts: accounts{db.SQL}, Messages: messages{db.SQL}, Store: db.store, Key: key, Staff: mailOf(o.staff),
		Limits: auth.Limits{IdleTimeout: o.idle}, Proxies: proxies, Insecure: o.insecure, Log: slog.Default(),
		// Replace this by a queue of your mail service.
		Mail: logMail(slog.Default(), o.url), Notice: "A trial: emails are printed to the log of the program.",
	})
	if err != nil {
		return err
	}
	if err := s.accounts.grant(ctx, s.staff, staffRole); err != nil {
		return err
	}
	return s.serve(ctx, listener, db.store)
}

// loadKey returns the key that encrypts and authenticates cookies of the site that are
// not sessions: flash messages and trusted devices. If there is no file, it makes one. Of
// several processes that do so at once, the first decides: a link never replaces a file.
func loadKey(file string) ([]byte, error) {
	key, err := os.ReadFile(file)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	made, err := os.CreateTemp(filepath.Dir(file), ".key-*") // mode 0600
	if err != nil {
		return nil, err
	}
	defer os.Remove(made.Name())
	key = make([]byte, 32)
	rand.Read(key)
	_, err = made.Write(key)
	if err := errors.Join(err, made.Sync(), made.Close()); err != nil {
		return nil, err
	}
	if err := os.Link(made.Name(), file); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return os.ReadFile(file)
}

// publicURL returns the address with which links in mails begin, without a slash at its end.
// Over plain HTTP, the network would read the links, and browsers keep no Secure cookie.
func publicURL(text string, listening net.Addr) (string, error) {
	if text == "" {
		if at, ok := listening.(*net.TCPAddr); ok && !at.IP.IsLoopback() {
			return "", errors.New("-url: say which address links in mails have, such as https://shop.example")
		}
		return "http://" + listening.String(), nil
	}
	u, err := url.Parse(text)
	if err != nil {
		return "", errors.New("-url: it is not an address such as https://shop.example")
	}
	ip, _ := netip.ParseAddr(u.Hostname())
	local := u.Hostname() == "localhost" || ip.IsLoopback()
	bare := url.URL{Scheme: u.Scheme, Host: u.Host}
	if base := bare.String(); u.Host != "" && (u.Scheme == "https" || u.Scheme == "http" && local) && (text == base || text == base+"/") {
		return base, nil
	}
	return "", fmt.Errorf("-url: %q is not an address such as https://shop.example", u.Redacted())
}

// parseNetworks reads networks and single addresses.
func parseNetworks(list string) (networks []netip.Prefix, err error) {
	for _, text := range strings.FieldsFunc(list, func(c rune) bool { return c == ',' }) {
		network, err := netip.ParsePrefix(text)
		if address, single := netip.ParseAddr(text); single == nil {
			network, err = address.Prefix(address.BitLen())
		}
		if err != nil {
			return nil, fmt.Errorf("-proxies: %w", err)
		}
		networks = append(networks, network)
	}
	return networks, nil
}
