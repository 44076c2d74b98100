package cookie_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"time"

	"github.com/authlatch/auth/cookie"
)

func ExamplePolicy() {
	cart := cookie.New("cart").SameSiteLax().MaxAge(30 * 24 * time.Hour)

	handler := func(w http.ResponseWriter, r *http.Request) {
		value, ok, err := cart.Read(r)
		switch {
		case err != nil:
			http.Error(w, "Bad Request", http.StatusBadRequest)
			return
		case !ok:
			value = "new"
		}
		// Call Set before writing the body.
		if err := cart.Set(w.Header(), r, value); err != nil {
			http.Error(w, "Internal Server Error", http.StatusInternalServerError)
			return
		}
		fmt.Fprintln(w, "cart:", value)
	}

	for _, sent := range []string{"", "__Host-Http-cart=42", "__Host-Http-cart=42; __Host-Http-cart=43"} {
		r := httptest.NewRequest("GET", "https://shop.example/", nil)
		r.Header.Set("Cookie", sent)
		w := httptest.NewRecorder()
		handler(w, r)
		fmt.Print(w.Code, " ", w.Body)
		fmt.Println(w.Header().Get("Set-Cookie"))
	}

	// Err reports a contradiction at startup.
	fmt.Println(cart.SameSiteNone().Insecure().Err())
	// Output:
	// 200 cart: new
	// __Host-Http-cart=new; Path=/; Max-Age=2592000; HttpOnly; Secure; SameSite=Lax
	// 200 cart: 42
	// __Host-Http-cart=42; Path=/; Max-Age=2592000; HttpOnly; Secure; SameSite=Lax
	// 400 Bad Request
	//
	// cookie: SameSiteNone and Insecure cannot be combined
}

func ExampleSealer() {
	// All hosts need the same key: load it from where you keep secrets.
	key := make([]byte, 32)
	rand.Read(key)
	sealer, err := cookie.NewSealer(key)
	if err != nil {
		fmt.Println(err)
		return
	}

	flash := cookie.New("flash").SameSiteLax()
	sealed, err := sealer.Seal(flash, []byte("Your order is on its way."), time.Minute)
	if err != nil {
		fmt.Println(err)
		return
	}
	w := httptest.NewRecorder()
	if err := flash.Set(w.Header(), nil, sealed); err != nil {
		fmt.Println(err)
		return
	}

	value, err := sealer.Open(flash, sealed)
	fmt.Printf("%s %v\n", value, err)

	// The value cannot be opened for another cookie.
	_, err = sealer.Open(cookie.New("greeting"), sealed)
	fmt.Println(errors.Is(err, cookie.ErrOpen))
	// Output:
	// Your order is on its way. <nil>
	// true
}

// A message for the next page, shown once.
func ExampleSealed() {
	key := make([]byte, 32) // load it from where you keep secrets
	rand.Read(key)
	sealer, err := cookie.NewSealer(key)
	if err != nil {
		fmt.Println(err)
		return
	}
	flash, err := cookie.NewSealed[string](cookie.New("flash").SameSiteLax(), sealer, time.Minute)
	if err != nil {
		fmt.Println(err)
		return
	}

	mux := http.NewServeMux()
	mux.HandleFunc("POST /order", func(w http.ResponseWriter, r *http.Request) {
		// Ignore the error: the order is accepted without a message too.
		flash.Set(w.Header(), r, "Your order is on its way.")
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		message, _, err := flash.Take(w.Header(), r)
		if err != nil {
			http.Error(w, "Bad Request", http.StatusBadRequest)
			return
		}
		fmt.Fprintln(w, "Welcome.", message)
	})

	shop := httptest.NewTLSServer(mux)
	defer shop.Close()
	browser := shop.Client()
	browser.Jar, _ = cookiejar.New(nil)
	for _, visit := range []func() (*http.Response, error){
		func() (*http.Response, error) { return browser.PostForm(shop.URL+"/order", nil) },
		func() (*http.Response, error) { return browser.Get(shop.URL + "/") },
	} {
		res, err := visit()
		if err != nil {
			fmt.Println(err)
			return
		}
		page, _ := io.ReadAll(res.Body)
		res.Body.Close()
		fmt.Printf("%s", page)
	}
	// Output:
	// Welcome. Your order is on its way.
	// Welcome.
}
