// Package house has the tests of the house itself, over the source of the module: the
// import graph, exported names, cryptography, SQL, the guides and the table of ASVS in
// docs/security.md, which
//
//	go test ./internal/house -run ASVS -update
//
// writes anew.
package house
