package conformance

import (
	"strings"
	"testing"
)

// The four scenarios of examples/demo, as a reader runs them. What the page says after each
// step is derived from the responses, so each sentence below has really happened.

// servers is what the page shows of both APIs of a side: the responses to the user and to
// the thief, and how often the store was read for the latest one.
func (d *demo) servers(mode string) string {
	d.t.Helper()
	return eval[string](d.tab, `["a", "b"].map((at) => {
		const panel = document.querySelector("#`+mode+`");
		const seen = (from) => panel.querySelector("[data-server=" + at + "] [data-from=" + from + "] code")?.textContent ?? "-";
		return at + " " + seen("browser") + " " + seen("thief") + " " + panel.querySelector("[data-link=" + at + "]").textContent;
	}).join(", ")`)
}

// holds is what the page shows that the browser and the thief have, and whether it still
// grants access, and what the store has.
func (d *demo) holds(mode string) string {
	d.t.Helper()
	return eval[string](d.tab, `(() => {
		const panel = document.querySelector("#`+mode+`");
		const chips = (selector) => [...panel.querySelectorAll(selector + " .cred")].map((chip) => chip.querySelector("b").textContent + (chip.matches(".dead") ? " (worthless)" : "")).join(" + ") || "nothing";
		return chips(".holders .box:not(.thief)") + " | " + chips(".thief") + " | " + panel.querySelectorAll("[data-place=store] .login").length;
	})()`)
}

// a step of a scenario with what the page then says and shows of each side.
type scene struct{ verdict, holds, servers string }

func (d *demo) scenes(number int, scenes []map[string]scene) {
	d.t.Helper()
	d.scenario(number, 0)
	for i, sides := range scenes {
		d.next()
		for mode, want := range sides {
			if got := d.why(mode); !strings.HasPrefix(got, want.verdict) {
				d.t.Errorf("%d.%d %s: %q does not begin with %q", number, i+1, mode, got, want.verdict)
			}
			if got := d.holds(mode); want.holds != "" && got != want.holds {
				d.t.Errorf("%d.%d %s: %q, want %q", number, i+1, mode, got, want.holds)
			}
			if got := d.servers(mode); want.servers != "" && got != want.servers {
				d.t.Errorf("%d.%d %s: %q, want %q", number, i+1, mode, got, want.servers)
			}
		}
	}
}

const (
	hasCookie = "session cookie"
	hasTokens = "refresh token + access token"
	hasStolen = "access token + refresh token"
)

func TestDemoScenarioLogIn(t *testing.T) {
	d := openDemo(t)
	d.scenes(1, []map[string]scene{
		{"session": {"The store has the login", hasCookie + " | nothing | 1", "a - - , b - - "},
			"token": {"The browser has two tokens", hasTokens + " | nothing | 1", "a - - , b - - "}},
		{"session": {"Both APIs read the store", "", "a 200 - 1 read, b 200 - 1 read"},
			"token": {"A needs no store", "", "a 200 - 0 reads, b 200 - 1 read"}},
		{"session": {"Neither API can respond: 503", hasCookie + " | nothing | 0", "a 503 - no response, b 503 - no response"},
			"token": {"A continues, B does not", hasTokens + " | nothing | 0", "a 200 - 0 reads, b 503 - no response"}},
		{"session": {"The same session continues", hasCookie + " | nothing | 1", "a 200 - 1 read, b 200 - 1 read"},
			"token": {"Both accept again", hasTokens + " | nothing | 1", "a 200 - 0 reads, b 200 - 1 read"}},
	})
	d.who("alice", "alice")
}

