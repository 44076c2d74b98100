package auth

import "time"

// Event is something that an operator may want to count, log or be woken up
// for. Session and token configurations have one hook for it,
//
//	Events func(context.Context, auth.Event)
//
// which is called before the call that caused it returns, by whichever
// goroutine that is, with the context of the request. An event never holds a
// secret: no token, cookie value, salt or key (ASVS 5.0, 16.2.5).
type Event struct {
	Kind    EventKind // what happened
	Time    time.Time // in UTC
	Mode    string    // "session" or "token"
	Subject string    // empty if it is not known
	LoginID string    // empty if it is not known
	Reason  string    // a fixed word or two, empty if Kind says it all
	Err     error     // what went wrong, or nil
}

// EventKind is what an [Event] tells.
type EventKind string

// The kinds of events.
const (
	EventLogin     EventKind = "log-in"
	EventLogout    EventKind = "log-out"   // by the subject itself
	EventRevoked   EventKind = "revoked"   // from elsewhere, or to keep a bound
	EventExpired   EventKind = "expired"   // a credential was presented after its end
	EventRejected  EventKind = "rejected"  // malformed, forged, doubled, or from another site
	EventRenewed   EventKind = "renewed"   // a refresh token was exchanged
	EventReuse     EventKind = "reuse"     // a spent refresh token came back: its log-in was ended
	EventRecovered EventKind = "recovered" // a client got the answer that it had lost
	EventHealed    EventKind = "healed"    // a store had lost a write
	EventFault     EventKind = "fault"     // a store failed, or held what cannot be
)
