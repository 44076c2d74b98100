package release

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/authlatch/auth/internal/lab/fences"
)

const (
	root = "../../.."
	core = "github.com/authlatch/auth"
)

func TestTheReadmesProgramsBuildInANewModule(t *testing.T) {
	t.Parallel()
	readme := read(t, "README.md")
	program := blocks(readme, "go")[0]
	changed, err := fences.Apply(program, blocks(readme, "diff")[0])
	if err != nil {
		t.Fatal(err)
	}
	for name, source := range map[string]string{
		"sessions": program,
		"tokens":   changed,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			newModule(t, source, ".").build(t, ".")
		})
	}
}

func TestEveryPackageBuildsInANewModule(t *testing.T) {
	t.Parallel()
	newModule(t, "package main\n\nimport _ \""+core+"/token\"\n\nfunc main() {}\n", ".").build(t, core+"/...")
}

func TestTheReadmeOfEachBackendBuildsInANewModule(t *testing.T) {
	t.Parallel()
	for _, backend := range backends(t) {
		t.Run(backend, func(t *testing.T) {
			t.Parallel()
			fragments := blocks(read(t, backend, "README.md"), "go")
			if len(fragments) == 0 {
				t.Fatalf("%s/README.md shows between ```go and ``` no code that opens the store", backend)
			}
			newModule(t, around(fragments), ".", backend).build(t, ".", core+"/"+backend+"/...")
		})
	}
}

// A replace directive would hide from our own tests what users get without it.
func TestNoModuleToBeTaggedReplaces(t *testing.T) {
	for _, module := range append(backends(t), ".") {
		if strings.Contains(read(t, module, "go.mod"), "replace") {
			t.Errorf("%s/go.mod has a replace directive: remove it", module)
		}
	}
}

func TestTheReleaseRecipeTagsEveryModule(t *testing.T) {
	recipe := read(t, "CONTRIBUTING.md")
	for _, backend := range backends(t) {
		if !strings.Contains(recipe, "git tag "+backend+"/v") {
			t.Errorf("CONTRIBUTING.md does not say `git tag %s/v…`: add it to the release recipe", backend)
		}
	}
}

// backends returns the folders of the modules below store.
func backends(t *testing.T) (folders []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "store", "*", "go.mod"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no modules below store: %v", err)
	}
	for _, file := range files {
		folders = append(folders, "store/"+filepath.Base(filepath.Dir(file)))
	}
	return folders
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, filepath.Join(path...)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// blocks returns the texts of the blocks of a language.
func blocks(text, language string) (texts []string) {
	for _, b := range fences.Blocks(text) {
		if b.Language == language {
			texts = append(texts, b.Text)
		}
	}
	return texts
}

// packages are what fragments of code in READMEs may use.
var packages = map[string]string{
	"context":       "context",
	"log":           "log",
	"sql":           "database/sql",
	"tls":           "crypto/tls",
	"x509":          "crypto/x509",
	"session":       core + "/session",
	"token":         core + "/token",
	"etcdstore":     core + "/store/etcdstore",
	"postgresstore": core + "/store/postgresstore",
	"redisstore":    core + "/store/redisstore",
	"sqlstore":      core + "/store/sqlstore",
}

// given is what they take from the program around them.
const given = `
var ca *x509.CertPool
var own tls.Certificate
`

// around makes a program of fragments, each of which is the body of a function.
// The stores that they open must do as Store of both modes.
func around(fragments []string) string {
	var body strings.Builder
	body.WriteString(given)
	for i, fragment := range fragments {
		fmt.Fprintf(&body, "\nfunc open%d(ctx context.Context) error {\n%s", i, fragment)
		for _, declared := range regexp.MustCompile(`(?m)^(\w+), err :=`).FindAllStringSubmatch(fragment, -1) {
			fmt.Fprintf(&body, "\t_ = %s\n", declared[1])
		}
		body.WriteString("\t_, _ = session.Config{Store: s}, token.IssuerConfig{Store: s}\n\treturn err\n}\n")
	}
	body.WriteString("\nfunc main() {}\n")
	source := "package main\n\n"
	for _, name := range slices.Sorted(maps.Keys(packages)) {
		if regexp.MustCompile(`\b` + name + `\.`).MatchString(body.String()) {
			source += fmt.Sprintf("import %q\n", packages[name])
		}
	}
	return source + body.String()
}

// newModule makes a module as a user of some of ours has it, with the local
// copies in the place of what a proxy would bring. What ours require of others
// has the versions and the checksums of ours.
func newModule(t *testing.T, program string, ours ...string) folder {
	t.Helper()
	mod, sum := "module example.com/app\n\ngo 1.26.0\n", ""
	for _, module := range ours {
		local, err := filepath.Abs(filepath.Join(root, module))
		if err != nil {
			t.Fatal(err)
		}
		path := strings.TrimSuffix(core+"/"+module, "/.")
		mod += fmt.Sprintf("\nrequire %[1]s v0.0.0\n\nreplace %[1]s => %[2]q\n", path, local)
		if sums, err := os.ReadFile(filepath.Join(local, "go.sum")); err == nil {
			sum += string(sums)
		}
	}
	f := folder(t.TempDir())
	for name, text := range map[string]string{"go.mod": mod, "go.sum": sum, "main.go": program} {
		if err := os.WriteFile(filepath.Join(string(f), name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// A folder holds the module of a user.
type folder string

func (f folder) build(t *testing.T, patterns ...string) {
	t.Helper()
	build := exec.Command("go", append([]string{"build", "-o", os.DevNull}, patterns...)...)
	build.Dir = string(f)
	build.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		program, _ := os.ReadFile(filepath.Join(string(f), "main.go"))
		t.Errorf("%v: %v\n%s\n%s", build.Args, err, out, program)
	}
}
