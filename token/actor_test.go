package token_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

type object = map[string]any

// toolhive#5194, authorizer#658, keycloak#50690.
func TestTheActorOfATokenIsRead(t *testing.T) {
	m := newMinter(t)
	foreign, own := m.foreign(token.Foreign{}), m.verifier()
	many := func(n int) any { // actors a1 to an
		var act any
		for i := n; i > 0; i-- {
			of := object{"sub": fmt.Sprint("a", i)}
			if act != nil {
				of["act"] = act
			}
			act = of
		}
		return act
	}
	eight := make([]token.Actor, 8)
	for i := range eight {
		eight[i].Subject = fmt.Sprint("a", i+1)
	}
	for rule, c := range map[string]struct {
		act  any
		want []token.Actor
	}{
		"none":               {nil, nil},
		"one":                {object{"sub": "agent"}, []token.Actor{{Subject: "agent"}}},
		"of an issuer":       {object{"sub": "agent", "iss": "https://agents.example"}, []token.Actor{{Subject: "agent", Issuer: "https://agents.example"}}},
		"with other facts":   {object{"sub": "agent", "client_id": 7, "may_act": "x", "amr": nil2}, []token.Actor{{Subject: "agent"}}},
		"two":                {object{"sub": "agent", "act": object{"sub": "service"}}, []token.Actor{{Subject: "agent"}, {Subject: "service"}}},
		"eight":              {many(8), eight},
		"of 255 bytes":       {object{"sub": strings.Repeat("a", 255)}, []token.Actor{{Subject: strings.Repeat("a", 255)}}},
		"control characters": {object{"sub": "a\x00\r\nb"}, []token.Actor{{Subject: "a\x00\r\nb"}}},
	} {
		text := m.mint(with(object{"act": c.act}))
		for of, v := range map[string]*token.Verifier{"foreign": foreign, "own": own} {
			for range 2 { // the second one is cached
				got, err := v.Verify(t.Context(), text)
				if err != nil {
					t.Errorf("%s, %s: %v", of, rule, err)
					continue
				}
				actor := ""
				if len(c.want) > 0 {
					actor = c.want[0].Subject
				}
				if id := got.Identity(); id.Actor != actor || id.Subject != "alice" || id.ActorLoginID != "" || id.Claims != "" || !slices.Equal(got.Actors(), c.want) {
					t.Errorf("%s, %s: %q, %v", of, rule, id.Actor, got.Actors())
				}
			}
		}
	}
}

// toolhive#5194. A token whose act cannot be read would count as one of the user itself.
func TestATokenWithAnUnreadableActorIsRefused(t *testing.T) {
	m := newMinter(t)
	var deep any = object{"sub": "a"}
	for range 8 {
		deep = object{"sub": "a", "act": deep}
	}
	for rule, act := range map[string]any{
		"a string": "agent", "empty text": "", "a number": 7, "true": true, "false": false,
		"an array": []any{object{"sub": "agent"}}, "an empty array": []any{}, "an empty object": object{},
		"sub is empty": object{"sub": ""}, "sub is a number": object{"sub": 7}, "sub is null": object{"sub": nil2},
		"sub is an array": object{"sub": []string{"agent"}}, "sub is an object": object{"sub": object{"sub": "agent"}},
		"sub in capitals": object{"Sub": "agent"}, "sub is too long": object{"sub": strings.Repeat("a", 256)},
		"only a client": object{"client_id": "agent"}, "iss is a number": object{"sub": "agent", "iss": 1}, "iss is empty": object{"sub": "agent", "iss": ""},
		"a former actor without a sub": object{"sub": "agent", "act": object{}}, "a former actor that is text": object{"sub": "agent", "act": "service"},
		"nine actors": deep,
		"sub twice":   json.RawMessage(`{"sub":"agent","sub":"alice"}`),
	} {
		for of, v := range map[string]*token.Verifier{"foreign": m.foreign(token.Foreign{}), "own": m.verifier()} {
			if got, err := v.Verify(t.Context(), m.mint(with(object{"act": act}))); outcome(err) != "bad" || got != nil {
				t.Errorf("%s, %s: %v", of, rule, err)
			}
		}
	}
	capitals := with(object{"Act": object{"sub": "agent"}})
	if _, err := m.foreign(token.Foreign{}).Verify(t.Context(), m.mint(capitals)); outcome(err) != "bad" {
		t.Errorf("act in capitals: %v", err)
	}
}

