package auth

import "time"

// Event is something that an operator may want to count, log or be woken up
// for. The configurations of sessions, tokens, remote keys and throttles have one
// hook for it, and so has a guard,
//
//	Events func(context.Context, auth.Event)
//
// which is called before the call that caused it returns, by whichever
// goroutine that is, with the context of the request. An event never holds a
// secret: no token, cookie value, salt or key (ASVS 5.0, 16.2.5). Which fields
// an event has stands with its kind.
type Event struct {
	Kind    EventKind // what happened
	Time    time.Time // in UTC
	Source  string    // the source of the event: "session", "token", "guard" or "throttle"
	Subject string    // whom it is about; empty if that is not known
	LoginID string    // which of the subject's log-ins; empty if that is not known
	Reason  string    // a fixed word or two, empty if Kind says it all
	Err     error     // what went wrong, or nil
}

// EventKind is what an [Event] tells.
type EventKind string

// The kinds of events. All have Kind, Time and Source.
const (
	// EventLogin is a log-in, with Subject and LoginID, and with "pending" as
	// Reason if it waits for its second factor. That the browser's old log-in
	// ends by it is not told apart.
	EventLogin EventKind = "log-in"

	// EventLogout is a log-out by the subject itself, with Subject, unless
	// the session was anonymous, and LoginID.
	EventLogout EventKind = "log-out"

	// EventRevoked is the end of a log-in by other means, with Subject and
	// LoginID. Reason is empty for LogoutOne and LogoutAll, and otherwise why,
	// such as "evicted": the bound was reached.
	EventRevoked EventKind = "revoked"

	// EventExpired is a credential that was presented after its end, with
	// LoginID, and with Subject unless the session was anonymous, or the store
	// has forgotten whose it was and Reason is "unknown". Of an access token,
	// Err says more.
	EventExpired EventKind = "expired"

	// EventRejected is a credential that is malformed, forged, doubled, unknown,
	// not meant for here, of a log-in that is over, sent by another site, or
	// without the attempt that a refresh needs, with the Reason. Subject and
	// LoginID stand where they are known: of what is unknown or forged at most
	// the LoginID that it names. Of an access token, Err says more. A session or
	// refresh token that a slow tab sends after a log-out or another log-in is no
	// event.
	EventRejected EventKind = "rejected"

	// EventRenewed is a refresh token that was exchanged, with Subject and
	// LoginID.
	EventRenewed EventKind = "renewed"

	// EventReuse is a spent refresh token that came back, and has ended its
	// log-in: with Subject, LoginID and Reason, and as Err who has refreshed
	// last and who does now. Somebody should look at it.
	EventReuse EventKind = "reuse"

	// EventRecovered is a client that got the answer that it had lost, with
	// Subject and LoginID.
	EventRecovered EventKind = "recovered"

	// EventHealed is a write that a store had lost and a client has brought
	// back, with Subject and LoginID.
	EventHealed EventKind = "healed"

	// EventFailed is a wrong password, or another wrong proof, that a throttle
	// has counted. Subject is the account that was tried.
	EventFailed EventKind = "failed"

	// EventThrottled is an attempt that was refused without a look at the
	// proof, since there were too many. Subject is the account; Reason is whose
	// attempts they were: "account", "device" or "address".
	EventThrottled EventKind = "throttled"

	// EventDenied is a request whose sender is known and not allowed, with
	// Subject, LoginID, and what is insufficient as Reason, which is empty for
	// a rule of the application's own.
	EventDenied EventKind = "denied"

	// EventFault is a store, a key server or a check that failed, a record that
	// cannot be, or a log-in that was asked for and cannot be made: with Err, with
	// Subject and LoginID where they are known, and with Reason for a key server.
	// The modes and the throttle tell of whatever they could not answer because of
	// one, unless the client has gone.
	EventFault EventKind = "fault"
)
