package house

import (
	"go/ast"
	"go/token"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// primitives are all packages below crypto and hash that code other than tests may import,
// with their purpose. A new one needs a reason.
var primitives = map[string]string{
	"crypto":           "the names of interfaces and hashes",
	"crypto/aes":       "sealed cookies",
	"crypto/cipher":    "sealed cookies: AES-GCM, which makes its own nonces",
	"crypto/ecdsa":     "ES256",
	"crypto/ed25519":   "EdDSA",
	"crypto/elliptic":  "the name of P-256",
	"crypto/fips140":   "exempts scrypt, which FIPS 140-3 does not approve",
	"crypto/hkdf":      "the key of one sealed cookie",
	"crypto/hmac":      "HS256, refresh tokens, forms",
	"crypto/rand":      "all secrets",
	"crypto/rsa":       "PS256, and RS256 to verify",
	"crypto/sha256":    "the one hash",
	"crypto/subtle":    "comparisons of secrets",
	crypto + "/argon2": "passwords",
	crypto + "/bcrypt": "passwords that were hashed elsewhere",
	crypto + "/scrypt": "passwords that were hashed elsewhere",

	crypto + "/chacha20poly1305": "sealed cookies of version 1",
	crypto + "/cryptobyte":       "the encoding of ECDSA signatures",
	crypto + "/cryptobyte/asn1":  "the encoding of ECDSA signatures",

	"hash/crc32":   "damage to a record, not forgery",
	"hash/maphash": "the shards of Memory",
}

// ASVS 5.0, 11.2.1, 11.3.2 and 11.4.1: cryptography comes from the standard library,
// x/crypto or, in one folder, jwx, and only from approved packages.
func TestCryptographyIsWhatTheTableSays(t *testing.T) {
	var unapproved, sealers, unused findings
	used := make(map[string]bool)
	for _, f := range production(t) {
		for _, s := range f.code {
			for _, imported := range s.imports {
				first, _, _ := strings.Cut(imported, "/")
				if first != "crypto" && first != "hash" && !within(imported, crypto) {
					continue
				}
				used[imported] = true
				if primitives[imported] == "" {
					unapproved.add("%s imports %s", s.name, imported)
				}
				if sealing := imported == "crypto/cipher" || imported == crypto+"/chacha20poly1305"; sealing && f.name != "cookie" {
					sealers.add("%s imports %s", s.name, imported)
				}
			}
		}
	}
	for name := range primitives {
		if !used[name] {
			unused.add("%s", name)
		}
	}
	unapproved.report(t, "use a package of primitives in internal/house/crypto_test.go, or add this one there with its purpose")
	sealers.report(t, "encrypt with the Sealer of package cookie")
	unused.report(t, "remove the packages that no code imports from primitives in internal/house/crypto_test.go")
}

// unsafeCalls are functions and types of approved packages that must not be used.
var unsafeCalls = map[string]*regexp.Regexp{
	"crypto/cipher": regexp.MustCompile(`^[^AN]|^A[^E]|^New([^G]|G[^C]|GCM$|GCMWith[^R])`), // anything but AEAD and NewGCMWithRandomNonce
	"crypto/rsa":    regexp.MustCompile(`Encrypt|Decrypt|^SignPKCS1v15$`),
	"os":            regexp.MustCompile(`(?i)env`),
}

// ASVS 5.0, 11.3.1, 11.3.5 and 13.3.1: no code encrypts without authentication, with RSA
// or block by block. No package reads a secret from the environment: the application
// passes it, for example from a vault.
func TestNothingUnsafeIsCalled(t *testing.T) {
	var called findings
	for _, f := range production(t) {
		for _, s := range f.code {
			eachSelector(s, func(imported, name string, pos token.Pos) {
				if ban := unsafeCalls[imported]; ban != nil && ban.MatchString(name) {
					called.add("%v: %s of %s", files.Position(pos), name, imported)
				}
			})
		}
	}
	called.report(t, "do not use these names: encrypt with the Sealer of package cookie, and take secrets as arguments (see unsafeCalls in internal/house/crypto_test.go)")
}

// eachSelector calls visit for each name of another package that a file uses.
func eachSelector(s *source, visit func(imported, name string, pos token.Pos)) {
	packages := make(map[string]string)
	for i, imported := range s.imports {
		name := imported[strings.LastIndexByte(imported, '/')+1:]
		if as := s.file.Imports[i].Name; as != nil {
			name = as.Name
		}
		packages[name] = imported
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && packages[x.Name] != "" {
				visit(packages[x.Name], sel.Sel.Name, sel.Pos())
			}
		}
		return true
	})
}

// secretName matches the names of values that must be compared in constant time.
var secretName = regexp.MustCompile(`(?i)(secret|mac|password|passphrase|token|proof|pad|seed|csrf|attempt|key)$`)

// compared are comparisons of values that have such a name and are not secret.
var compared = map[string]string{
	"store/index.go: key":                      "the key of a record, which is a digest",
	"token/bearer.go: errNoToken":              "an error",
	"token/tokenclient/flight.go: AccessToken": "a client compares its own tokens",
	"token/tokenclient/state.go: RefreshToken": "a client compares its own tokens",
}

