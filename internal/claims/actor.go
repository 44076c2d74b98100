package claims

import (
	"unicode/utf8"

	"github.com/authlatch/auth/internal/strictjson"
)

// Actor is who acts, or may act, for the subject of a token.
type Actor struct{ Subject, Issuer string }

// Further are claims that most tokens do not have.
type Further struct {
	Actors               []Actor // who acts, then who acted before
	MayAct               Actor
	ACR, AuthorizedParty string
}

// Size returns how many bytes the claims take, about.
func (f *Further) Size() int {
	if f == nil {
		return 0
	}
	size := 120 + len(f.MayAct.Subject) + len(f.MayAct.Issuer) + len(f.ACR) + len(f.AuthorizedParty)
	for _, a := range f.Actors {
		size += 32 + len(a.Subject) + len(a.Issuer)
	}
	return size
}

// maxActors is the maximum of actors in one token.
const maxActors = 8

// act is the claim act of an own token.
type act struct {
	Subject string `json:"sub"`
	LoginID string `json:"sid,omitempty"`
}

func (c *Access) act() *act {
	if c.Actor == "" {
		return nil
	}
	return &act{c.Actor, c.ActorLoginID}
}

// fillActors reads act, and the claims on which acceptance does not depend. Without its
// act, a token would count as one of the subject itself, so a token is refused unless all
// actors can be read.
func (r *Rules) fillActors(c *Access, m members) error {
	further := Further{ACR: m.optional("acr"), AuthorizedParty: m.optional("azp")}
	further.MayAct, _ = actorOf(membersOf(m.get("may_act")))
	for value := r.act(m); value != nil; {
		of := membersOf(value)
		actor, ok := actorOf(of)
		if !ok || len(further.Actors) == maxActors {
			return ErrActor
		}
		further.Actors = append(further.Actors, actor)
		value = r.act(of)
	}
	if len(further.Actors) > 0 {
		c.Actor = further.Actors[0].Subject
		if !r.Foreign {
			c.ActorLoginID = membersOf(m.get("act")).optional("sid")
		}
	}
	if len(further.Actors) > 0 || further.MayAct != (Actor{}) || further.ACR != "" || further.AuthorizedParty != "" {
		kept := further // on the heap only here
		c.Further = &kept
	}
	return nil
}

// act returns the claim act, or nil. Some issuers write null for a missing claim.
func (r *Rules) act(m members) strictjson.Value {
	value := m.get("act")
	if r.Foreign && string(value) == "null" {
		return nil
	}
	return value
}

// actorOf reads an actor, and reports whether it has a subject. An issuer that is not a
// string would make it another actor.
func actorOf(m members) (a Actor, ok bool) {
	a.Subject = m.optional("sub")
	if issuer := m.get("iss"); issuer != nil {
		if a.Issuer = m.optional("iss"); a.Issuer == "" {
			return Actor{}, false
		}
	}
	if a.Subject == "" {
		return Actor{}, false
	}
	return a, true
}

// membersOf returns the members of a value, none unless it is an object.
func membersOf(value strictjson.Value) members {
	if len(value) == 0 || value[0] != '{' {
		return nil
	}
	var all members
	for member := range strictjson.Object(value).Members {
		all = append(all, member)
	}
	return all
}

// optional returns the text of a claim that is a string of 1 to 255 bytes of UTF-8, and
// otherwise nothing.
func (m members) optional(name string) string {
	text, err := m.text(name, MaxSubject)
	if err != nil || !utf8.ValidString(text) {
		return ""
	}
	return text
}
