package auth

import "time"

// Event is an occurrence that an operator may want to count, log or be alerted
// to. The configurations of sessions, tokens, remote keys and throttles have one
// hook for events, and so has a guard:
//
//	Events func(context.Context, auth.Event)
//
// The hook is called before the call that caused the event returns, with the
// context of the request. It may be called on any goroutine, and by several at
// once.
//
// An event never holds a secret: no token, cookie value, salt or key (ASVS 5.0,
// 16.2.5). The documentation of each [EventKind] lists the fields that are set. Actor is
// set beside Subject wherever an actor acts for it (see [Identity]).
type Event struct {
	Kind    EventKind // what happened
	Time    time.Time // in UTC
	Source  string    // the source of the event: "session", "token", "guard" or "throttle"
	Subject string    // the subject that the event concerns; empty if unknown
	Actor   string    // who acts for Subject, as in [Identity]; empty: the subject itself, or unknown
	LoginID string    // the login of the subject; empty if unknown
	Reason  string    // one of a few fixed texts; empty if Kind is enough
	Err     error     // the details of a failure, or nil
}

// EventKind is the kind of an [Event].
type EventKind string

// The kinds of events. All have Kind, Time and Source.
const (
	// EventLogin reports a login, with Subject and LoginID. Reason is "pending"
	// if the session waits for its second factor.
	EventLogin EventKind = "login"

	// EventLogout reports a logout by the subject itself, with LoginID, and with
	// Subject unless the session was anonymous.
	EventLogout EventKind = "logout"

	// EventRevoked reports a login that was ended by other means, with Subject and
	// LoginID. Reason is empty for LogoutOne and LogoutAll, and otherwise states the
	// cause:
	//
	//   - "evicted": the subject had the maximum number of logins.
	//   - "replaced": the same browser has logged in again.
	//   - "not in the list": the store has lost a write.
	//   - "the login of the actor has ended": see ActorLoginID of [Identity].
	//   - "refresh refused": Refreshing in the configuration of sessions or tokens, or
	//     the function that was passed to Refresh, has refused the login. Err is its
	//     error.
	EventRevoked EventKind = "revoked"

	// EventExpired reports a credential that was presented after its expiry, with
	// LoginID. Subject is set unless the session was anonymous. If the store no longer
	// has the record, Subject is empty and Reason is "unknown". For an access token, Err
	// has the details.
	EventExpired EventKind = "expired"

	// EventRejected reports a request with a credential that is not accepted, with
	// Reason. The credential is malformed, forged, sent twice, unknown, issued for
	// another audience, or of a login that has ended. The event also reports a request
	// that another site made the browser send, and a refresh without its idempotency key.
	//
	// Subject and LoginID are set if they are known. For an unknown or forged credential,
	// at most LoginID is set, to what the credential names. For an access token, Err has
	// the details. For a request of another site, Err names the Origin and the Host that
	// were compared. For a CSRF token, Err is the error of CheckCSRF.
	//
	// No event is emitted for a session or refresh token that arrives after its logout,
	// or after a login that replaced it (a late request from another tab).
	EventRejected EventKind = "rejected"

	// EventRenewed reports a refresh token that was exchanged, with Subject and
	// LoginID.
	EventRenewed EventKind = "renewed"

	// EventReuse reports a refresh token that was already used and came again,
	// which has ended its login. Subject, LoginID and Reason are set; Err names
	// the device of the last refresh and the device of this one. Alert on this
	// event.
	EventReuse EventKind = "reuse"

	// EventRecovered reports a client that had lost the response to a refresh, and has
	// received it by repeating the refresh, with Subject and LoginID.
	EventRecovered EventKind = "recovered"

	// EventHealed reports a write that the store had lost and that the token of a
	// client has restored, with Subject and LoginID.
	EventHealed EventKind = "healed"

	// EventFailed reports a wrong password, or another wrong proof, that a
	// throttle has counted. Subject is the account that was tried.
	EventFailed EventKind = "failed"

	// EventThrottled reports an attempt that was refused before its proof
	// was checked, because of too many attempts. Subject is the account. Reason
	// names the limit that was reached: "account", "device" or "address".
	EventThrottled EventKind = "throttled"

	// EventDenied reports an authenticated request that is not allowed, with Subject and
	// LoginID. Reason says what was insufficient, or is "made by an actor" (RequireSelf).
	// It is empty for a check of the application.
	EventDenied EventKind = "denied"

	// EventFault reports a failure: a store, a key server or a check failed, a record is
	// corrupt, or a requested login cannot be made. At most once a minute, it also
	// reports that browsers drop a Secure cookie because the page was served over plain
	// HTTP.
	//
	// Err is set, Subject and LoginID are set if they are known, and Reason is set for a
	// key server and for plain HTTP. The modes and the throttle report each request that
	// they could not answer because of a failure, unless the client has canceled it.
	EventFault EventKind = "fault"
)