// ASVS 5.0, 11.2.4: secrets are compared only by crypto/subtle or crypto/hmac. A session
// token or a single-use token is not compared but looked up by its digest.
func TestSecretsAreComparedInConstantTime(t *testing.T) {
	var variable, unused findings
	found := make(map[string]bool)
	for _, f := range production(t) {
		for _, s := range f.code {
			ast.Inspect(s.file, func(n ast.Node) bool {
				operands := comparison(n)
				for _, operand := range operands {
					if name := lastName(operand); secretName.MatchString(name) && !fixed(operands) {
						where := s.name + ": " + name
						if found[where] = true; compared[where] == "" {
							variable.add("%v: %q", files.Position(n.Pos()), where)
						}
					}
				}
				return true
			})
		}
	}
	for where := range compared {
		if !found[where] {
			unused.add("%q", where)
		}
	}
	variable.report(t, "compare with crypto/subtle or hmac.Equal; if the value is not secret, add it to compared in internal/house/crypto_test.go")
	unused.report(t, "remove the rows that match no comparison from compared in internal/house/crypto_test.go")
}

// quick are comparison functions that stop at the first difference.
var quick = regexp.MustCompile(`^(bytes|strings|slices|reflect)\.(Equal|EqualFold|Compare|DeepEqual)$`)

// comparison returns the operands of a comparison that is not in constant time, or
// nil.
func comparison(n ast.Node) []ast.Expr {
	switch n := n.(type) {
	case *ast.BinaryExpr:
		if n.Op == token.EQL || n.Op == token.NEQ {
			return []ast.Expr{n.X, n.Y}
		}
	case *ast.CallExpr:
		if sel, ok := n.Fun.(*ast.SelectorExpr); ok && quick.MatchString(lastName(sel.X)+"."+sel.Sel.Name) {
			return n.Args
		}
	}
	return nil
}

// lastName is the last name of an expression, ignoring conversions and slices.
func lastName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	case *ast.SliceExpr:
		return lastName(e.X)
	case *ast.ParenExpr:
		return lastName(e.X)
	case *ast.StarExpr:
		return lastName(e.X)
	case *ast.CallExpr:
		if len(e.Args) == 1 && lastName(e.Fun) != "len" {
			return lastName(e.Args[0])
		}
	}
	return ""
}

// fixed reports whether one side of a comparison is a literal.
func fixed(operands []ast.Expr) bool {
	for _, e := range operands {
		switch e := e.(type) {
		case *ast.BasicLit, *ast.CompositeLit:
			return true
		case *ast.Ident:
			if e.Name == "nil" || e.Name == "true" || e.Name == "false" {
				return true
			}
		}
	}
	return false
}

// published are files with texts that look like keys but are public.
var published = map[string]string{
	"internal/jose/knownanswer.go": "examples of RFCs, for known-answer tests",
	"internal/jose/envelope.go":    "an alphabet",
	"password/stored.go":           "an alphabet",
}

var (
	privateKey = regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY|"d" *: *"[A-Za-z0-9_-]{20,}|"k" *: *"[A-Za-z0-9_-]{20,}`)
	keyLike    = regexp.MustCompile(`[A-Za-z0-9+/_=-]{32,}`)
)

// ASVS 5.0, 13.3.1: only tests contain keys. A text looks like a key if it has at least
// 32 characters that seem to be random.
func TestNoKeyStandsInTheSource(t *testing.T) {
	atRoot()
	var private, keys findings
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		switch base := entry.Name(); {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && (base[0] == '.' || base == "testdata" || base == "node_modules"):
			return fs.SkipDir
		case entry.IsDir() || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if privateKey.Match(text) {
			private.add("%s", name)
		}
		if !strings.HasSuffix(name, ".go") || inLab(filepath.ToSlash(name)) || published[filepath.ToSlash(name)] != "" {
			return nil
		}
		s, err := parse(filepath.ToSlash(name))
		if err != nil {
			return err
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				value, _ := strconv.Unquote(lit.Value)
				for _, word := range keyLike.FindAllString(value, -1) {
					if entropy(word) > 4.3 {
						keys.add("%v: %q", files.Position(lit.Pos()), word)
					}
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	private.report(t, "remove the private key from the repository, and replace it where it is used")
	keys.report(t, "remove the key; if it is a public text, add the file to published in internal/house/crypto_test.go")
	if entropy("8Sc20cPcfLhR9sMUes70l5PcvOIicuiGoWPVSyg6cqU") <= 4.3 {
		t.Error("the entropy of a random key is below the threshold: lower the threshold")
	}
}

// entropy is the entropy of the characters of a text, in bits per character.
func entropy(text string) (bits float64) {
	counts := make(map[byte]float64)
	for i := range len(text) {
		counts[text[i]]++
	}
	for _, n := range counts {
		p := n / float64(len(text))
		bits -= p * math.Log2(p)
	}
	return bits
}
