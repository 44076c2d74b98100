package password_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/scrypt"

	"github.com/authlatch/auth/password"
)

func hash(t testing.TB, h *password.Hasher, p string) string {
	t.Helper()
	s, err := h.Hash(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ASVS 5.0, 11.4.2: published hashes of other programs, of each kind.
func TestKnownHashes(t *testing.T) {
	for _, test := range []struct{ name, hash, password string }{
		{"argon2id of the reference code", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "password"},
		{"argon2id of the reference code, two lanes", "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc", "password"},
		{"scrypt of RFC 7914, 12", "$scrypt$ln=14,r=8,p=1$" + b64([]byte("SodiumChloride")) + "$" + b64(unhex("7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887")), "pleaseletmein"},
		{"bcrypt 2a", "$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i", "abc"},
		{"bcrypt 2b", "$2b$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i", "abc"},
		{"bcrypt 2y", "$2y$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i", "abc"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := weak(t, password.Config{})
			if err := h.Verify(t.Context(), test.hash, test.password); err != nil {
				t.Error(err)
			}
			if err := h.Verify(t.Context(), test.hash, test.password+"x"); !errors.Is(err, password.ErrWrong) {
				t.Errorf("another password: %v", err)
			}
			if !h.NeedsRehash(test.hash) {
				t.Error("it needs no new hash")
			}
		})
	}
}

// each returns a hash of p of every kind.
func each(t testing.TB, h *password.Hasher, p string) map[string]string {
	t.Helper()
	all := map[string]string{"argon2id": hash(t, h, p)}
	if len(p) <= 72 {
		b, err := bcrypt.GenerateFromPassword([]byte(p), bcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		all["bcrypt"] = string(b)
	}
	key, err := scrypt.Key([]byte(p), []byte("0123456789abcdef"), 2, 1, 1, 32)
	if err != nil {
		t.Fatal(err)
	}
	all["scrypt"] = "$scrypt$ln=1,r=1,p=1$" + b64([]byte("0123456789abcdef")) + "$" + b64(key)
	return all
}

// ASVS 5.0, 6.2.8; CVE-2025-22228. No two passwords match the same hash, and each
// ordinary password matches its own.
func TestTwoPasswordsNeverVerifyAlike(t *testing.T) {
	h := weak(t, password.Config{})
	seventyTwo := strings.Repeat("0123456789abcdefghijkl_", 4)[:72]
	digest := sha(seventyTwo)
	corpus := []string{
		"a", "A", "a ", " a", "a\n", "a\x00", "a\x00a", "\x00", "á", "a\u0301", "ａ",
		"a\xff", "a\xfe", seventyTwo, seventyTwo + "x", seventyTwo + "y", seventyTwo[:71], seventyTwo[:71] + "\x00",
		digest, strings.Repeat("a", 73), strings.Repeat("a", 1024),
	}
	for _, chosen := range corpus {
		for kind, hash := range each(t, h, chosen) {
			if raceEnabled && kind == "bcrypt" {
				continue // nothing here runs at once
			}
			var right []string
			for _, tried := range corpus {
				err := h.Verify(t.Context(), hash, tried)
				if err != nil && !errors.Is(err, password.ErrWrong) {
					t.Fatalf("%s of %q: %v", kind, chosen, err)
				}
				if err == nil {
					right = append(right, tried)
				}
			}
			confused := confused(kind, chosen)
			if len(right) > 1 || !confused && !slices.Equal(right, []string{chosen}) || confused && slices.Contains(right, chosen) {
				t.Errorf("the %s hash of %q matches %q", kind, chosen, right)
			}
		}
	}
}

// ASVS 5.0, 6.3.8; CVE-2025-22234. For any user and password, the same functions are
// called with the same parameters.
func TestKnownAndUnknownUsersCostTheSame(t *testing.T) {
	var calls []string
	h := noting(t, password.NewWeak, password.Config{Memory: 64, Iterations: 3, Parallelism: 2}, func(c password.Call) { calls = append(calls, c.What) })
	known := hash(t, h, "the right one")
	want := []string{"argon2id m=64 t=3 p=2, 16 bytes of salt, 32 of key"}
	if !slices.Equal(calls, want) {
		t.Fatalf("Hash: %q", calls)
	}
	for name, p := range map[string]string{
		"right": "the right one", "wrong": "the wrong one", "empty": "", "of 1024 bytes": strings.Repeat("x", 1024),
		"of 1025 bytes": strings.Repeat("x", 1025), "of 10 MB": strings.Repeat("x", 10<<20),
		"with NUL": "a\x00", "invalid UTF-8": "\xff\xfe",
	} {
		for user, verify := range map[string]func() error{
			"known":                  func() error { return h.Verify(t.Context(), known, p) },
			"unknown":                func() error { return h.VerifyNobody(t.Context(), p) },
			"known, has no password": func() error { return h.Verify(t.Context(), "", p) },
		} {
			calls = nil
			err := verify()
			if right := name == "right" && user == "known"; right && err != nil || !right && !errors.Is(err, password.ErrWrong) {
				t.Errorf("%s, password %s: %v", user, name, err)
			}
			if !slices.Equal(calls, want) {
				t.Errorf("%s, password %s: %q", user, name, calls)
			}
		}
	}
}

// ASVS 5.0, 6.3.8: passwords that bcrypt and scrypt cannot distinguish are refused only
// after the same work.
func TestOtherKindsCostTheSameForEveryPassword(t *testing.T) {
	var calls []string
	h := noting(t, password.NewWeak, password.Config{}, func(c password.Call) { calls = append(calls, c.What) })
	for kind, hash := range each(t, h, "the right one") {
		calls = nil
		h.Verify(t.Context(), hash, "the right one")
		want := calls
		if len(want) != 1 {
			t.Fatalf("%s: %q", kind, want)
		}
		for _, p := range []string{"", "wrong", "the right one\x00", "\xff", strings.Repeat("x", 73), strings.Repeat("x", 1025), strings.Repeat("x", 10<<20)} {
			calls = nil
			if err := h.Verify(t.Context(), hash, p); !errors.Is(err, password.ErrWrong) {
				t.Errorf("%s: %v", kind, err)
			}
			if !slices.Equal(calls, want) {
				t.Errorf("%s, %d bytes: %q", kind, len(p), calls)
			}
		}
	}
}

// ASVS 5.0, 6.3.8: a service whose hashes are mostly of another kind uses a random hash
// of that kind for users that do not exist, at the same cost.
func TestAnUnknownUsersHashStandsInForOtherKinds(t *testing.T) {
	var calls []string
	h := noting(t, password.NewWeak, password.Config{}, func(c password.Call) { calls = append(calls, c.What) })
	known, missing := each(t, h, "the right one"), each(t, h, "random and unknown")
	for kind := range known {
		for _, p := range []string{"", "wrong", "a\x00", "\xff", strings.Repeat("x", 73), strings.Repeat("x", 10<<20)} {
			calls = nil
			for _, hash := range []string{known[kind], missing[kind]} {
				if err := h.Verify(t.Context(), hash, p); !errors.Is(err, password.ErrWrong) {
					t.Errorf("%s: %v", kind, err)
				}
			}
			if len(calls) != 2 || calls[0] != calls[1] {
				t.Errorf("%s, %d bytes: %q", kind, len(p), calls)
			}
		}
	}
}

// Another program may have hashed an empty password by mistake.
func TestEmptyPasswordIsNeverRight(t *testing.T) {
	h := weak(t, password.Config{})
	const ofNothing = "$2a$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s."
	if bcrypt.CompareHashAndPassword([]byte(ofNothing), nil) != nil {
		t.Error("that is not the hash of nothing")
	}
	if err := h.Verify(t.Context(), ofNothing, ""); !errors.Is(err, password.ErrWrong) {
		t.Error(err)
	}
}

func TestHashRefusesWhatCouldNotVerify(t *testing.T) {
	h := weak(t, password.Config{})
	for name, test := range map[string]struct {
		password string
		want     error
	}{
		"nothing":            {"", password.ErrTooShort},
		"more than 1024":     {strings.Repeat("x", 1025), password.ErrTooLong},
		"1024 bytes are all": {strings.Repeat("x", 1024), nil},
	} {
		s, err := h.Hash(t.Context(), test.password)
		if !errors.Is(err, test.want) || (s == "") != (err != nil) {
			t.Errorf("%s: %q, %v", name, s, err)
		}
	}
}

func TestHashesOfOnePasswordDiffer(t *testing.T) {
	h := weak(t, password.Config{})
	a, b := hash(t, h, "the same"), hash(t, h, "the same")
	if a == b || len(a) >= 128 {
		t.Errorf("%q, %q", a, b)
	}
}

// ASVS 5.0, 11.2.2.
func TestNeedsRehash(t *testing.T) {
	h := weak(t, password.Config{Memory: 64, Iterations: 2})
	good := hash(t, h, "p")
	for name, test := range map[string]struct {
		hash string
		want bool
	}{
		"a hash of today":           {good, false},
		"less memory":               {hash(t, weak(t, password.Config{Memory: 32, Iterations: 2}), "p"), true},
		"more memory":               {hash(t, weak(t, password.Config{Memory: 128, Iterations: 2}), "p"), true},
		"fewer passes":              {hash(t, weak(t, password.Config{Memory: 64, Iterations: 1}), "p"), true},
		"more lanes":                {hash(t, weak(t, password.Config{Memory: 64, Iterations: 2, Parallelism: 2}), "p"), true},
		"a salt of 8 bytes":         {"$argon2id$v=19$m=64,t=2,p=1$" + b64(make([]byte, 8)) + "$" + b64(make([]byte, 32)), true},
		"a tag of 16 bytes":         {"$argon2id$v=19$m=64,t=2,p=1$" + b64(make([]byte, 16)) + "$" + b64(make([]byte, 16)), true},
		"bcrypt":                    {"$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i", true},
		"what cannot be read":       {"x", true},
		"nothing":                   {"", true},
		"a hash of another service": {"$pbkdf2-sha256$600000$AAAA$AAAA", true},
	} {
		if got := h.NeedsRehash(test.hash); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// ASVS 5.0, 11.2.2: a hash of any kind verifies until a login replaces it, and the new
// hash needs no further rehash.
func TestOldHashesAreRenewedAtLogin(t *testing.T) {
	today := weak(t, password.Config{Memory: 64, Iterations: 2})
	old := each(t, weak(t, password.Config{}), "the right one")
	for kind, stored := range old {
		for login := range 2 {
			if err := today.Verify(t.Context(), stored, "the wrong one"); !errors.Is(err, password.ErrWrong) {
				t.Errorf("%s, login %d: %v", kind, login, err)
			}
			if err := today.Verify(t.Context(), stored, "the right one"); err != nil {
				t.Errorf("%s, login %d: %v", kind, login, err)
			}
			if renew := today.NeedsRehash(stored); renew != (login == 0) {
				t.Errorf("%s, login %d: a new hash is needed: %v", kind, login, renew)
			}
			stored = hash(t, today, "the right one")
		}
	}
}

// ASVS 5.0, 6.2.3: Change requires the current password, and reveals nothing about the
// next one unless that is right.
func TestChangeNeedsTheCurrentPassword(t *testing.T) {
	h := weak(t, password.Config{})
	const next = "k7Qz!m2Wp0xR_eL"
	current := hash(t, h, "current")
	for _, test := range []struct {
		name, hash, current, next string
		want                      error
	}{
		{"the right one", current, "current", next, nil},
		{"a wrong one", current, "wrong", next, password.ErrWrong},
		{"none", current, "", next, password.ErrWrong},
		{"no hash", "", "", next, password.ErrWrong},
		{"a wrong one reveals nothing about the next", current, "wrong", "short", password.ErrWrong},
		{"the next one is checked", current, "current", "short", password.ErrTooShort},
		{"the next one is checked with words", current, "current", "alicecooper 2026", password.ErrGuessable},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := h.Change(t.Context(), test.hash, test.current, test.next, "Alice Cooper")
			if !errors.Is(err, test.want) || (got == "") != (err != nil) {
				t.Fatalf("%q, %v", got, err)
			}
			if err == nil && h.Verify(t.Context(), got, next) != nil {
				t.Error("the new password does not verify")
			}
		})
	}
}

// ASVS 5.0, 6.2.8: for any two passwords, the hash of one matches the other only if they
// are the same.
func FuzzTwoPasswordsNeverVerifyAlike(f *testing.F) {
	f.Add("a", "a ")
	f.Add("a", "a\x00")
	f.Add("ab", "ab\x00ab")
	f.Add("á", "a\u0301")
	f.Add("\xff", "\ufffd")
	f.Add(strings.Repeat("x", 72), strings.Repeat("x", 73))
	f.Add(strings.Repeat("x", 65), sha(strings.Repeat("x", 65)))
	f.Add(strings.Repeat("x", 1024), strings.Repeat("x", 1025))
	f.Fuzz(func(t *testing.T, chosen, tried string) {
		if chosen == "" || len(chosen) > 1024 {
			return // Hash takes none of these
		}
		h := weak(t, password.Config{})
		for kind, hash := range each(t, h, chosen) {
			if raceEnabled && kind == "bcrypt" {
				continue // nothing here runs at once
			}
			if err := h.Verify(t.Context(), hash, tried); err == nil && chosen != tried && !confused(kind, chosen) {
				t.Errorf("the %s hash of %q matches %q", kind, chosen, tried)
			}
			if err := h.Verify(t.Context(), hash, chosen); (err == nil) == confused(kind, chosen) {
				t.Errorf("the %s hash of %q: %v", kind, chosen, err)
			}
		}
	})
}

// confused reports whether a scheme confuses the password with others. A foreign hash of
// such a password matches at most one password.
func confused(kind, chosen string) bool {
	return kind != "argon2id" && strings.Contains(chosen, "\x00") || kind == "scrypt" && !utf8.ValidString(chosen)
}

// A password that could not be verified is neither right nor wrong.
func TestNoAnswerIsNotWrong(t *testing.T) {
	calls := 0
	h := noting(t, password.NewWeak, password.Config{}, func(password.Call) { calls++ })
	good := hash(t, h, "p")
	calls = 0
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for name, err := range map[string]error{
		"Verify, client gone":       h.Verify(gone, good, "p"),
		"VerifyNobody, client gone": h.VerifyNobody(gone, "p"),
		"Verify, malformed hash":    h.Verify(t.Context(), "x", "p"),
	} {
		if err == nil || errors.Is(err, password.ErrWrong) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s, err := h.Hash(gone, "p"); s != "" || !errors.Is(err, context.Canceled) {
		t.Errorf("%q, %v", s, err)
	}
	for range 20 { // there is a place each time
		if err := h.VerifyNobody(gone, "p"); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if calls != 0 {
		t.Errorf("%d hashes were computed after cancellation", calls)
	}
}
