package release

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is longer than a program takes to build and to start on a busy machine.
const patience = 3 * time.Minute

// Each example runs by the commands in the comment at the top of its main.go and in its
// README, and responds to the requests of the comment. What needs a database or npm runs in
// internal/lab/conformance.
func TestEveryExampleRunsByItsCommands(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, "examples", "*", "main.go"))
	more, errMore := filepath.Glob(filepath.Join(root, "examples", "integrations", "*", "main.go"))
	if files = append(files, more...); err != nil || errMore != nil || len(files) < 15 {
		t.Fatalf("%d examples, %v, %v", len(files), err, errMore)
	}
	// In a network of its own nothing can be downloaded.
	for _, module := range []string{".", "examples/integrations"} {
		build := exec.Command("go", "-C", filepath.Join(root, module), "build", "-o", os.DevNull, "./...")
		if text, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", module, err, text)
		}
	}
	for _, file := range files {
		name := strings.TrimPrefix(filepath.Dir(file), filepath.Join(root, "examples")+"/")
		t.Run(name, func(t *testing.T) {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			runs := split(commandsOf(string(source)))
			if len(runs) == 0 {
				t.Fatal("the comment at the top of main.go has no command that runs the program")
			}
			if readme, err := os.ReadFile(filepath.Join(filepath.Dir(file), "README.md")); err == nil {
				runs = append(runs, split(runsIn(string(readme)))...)
			}
			for _, commands := range runs {
				try(t, commands)
			}
		})
	}
}

// What the README shows is what curl prints.
func TestTheReadmeShowsWhatCurlPrints(t *testing.T) {
	for _, name := range []string{"README.md"} {
		var commands, expected []string
		for line := range strings.Lines(blocks(read(t, name), "console")[0]) {
			line = strings.TrimSuffix(line, "\n")
			if command, ok := strings.CutPrefix(line, "$ "); ok {
				commands = append(commands, command)
			} else if line != "" {
				expected = append(expected, line)
			}
		}
		printed := masked(try(t, append([]string{"go run ./examples/quickstart"}, commands...)))
		for _, line := range expected {
			if !strings.Contains(printed, masked(line)) {
				t.Errorf("%s says that curl prints\n%s\nIt prints\n%s", name, line, printed)
			}
		}
	}
}

// masked hides the random part of a cookie.
func masked(text string) string {
	return regexp.MustCompile(`=[\w-]{43}`).ReplaceAllString(strings.ReplaceAll(text, "\r", ""), "=…")
}

// commandsOf returns the indented lines of the package comment.
func commandsOf(source string) (commands []string) {
	comment, _, _ := strings.Cut(source, "\npackage main")
	for line := range strings.Lines(comment) {
		if command, ok := strings.CutPrefix(line, "//\t"); ok {
			commands = append(commands, strings.TrimSpace(command))
		}
	}
	return commands
}

// runsIn returns the commands of a README that run a program.
func runsIn(readme string) (commands []string) {
	for _, block := range blocks(readme, "sh") {
		for line := range strings.Lines(block) {
			if line = strings.TrimSpace(line); strings.HasPrefix(line, "go ") && strings.Contains(line, " run ") {
				commands = append(commands, line)
			}
		}
	}
	return commands
}

// split divides commands into runs of a server: each begins with its command, and all have
// the same requests.
func split(commands []string) (runs [][]string) {
	var requests []string
	for _, command := range commands {
		server := strings.HasPrefix(command, "go ") && !strings.Contains(command, " -call ")
		switch {
		case !server:
			requests = append(requests, command)
		case !strings.Contains(command, "localhost:") && !strings.Contains(command, "//localhost"):
			runs = append(runs, []string{command})
		}
	}
	for i := range runs {
		runs[i] = append(runs[i], requests...)
	}
	return runs
}

// try runs a server and then sends requests in a network of its own, where port 8080 is
// free, and returns what curl printed. The variable access_token has the last one that was
// issued.
func try(t *testing.T, commands []string) string {
	t.Helper()
	const prelude = `
curl() {
	answer=$(command curl -sS -w '\n[%{http_code}]' "$@") || exit
	printf '%s\n' "$answer"
	issued=$(printf %s "$answer" | sed -n 's/.*"access_token": *"\([^"]*\)".*/\1/p')
	access_token=${issued:-$access_token}
}
if [ "$isolated" ]; then ip link set lo up || exit; fi
`
	where, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	script := prelude + fmt.Sprintf("(cd %q && exec %s) >server 2>&1 &\n", where, commands[0])
	script += "until command curl -so /dev/null http://localhost:8080/; do kill -0 $! || exit; sleep 0.1; done\n"
	for _, request := range commands[1:] {
		if strings.HasPrefix(request, "go ") {
			request = fmt.Sprintf("(cd %q && %s)", where, request)
		}
		script += fmt.Sprintf("printf '\\n$ %%s\\n' %s\n%s || exit\n", quoted(request), request)
	}
	shell := isolated(t)
	command := exec.Command(shell[0], append(shell[1:], "sh", "-c", script)...)
	command.Dir = t.TempDir()
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var printed bytes.Buffer
	command.Stdout, command.Stderr = &printed, &printed
	if len(shell) > 1 {
		command.Env = append(os.Environ(), "isolated=yes")
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	end := func() { syscall.Kill(-command.Process.Pid, syscall.SIGKILL) } // the server, too
	late := time.AfterFunc(patience, end)
	err = waitFor(command)
	late.Stop()
	end()
	log, _ := os.ReadFile(filepath.Join(command.Dir, "server"))
	if err != nil {
		t.Fatalf("%s: %v\n%s\nThe program printed\n%s", commands[0], err, &printed, log)
	}
	for _, status := range regexp.MustCompile(`\n\[(\d+)\]`).FindAllStringSubmatch(printed.String(), -1) {
		if status[1] == "404" || status[1] == "405" || status[1] >= "500" {
			t.Errorf("%s: a request has status %s\n%s\nThe program printed\n%s", commands[0], status[1], &printed, log)
		}
	}
	return printed.String()
}

// waitFor waits for the shell, not for the server that holds its output.
func waitFor(command *exec.Cmd) error {
	command.WaitDelay = time.Second
	err := command.Wait()
	if err == exec.ErrWaitDelay {
		return nil
	}
	return err
}

// isolated returns the command that runs another in a network of its own, or, where the
// machine does not allow that, one that runs it in this one.
func isolated(t *testing.T) []string {
	t.Helper()
	for _, flags := range []string{"-n", "-rn"} {
		if exec.Command("unshare", flags, "ip", "link", "set", "lo", "up").Run() == nil {
			return []string{"unshare", flags}
		}
	}
	t.Log("no network of its own can be had here: port 8080 must be free")
	return []string{"env"}
}

func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
