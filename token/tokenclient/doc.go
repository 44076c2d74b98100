// Package tokenclient is the client of package token for Go programs that call an
// API: a [Transport] sends the access token with each request, and renews it
// when it is due. It links none of the code that signs and verifies tokens.
//
//	transport, err := tokenclient.New(tokenclient.Config{
//		Origins: []string{"https://api.example"},
//		Refresh: tokenclient.RefreshAt("https://login.example/refresh", nil),
//	})
//	client := &http.Client{Transport: transport}
//
// After a login, [Transport.SetTokens] takes the [Tokens] that the issuer has
// answered. Once [ErrLoginEnded] comes back, the program must log in again.
package tokenclient