// Some issuers write null for a missing claim. Own tokens stay strict.
func TestAnActorOfNullIsNone(t *testing.T) {
	m := newMinter(t)
	for _, act := range []any{nil2, object{"sub": "agent", "act": nil2}} {
		text := m.mint(with(object{"act": act}))
		if got, err := m.foreign(token.Foreign{}).Verify(t.Context(), text); err != nil || len(got.Actors()) > 1 {
			t.Error(err)
		}
		if _, err := m.verifier().Verify(t.Context(), text); outcome(err) != "bad" {
			t.Errorf("an own token: %v", err)
		}
	}
}

func TestAnUnreadableActorIsReportedByName(t *testing.T) {
	m := newMinter(t)
	var j journal
	v := m.verifier(func(c *token.VerifierConfig) { c.Foreign, c.Events = &token.Foreign{}, j.record })
	v.Verify(t.Context(), m.mint(with(object{"act": "agent"})))
	if events := j.take(); len(events) != 1 || events[0].Reason != "unreadable actor" {
		t.Errorf("%+v", events)
	}
	expired := with(object{"act": object{"sub": "agent\n"}})
	expired["iat"], expired["exp"] = time.Now().Add(-time.Hour).Unix(), time.Now().Add(-time.Minute).Unix()
	v.Verify(t.Context(), m.mint(expired))
	if events := j.take(); len(events) != 1 || events[0].Kind != auth.EventExpired || events[0].Actor != "agent" {
		t.Errorf("%+v", events)
	}
}

// keycloak#50690. Nothing is decided by these, so that one that cannot be read is none.
func TestMayActAndTheOthersAreReadable(t *testing.T) {
	m := newMinter(t)
	for rule, c := range map[string]struct {
		claims   object
		mayAct   token.Actor
		acr, azp string
	}{
		"all":       {object{"may_act": object{"sub": "agent", "iss": "https://a.example"}, "acr": "urn:mace:incommon:iap:silver", "azp": "app"}, token.Actor{Subject: "agent", Issuer: "https://a.example"}, "urn:mace:incommon:iap:silver", "app"},
		"none":      {object{}, token.Actor{}, "", ""},
		"wrong":     {object{"may_act": "agent", "acr": 1, "azp": []string{"app"}}, token.Actor{}, "", ""},
		"null":      {object{"may_act": nil2, "acr": nil2, "azp": nil2}, token.Actor{}, "", ""},
		"empty":     {object{"may_act": object{"sub": ""}, "acr": "", "azp": ""}, token.Actor{}, "", ""},
		"wrong iss": {object{"may_act": object{"sub": "agent", "iss": 1}}, token.Actor{}, "", ""},
		"too long":  {object{"may_act": object{"sub": strings.Repeat("a", 256)}, "acr": strings.Repeat("a", 256), "azp": strings.Repeat("a", 256)}, token.Actor{}, "", ""},
		"acr of 0":  {object{"acr": "0"}, token.Actor{}, "0", ""},
		"azp alone": {object{"azp": "web"}, token.Actor{}, "", "web"},
	} {
		text := m.mint(with(c.claims))
		for of, v := range map[string]*token.Verifier{"foreign": m.foreign(token.Foreign{}), "own": m.verifier()} {
			got, err := v.Verify(t.Context(), text)
			if err != nil {
				t.Errorf("%s, %s: %v", of, rule, err)
			} else if got.MayAct() != c.mayAct || got.ACR() != c.acr || got.AuthorizedParty() != c.azp || got.Identity().Actor != "" || got.Actors() != nil {
				t.Errorf("%s, %s: %v, %q, %q, %v", of, rule, got.MayAct(), got.ACR(), got.AuthorizedParty(), got.Actors())
			}
		}
	}
}

// payloadOf returns the claims of an access token.
func payloadOf(t testing.TB, access string) (claims object) {
	t.Helper()
	raw, err := b64.DecodeString(strings.Split(access, ".")[1])
	must(t, err)
	must(t, json.Unmarshal(raw, &claims))
	return claims
}

// RFC 8693, 4.1.
func TestTheActorIsInEachAccessTokenOfTheLogin(t *testing.T) {
	i := newIssuer(t)
	own := issued(t, i)
	if act, ok := payloadOf(t, own.AccessToken)["act"]; ok {
		t.Errorf("act of a login without an actor: %v", act)
	}
	agent, err := i.Issue(t.Context(), auth.Identity{Subject: "agent"})
	must(t, err)
	tokens, err := i.Issue(t.Context(), auth.Identity{Subject: "alice", Actor: "agent", ActorLoginID: agent.LoginID})
	must(t, err)
	for range 2 {
		act, _ := payloadOf(t, tokens.AccessToken)["act"].(object)
		if len(act) != 2 || act["sub"] != "agent" || act["sid"] != agent.LoginID {
			t.Errorf("act: %v", act)
		}
		got, err := i.Verify(t.Context(), tokens.AccessToken)
		must(t, err)
		if id := got.Identity(); id.Actor != "agent" || id.ActorLoginID != agent.LoginID {
			t.Errorf("%+v", id)
		}
		tokens = refreshed(t, i, tokens.RefreshToken)
	}
}

