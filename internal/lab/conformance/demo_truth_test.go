package conformance

import (
	"strings"
	"testing"
	"time"
)

// Nothing that the page of examples/demo says is untrue.

const heldAccess = `document.querySelector("[data-place=memory] .cred.live") !== null`

// second returns another tab of the same browser with the page.
func (d *demo) second() *demo {
	d.t.Helper()
	other := &demo{tab: d.another(), url: d.url}
	other.load()
	return other
}

// A login in another tab takes the place of the one here, access token included.
func TestDemoShowsTheAccessTokenThatAnotherTabHasBrought(t *testing.T) {
	d := openDemo(t)
	d.does("token", "login")
	other := d.second()
	other.does("token", "login")
	time.Sleep(300 * time.Millisecond) // what the other tab says has arrived
	d.waitFor(heldAccess, "true")
	d.does("token", "probe")
	if facts := eval[string](d.tab, `document.querySelector("#token .log ol > li:first-child").innerText`); !strings.Contains(facts, "in a closure eyJh…") {
		t.Errorf("script finds %q", facts)
	}
	d.wants("token", "everywhere", "You Login server POST /token/logout-everywhere 204 No Content revoked", "works until it expires, where the store is not checked")
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
	d.does("token", "steal")
	d.wants("token", "renew", "You Login server POST /token/refresh 200 OK renewed", "Exchanged for new tokens")
	d.wants("token", "again", "Thief Login server POST /token/refresh 200 OK", "less than 10 s ago")
}

// A thief who is let in by another tab, before this one has refreshed, is not yet found out.
func TestDemoSaysThatTheThiefHasBeenLetIn(t *testing.T) {
	d := openDemo(t, "-grace", "4s")
	other := d.second()
	d.scenario(2, 4)
	before := d.latest("token")
	d.press(`[data-control="next"]`)
	d.waitFor(`document.querySelector("#message").checkVisibility()`, "true")
	other.wants("token", "again", "Thief Login server POST /token/refresh 200 OK", "less than 4 s ago")
	d.ended("token", before)
	story := d.lines("[id^=step-race-token]")
	if want := "You Login server POST /token/refresh 200 OK renewed; Thief Login server POST /token/refresh 200 OK renewed; You Login server POST /token/refresh 200 OK; " + both("Thief", "token", "200 OK"); story != want {
		t.Errorf("%q, want %q", story, want)
	}
	if why := eval[string](d.tab, `document.querySelector("[id^=step-race-token] .why").textContent`); !strings.Contains(why, "The thief got new tokens") {
		t.Error(why)
	}
}

// That an API asks no store is seen, and not only said.
func TestDemoShowsTheWorkOfTheStore(t *testing.T) {
	d := openDemo(t)
	d.does("session", "login")
	d.does("token", "login")
	for _, c := range []struct{ mode, step, want string }{
		{"session", "call", "Store: 1 read; Store: 1 read"},
		{"token", "call", "Store: 0 reads; Store: 1 read"},
		{"session", "loot", ""},
		{"session", "probe", "Store: 1 read; Store: 0 reads; Store: 0 reads"},
	} {
		d.does(c.mode, c.step)
		if got := eval[string](d.tab, `[...document.querySelectorAll("#`+c.mode+` .log ol > li:first-child .work")].map((chip) => chip.innerText).join("; ")`); got != c.want {
			t.Errorf("%s %s: %q, want %q", c.mode, c.step, got, c.want)
		}
	}
}

// What an access token says can be read by all who have it, and stays on the page.
func TestDemoShowsWhatAnAccessTokenSays(t *testing.T) {
	d := openDemo(t)
	d.does("token", "login")
	for range 2 {
		d.unfold()
		d.shows("They are signed, and not secret")
		d.shows(`"sub":"alice"`)
		d.load()
	}
}

// The two sides have stores of their own, so what happens on one leaves the other alone.
func TestDemoKeepsTheSidesApart(t *testing.T) {
	d := openDemo(t)
	d.does("session", "login")
	d.does("token", "login")
	d.does("session", "everywhere")
	d.who("not logged in", "alice")
	d.wants("token", "everywhere", "You Login server POST /token/logout-everywhere 204 No Content revoked", "")
	d.wants("token", "call", "You API A GET /token/me 200 OK; You API B GET /token/me 401 Unauthorized rejected; You Login server POST /token/refresh 401 Unauthorized rejected", "A still accepts, B rejects")
}

func TestDemoSaysWhenUseWasNoted(t *testing.T) {
	d := openDemo(t)
	d.does("session", "login")
	if kept := eval[string](d.tab, `document.querySelector("#session [data-place=store]").textContent`); !strings.HasPrefix(kept, "alice this browser ") || !strings.HasSuffix(kept, " if not used") {
		t.Error(kept)
	}
	d.shows("a login after 3 minutes without use and after 15 minutes in any case. The last use of a session is recorded at most every 18 seconds.")
}

// A login by the other mode does not authenticate here.
func TestDemoSaysThatTheRequestHadNoLoginOfThisMode(t *testing.T) {
	d := openDemo(t)
	d.does("session", "login")
	d.wants("token", "everywhere", "You Login server POST /token/refresh 401 Unauthorized; You Login server POST /token/logout-everywhere 401 Unauthorized", "There is no login on this side: 401.")
}

// A time that runs down begins where it is said to, and what is said once has
// none, since it stands still.
func TestDemoCountsDownFromTheGracePeriod(t *testing.T) {
	d := openDemo(t, "-grace", "2s")
	d.scenario(2, 4)
	eval[any](d.tab, `{
		globalThis.seen = [];
		new MutationObserver(() => seen.push(document.querySelector("#message p").innerText.replace(/\s+/g, " ") + " | " + document.querySelector("#said").textContent)).observe(document.querySelector("[data-value=seconds]"), { subtree: true, childList: true });
	}`)
	d.next()
	seen := eval[[]string](d.tab, "seen.filter((text) => / s \\|/.test(text))")
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
