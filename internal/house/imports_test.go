package house

import (
	"encoding/json"
	"go/ast"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const (
	module = "github.com/authlatch/auth"
	jwx    = "github.com/lestrrat-go/jwx/v2"
	crypto = "golang.org/x/crypto"
)

// room is a folder and the packages outside of the standard library that its code may
// import: rooms below it, and other modules.
type room struct {
	name    string
	imports []string
}

// graph is the import graph. Every arrow points down: a room imports only rooms below it.
// The examples import only packages that users can import. Packages in internal/lab may
// import any room, and only tests and the test kit of stores import them. Folders with a go.mod of their own are
// other modules.
var graph = []room{
	// Guards and other middleware.
	{"middleware", []string{".", "internal/crossorigin", "internal/ctxkey", "internal/forwarded", "internal/stored", "internal/wire"}},

	// The test kit of stores, whose users are tests, and the tool that it shares with ours.
	{"store/storetest", []string{".", "session", "store", "token", "internal/lab/simulate"}},
	{"internal/lab/simulate", []string{".", "store", "token", "internal/logins"}},

	// A login kept on the server │ signed into a JWT.
	{"session", []string{".", "cookie", "store", "internal/clocks", "internal/crossorigin", "internal/former", "internal/logins", "internal/plainhttp", "internal/queue", "internal/record", "internal/refreshing", "internal/rotation", "internal/sessionrecord", "internal/stored", "internal/watch"}},
	{"token", []string{".", "cookie", "store", "internal/claims", "internal/crossorigin", "internal/former", "internal/jose", "internal/keyring", "internal/logins", "internal/plainhttp", "internal/private", "internal/refreshing", "internal/rotation", "internal/sessionrecord", "internal/stored", "internal/watch", "internal/wire"}},
	{"token/browser", nil},
	{"token/tokenclient", []string{".", "internal/private", "internal/wire"}},

	// A rate limiter for guessing attempts.
	{"throttle", []string{".", "cookie", "store", "internal/crossorigin", "internal/former", "internal/forwarded", "internal/plainhttp", "internal/queue", "internal/record", "internal/stored"}},

	// Single-use tokens │ passwords.
	{"onetime", []string{".", "store", "internal/record", "internal/stored"}},
	{"password", []string{".", crypto}},

	// Shared code of these.
	{"internal/sessionrecord", []string{".", "internal/clocks", "internal/logins", "internal/record"}},
	{"internal/rotation", []string{".", "internal/clocks", "internal/logins", "internal/record"}},
	{"internal/claims", []string{".", "internal/jose", "internal/registered", "internal/strictjson"}},
	{"internal/keyring", []string{"internal/jose", "internal/strictjson"}},
	{"internal/watch", []string{"."}},
	{"internal/logins", []string{".", "store", "internal/queue", "internal/record"}},
	{"internal/refreshing", []string{"."}},
	{"internal/clocks", nil},
	{"internal/former", []string{"cookie"}},
	{"internal/plainhttp", []string{".", "cookie"}},
	{"internal/jose", []string{jwx, crypto, "internal/registered", "internal/strictjson"}},

	// Policies of cookies │ the contract of a store.
	{"cookie", []string{crypto}},
	{"store", nil},

	// Identities, outcomes, events.
	{".", []string{"internal/crossorigin", "internal/ctxkey", "internal/registered", "internal/strictjson"}},

	// Small packages at the base of the graph.
	{"internal/crossorigin", nil},
	{"internal/ctxkey", nil},
	{"internal/forwarded", nil},
	{"internal/queue", nil},
	{"internal/private", nil},
	{"internal/registered", nil},
	{"internal/stored", nil},
	{"internal/record", nil},
	{"internal/strictjson", nil},
	{"internal/wire", nil},

	// Only tests, which import any room.
	{"internal/bothmodes", nil},
	{"internal/house", nil},
}

// findRoom returns the index of a folder in the graph, or -1.
func findRoom(name string) int {
	return slices.IndexFunc(graph, func(r room) bool { return r.name == name })
}

// mayImport reports whether the graph allows the code of a folder to import a package
// outside of the standard library.
func mayImport(name, imported string) bool {
	to, our := ours(imported)
	switch {
	case inLab(name):
		return our
	case strings.HasPrefix(name, "examples/"):
		return our && findRoom(to) >= 0 && !strings.HasPrefix(to, "internal/")
	}
	i := findRoom(name)
	return i >= 0 && slices.ContainsFunc(graph[i].imports, func(a string) bool { return leadsTo(a, imported) })
}

// leadsTo reports whether an entry of the graph allows an import.
func leadsTo(allowed, imported string) bool {
	if name, our := ours(imported); our {
		return name == allowed
	}
	return within(imported, allowed)
}

const thisFile = "internal/house/imports_test.go"

func TestImportsFollowTheArrows(t *testing.T) {
	var rooms, code, tests findings
	for _, f := range folders(t) {
		if findRoom(f.name) < 0 && !f.lab() && !strings.HasPrefix(f.name, "examples/") {
			rooms.add("%s", f.name)
			continue
		}
		for _, s := range f.code {
			for _, imported := range s.imports {
				if !standard(imported) && !mayImport(f.name, imported) {
					code.add("%s imports %s", s.name, imported)
				}
			}
		}
		// Tests may import all packages of this module, and others that their package may
		// import.
		for _, s := range f.tests {
			for _, imported := range s.imports {
				if _, our := ours(imported); !standard(imported) && !our && !mayImport(f.name, imported) {
					tests.add("%s imports %s", s.name, imported)
				}
			}
		}
	}
	rooms.report(t, "add a row for these packages to the graph in "+thisFile+", above all that they import")
	code.report(t, "import only packages in the row of the graph in "+thisFile+", or add the arrow there and the reason to docs/decisions.md")
	tests.report(t, "use the standard library in tests, or move the test to a module of its own such as internal/lab/conformance")
}

// The graph has no cycle, because every arrow points down.
func TestArrowsPointDown(t *testing.T) {
	var missing, up findings
	for i, r := range graph {
		for _, to := range r.imports {
			if to == jwx || to == crypto {
				continue
			}
			switch j := findRoom(to); {
			case j < 0:
				missing.add("%q, imported by %q", to, r.name)
			case j <= i:
				up.add("%q imports %q", r.name, to)
			}
		}
	}
	missing.report(t, "add a row for these packages to the graph in "+thisFile)
	up.report(t, "move shared code into a package below both, because these arrows point up")
}

// The graph has no row and no arrow that is not in use.
func TestTheGraphDrawsWhatIsThere(t *testing.T) {
	var rows, arrows findings
	all := folders(t)
	for _, r := range graph {
		i := slices.IndexFunc(all, func(f folder) bool { return f.name == r.name })
		if i < 0 {
			rows.add("%q does not exist", r.name)
			continue
		}
		for _, to := range r.imports {
			if !slices.ContainsFunc(all[i].code, func(s *source) bool {
				return slices.ContainsFunc(s.imports, func(imported string) bool { return leadsTo(to, imported) })
			}) {
				arrows.add("%q does not import %q", r.name, to)
			}
		}
	}
	rows.report(t, "remove these rows from the graph in "+thisFile)
	arrows.report(t, "remove these arrows from the graph in "+thisFile)
}

// banned are imports that only tests may have, with the reason.
var banned = map[string]string{
	"math/rand":    "secrets come from crypto/rand",
	"math/rand/v2": "secrets come from crypto/rand",
	"crypto/md5":   "it is broken",
	"crypto/sha1":  "it is broken",
	"encoding/gob": "it decodes into any type (ASVS 5.0, 1.5.2)",
}

// exempt are files that may have banned imports, with the reason.
var exempt = map[string]string{
	"token/jitter.go":             "pauses that spread load are not secrets",
	"internal/watch/pace.go":      "pauses that spread load are not secrets",
	"internal/logins/parallel.go": "any record may be the first to end",
	"store/storetest/contexts.go": "calls are canceled at any moment",
	"store/storetest/parallel.go": "clients pause for a moment",
}

// standard reports whether a path is one of the standard library.
func standard(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return !strings.Contains(first, ".")
}

// ours returns the folder of a package of this module.
func ours(imported string) (string, bool) {
	if imported == module {
		return ".", true
	}
	return strings.CutPrefix(imported, module+"/")
}

// within reports whether a path is that of a module or of a package in it.
func within(imported, module string) bool {
	return imported == module || strings.HasPrefix(imported, module+"/")
}

// Only internal/jose imports jwx, and only its primitives.
func TestOnlyJoseImportsJWX(t *testing.T) {
	var outside, envelopes findings
	for _, f := range folders(t) {
		for _, s := range slices.Concat(f.code, f.tests) {
			for _, imported := range s.imports {
				if within(imported, "github.com/lestrrat-go") && f.name != "internal/jose" {
					outside.add("%s imports %s", s.name, imported)
				}
				if within(imported, jwx+"/jwt") || within(imported, jwx+"/jwe") {
					envelopes.add("%s imports %s", s.name, imported)
				}
			}
		}
	}
	outside.report(t, "call internal/jose instead of jwx")
	envelopes.report(t, "parse tokens with internal/jose instead of jwx")
}

// A program that uses only sessions, or only the client of tokens, links neither jwx nor
// its dependencies.
func TestASessionProgramAndATokenClientLinkNoJWX(t *testing.T) {
	imports := make(map[string][]string)
	for _, f := range folders(t) {
		for _, s := range f.code {
			imports[f.name] = append(imports[f.name], s.imports...)
		}
	}
	for program, uses := range map[string]string{
		"examples/quickstart": "session", "examples/session": "session", "token/tokenclient": "internal/wire",
	} {
		seen := make(map[string]bool)
		var visit func(name string)
		visit = func(name string) {
			for _, imported := range imports[name] {
				next, our := ours(imported)
				switch {
				case our && !seen[next]:
					seen[next] = true
					visit(next)
				case !our && !standard(imported) && !within(imported, crypto):
					t.Errorf("%s links %s through %s: remove that import, because the program does not need it", program, imported, name)
				}
			}
		}
		if visit(program); !seen[uses] {
			t.Errorf("%s does not use %s: name another program in this test", program, uses)
		}
	}
}

// ASVS 5.0, 11.4.1 and 11.5.1.
func TestNoBannedImports(t *testing.T) {
	var imports findings
	for _, f := range production(t) {
		for _, s := range f.code {
			for _, imported := range s.imports {
				if why, is := banned[imported]; is && exempt[s.name] == "" {
					imports.add("%s imports %s: %s", s.name, imported, why)
				}
			}
		}
	}
	imports.report(t, "remove these imports, or add the file to exempt in "+thisFile+" with the reason")
}

// There is no func init, because its order and effects are implicit and it cannot be
// tested.
func TestNoInit(t *testing.T) {
	var inits findings
	for _, f := range folders(t) {
		for _, s := range f.code {
			for _, decl := range s.file.Decls {
				if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
					inits.add("%v", files.Position(fn.Pos()))
				}
			}
		}
	}
	inits.report(t, "replace func init by a function that is called")
}

func TestFilesHaveAtMost500Lines(t *testing.T) {
	var long findings
	for _, f := range folders(t) {
		for _, s := range f.code {
			if s.lines > 500 {
				long.add("%s has %d lines", s.name, s.lines)
			}
		}
	}
	long.report(t, "split these files, with one idea per file")
}

func TestModuleRequiresTwoModules(t *testing.T) {
	edit := exec.Command("go", "mod", "edit", "-json")
	edit.Stderr = t.Output()
	out, err := edit.Output()
	if err != nil {
		t.Fatal(err)
	}
	var mod struct {
		Module  struct{ Path string }
		Require []struct {
			Path     string
			Indirect bool
		}
		Replace []struct{}
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatal(err)
	}
	if mod.Module.Path != module {
		t.Errorf("the module in go.mod is %s: restore %s, which users import", mod.Module.Path, module)
	}
	for _, r := range mod.Require {
		if !r.Indirect && r.Path != jwx && r.Path != crypto {
			t.Errorf("go.mod requires %s: move the code that needs it into a separate module, or run go mod tidy", r.Path)
		}
	}
	if len(mod.Replace) > 0 {
		t.Error("remove the replace directive from go.mod, because it has no effect for users")
	}
}
