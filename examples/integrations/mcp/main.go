// Mcp is an API like a server of the Model Context Protocol: its clients know nothing but
// its address. They learn from its 401 where to get a token for it (RFC 9728).
//
//	go -C examples/integrations run ./mcp
//	curl -i -X POST http://localhost:8080/mcp
//	curl http://localhost:8080/.well-known/oauth-protected-resource/mcp
//	curl http://localhost:8081/.well-known/oauth-authorization-server
//	curl -u agent:secret -d grant_type=client_credentials -d resource=http://localhost:8080/mcp http://localhost:8081/token
//	curl -H "Authorization: Bearer $access_token" -d '{"jsonrpc":"2.0","id":1,"method":"tools/list"}' http://localhost:8080/mcp
//
// In the last command access_token is the value from the response before it.
package main

import (
	"encoding/json"
	"flag"
	"log"
	"net"
	"net/http"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/token"
)

func main() {
	addr := flag.String("addr", "localhost:8080", "`host:port` of the API")
	loginAddr := flag.String("login", "localhost:8081", "`host:port` of the authorization server")
	flag.Parse()
	resource, login := "http://"+*addr+"/mcp", "http://"+*loginAddr
	server, err := newAuthorizationServer(login, resource)
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", *loginAddr) // before the key set fetches from it
	if err != nil {
		log.Fatal(err)
	}
	go func() { log.Fatal(http.Serve(listener, server)) }()
	keys, err := token.NewRemoteKeySet(login+"/jwks", token.RemoteConfig{})
	if err != nil {
		log.Fatal(err)
	}
	defer keys.Close()
	handler, err := newAPI(resource, login, keys)
	if err != nil {
		log.Fatal(err)
	}
	log.Println("listening on", resource)
	log.Fatal(http.ListenAndServe(*addr, handler))
}

// newAPI returns the API and the document about it. Tokens are for this resource only: one
// that was issued for another API is refused.
func newAPI(resource, login string, keys token.Keys) (http.Handler, error) {
	metadata := token.ResourceMetadata{
		Resource: resource, AuthorizationServers: []string{login}, Scopes: "tools", Name: "Example tools",
	}
	path, document, err := metadata.Handler()
	if err != nil {
		return nil, err
	}
	address, err := metadata.URL()
	if err != nil {
		return nil, err
	}
	tokens, err := token.NewVerifier(token.VerifierConfig{
		Keys: keys, Issuer: login, Audience: resource, ResourceMetadata: address,
	})
	if err != nil {
		return nil, err
	}
	guard := &middleware.Guard{Authenticator: tokens}
	mux := http.NewServeMux()
	mux.Handle(path, document)
	mux.Handle("POST /mcp", guard.RequireScope("tools")(http.HandlerFunc(serve)))
	return mux, nil
}

// serve answers each call with the name of the caller.
func serve(w http.ResponseWriter, r *http.Request) {
	var call struct {
		ID json.RawMessage `json:"id"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&call); err != nil {
		http.Error(w, "not a JSON-RPC call", http.StatusBadRequest)
		return
	}
	id, _ := auth.FromContext(r.Context())
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{
		"jsonrpc": "2.0", "id": call.ID, "result": map[string]any{"tools": []string{}, "caller": id.Subject},
	})
}