// A logout of the actor is seen at once where the revocation is checked.
func TestARevocationCheckSeesTheEndOfTheActorsLogin(t *testing.T) {
	i := newIssuer(t, func(c *token.IssuerConfig) { c.RevocationCheck = true })
	agent, err := i.Issue(t.Context(), auth.Identity{Subject: "agent"})
	must(t, err)
	tokens, err := i.Issue(t.Context(), auth.Identity{Subject: "alice", Actor: "agent", ActorLoginID: agent.LoginID})
	must(t, err)
	_, err = i.Verify(t.Context(), tokens.AccessToken)
	must(t, err)
	must(t, i.Revoke(t.Context(), agent.RefreshToken))
	if _, err := i.Verify(t.Context(), tokens.AccessToken); outcome(err) != "bad" {
		t.Error(err)
	}
}

// A token of the subject itself does not become one with an actor, or the reverse, by a
// record that the store mixes up.
func TestARevocationCheckComparesTheActor(t *testing.T) {
	s := &store.Memory{}
	i := newIssuer(t, over(s, cheapKeys(t)), func(c *token.IssuerConfig) { c.RevocationCheck = true })
	tokens := issued(t, i)
	other, err := i.Issue(t.Context(), auth.Identity{Subject: "alice", Actor: "agent"})
	must(t, err)
	key := familyKeyOf(tokens.RefreshToken)
	was, _, err := s.Get(t.Context(), key)
	must(t, err)
	with, _, err := s.Get(t.Context(), familyKeyOf(other.RefreshToken))
	must(t, err)
	if ok, err := s.CompareAndSwap(t.Context(), key, was, with, time.Hour); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if _, err := i.Verify(t.Context(), tokens.AccessToken); outcome(err) != "bad" {
		t.Error(err)
	}
}

// The browser of the actor has one login by token, which cannot end with itself.
func TestABrowsersLoginWithAnActorReplacesTheActorsOwn(t *testing.T) {
	i := newIssuer(t)
	login := func(cookie string, id auth.Identity) (string, error) {
		w, r := httptest.NewRecorder(), httptest.NewRequest("POST", "https://app.example/login", nil)
		if cookie != "" {
			r.AddCookie(&http.Cookie{Name: refreshCookie, Value: cookie})
		}
		err := i.Login(w, r, id)
		for _, c := range w.Result().Cookies() {
			cookie = c.Value
		}
		return cookie, err
	}
	own, err := login("", auth.Identity{Subject: "agent"})
	must(t, err)
	list, err := i.Logins(t.Context(), "agent")
	must(t, err)
	if _, err := login(own, auth.Identity{Subject: "alice", Actor: "agent", ActorLoginID: list[0].ID}); err == nil || !strings.Contains(err.Error(), "another cookie") {
		t.Errorf("a login that ends with the one that it replaces: %v", err)
	}
	acting, err := login(own, auth.Identity{Subject: "alice", Actor: "agent"})
	must(t, err)
	wants(t, i, own, "bad")
	wants(t, i, acting, "ok")
	must(t, i.LogoutAll(t.Context(), "agent"))
	wants(t, i, acting, "bad")
}

// Refreshing sees the actor, and can neither drop nor exchange it.
func TestRefreshingCannotDropTheActor(t *testing.T) {
	for rule, change := range map[string]func(*auth.Identity){
		"dropped":   func(id *auth.Identity) { id.Actor = "" },
		"exchanged": func(id *auth.Identity) { id.Actor = "root" },
		"kept":      func(*auth.Identity) {},
	} {
		i := newIssuer(t, func(c *token.IssuerConfig) {
			c.Refreshing = func(_ context.Context, id auth.Identity) (auth.Identity, error) {
				if id.Actor != "agent" {
					t.Errorf("%+v", id)
				}
				change(&id)
				return id, nil
			}
		})
		tokens, err := i.Issue(t.Context(), auth.Identity{Subject: "alice", Actor: "agent"})
		must(t, err)
		want := unavailable
		if rule == "kept" {
			want = valid
		}
		if got := ends(i, tokens.RefreshToken); got != want {
			t.Errorf("%s: %s", rule, got)
		}
	}
}
