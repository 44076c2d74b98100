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

// room is a folder, and what its code may import beside the standard library: rooms
// below it, and modules of others.
type room struct {
	name    string
	imports []string
}

// graph draws the house. Every arrow points down: a room imports only rooms that stand
// below it. The examples stand on top and import what a user can. internal/lab stands
// beside the house: what is in it imports any room, and nothing but tests imports it.
// Folders with a go.mod of their own are other modules.
var graph = []room{
	// A guard, and what stands in front of handlers.
	{"middleware", []string{".", "internal/crossorigin", "internal/ctxkey", "internal/forwarded", "internal/stored"}},

	// A login kept on the server │ signed into a JWT.
	{"session", []string{".", "cookie", "store", "internal/crossorigin", "internal/logins", "internal/queue", "internal/rotation", "internal/sessionrecord", "internal/stored"}},
	{"token", []string{".", "cookie", "store", "internal/claims", "internal/crossorigin", "internal/jose", "internal/keyring", "internal/logins", "internal/private", "internal/rotation", "internal/sessionrecord", "internal/stored", "internal/wire"}},
	{"token/browser", nil},
	{"token/tokenclient", []string{".", "internal/private", "internal/wire"}},

	// A rate limiter for whatever can be guessed.
	{"throttle", []string{".", "cookie", "store", "internal/crossorigin", "internal/forwarded", "internal/queue", "internal/record", "internal/stored"}},

	// Single-use tokens │ passwords.
	{"onetime", []string{".", "store", "internal/record", "internal/stored"}},
	{"password", []string{".", crypto}},

	// What these share.
	{"internal/sessionrecord", []string{".", "internal/logins", "internal/stored"}},
	{"internal/rotation", []string{".", "internal/logins", "internal/stored"}},
	{"internal/claims", []string{".", "internal/jose", "internal/registered", "internal/strictjson"}},
	{"internal/keyring", []string{"internal/jose", "internal/strictjson"}},
	{"internal/logins", []string{".", "store", "internal/queue", "internal/stored"}},
	{"internal/jose", []string{jwx, crypto, "internal/registered", "internal/strictjson"}},

	// Policies of cookies │ the contract of a store, and what proves one.
	{"cookie", []string{crypto}},
	{"store/storetest", []string{"store"}},
	{"store", nil},

	// Identities, outcomes, events.
	{".", []string{"internal/crossorigin", "internal/ctxkey", "internal/registered", "internal/strictjson"}},

	// The ground.
	{"internal/crossorigin", nil},
	{"internal/ctxkey", nil},
	{"internal/forwarded", nil},
	{"internal/queue", nil},
	{"internal/private", nil},
	{"internal/registered", nil},
	{"internal/stored", []string{"internal/record"}},
	{"internal/record", nil},
	{"internal/strictjson", nil},
	{"internal/wire", nil},

	// Tests alone, which import any room.
	{"internal/bothmodes", nil},
	{"internal/house", nil},
}

// findRoom returns where a folder stands in the graph, or -1.
func findRoom(name string) int {
	return slices.IndexFunc(graph, func(r room) bool { return r.name == name })
}

// mayImport reports whether the graph lets the code of a folder import what is not of
// the standard library.
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
	for _, f := range folders(t) {
		if findRoom(f.name) < 0 && !f.lab() && !strings.HasPrefix(f.name, "examples/") {
			t.Errorf("%s is not in the graph: give it a row in %s, above all that it imports", f.name, thisFile)
			continue
		}
		for _, s := range f.code {
			for _, imported := range s.imports {
				if !standard(imported) && !mayImport(f.name, imported) {
					t.Errorf("%s imports %s: use a package that the row of %q in %s lists, or add the arrow there and the reason to docs/decisions.md",
						s.name, imported, f.name, thisFile)
				}
			}
		}
		// Tests may import all of ours, and of others what their package may.
		for _, s := range f.tests {
			for _, imported := range s.imports {
				if _, our := ours(imported); !standard(imported) && !our && !mayImport(f.name, imported) {
					t.Errorf("%s imports %s: tests use the standard library, or live in a module of their own such as internal/lab/conformance", s.name, imported)
				}
			}
		}
	}
}

