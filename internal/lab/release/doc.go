// Package release has the tests of what users get: they build the programs of the
// READMEs in new modules, against the local copies of the modules to be tagged. It
// is a module of its own, because the backends need the module cache or a proxy,
// and the tests of the core need nothing installed. It is never tagged.
//
//	go -C internal/lab/release test ./...
package release
