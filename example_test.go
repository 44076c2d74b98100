package auth_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/authlatch/auth"
)

// To test a handler without a guard, cookie or token, put the identity into the
// context of the request.
func ExampleNewContext() {
	me := func(w http.ResponseWriter, r *http.Request) {
		id, ok := auth.FromContext(r.Context())
		if !ok {
			http.Error(w, "unauthenticated", http.StatusUnauthorized)
			return
		}
		fmt.Fprintln(w, "hello,", id.Subject)
		if id.Scopes.Has("reports:read") {
			fmt.Fprintln(w, "you may read reports")
		}
	}

	r := httptest.NewRequest("GET", "/me", nil)
	r = r.WithContext(auth.NewContext(r.Context(), auth.Identity{
		Subject: "alice",
		Scopes:  "reports:read reports:write",
	}))
	w := httptest.NewRecorder()
	me(w, r)
	fmt.Print(w.Body)
	// Output:
	// hello, alice
	// you may read reports
}

// Claims are the application's own facts. Decode reads them.
func ExampleClaims_Decode() {
	type profile struct {
		Name string `json:"name"`
	}
	claims, err := auth.NewClaims(profile{Name: "Alice"})
	if err != nil {
		fmt.Println(err)
		return
	}
	id := auth.Identity{Subject: "u-17", Claims: claims}

	var p profile
	if err := id.Claims.Decode(&p); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p.Name)
	// Output: Alice
}
