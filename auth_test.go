package auth_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/authlatch/auth"
)

func TestIdentityValidate(t *testing.T) {
	tests := []struct {
		name string
		id   auth.Identity
		ok   bool
	}{
		{"a subject is enough", auth.Identity{Subject: "alice"}, true},
		{"all fields", auth.Identity{Subject: "alice", Scopes: "read write", Methods: "pwd otp", AuthTime: time.Unix(1, 0), Claims: `{"a":1}`}, true},
		{"a subject of 255 bytes", auth.Identity{Subject: strings.Repeat("a", 255)}, true},
		{"a subject in any script", auth.Identity{Subject: "алиса"}, true},
		{"not without a subject", auth.Identity{Scopes: "read"}, false},
		{"not a subject of 256 bytes", auth.Identity{Subject: strings.Repeat("a", 256)}, false},
		{"not a subject that JSON would change", auth.Identity{Subject: "alice\xff"}, false},
		{"not malformed scopes", auth.Identity{Subject: "alice", Scopes: "read  write"}, false},
		{"not malformed methods", auth.Identity{Subject: "alice", Methods: "pwd\n"}, false},
		{"not malformed claims", auth.Identity{Subject: "alice", Claims: "[]"}, false},
		{"not registered claims", auth.Identity{Subject: "alice", Claims: `{"sub":"root"}`}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if err := test.id.Validate(); (err == nil) != test.ok {
				t.Errorf("Validate: %v", err)
			}
		})
	}
}

func TestContextCarriesTheIdentity(t *testing.T) {
	if id, ok := auth.FromContext(t.Context()); ok || id != (auth.Identity{}) {
		t.Errorf("an empty context carries %+v, %v", id, ok)
	}
	alice := auth.Identity{Subject: "alice", Scopes: "read", LoginID: "l1"}
	outer := auth.NewContext(t.Context(), alice)
	if id, ok := auth.FromContext(outer); !ok || id != alice {
		t.Errorf("FromContext: %+v, %v", id, ok)
	}
	inner, cancel := context.WithCancel(auth.NewContext(outer, auth.Identity{Subject: "bob"}))
	defer cancel()
	if id, _ := auth.FromContext(inner); id.Subject != "bob" {
		t.Errorf("the inner identity is %q", id.Subject)
	}
	if id, _ := auth.FromContext(outer); id != alice {
		t.Errorf("the outer identity became %+v", id)
	}
}

func TestIdentityInContextIsACopy(t *testing.T) {
	alice := auth.Identity{Subject: "alice"}
	ctx := auth.NewContext(t.Context(), alice)
	alice.Subject = "bob"
	got, _ := auth.FromContext(ctx)
	got.Subject = "carol"
	if id, _ := auth.FromContext(ctx); id.Subject != "alice" {
		t.Errorf("the identity became %q", id.Subject)
	}
}

func TestOutcomesAreDistinct(t *testing.T) {
	var (
		scope  = &auth.InsufficientError{Scope: "admin"}
		recent = &auth.InsufficientError{MaxAge: time.Minute}
		both   = &auth.InsufficientError{Scope: "admin", MaxAge: time.Minute}
	)
	tests := []struct {
		name                               string
		err                                error
		unauthenticated, none, isForbidden bool
	}{
		{"unauthenticated is not the absence of a credential", auth.ErrUnauthenticated, true, false, false},
		{"the absence of a credential is unauthenticated", auth.ErrNoCredential, true, true, false},
		{"forbidden is not unauthenticated", auth.ErrForbidden, false, false, true},
		{"another error is none of them", io.ErrUnexpectedEOF, false, false, false},
		{"a lack of scope is forbidden", scope, false, false, true},
		{"an old login is unauthenticated, and not without a credential", recent, true, false, false},
		{"a lack of scope counts before an old login", both, false, false, true},
		{"an empty InsufficientError is not served as anonymous", &auth.InsufficientError{}, true, false, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, err := range []error{test.err, fmt.Errorf("session: %w", test.err)} {
				if errors.Is(err, auth.ErrUnauthenticated) != test.unauthenticated ||
					errors.Is(err, auth.ErrNoCredential) != test.none ||
					errors.Is(err, auth.ErrForbidden) != test.isForbidden {
					t.Errorf("%v is of another kind", err)
				}
			}
		})
	}
	var as *auth.InsufficientError
	if !errors.As(fmt.Errorf("guard: %w", scope), &as) || as.Scope != "admin" {
		t.Errorf("errors.As found %+v", as)
	}
	if scope.Error() == recent.Error() {
		t.Errorf("both errors read %q", scope)
	}
}
