package conformance

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/authlatch/auth/internal/lab/conformance/servers"
)

// liveProgram builds examples/integrations/live once and returns the file.
var liveProgram = sync.OnceValues(func() (string, error) {
	file := filepath.Join(lasting, "live")
	build := exec.Command("go", "-C", "../../../examples/integrations", "build", "-buildvcs=false", "-o", file, "./live")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	return file, build.Run()
})

// openLive starts a process of the example, and returns its address.
func openLive(t *testing.T, flags ...string) string {
	t.Helper()
	program, err := liveProgram()
	if err != nil {
		t.Fatalf("examples/integrations/live does not build: %v", err)
	}
	return strings.Replace(servers.NewApp(t, program, flags...).URL, "127.0.0.1", "localhost", 1)
}

// logIntoLive logs in, in a browser of its own, and waits for both connections.
func logIntoLive(t *testing.T, url string) tab {
	t.Helper()
	b := newTab(t)
	b.visit(url)
	b.showsLive("log in", "connection lost")
	b.fill("#login [name=password]", "correct horse")
	if status := b.click("#login button"); status != http.StatusOK {
		t.Fatalf("login: status %d", status)
	}
	b.showsLive("open", "open")
	return b
}

// showsLive waits until the page shows the states of its two connections.
func (b tab) showsLive(events, socket string) {
	b.t.Helper()
	b.eventually(`["events", "socket"].map(id => document.getElementById(id).textContent.split(",")[0]).join(" | ")`, events+" | "+socket)
}

// ASVS 5.0, 7.4.1 and 7.4.2.
// Server-sent events and a WebSocket end with the login (spring-session#44, ws#1653,
// klangk#3152, t3code#8418).
func TestOpenConnectionsEndByALogoutInAnotherTab(t *testing.T) {
	b := logIntoLive(t, openLive(t))
	other := b.another()
	other.visit(eval[string](b, "location.href"))
	other.showsLive("open", "open")
	other.click("#logout button")
	other.showsLive("log in", "connection lost")
	b.showsLive("login ended", "login ended")
}

func TestOpenConnectionsEndByLogoutAllInAnotherProcess(t *testing.T) {
	redis := servers.Redis(t).URL()
	here, there := openLive(t, "-redis", redis), openLive(t, "-redis", redis)
	b, other := logIntoLive(t, here), logIntoLive(t, there)
	other.click("#everywhere button")
	b.showsLive("login ended", "login ended")
}

func TestOpenConnectionsEndByExpiry(t *testing.T) {
	logIntoLive(t, openLive(t, "-lifetime", "15s")).showsLive("login ended", "login ended")
}

func TestOpenConnectionsEndByANewLogin(t *testing.T) {
	b := logIntoLive(t, openLive(t))
	other := b.another()
	other.visit(eval[string](b, "location.href"))
	other.fill("#login [name=password]", "correct horse")
	other.click("#login button")
	other.showsLive("open", "open")
	b.showsLive("login ended", "login ended")
}
