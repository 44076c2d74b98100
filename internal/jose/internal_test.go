package jose

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"math/big"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
)

// engine is a fake of the real engine.
type engine struct {
	verify func() error
	sign   func() ([]byte, error)
}

func (e engine) Verify([]byte, []byte, any) error { return e.verify() }
func (e engine) Sign([]byte, any) ([]byte, error) { return e.sign() }

const internalPayload = `{"sub":"alice"}`

func generated(t *testing.T) *SigningKey {
	t.Helper()
	key, err := Generate(Ed25519, "at+jwt")
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestPanicOfTheEngineIsAWrongSignature(t *testing.T) {
	key := generated(t)
	token, err := key.Mint([]byte(internalPayload))
	if err != nil {
		t.Fatal(err)
	}
	key.verification.engine = engine{verify: func() error { panic("engine") }}
	set, err := NewSet(key.verification)
	if err != nil {
		t.Fatal(err)
	}
	got, err := set.Verify(token, Form{Types: []string{"at+jwt"}})
	if !errors.Is(err, ErrSignature) || got.Payload != nil {
		t.Errorf("%v", err)
	}
	if key.verification.accepted.Load() != nil {
		t.Error("the header of a token that did not verify is remembered")
	}
}

func TestWhatTheSignerReturnsIsChecked(t *testing.T) {
	for name, sign := range map[string]func() ([]byte, error){
		"a panic":           func() ([]byte, error) { panic("engine") },
		"an error":          func() ([]byte, error) { return make([]byte, 64), errors.New("engine") },
		"nothing":           func() ([]byte, error) { return nil, nil },
		"a short signature": func() ([]byte, error) { return make([]byte, 63), nil },
		"a long signature":  func() ([]byte, error) { return make([]byte, 65), nil },
	} {
		key := generated(t)
		key.engine = engine{sign: sign}
		if token, err := key.Mint([]byte(internalPayload)); !errors.Is(err, ErrSign) || token != "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A signer returns DER, in which numbers have variable lengths.
func TestECDSASignaturesGetTheirFixedLength(t *testing.T) {
	number := func(size int) string { return "\x02" + string(rune(size)) + strings.Repeat("\x11", size) }
	for name, c := range map[string]struct {
		der  string
		want string // empty: refused
	}{
		"two long numbers":       {"\x30\x44" + number(32) + number(32), strings.Repeat("\x11", 64)},
		"short ones":             {"\x30\x07\x02\x01\x05" + number(2), strings.Repeat("\x00", 31) + "\x05" + strings.Repeat("\x00", 30) + "\x11\x11"},
		"a sign byte in front":   {"\x30\x07\x02\x02\x00\xff\x02\x01\x05", strings.Repeat("\x00", 31) + "\xff" + strings.Repeat("\x00", 31) + "\x05"},
		"r of 33 bytes":          {"\x30\x26" + number(33) + number(1), ""},
		"s of 33 bytes":          {"\x30\x26" + number(1) + number(33), ""},
		"a negative number":      {"\x30\x06\x02\x01\x85\x02\x01\x05", ""},
		"one number":             {"\x30\x03\x02\x01\x05", ""},
		"three numbers":          {"\x30\x09" + number(1) + number(1) + number(1), ""},
		"data behind it":         {"\x30\x06" + number(1) + number(1) + "\x00", ""},
		"cut":                    {"\x30\x06" + number(1), ""},
		"nothing":                {"", ""},
		"two numbers of 32 bare": {strings.Repeat("\x11", 64), ""},
	} {
		got, err := fixedLength([]byte(c.der))
		if string(got) != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: %x, %v", name, got, err)
		}
	}
}

// The registry of the engine is global, and any package can change it. Each key gets its
// verifier once and tests it.
func TestD27EngineIsCheckedOncePerKey(t *testing.T) {
	for alg := range knownAnswers {
		if err := checkKnownAnswer(alg, mustVerifier(t, alg)); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
		for name, verify := range map[string]func() error{
			"accepts everything": func() error { return nil },
			"refuses everything": func() error { return errors.New("no") },
			"panics":             func() error { panic("engine") },
		} {
			if err := checkKnownAnswer(alg, engine{verify: verify}); !errors.Is(err, ErrKey) {
				t.Errorf("%s: an engine that %s: %v", alg, name, err)
			}
		}
	}
	for alg := range engines {
		if _, ok := knownAnswers[alg]; !ok && alg != PS256 {
			t.Errorf("%s has no known answer", alg)
		}
	}
}

func TestD27RegistryThatHasChangedIsNoticed(t *testing.T) {
	key := generated(t)
	honest, err := jws.NewVerifier(jwa.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	defer jws.RegisterVerifier(jwa.EdDSA, jws.VerifierFactoryFn(func() (jws.Verifier, error) { return honest, nil }))
	jws.RegisterVerifier(jwa.EdDSA, jws.VerifierFactoryFn(func() (jws.Verifier, error) {
		return engine{verify: func() error { return nil }}, nil
	}))
	if _, err := Generate(Ed25519, "at+jwt"); !errors.Is(err, ErrKey) {
		t.Errorf("a new key takes a verifier that accepts everything: %v", err)
	}
	set, err := NewSet(key.verification)
	if err != nil {
		t.Fatal(err)
	}
	token, err := key.Mint([]byte(internalPayload))
	if err != nil {
		t.Fatal(err)
	}
	end := strings.LastIndexByte(token, '.') + 1
	forged := token[:end] + strings.Repeat("A", len(token)-end)
	if _, _, err := set.VerifyJWS(forged); !errors.Is(err, ErrSignature) {
		t.Errorf("a key that was loaded before: %v", err)
	}
}

func mustVerifier(t *testing.T, alg Algorithm) verifier {
	t.Helper()
	v, err := newVerifier(alg)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestHeaderIsDecodedOnce(t *testing.T) {
	key := generated(t)
	set, err := NewSet(key.verification)
	if err != nil {
		t.Fatal(err)
	}
	var seen *header
	for i := range 3 {
		token, err := key.Mint([]byte(`{"n":` + strconv.Itoa(i) + `}`))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := set.Verify(token, Form{Types: []string{"at+jwt"}}); err != nil {
			t.Fatal(err)
		}
		now := key.verification.accepted.Load()
		if now == nil || i > 0 && now != seen {
			t.Error("a known header was decoded again")
		}
		seen = now
	}
}

// ASVS 5.0, 11.6.1.
// A modulus from the broken generator is a power of 65537 modulo the product of the first
// primes.
func TestRocaKeysAreFound(t *testing.T) {
	product := big.NewInt(1)
	for p := int64(2); p <= 167; p++ {
		if prime := big.NewInt(p); prime.ProbablyPrime(10) {
			product.Mul(product, prime)
		}
	}
	for power := range int64(50) {
		n := new(big.Int).Exp(big.NewInt(65537), big.NewInt(1_000_000+power), product)
		n.Add(n, new(big.Int).Mul(product, new(big.Int).Lsh(big.NewInt(1), 2900)))
		if !roca(n) {
			t.Fatal("not found")
		}
		n.Add(n, big.NewInt(2))
		if roca(n) {
			t.Fatal("an ordinary number is found")
		}
	}
}

// ASVS 5.0, 11.2.1.
// Only these parts of the engine are used, and only in this package. In particular, no
// part is used that takes a whole message, fetches, caches or registers.
func TestOnlyThePrimitivesOfTheEngineAreUsed(t *testing.T) {
	allowed := map[string][]string{
		"jwa":       {"EdDSA", "ES256", "PS256", "RS256", "HS256", "SignatureAlgorithm"},
		"jws":       {"NewSigner", "NewVerifier"},
		"enginejwk": {"ParseKey"},
	}
	paths, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(node ast.Node) bool {
			selector, ok := node.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			from, ok := selector.X.(*ast.Ident)
			if names, known := allowed[identName(from, ok)]; known {
				found++
				if !slices.Contains(names, selector.Sel.Name) {
					t.Errorf("%s uses %s.%s", path, from.Name, selector.Sel.Name)
				}
			}
			return true
		})
	}
	if found < 9 {
		t.Errorf("only %d uses found: is the engine imported under another name?", found)
	}
}

func identName(ident *ast.Ident, ok bool) string {
	if !ok {
		return ""
	}
	return ident.Name
}

func TestD03PartsOfTheEngineThatAreNotUsedAreNotLinked(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v: %s", err, out)
	}
	if !strings.Contains(string(out), "jwx/v2/jws\n") {
		t.Fatalf("the engine is not in the list")
	}
	for _, part := range []string{"jwx/v2/jwt", "jwx/v2/jwe", "jwx/v2/x25519/", "net/http/httptest"} {
		if strings.Contains(string(out), part) {
			t.Errorf("%s is linked", part)
		}
	}
}

// No other folder of the module imports the engine.
func TestEngineIsImportedHereOnly(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-f", "{{.ImportPath}} {{.Imports}} {{.TestImports}} {{.XTestImports}}", "../...", "../../...").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v: %s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		name, imports, _ := strings.Cut(line, " ")
		if strings.Contains(imports, "lestrrat-go/jwx") && !strings.HasSuffix(name, "/internal/jose") {
			t.Errorf("%s imports the engine", name)
		}
	}
}
