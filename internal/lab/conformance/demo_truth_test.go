package conformance

import (
	"strings"
	"testing"
	"time"
)

// Nothing that the page of examples/demo says is untrue.

const heldAccess = `document.querySelector("[data-value=access]").textContent.startsWith("access token, ")`

// second returns another tab of the same browser with the page.
func (d *demo) second() *demo {
	d.t.Helper()
	other := &demo{tab: d.another(), url: d.url}
	other.load()
	return other
}

// copyToken lets the thief copy the refresh token, and its owner do nothing.
func (d *demo) copyToken() {
	d.t.Helper()
	eval[any](d.tab, `fetch("/thief/steal", { method: "POST", headers: { "Demo-Step": "steal-token-0123456789abcdef" }, body: new URLSearchParams({ mode: "token" }) })`)
}

// A login in another tab takes the place of the one here, access token included.
func TestDemoShowsTheAccessTokenThatAnotherTabHasBrought(t *testing.T) {
	d := openDemo(t)
	d.does("session", "login")
	d.does("token", "login")
	other := d.second()
	other.does("token", "login")
	time.Sleep(300 * time.Millisecond) // what the other tab says has arrived
	d.waitFor(heldAccess, "true")
	d.does("token", "read")
	if facts := eval[string](d.tab, `document.querySelector("#log > li:first-child").innerText`); !strings.Contains(facts, "in a closure eyJh…") {
		t.Errorf("script finds %q", facts)
	}
	d.wants("token", "everywhere", "You POST /token/logout-everywhere 204 No Content revoked × 2; You GET /session/me 401 Unauthorized rejected; You GET /token/me 200 OK", "that is the difference")
}

// A refresh for which no answer comes takes no access token away.
func TestDemoKeepsTheAccessTokenWhenNoRefreshIsAnswered(t *testing.T) {
	d := openDemo(t)
	d.does("token", "login")
	d.stop()
	d.press(button("token", "renew"))
	d.waitFor(`document.querySelector("#said").textContent`, "The server cannot be reached. This does not log the user out.")
	d.waitFor(heldAccess, "true")
}

// Within the grace period a thief gets what the owner has got, undetected.
func TestDemoSaysWhyAThiefWithinTheGracePeriodIsNotSeen(t *testing.T) {
	d := openDemo(t, "-grace", "10s")
	d.does("token", "login")
	d.copyToken()
	d.wants("token", "renew", "You POST /token/refresh 200 OK renewed", "was exchanged")
	d.wants("token", "again", "Thief POST /token/refresh 200 OK", "less than 10 s ago")
}

// A thief who is let in before the theft in this tab has ended is not yet to come.
func TestDemoSaysThatTheThiefHasBeenLetIn(t *testing.T) {
	d := openDemo(t, "-grace", "2s")
	d.does("token", "login")
	other := d.second()
	time.Sleep(2200 * time.Millisecond) // the refresh of its loading
	before := d.latest()
	d.press(button("token", "steal"))
	d.waitFor(`document.querySelector("#wait").checkVisibility()`, "true")
	other.wants("token", "again", "Thief POST /token/refresh 200 OK", "less than 2 s ago")
	d.ended(before)
	_, story, _ := strings.Cut(d.lines("[id^=step-steal]"), "; ") // no longer the newest
	if want := "You POST /token/refresh 200 OK renewed; Thief POST /token/refresh 200 OK renewed; You POST /token/refresh 200 OK"; story != want {
		t.Errorf("%q, want %q", story, want)
	}
	if why := eval[string](d.tab, `document.querySelector("[id^=step-steal] .why").textContent`); !strings.Contains(why, "so the thief got new tokens") {
		t.Error(why)
	}
}

// Who has sent no token has found out nothing about a login.
func TestDemoSaysThatNoTokenWasSent(t *testing.T) {
	d := openDemo(t)
	const out = "You GET /token/live/me 401 Unauthorized"
	d.wants("token", "live", "You POST /token/refresh 401 Unauthorized; "+out, "There is no valid access token")
	d.does("token", "login")
	d.does("token", "logout")
	d.wants("token", "live", out, "There is no valid access token")
}

