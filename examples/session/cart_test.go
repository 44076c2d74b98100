package main

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
)

func (c client) add(item string) (status int) {
	c.t.Helper()
	status, _ = c.post("/cart", url.Values{"item": {item}})
	return status
}

func (c client) has(item string) bool {
	c.t.Helper()
	_, body := c.get("/")
	return strings.Contains(body, "<li>"+item+"</li>")
}

func TestACartIsKeptThroughLogin(t *testing.T) {
	c := visit(t, open(t))
	c.add("tea")
	c.wants("/me", http.StatusUnauthorized) // a session of a visitor is not authenticated
	c.login()
	c.add("milk")
	if !c.has("tea") || !c.has("milk") {
		t.Error("something is missing from the cart")
	}
	c.post("/logout", nil)
	if c.has("tea") {
		t.Error("the next visitor sees the cart")
	}
}

func TestParallelAdditionsAllCount(t *testing.T) {
	c := visit(t, open(t))
	c.add("item-0")
	var all sync.WaitGroup
	for i := 1; i < 8; i++ {
		all.Go(func() { c.add("item-" + string(rune('0'+i))) })
	}
	all.Wait()
	for i := range 8 {
		if item := "item-" + string(rune('0'+i)); !c.has(item) {
			t.Errorf("%s is lost", item)
		}
	}
}

func TestACartTakesWhatFits(t *testing.T) {
	c := visit(t, open(t))
	if got := c.add(strings.Repeat("x", maxItem+1)); got != http.StatusBadRequest {
		t.Errorf("a long item: status %d", got)
	}
	if got := c.add("  "); got != http.StatusBadRequest {
		t.Errorf("an empty item: status %d", got)
	}
	for range maxItems {
		c.add("tea")
	}
	if got := c.add("tea"); got != http.StatusConflict {
		t.Errorf("one item too many: status %d", got)
	}
}

func TestItemsAreTextAndNoMarkup(t *testing.T) {
	c := visit(t, open(t))
	c.add("<b>tea</b>")
	if c.has("<b>tea</b>") || !c.has("&lt;b&gt;tea&lt;/b&gt;") {
		t.Error("an item is read as HTML")
	}
}