func TestDemoScenarioSteal(t *testing.T) {
	d := openDemo(t)
	d.scenes(2, []map[string]scene{
		{"session": {"The store has", "", ""}, "token": {"The browser has", "", ""}},
		{"session": {"No credential is lost", hasCookie + " | nothing | 1", ""},
			"token": {"No credential is lost", hasTokens + " | nothing | 1", ""}},
		{"session": {"The thief has the session cookie", hasCookie + " | " + hasCookie + " | 1", ""},
			"token": {"The thief has both tokens", hasTokens + " | " + hasStolen + " | 1", ""}},
		{"session": {"Both APIs accept the thief", "", "a - 200 1 read, b - 200 1 read"},
			"token": {"Both APIs accept the thief", "", "a - 200 0 reads, b - 200 1 read"}},
		{"session": {"Nothing is noticed", hasCookie + " | " + hasCookie + " | 1", "a 200 200 1 read, b - 200 1 read"},
			"token": {"The theft is noticed", "refresh token (worthless) | access token + refresh token (worthless) | 0", "a - 200 0 reads, b - 401 1 read"}},
	})
	d.who("alice", "not logged in")
	d.unfold()
	d.shows("refresh token already used")
	d.shows("urn:authlatch:refresh:reused")
	story := d.lines("#token .log ol > li:first-child")
	if want := "You Login server POST /token/refresh 200 OK renewed; Thief Login server POST /token/refresh 401 Unauthorized reuse; You Login server POST /token/refresh 401 Unauthorized rejected; Thief API A GET /token/me 200 OK; Thief API B GET /token/me 401 Unauthorized rejected"; story != want {
		t.Errorf("%q, want %q", story, want)
	}
}

func TestDemoScenarioLogOutEverywhere(t *testing.T) {
	d := openDemo(t)
	d.scenes(3, []map[string]scene{
		{"session": {"The thief has the session cookie", hasCookie + " | " + hasCookie + " | 1", ""},
			"token": {"The thief has both tokens", hasTokens + " | " + hasStolen + " | 1", ""}},
		{"session": {"All sessions of the user have ended", hasCookie + " (worthless) | " + hasCookie + " (worthless) | 0", ""},
			"token": {"All logins of the user are revoked", "refresh token (worthless) + access token | access token + refresh token (worthless) | 0", ""}},
		{"session": {"Both APIs reject the session", "nothing | " + hasCookie + " (worthless) | 0", "a 401 - 1 read, b 401 - 0 reads"},
			"token": {"A still accepts, B rejects", "", "a 200 - 0 reads, b 401 - 1 read"}},
	})
	d.who("not logged in", "not logged in")
}

func TestDemoScenarioCallAgain(t *testing.T) {
	d := openDemo(t, "-access", "12s")
	d.scenes(4, []map[string]scene{
		{"session": {"The session has ended in the store", hasCookie + " (worthless) | " + hasCookie + " (worthless) | 0", ""},
			"token": {"The login is revoked in the store", "refresh token (worthless) + access token | access token + refresh token (worthless) | 0", ""}},
		{"session": {"Both APIs reject the thief", "", "a - 401 1 read, b - 401 1 read"},
			"token": {"A still accepts the thief, B rejects", "", "a - 200 0 reads, b - 401 1 read"}},
		{"session": {"Both APIs reject the thief", "", ""},
			"token": {"The thief has nothing left", "refresh token (worthless) + access token (worthless) | access token (worthless) + refresh token (worthless) | 0", "a - 401 0 reads, b - 401 0 reads"}},
	})
}

// A run takes all steps, a replay begins anew, and a reset ends the logins and forgets all.
func TestDemoRunsReplaysAndResetsAScenario(t *testing.T) {
	d := openDemo(t)
	const progress = `document.querySelectorAll("#steps .done").length + " " + document.querySelector("[data-control=next]").textContent`
	d.waitFor(progress, "0 Start")
	d.press(`[data-control="run"]`)
	d.waitFor(progress, "4 Next scenario")
	d.waitFor(`document.querySelector("[data-control=run]").textContent`, "Run all")
	logins := eval[int](d.tab, `document.querySelectorAll("#session .log li[id^=step-login]").length`)
	d.press(`[data-control="replay"]`)
	d.waitFor(`document.querySelectorAll("#session .log li[id^=step-login]").length`, "2")
	d.press(`[data-control="run"]`) // "Pause"
	d.waitFor(`document.querySelector("#stage").ariaBusy + document.querySelector("[data-control=run]").textContent`, "falseRun all")
	if logins != 1 {
		t.Errorf("%d logins before the replay", logins)
	}
	d.who("alice", "alice")
	d.press(`[data-control="reset"]`)
	d.waitFor(progress, "0 Start")
	d.who("not logged in", "not logged in")
	for _, mode := range []string{"session", "token"} {
		if got := d.holds(mode) + d.latest(mode); got != "nothing | nothing | 0" {
			t.Errorf("%s: after the reset: %q", mode, got)
		}
	}
	if cookies := d.cookies(d.url); len(cookies) != 1 {
		t.Errorf("%d cookies are left", len(cookies))
	}
	d.press(`[data-control="next"]`)
	d.who("alice", "alice")
}
