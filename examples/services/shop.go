package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/token/tokenclient"
)

// shop is an API that calls another one.
type shop struct {
	*api
	issuerURL    string
	warehouseURL string
	warehouse    *tokenclient.Transport

	mu sync.Mutex // one login at a time
}

func newShop(issuerURL, warehouseURL string) (*shop, error) {
	api, err := newAPI(issuerURL)
	if err != nil {
		return nil, err
	}
	transport, err := tokenclient.New(tokenclient.Config{
		Origins: []string{warehouseURL},
		Refresh: tokenclient.RefreshAt(issuerURL+"/refresh", nil),
	})
	if err != nil {
		api.Close()
		return nil, err
	}
	return &shop{api: api, issuerURL: issuerURL, warehouseURL: warehouseURL, warehouse: transport}, nil
}

func (s *shop) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /me", s.guard.Require(http.HandlerFunc(me)))
	mux.Handle("GET /tea", s.guard.RequireScope("shop")(http.HandlerFunc(s.tea)))
	return mux
}

// tea returns the response of the warehouse to the caller.
func (s *shop) tea(w http.ResponseWriter, r *http.Request) {
	id, _ := auth.FromContext(r.Context())
	stock, err := s.ask(r)
	if errors.Is(err, tokenclient.ErrLoginEnded) { // or not logged in yet
		if err = s.logIn(); err == nil {
			stock, err = s.ask(r)
		}
	}
	if err != nil {
		http.Error(w, "the warehouse does not respond", http.StatusBadGateway)
		return
	}
	fmt.Fprintf(w, "hello, %s: %s\n", id.Subject, stock)
}

func (s *shop) ask(r *http.Request) (string, error) {
	request, err := http.NewRequestWithContext(r.Context(), http.MethodGet, s.warehouseURL+"/stock", nil)
	if err != nil {
		return "", err
	}
	client := http.Client{Transport: s.warehouse, Timeout: 5 * time.Second}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("the warehouse responded with %s", response.Status)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, 1024))
	return string(body), err
}

// logIn authenticates the shop to the issuer.
func (s *shop) logIn() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	client := http.Client{Timeout: 5 * time.Second}
	response, err := client.PostForm(s.issuerURL+"/service-login", url.Values{"secret": {shopSecret}})
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var tokens tokenclient.Tokens
	if err := json.NewDecoder(io.LimitReader(response.Body, 64<<10)).Decode(&tokens); err != nil || response.StatusCode != http.StatusOK {
		return fmt.Errorf("the issuer responded with %s: %w", response.Status, err)
	}
	return s.warehouse.SetTokens(tokens)
}
