// Package token issues and verifies logins that are kept in signed tokens: one
// server signs an access token, and any other verifies it without a database.
//
//	issuer, err := token.NewIssuer(token.IssuerConfig{
//		Keys: keys, Store: &store.Memory{},
//		Issuer: "https://login.example", Audience: "https://api.example", ClientID: "web",
//	})
//	guard := &middleware.Guard{Authenticator: issuer}
//
// A handler that has checked a password calls [Issuer.Login]. The response has an
// access token (RFC 9068) and a refresh token. The access token is valid for
// minutes, and the client sends it with each request. [Issuer.RefreshHandler]
// exchanges the refresh token for new tokens.
//
// Each refresh token can be used once. Reuse indicates theft and ends the login. A
// client that loses a response, or sends a refresh twice at once, receives the same
// successor again.
//
// Another host needs only a [Verifier]. [NewRemoteKeySet] fetches its public keys from
// [KeySet.JWKSHandler]. A Verifier also accepts the tokens of identity providers
// (docs/providers.md has their configuration), and [ByIssuer] joins several. Browsers use
// package token/browser, Go clients package token/tokenclient.
package token
