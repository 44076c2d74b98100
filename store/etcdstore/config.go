package etcdstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// Config configures the connection of [Open] to a cluster. Endpoints is required.
type Config struct {
	// Endpoints are the client URLs of all members of one cluster, such as
	// https://10.0.0.1:2379. At least one is required. All must have the same
	// scheme, https or http.
	Endpoints []string

	// TLS configures https endpoints: RootCAs for the members' certificates, and
	// Certificates for the client's own. Nil means the root certificates of the
	// system and no client certificate.
	TLS *tls.Config

	// Username and Password are the credentials of an etcd user. Set both or
	// neither. They require https, except to loopback addresses. The user needs
	// readwrite permission for the keys with the prefix "authlatch/", and no other.
	Username, Password string
}

// Open connects to a cluster and checks it as [New] does. With a Username, it waits
// up to 5 seconds for a member, even if ctx ends earlier. An error names the invalid
// field of the configuration. Call [Store.Close] when the Store is no longer needed.
func Open(ctx context.Context, config Config) (*Store, error) {
	if err := config.check(); err != nil {
		return nil, fmt.Errorf("etcdstore: open: %w", err)
	}
	client, err := clientv3.New(clientv3.Config{
		Endpoints:   config.Endpoints,
		TLS:         config.TLS,
		Username:    config.Username,
		Password:    config.Password,
		DialTimeout: bound,
		// A member that vanishes is detected within 13 seconds, or within 3
		// after a pause. Servers disconnect clients that send pings between calls.
		DialKeepAliveTime:    10 * time.Second,
		DialKeepAliveTimeout: 3 * time.Second,
		Logger:               zap.NewNop(), // errors are returned
	})
	if err != nil {
		return nil, fmt.Errorf("etcdstore: open: %v: %w", config.Endpoints, explain(err))
	}
	s, err := New(ctx, client)
	if err != nil {
		client.Close()
		return nil, err
	}
	s.own = true
	return s, nil
}

// check returns an error that names the invalid field, but no URL, which may contain
// a password.
func (c Config) check() error {
	if len(c.Endpoints) == 0 {
		return errors.New("Config.Endpoints is empty")
	}
	scheme, local := "", true
	for i, endpoint := range c.Endpoints {
		u, err := url.Parse(endpoint)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Port() == "" || u.User != nil || u.Path+u.RawQuery+u.Fragment != "" {
			return fmt.Errorf("Config.Endpoints[%d] is not of the form https://host:port", i)
		}
		if i > 0 && u.Scheme != scheme {
			return fmt.Errorf("Config.Endpoints[%d] has another scheme than the first: use https for all", i)
		}
		ip := net.ParseIP(u.Hostname())
		scheme, local = u.Scheme, local && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback())
	}
	switch {
	case scheme == "http" && c.TLS != nil:
		return errors.New("Config.TLS is set, but Config.Endpoints are http: use https")
	case (c.Username == "") != (c.Password == ""):
		return errors.New("Config.Username and Config.Password belong together: set both or neither")
	case scheme == "http" && c.Password != "" && !local:
		return errors.New("Config.Password would be sent in the clear, since Config.Endpoints are http: use https")
	}
	return nil
}
