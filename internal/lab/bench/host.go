package main

import (
	"fmt"
	"os"
	"slices"
	"testing"
)

// A host starts private servers. It stands in for the test that package servers
// expects, and ends them in close.
type host struct {
	testing.TB // nil: what is not below is not called
	cleanups   []func()
}

// A failure is what Fatal and Skip of a host panic with.
type failure struct{ text string }

// start calls f, and returns an error if a server is missing or does not start.
func (h *host) start(f func()) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case failure:
			err = fmt.Errorf("%s", r.text)
		default:
			panic(r)
		}
	}()
	f()
	return nil
}

// close ends all servers, and deletes their folders.
func (h *host) close() {
	for _, f := range slices.Backward(h.cleanups) {
		h.start(f)
	}
	h.cleanups = nil
}

func (h *host) Helper()                           {}
func (h *host) Cleanup(f func())                  { h.cleanups = append(h.cleanups, f) }
func (h *host) Fatal(args ...any)                 { panic(failure{fmt.Sprint(args...)}) }
func (h *host) Fatalf(format string, args ...any) { panic(failure{fmt.Sprintf(format, args...)}) }
func (h *host) Skipf(format string, args ...any)  { h.Fatalf(format, args...) }
func (h *host) Errorf(format string, args ...any) { h.Fatalf(format, args...) }

func (h *host) TempDir() string {
	dir, err := os.MkdirTemp("", "authlatch-bench-")
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
