package cookie

import (
	"errors"
	"fmt"
	"net/http"
)

// settle checks the attributes against each other and derives the name that is
// sent.
func (p Policy) settle() Policy {
	if p.err == nil {
		p.err = p.conflict()
	}
	p.wire = ""
	if p.err == nil && p.complete() {
		p.wire = p.prefix() + p.name
	}
	return p
}

// conflict returns an error if two attributes exclude each other.
func (p Policy) conflict() error {
	switch {
	case p.name == "":
		return errZero
	case p.insecure() && p.sameSite == http.SameSiteNoneMode:
		return errors.New("cookie: SameSiteNone and Insecure cannot be combined")
	case p.loopback && p.anywhere:
		return errors.New("cookie: Insecure and InsecureAnywhere cannot be combined")
	case p.loopback && p.domain != "" && !isLoopback(p.domain):
		return fmt.Errorf("cookie: Insecure requires a loopback host, and Domain %q is not one", p.domain)
	case p.partitioned && (p.insecure() || !p.hostOnly()):
		return errors.New("cookie: Partitioned cannot be combined with Insecure, Domain or Path")
	}
	return nil
}

// complete reports whether the chain has SameSiteNone if it needs that. It may follow
// later, so its absence is not an error of the chain yet.
func (p Policy) complete() bool { return !p.partitioned || p.sameSite == http.SameSiteNoneMode }

func (p Policy) insecure() bool { return p.loopback || p.anywhere }

func (p Policy) hostOnly() bool { return p.domain == "" && (p.path == "" || p.path == "/") }

func (p Policy) prefix() string {
	switch {
	case p.insecure():
		return ""
	case !p.hostOnly():
		return securePrefix
	case p.readable:
		return hostPrefix
	}
	return hostHTTPPrefix
}
