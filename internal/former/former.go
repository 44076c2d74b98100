// Package former expires the cookies that browsers still have from the former policies
// of a cookie.
package former

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/authlatch/auth/cookie"
)

// Policies are the former policies of one or several cookies.
type Policies []cookie.Policy

// New returns the policies whose cookies must be expired, or the error of a policy that is
// not usable, is there twice, or is one of the current policies. A policy that differs
// from a current one only in attributes such as SameSite has the same cookie, which a
// browser replaces, so it is left out.
func New(policies []cookie.Policy, current ...cookie.Policy) (Policies, error) {
	var expired Policies
	for i, p := range policies {
		switch {
		case p.Err() != nil:
			return nil, p.Err()
		case slices.Contains(current, p):
			return nil, fmt.Errorf("%s is a current policy: name only policies that are no longer in use", p.Name())
		case slices.Contains(policies[:i], p):
			return nil, fmt.Errorf("%s is there twice with the same attributes", p.Name())
		}
		if !slices.ContainsFunc(current, func(q cookie.Policy) bool { return same(p, q) }) {
			expired = append(expired, p)
		}
	}
	return expired, nil
}

// same reports whether two policies have the same cookie.
func same(p, q cookie.Policy) bool {
	h, local := make(http.Header), &http.Request{Host: "localhost"}
	return p.Delete(h, local) == nil && q.Delete(h, local) == nil && len(h["Set-Cookie"]) == 1
}

// Expire deletes the cookies of the former policies in h, the header of the response to
// r. They are never newer than a current cookie, so any response may delete them.
func (p Policies) Expire(h http.Header, r *http.Request) {
	for _, policy := range p {
		policy.Delete(h, r) // fails only for an Insecure cookie, which this host cannot have set
	}
}

// Sent returns the values that a browser has sent under the name of the current policy,
// or nil if one cookie explains them: if there is one value, no former policy has the
// name, or there are more values than policies.
func (p Policies) Sent(r *http.Request, current cookie.Policy) []string {
	policies := 1
	for _, policy := range p {
		if policy.Name() == current.Name() {
			policies++
		}
	}
	cookies := r.CookiesNamed(current.Name())
	if len(cookies) < 2 || len(cookies) > policies {
		return nil
	}
	values := make([]string, len(cookies))
	for i, c := range cookies {
		values[i] = c.Value
	}
	return values
}
