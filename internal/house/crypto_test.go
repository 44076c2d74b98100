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

// primitives are all cryptographic packages, and all of package hash, that code
// other than tests may import, with what for. One that is not here needs a
// reason first.
var primitives = map[string]string{
	"crypto":           "the names of interfaces and hashes",
	"crypto/cipher":    "the interface of an AEAD, and nothing else",
	"crypto/ecdsa":     "ES256",
	"crypto/ed25519":   "EdDSA",
	"crypto/elliptic":  "the name of P-256",
	"crypto/hmac":      "HS256, refresh tokens, forms",
	"crypto/rand":      "all that is secret",
	"crypto/rsa":       "PS256, and RS256 to verify",
	"crypto/sha256":    "the one hash",
	"crypto/subtle":    "comparisons of secrets",
	crypto + "/argon2": "passwords",
	crypto + "/bcrypt": "passwords that others have hashed",
	crypto + "/scrypt": "passwords that others have hashed",

	crypto + "/chacha20poly1305": "sealed cookies",
	crypto + "/cryptobyte":       "the encoding of ECDSA signatures",
	crypto + "/cryptobyte/asn1":  "the encoding of ECDSA signatures",

	"hash/crc32":   "damage to a record, not forgery",
	"hash/maphash": "the shards of Memory",
}

// ASVS 5.0, 11.2.1, 11.3.2 and 11.4.1: what is cryptographic comes from the
// standard library, x/crypto or, behind one folder, jwx; and of these only what
// is approved.
func TestCryptographyIsWhatTheTableSays(t *testing.T) {
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
					t.Errorf("%s imports %s: use a primitive of the table in internal/house/crypto_test.go, or add this one with the reason", s.name, imported)
				}
				if sealing := imported == "crypto/cipher" || imported == crypto+"/chacha20poly1305"; sealing && f.name != "cookie" {
					t.Errorf("%s imports %s: only package cookie seals, call its Sealer", s.name, imported)
				}
			}
		}
	}
	for name := range primitives {
		if !used[name] {
			t.Errorf("%s stands in the table, and no code imports it: remove the row", name)
		}
	}
}

// unsafeCalls are functions and types of good packages that must not be used.
var unsafeCalls = map[string]*regexp.Regexp{
	"crypto/cipher": regexp.MustCompile(`^[^A]|^A[^E]`), // anything but AEAD
	"crypto/rsa":    regexp.MustCompile(`Encrypt|Decrypt|^SignPKCS1v15$`),
	"os":            regexp.MustCompile(`(?i)env`),
}

// ASVS 5.0, 11.3.1, 11.3.5 and 13.3.1: nothing encrypts without authenticating, by
// RSA or block by block. And no package takes a secret out of the environment:
// it is given what somebody has got out of a vault.
func TestNothingUnsafeIsCalled(t *testing.T) {
	for _, f := range production(t) {
		for _, s := range f.code {
			eachSelector(s, func(imported, name string, pos token.Pos) {
				if ban := unsafeCalls[imported]; ban != nil && ban.MatchString(name) {
					t.Errorf("%v: %s of %s must not be used; unsafeCalls in internal/house/crypto_test.go says why", files.Position(pos), name, imported)
				}
			})
		}
	}
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

// secretName is how the code calls what nobody may learn by how long a
// comparison takes.
var secretName = regexp.MustCompile(`(?i)(secret|mac|password|passphrase|token|proof|pad|seed|csrf|attempt|key)$`)

// compared are comparisons of what has such a name and is no secret.
var compared = map[string]string{
	"store/shard.go: key":                      "that of a record, which is a digest",
	"token/bearer.go: errNoToken":              "an error",
	"token/tokenclient/flight.go: AccessToken": "a client compares its own tokens",
	"token/tokenclient/state.go: RefreshToken": "a client compares its own tokens",
}

// ASVS 5.0, 11.2.4: secrets are compared by crypto/subtle or crypto/hmac alone.
// A session token or a single-use token is compared to nothing: it is looked up
// by its digest.
func TestSecretsAreComparedInConstantTime(t *testing.T) {
	found := make(map[string]bool)
	for _, f := range production(t) {
		for _, s := range f.code {
			ast.Inspect(s.file, func(n ast.Node) bool {
				operands := comparison(n)
				for _, operand := range operands {
					if name := lastName(operand); secretName.MatchString(name) && !fixed(operands) {
						where := s.name + ": " + name
						if found[where] = true; compared[where] == "" {
							t.Errorf("%v: compare it with crypto/subtle or hmac.Equal; if it is no secret, add %q to compared in internal/house/crypto_test.go", files.Position(n.Pos()), where)
						}
					}
				}
				return true
			})
		}
	}
	for where := range compared {
		if !found[where] {
			t.Errorf("%q stands in the table, and is compared nowhere: remove the row", where)
		}
	}
}

// quick are functions that compare, and end at the first difference.
var quick = regexp.MustCompile(`^(bytes|strings|slices|reflect)\.(Equal|EqualFold|Compare|DeepEqual)$`)

// comparison returns what a node compares, if it does, and not in constant time.
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

// lastName is the name that an expression ends in, conversions and slices aside.
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

// fixed reports whether one side of a comparison is written in the code.
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

// published are files with texts that look like keys, and are none of ours.
var published = map[string]string{
	"internal/jose/knownanswer.go": "the examples of RFCs, for a test at the start",
	"internal/jose/envelope.go":    "an alphabet",
	"password/stored.go":           "an alphabet",
}

var (
	privateKey = regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY|"d" *: *"[A-Za-z0-9_-]{20,}|"k" *: *"[A-Za-z0-9_-]{20,}`)
	keyLike    = regexp.MustCompile(`[A-Za-z0-9+/_=-]{32,}`)
)

// ASVS 5.0, 13.3.1: no key stands in the repository, but in tests. What looks
// like one is a text of 32 letters and more that seems to be random.
func TestNoKeyStandsInTheSource(t *testing.T) {
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
			t.Errorf("%s has a private key: remove it, and make another where it is used", name)
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
						t.Errorf("%v: %q looks like a key: remove it; if it is a published text, add the file to published in internal/house/crypto_test.go", files.Position(lit.Pos()), word)
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
	if entropy("8Sc20cPcfLhR9sMUes70l5PcvOIicuiGoWPVSyg6cqU") <= 4.3 {
		t.Error("a key does not look like one")
	}
}

// entropy is that of the letters of a text, in bits each.
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