// That an API asks no store is seen, and not only said.
func TestDemoShowsTheWorkOfTheStore(t *testing.T) {
	d := openDemo(t)
	d.does("session", "login")
	d.does("token", "login")
	for _, c := range []struct{ mode, step, want string }{
		{"session", "me", "store: 1 read"},
		{"token", "me", "store: 0 reads"},
		{"token", "live", "store: 1 read"},
		{"session", "again", ""},
		{"session", "elsewhere", "store: 1 read; store: 0 reads; store: 0 reads"},
	} {
		d.does(c.mode, c.step)
		if got := eval[string](d.tab, `[...document.querySelectorAll("#log > li:first-child .store")].map((chip) => chip.innerText).join("; ")`); got != c.want {
			t.Errorf("%s %s: %q, want %q", c.mode, c.step, got, c.want)
		}
	}
}

// What an access token says can be read by all who have it, and stays on the page.
func TestDemoShowsWhatAnAccessTokenSays(t *testing.T) {
	d := openDemo(t)
	d.does("token", "login")
	d.shows("They are signed, and not secret")
	d.shows(`"sub":"alice"`)
	d.load()
	d.shows(`"sub":"alice"`)
}

// A response that reports the end of a login is not the login that has ended.
func TestDemoDoesNotMistakeTheModeOfWhatHasEnded(t *testing.T) {
	d := openDemo(t)
	d.does("session", "login")
	d.does("token", "login")
	d.does("session", "everywhere")
	events := eval[string](d.tab, `[...document.querySelector("#log > li:first-child details").querySelectorAll(".event")].map((event) => event.innerText.replace(/ · \S{6}$/, "")).join("; ")`)
	if events != "Event revoked · alice; Event revoked · alice" {
		t.Error(events)
	}
}

func TestDemoSaysWhenUseWasNoted(t *testing.T) {
	d := openDemo(t)
	d.does("session", "login")
	if kept := eval[string](d.tab, `document.querySelector("#session [data-value=server]").textContent`); !strings.HasPrefix(kept, "a record, last use ") {
		t.Error(kept)
	}
	d.shows("a login after 3 minutes without use and after 15 minutes in any case. The last use of a session is recorded at most every 18 seconds.")
}

// A login by the other mode does not authenticate here.
func TestDemoSaysThatTheRequestHadNoLoginOfThisMode(t *testing.T) {
	d := openDemo(t)
	d.does("session", "login")
	d.wants("token", "everywhere", "You POST /token/refresh 401 Unauthorized; You POST /token/logout-everywhere 401 Unauthorized", "There is no login on this side: 401.")
}

// No cookie is kept back where there is none.
func TestDemoSaysNothingOfACookieThatThereIsNot(t *testing.T) {
	d := openDemo(t)
	d.does("token", "elsewhere")
	if why := d.why(); strings.Contains(why, "keeps the Strict cookie back") {
		t.Error(why)
	}
}

// A time that runs down begins where it is said to, and what is said once has
// none, since it stands still.
func TestDemoCountsDownFromTheGracePeriod(t *testing.T) {
	d := openDemo(t, "-grace", "2s")
	d.does("token", "login")
	eval[any](d.tab, `{
		globalThis.seen = [];
		new MutationObserver(() => seen.push(document.querySelector("#wait").innerText.replace(/\s+/g, " ") + " | " + document.querySelector("#said").textContent)).observe(document.querySelector("#wait"), { subtree: true, childList: true });
	}`)
	d.does("token", "steal")
	seen := eval[[]string](d.tab, "seen")
	for _, text := range seen {
		shown, said, _ := strings.Cut(text, " | ")
		if left, ok := strings.CutPrefix(shown, said+" "); !ok || left != "1 s" && left != "2 s" {
			t.Fatalf("%q is shown, and %q said", shown, said)
		}
	}
	if len(seen) == 0 || !strings.Contains(seen[0], " 2 s") {
		t.Errorf("the countdown is %q", seen)
	}
}