// The graph has no circle, because every arrow in it leads further down.
func TestArrowsPointDown(t *testing.T) {
	for i, r := range graph {
		for _, to := range r.imports {
			if to == jwx || to == crypto {
				continue
			}
			switch j := findRoom(to); {
			case j < 0:
				t.Errorf("%q has an arrow to %q, which is not in the graph: give it a row in %s", r.name, to, thisFile)
			case j <= i:
				t.Errorf("the arrow from %q to %q points up: move what both need into a package below them", r.name, to)
			}
		}
	}
}

// A row or an arrow that nothing needs any more is removed, or the next reader takes it
// for true.
func TestTheGraphDrawsWhatIsThere(t *testing.T) {
	all := folders(t)
	for _, r := range graph {
		i := slices.IndexFunc(all, func(f folder) bool { return f.name == r.name })
		if i < 0 {
			t.Errorf("%q does not exist: remove its row from %s", r.name, thisFile)
			continue
		}
		for _, to := range r.imports {
			if !slices.ContainsFunc(all[i].code, func(s *source) bool {
				return slices.ContainsFunc(s.imports, func(imported string) bool { return leadsTo(to, imported) })
			}) {
				t.Errorf("%q does not import %q: remove the arrow from %s", r.name, to, thisFile)
			}
		}
	}
}

// banned are imports that no code but a test has, with the reason.
var banned = map[string]string{
	"math/rand":    "secrets come from crypto/rand",
	"math/rand/v2": "secrets come from crypto/rand",
	"crypto/md5":   "it is broken",
	"crypto/sha1":  "it is broken",
	"encoding/gob": "it decodes into any type (ASVS 5.0, 1.5.2)",
}

// exempt are files that may import what is banned, each for a stated reason.
var exempt = map[string]string{
	"token/jitter.go":             "pauses that spread load are no secrets",
	"store/storetest/contexts.go": "calls are cancelled at any moment",
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

// jwx is used for its primitives alone, and behind one folder.
func TestOnlyJoseImportsJWX(t *testing.T) {
	for _, f := range folders(t) {
		for _, s := range slices.Concat(f.code, f.tests) {
			for _, imported := range s.imports {
				if within(imported, "github.com/lestrrat-go") && f.name != "internal/jose" {
					t.Errorf("%s imports %s: only internal/jose does, call it", s.name, imported)
				}
				if within(imported, jwx+"/jwt") || within(imported, jwx+"/jwe") {
					t.Errorf("%s imports %s: the envelope is read by internal/jose itself", s.name, imported)
				}
			}
		}
	}
}

// A program that uses only sessions, or only the client of tokens, links no jwx, and
// none of what that needs.
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
					t.Errorf("%s links %s, by way of %s: cut that import, it does without", program, imported, name)
				}
			}
		}
		if visit(program); !seen[uses] {
			t.Errorf("%s does not use %s: name another program here", program, uses)
		}
	}
}

// ASVS 5.0, 11.4.1 and 11.5.1.
func TestNoBannedImports(t *testing.T) {
	for _, f := range production(t) {
		for _, s := range f.code {
			for _, imported := range s.imports {
				if why, is := banned[imported]; is && exempt[s.name] == "" {
					t.Errorf("%s imports %s: %s; a file with another reason to import it stands in exempt of %s", s.name, imported, why, thisFile)
				}
			}
		}
	}
}

// What runs before main cannot be seen, ordered or tested.
func TestNoInit(t *testing.T) {
	for _, f := range folders(t) {
		for _, s := range f.code {
			for _, decl := range s.file.Decls {
				if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
					t.Errorf("%v: func init: make it a function that is called", files.Position(fn.Pos()))
				}
			}
		}
	}
}

func TestFilesHaveAtMost500Lines(t *testing.T) {
	for _, f := range folders(t) {
		for _, s := range f.code {
			if s.lines > 500 {
				t.Errorf("%s has %d lines: split it, one idea to a file", s.name, s.lines)
			}
		}
	}
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
		t.Errorf("the module is %s, and users import %s", mod.Module.Path, module)
	}
	for _, r := range mod.Require {
		if !r.Indirect && r.Path != jwx && r.Path != crypto {
			t.Errorf("go.mod requires %s: move the code that needs it into a module of its own, or run go mod tidy", r.Path)
		}
	}
	if len(mod.Replace) > 0 {
		t.Error("go.mod has a replace, which users do not get: remove it")
	}
}
