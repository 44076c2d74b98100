// Package token keeps a log-in in a signed token: one server signs it, any
// other verifies it without a database.
//
//	issuer, err := token.NewIssuer(token.IssuerConfig{
//		Keys: keys, Store: &store.Memory{},
//		Issuer: "https://login.example", Audience: "https://api.example", ClientID: "web",
//	})
//	guard := &middleware.Guard{Authenticator: issuer}
//
// A handler that has checked a password calls [Issuer.Login]. The answer has an
// access token (RFC 9068), valid for minutes, which the client sends with each
// request, and a refresh token, which [Issuer.RefreshHandler] exchanges for new
// ones. A refresh token is for single use: one that comes back after it was
// spent is in other hands, and ends the log-in. Clients that lose an answer, or
// ask twice at once, get the same answer again.
//
// Another host needs a [Verifier] alone, with the public keys at
// [KeySet.JWKSHandler], which [NewRemoteKeySet] fetches. Browsers use package
// token/browser, Go clients package token/tokenclient.
package token
