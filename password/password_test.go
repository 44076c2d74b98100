package password_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/authlatch/auth/password"
)

func Example() {
	ctx := context.Background()
	passwords, err := password.New(password.Config{})
	if err != nil {
		panic(err)
	}

	// A user chooses a password.
	const chosen = "seven geese in a cold kitchen"
	fmt.Println(passwords.Check(ctx, "alicealicealice1", "alice@example.com"))
	if err := passwords.Check(ctx, chosen, "alice@example.com"); err != nil {
		panic(err)
	}
	hash, err := passwords.Hash(ctx, chosen)
	if err != nil {
		panic(err)
	}
	fmt.Println(hash[:30])

	// A user logs in. For a user who does not exist the hash is empty.
	for _, hash := range []string{hash, ""} {
		err := passwords.Verify(ctx, hash, chosen)
		switch {
		case err == nil && passwords.NeedsRehash(hash):
			fmt.Println("200, and store passwords.Hash(ctx, chosen)")
		case err == nil:
			fmt.Println(200)
		case errors.Is(err, password.ErrWrong):
			fmt.Println(401)
		default:
			fmt.Println(503)
		}
	}
	// Output:
	// password: easy to guess
	// $argon2id$v=19$m=19456,t=2,p=1
	// 200
	// 401
}

// ASVS 5.0, 11.4.2, appendix C.
func TestNewRefusesWhatIsWeakOrAbsurd(t *testing.T) {
	for _, test := range []struct {
		name   string
		config password.Config
		ok     bool
	}{
		{"nothing set", password.Config{}, true},
		{"one pass of 46 MiB", password.Config{Memory: 47104, Iterations: 1}, true},
		{"one pass of less", password.Config{Memory: 47103, Iterations: 1}, false},
		{"two passes of 19 MiB", password.Config{Memory: 19456, Iterations: 2}, true},
		{"two passes of less", password.Config{Memory: 19455}, false},
		{"three passes of 12 MiB", password.Config{Memory: 12288, Iterations: 3}, true},
		{"three passes of less", password.Config{Memory: 12287, Iterations: 3}, false},
		{"four passes of 9 MiB", password.Config{Memory: 9216, Iterations: 4}, true},
		{"five passes of 7 MiB", password.Config{Memory: 7168, Iterations: 5}, true},
		{"64 passes of less", password.Config{Memory: 7167, Iterations: 64}, false},
		{"65 passes", password.Config{Iterations: 65}, false},
		{"2 GiB", password.Config{Memory: 2 << 20}, true},
		{"more than 2 GiB", password.Config{Memory: 2<<20 + 1}, false},
		{"16 lanes", password.Config{Parallelism: 16}, true},
		{"17 lanes", password.Config{Parallelism: 17}, false},
		{"negative memory", password.Config{Memory: -1}, false},
		{"negative passes", password.Config{Iterations: -1}, false},
		{"negative lanes", password.Config{Parallelism: -1}, false},
		{"a length of 8", password.Config{MinLength: 8}, true},
		{"a length of 7", password.Config{MinLength: 7}, false},
		{"a length of 64", password.Config{MinLength: 64}, true},
		{"a length of 65", password.Config{MinLength: 65}, false},
		{"a negative length", password.Config{MinLength: -1}, false},
		{"negative places", password.Config{MaxConcurrent: -1}, false},
	} {
		if h, err := password.New(test.config); (err == nil) != test.ok || (h == nil) != (err != nil) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// The real thing once, with what New sets.
func TestDefaults(t *testing.T) {
	h, err := password.New(password.Config{})
	if err != nil {
		t.Fatal(err)
	}
	s := hash(t, h, "p")
	parts := strings.Split(s, "$")
	if strings.Join(parts[:4], "$") != "$argon2id$v=19$m=19456,t=2,p=1" || len(parts[4]) != 22 || len(parts[5]) != 43 {
		t.Error(s)
	}
	if err := h.Verify(t.Context(), s, "p"); err != nil {
		t.Error(err)
	}
	if err := h.Verify(t.Context(), s, "q"); !errors.Is(err, password.ErrWrong) {
		t.Error(err)
	}
}
