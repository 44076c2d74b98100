package main

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"os"
	"slices"
	"strings"
)

// readAccepted reads the accepted survivors: the key of a mutant on a line of
// its own, and its reason on the indented lines that follow. Empty lines and
// lines that start with # are skipped.
func readAccepted(file string) (map[string]string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	accepted, key := make(map[string]string), ""
	for lines := bufio.NewScanner(f); ; {
		if !lines.Scan() {
			return accepted, cmp.Or(lines.Err(), reasonGiven(file, accepted, key))
		}
		line := strings.TrimSpace(lines.Text())
		switch {
		case line == "" || line[0] == '#':
		case lines.Text()[0] == '\t' || lines.Text()[0] == ' ':
			accepted[key] = strings.TrimSpace(accepted[key] + " " + line)
		default:
			if err := reasonGiven(file, accepted, key); err != nil {
				return nil, err
			}
			if _, twice := accepted[line]; twice {
				return nil, fmt.Errorf("%s: listed twice: %s", file, line)
			}
			key = line
			accepted[key] = ""
		}
	}
}

func reasonGiven(file string, accepted map[string]string, key string) error {
	if key != "" && accepted[key] == "" {
		return fmt.Errorf("%s: no reason for %s", file, key)
	}
	return nil
}

// staleEntries returns the accepted mutants of a package that do not exist.
func staleEntries(accepted map[string]string, name string, all []mutant) (stale []string) {
	exists := make(map[string]bool)
	for _, m := range all {
		exists[m.key()] = true
	}
	for key := range accepted {
		if folder, _, _ := strings.Cut(key, " "); folder == name && !exists[key] {
			stale = append(stale, key)
		}
	}
	slices.Sort(stale)
	return stale
}

// sample returns n of the mutants, or all if n is 0. It orders them by a hash
// of seed and key, so a change of the code leaves most of a sample as it was.
func sample(all []mutant, n int, seed uint64) []mutant {
	rank := func(m mutant) uint64 {
		h := fnv.New64a()
		binary.Write(h, binary.LittleEndian, seed)
		h.Write([]byte(m.key()))
		return h.Sum64()
	}
	if n == 0 || n >= len(all) {
		return all
	}
	ranked := slices.Clone(all)
	slices.SortFunc(ranked, func(a, b mutant) int { return cmp.Compare(rank(a), rank(b)) })
	ranked = ranked[:n]
	slices.SortFunc(ranked, func(a, b mutant) int { return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.start, b.start)) })
	return ranked
}
