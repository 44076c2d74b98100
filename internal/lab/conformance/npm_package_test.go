package conformance

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// token/browser is an npm package as well. What npm pack makes of it is installed in a
// fresh folder, as users do: it runs under Node and has types for both ways in which
// TypeScript resolves packages.
func TestNPMPackage(t *testing.T) {
	page := nodePackages(t)
	source := filepath.Join(page, "../../../../token/browser")
	folder := t.TempDir()
	if err := npm(source, "pack", "--pack-destination", folder); err != nil {
		t.Fatal(err)
	}
	tarballs, _ := filepath.Glob(filepath.Join(folder, "*.tgz"))
	if len(tarballs) != 1 {
		t.Fatalf("npm pack makes %v", tarballs)
	}
	write(t, filepath.Join(folder, "package.json"), `{"private": true, "type": "module"}`)
	if err := npm(folder, "install", tarballs[0]); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"axios", "typescript"} { // as the page has them
		if err := os.Symlink(filepath.Join(page, "node_modules", name), filepath.Join(folder, "node_modules", name)); err != nil {
			t.Fatal(err)
		}
	}

	installed := filepath.Join(folder, "node_modules/@authlatch/browser")
	entries, err := os.ReadDir(installed)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	if want := []string{"LICENSE", "README.md", "authlatch.d.ts", "authlatch.js", "axios.d.ts", "axios.js", "package.json"}; !slices.Equal(names, want) {
		t.Errorf("the package has %v, want %v", names, want)
	}
	for _, name := range []string{"authlatch.js", "authlatch.d.ts", "axios.js", "axios.d.ts"} {
		if content, err := os.ReadFile(filepath.Join(installed, name)); err != nil || string(content) != served(t, name) {
			t.Errorf("%s is not the file that pages get: %v", name, err)
		}
	}

	write(t, filepath.Join(folder, "main.js"), `
		import axios from 'axios';
		import { createClient } from '@authlatch/browser';
		import { createAdapter } from '@authlatch/browser/axios';
		const client = createClient();
		axios.create({ adapter: createAdapter(axios, client) });
		console.log(Object.keys(client).sort().join(), await client.ready().catch((error) => error.name));
	`)
	if out := output(t, folder, "node", "main.js"); out != "close,fetch,login,logout,ready TypeError\n" {
		t.Errorf("under Node: %s", out)
	}

	program, err := os.ReadFile("testdata/browser/types.ts")
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(folder, "types.ts"), strings.NewReplacer(
		"'./authlatch.js'", "'@authlatch/browser'", "'./axios.js'", "'@authlatch/browser/axios'").Replace(string(program)))
	for _, options := range []string{`"module": "nodenext"`, `"module": "esnext", "moduleResolution": "bundler"`} {
		write(t, filepath.Join(folder, "tsconfig.json"), `{
			"compilerOptions": {"strict": true, "target": "es2022", "lib": ["es2023", "dom", "dom.iterable"], "types": [], "noEmit": true, `+options+`},
			"files": ["types.ts"]
		}`)
		output(t, folder, "node", "node_modules/typescript/bin/tsc")
	}
}

// output runs a command in a folder, which must succeed.
func output(t *testing.T, folder string, command ...string) string {
	t.Helper()
	c := exec.CommandContext(t.Context(), command[0], command[1:]...)
	c.Dir = folder
	out, err := c.CombinedOutput()
	if err != nil {
		t.Errorf("%v: %v\n%s", command, err, out)
	}
	return string(out)
}
