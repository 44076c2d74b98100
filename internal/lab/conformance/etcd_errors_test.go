package conformance

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/authlatch/auth/internal/lab/conformance/servers"
	"github.com/authlatch/auth/store/etcdstore"
)

// An error names the endpoint and the cause, and contains no password.
func wantEtcdError(t *testing.T, rule string, config etcdstore.Config, says string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	s, err := etcdstore.Open(ctx, config)
	if s != nil {
		t.Errorf("%s: it is open", rule)
		s.Close()
	}
	if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), config.Endpoints[0]) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%s: %v, want %q", rule, err, says)
	}
}

func TestEtcdThatCannotWorkIsAnErrorWhenOpened(t *testing.T) {
	one, other := servers.Etcd(t, 1), servers.Etcd(t, 1)
	gone := servers.Etcd(t, 1)
	gone[0].Kill()
	redis := servers.Redis(t)
	for rule, test := range map[string]struct {
		endpoints []string
		says      string
	}{
		"a member that is not there":     {gone.URLs(), "connection refused"},
		"two clusters":                   {[]string{one[0].URL, other[0].URL}, "different clusters"},
		"a server that is not etcd":      {[]string{"http://" + redis.Addr()}, "no member responds"},
		"https where the member has not": {[]string{strings.Replace(one[0].URL, "http:", "https:", 1)}, "handshake"},
	} {
		wantEtcdError(t, rule, etcdstore.Config{Endpoints: test.endpoints}, test.says)
	}
	// One member that is down does not prevent a start.
	mustSwap(t, openEtcdAt(t, one[0].URL, gone[0].URL), "k", nil, []byte("v"), time.Minute)
}

// The same addresses, with the same IDs, and none of the data.
func TestEtcdThatLostItsDataIsNotBelieved(t *testing.T) {
	c := servers.Etcd(t, 1)
	s := openEtcd(t, c)
	for range 3 {
		mustSwap(t, s, "k", nil, []byte("v"), time.Minute)
		if err := s.Delete(t.Context(), "k"); err != nil {
			t.Fatal(err)
		}
	}
	mustSwap(t, s, "k", nil, []byte("v"), time.Minute)
	c[0].Kill()
	if err := os.RemoveAll(filepath.Join(c[0].Dir, "data")); err != nil {
		t.Fatal(err)
	}
	c[0].Start()
	c.WaitReady()
	value, ok, err := s.Get(t.Context(), "k")
	if value != nil || ok || err == nil || !strings.Contains(err.Error(), "the cluster went back to revision") {
		t.Errorf("%q, %v, %v", value, ok, err)
	}
	wantValue(t, openEtcd(t, c), "k", "")
}

func TestEtcdCertificates(t *testing.T) {
	ca := newAuthority(t)
	now := time.Now()
	valid := ca.issue(t, "127.0.0.1", now.Add(time.Hour))
	member := servers.EtcdTLS(t, append(valid.options(), "--client-cert-auth", "--trusted-ca-file", ca.file)...)
	expired := servers.EtcdTLS(t, ca.issue(t, "127.0.0.1", now.Add(-time.Minute)).options()...)
	elsewhere := servers.EtcdTLS(t, ca.issue(t, "127.0.0.2", now.Add(time.Hour)).options()...)
	trusted := &tls.Config{RootCAs: ca.pool(t)}
	own := &tls.Config{RootCAs: ca.pool(t), Certificates: []tls.Certificate{ca.issue(t, "app", now.Add(time.Hour)).load(t)}}
	late := &tls.Config{RootCAs: ca.pool(t), Certificates: []tls.Certificate{ca.issue(t, "app", now.Add(-time.Minute)).load(t)}}
	for rule, test := range map[string]struct {
		url  string
		tls  *tls.Config
		says string
	}{
		"an authority that is not trusted": {member.URL, nil, "unknown authority"},
		"an expired certificate":           {expired.URL, trusted, "certificate has expired"},
		"another host's certificate":       {elsewhere.URL, trusted, "certificate is valid for 127.0.0.2, not 127.0.0.1"},
		"no client certificate":            {member.URL, trusted, "no member responds"},
		"an expired client certificate":    {member.URL, late, "no member responds"},
		"http where the member has https":  {strings.Replace(member.URL, "https:", "http:", 1), nil, "no member responds"},
	} {
		wantEtcdError(t, rule, etcdstore.Config{Endpoints: []string{test.url}, TLS: test.tls}, test.says)
	}
	s, err := etcdstore.Open(t.Context(), etcdstore.Config{Endpoints: []string{member.URL}, TLS: own})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	mustSwap(t, s, "k", nil, []byte("v"), time.Minute)
}

