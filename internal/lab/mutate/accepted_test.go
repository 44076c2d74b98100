package main

import (
	"strings"
	"testing"
)

// A rename shows here, without a run.
func TestEveryAcceptedMutantExists(t *testing.T) {
	accepted, err := readAccepted("accepted.txt")
	if err != nil {
		t.Fatal(err)
	}
	folders := make(map[string]bool)
	for key := range accepted {
		folder, _, _ := strings.Cut(key, " ")
		folders[folder] = true
	}
	for folder := range folders {
		all, err := mutantsOf("../../..", folder)
		if err != nil {
			t.Error(folder, err)
			continue
		}
		for _, key := range staleEntries(accepted, folder, all) {
			t.Error(key)
		}
	}
}
