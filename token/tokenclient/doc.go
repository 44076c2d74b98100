// Package tokenclient is the client of package token for Go programs that call an API.
// A [Transport] adds the access token to each request, and refreshes it when it is
// due. The package links none of the code that signs and verifies tokens.
//
//	transport, err := tokenclient.New(tokenclient.Config{
//		Origins: []string{"https://api.example"},
//		Refresh: tokenclient.RefreshAt("https://login.example/refresh", nil),
//	})
//	client := &http.Client{Transport: transport}
//
// After a login, pass the [Tokens] of the issuer's response to [Transport.SetTokens].
// When a request returns [ErrLoginEnded], the program must log in again.
package tokenclient