// The right is the one that the README of the module names.
func TestEtcdUsers(t *testing.T) {
	c := servers.Etcd(t, 1)
	admin := c[0].Client()
	defer admin.Close()
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	readme, err := os.ReadFile("../../../store/etcdstore/README.md")
	must(nil, err)
	if !strings.Contains(string(readme), "`readwrite` on the prefix `"+etcdPrefix+"`") {
		t.Error("the README names another right")
	}
	grant := func(name string, from, to string, kind clientv3.PermissionType) {
		t.Helper()
		must(admin.RoleAdd(t.Context(), name))
		must(admin.UserAdd(t.Context(), name, "hunter2"))
		must(admin.UserGrantRole(t.Context(), name, name))
		if name != "root" {
			must(admin.RoleGrantPermission(t.Context(), name, from, to, kind))
		}
	}
	end := clientv3.GetPrefixRangeEnd(etcdPrefix)
	grant("root", "", "", 0)
	grant("app", etcdPrefix, end, clientv3.PermissionType(clientv3.PermReadWrite))
	grant("reader", etcdPrefix, end, clientv3.PermissionType(clientv3.PermRead))
	grant("other", "other/", "other0", clientv3.PermissionType(clientv3.PermReadWrite))
	old := c[0].Old()
	must(admin.AuthEnable(t.Context()))
	as := func(user, password string) etcdstore.Config {
		return etcdstore.Config{Endpoints: c.URLs(), Username: user, Password: password}
	}
	wantEtcdError(t, "no user", as("", ""), "set Config.Username")
	wantEtcdError(t, "a wrong password", as("app", "hunter22"), "check Config.Username")
	wantEtcdError(t, "an unknown user", as("unknown", "hunter2"), "check Config.Username")
	wantEtcdError(t, "a user who may only read", as("reader", "hunter2"), "grant the user readwrite")
	wantEtcdError(t, "a user of other keys", as("other", "hunter2"), "grant the user readwrite")
	s, err := etcdstore.Open(t.Context(), as("app", "hunter2"))
	must(nil, err)
	defer s.Close()
	mustSwap(t, s, "k", nil, []byte("v"), time.Minute)
	must(s.DeleteExpired(t.Context()))

	root, err := clientv3.New(clientv3.Config{Endpoints: c.URLs(), Username: "root", Password: "hunter2", DialTimeout: 10 * time.Second})
	must(nil, err)
	defer root.Close()
	must(root.UserAdd(t.Context(), "another", "hunter2")) // earlier tokens are too old now
	mustSwap(t, s, "k", []byte("v"), []byte("w"), time.Minute)
	if !old { // 3.4 does not answer a token from before its restart
		c[0].Kill()
		c[0].Start()
		waitFor(t, func() bool { value, _, err := s.Get(t.Context(), "k"); return string(value) == "w" && err == nil })
	}
	mustSwap(t, s, "k", []byte("w"), []byte("x"), time.Minute)
	must(root.UserChangePassword(t.Context(), "app", "hunter3"))
	must(root.UserRevokeRole(t.Context(), "app", "app"))
	wantError(t, "a user whose right was revoked", s.Delete(t.Context(), "k"))
}

// An authority signs certificates.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	dir, file   string
}

type certificate struct{ cert, key string } // files

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	a.key, a.certificate = a.sign(t, &x509.Certificate{
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, NotAfter: time.Now().Add(time.Hour),
	})
	a.file = writePEM(t, filepath.Join(a.dir, "ca"), "CERTIFICATE", a.certificate.Raw)
	return a
}

func (a *authority) sign(t *testing.T, template *x509.Certificate) (*ecdsa.PrivateKey, *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.Subject = pkix.Name{CommonName: "test"}
	template.NotBefore = time.Now().Add(-time.Hour)
	parent, signer := a.certificate, a.key
	if parent == nil {
		parent, signer = template, key
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return key, signed
}

// issue makes a certificate for an IP address, or for a client.
func (a *authority) issue(t *testing.T, name string, end time.Time) certificate {
	t.Helper()
	template := &x509.Certificate{NotAfter: end, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	if ip := net.ParseIP(name); ip != nil {
		template.IPAddresses = []net.IP{ip}
	}
	key, signed := a.sign(t, template)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(a.dir, signed.SerialNumber.String())
	return certificate{writePEM(t, file+".pem", "CERTIFICATE", signed.Raw), writePEM(t, file+".key", "PRIVATE KEY", der)}
}

func writePEM(t *testing.T, file, kind string, der []byte) string {
	t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func (a *authority) pool(t *testing.T) *x509.CertPool {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return pool
}

func (c certificate) options() []string {
	return []string{"--cert-file", c.cert, "--key-file", c.key}
}

func (c certificate) load(t *testing.T) tls.Certificate {
	t.Helper()
	loaded, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}
