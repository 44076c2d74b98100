// Package house tests the source of the module: the import graph, exported names,
// cryptography, SQL, the guides, and the ASVS table in docs/security.md. Run it with
//
//	go test ./internal/house
//
// The following command updates the tests that the ASVS table names:
//
//	go test ./internal/house -run ASVS -update
package house
