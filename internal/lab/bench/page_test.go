package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// little is a bench that measures next to nothing.
func little() *bench {
	b := newBench(true)
	b.log = io.Discard
	return b
}

// sampleResults have something of each kind.
func sampleResults() results {
	rows := func(what, where string, atOnce int, names ...string) measured {
		m := measured{what: what, where: where, atOnce: atOnce}
		for i, name := range names {
			m.rows = append(m.rows, row{name: name, time: time.Duration(i+1) * time.Microsecond, toFirst: float64(i + 1), toOurs: float64(i+1) / 2, allocs: 5})
		}
		return m
	}
	r := results{
		flags:    " -growth=7",
		about:    about{"2026-11-30", "a machine", "go1.26", []string{"scs v2"}},
		versions: []string{"Redis 7"}, missing: []string{"sessions in etcd: etcd is missing"}, hash: 36 * time.Millisecond,
		groups: []measured{
			rows("read", "Redis", 1, "GET", "ours", "ours, near cache", "scs <&>"), rows("read", "Redis", many, "GET", "ours", "ours, near cache", "scs <&>"),
			rows("login", "Redis", 1, "GET", "ours", "scs <&>"), rows("logout", "Redis", 1, "GET", "ours", "scs <&>"),
			rows("request with a token", "ES256", 1, "bare", "ours, seen before", "golang-jwt"),
			rows("token login", "ES256", 1, "sign", "ours, login", "ours, refresh", "ours, logout"),
		},
		costs:   []cost{{"sessions", "login", 1, 2, 3}},
		ends:    []end{{"Redis", "sessions", time.Millisecond, 0, 50 * time.Microsecond}},
		servers: []throughput{{"bare", 40_000, 1, 2, 1, 2, 3}, {"ours", 20_000, 0.5, 1, 1, 2, 3}, {"scs", 30_000, 0.75, 1.5, 1, 2, 3}},
		growth:  []grown{{"ours", 1000, time.Microsecond, time.Millisecond, 300}, {"ours", 1_000_000, 2 * time.Microsecond, time.Second, 306}},
	}
	r.groups[2].rows[2].toOurs = 0.5 // faster
	return r
}

func TestPageIsWholeAndItsPlotsAreThere(t *testing.T) {
	b := little()
	b.results = sampleResults()
	out := filepath.Join(t.TempDir(), "numbers")
	if err := b.write(out, nil); err != nil {
		t.Fatal(err)
	}
	text := readFile(t, out+".md")
	for _, want := range []string{
		command + " -growth=7\n", "a machine", "Redis 7", "scs v2", "Left out: sessions in etcd: etcd is missing",
		"| session in Redis | 2.00 µs | 2.00 µs | 5 | 1 |", "| session in Redis, near cache | 3.00 µs | 3.00 µs | 5 | 0 |",
		"| token (ES256), seen before |", "| sessions | login | 1 | 2 | 3 |", "36 ms",
		"| faster: " + noList, "| 1,000,000 | ours | 2.00 µs | 1.0 s | 306 |", "| sessions | Redis | 1.00 ms | 0 | 50.0 µs |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not contain %q", want)
		}
	}
	images := regexp.MustCompile(`!\[[^\]]+\]\(([^)]+)\)`).FindAllStringSubmatch(text, -1)
	if len(images) != 6 {
		t.Errorf("%d plots, want 6", len(images))
	}
	for _, image := range images {
		checkPlot(t, image[1], readFile(t, filepath.Join(filepath.Dir(out), image[1])))
	}
	checkTables(t, text)
}

// checkPlot checks that a plot is XML whose text can be read on light and dark pages.
func checkPlot(t *testing.T, name, svg string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
			break
		}
	}
	if !strings.Contains(svg, "prefers-color-scheme: dark") || strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
		t.Errorf("%s:\n%s", name, svg)
	}
}

// checkTables checks that the rows of each table have as many cells as its head.
func checkTables(t *testing.T, text string) {
	t.Helper()
	cells := 0
	for line := range strings.Lines(text) {
		switch n := strings.Count(line, " |"); {
		case !strings.HasPrefix(line, "|"):
			cells = 0
		case cells == 0:
			cells = n
		case n != cells:
			t.Errorf("%d cells, want %d: %s", n, cells, line)
		}
	}
}

func TestPageOfNothingIsWritten(t *testing.T) {
	var out bytes.Buffer
	b := little()
	if err := b.write("", &out); err != nil || !strings.Contains(out.String(), command) {
		t.Errorf("%v\n%s", err, out.String())
	}
}

// Where another library is faster, the published page says why.
func TestPublishedPageSaysWhyOthersAreFaster(t *testing.T) {
	text := readFile(t, "../../../docs/numbers.md")
	if !strings.Contains(text, command) {
		t.Error("the command is missing")
	}
	for line := range strings.Lines(text) {
		if _, rest, ok := strings.Cut(line, "| faster"); ok && !strings.Contains(rest, ": ") {
			t.Errorf("add the reason to reasons.go: %s", line)
		}
	}
	checkTables(t, text)
}

func TestAxesContainTheirValues(t *testing.T) {
	for _, v := range []float64{0.022, 0.5, 1, 9.99, 10, 1234, 41_234} {
		log, linear := logAxis(v, v, 0, 100), linearAxis(v, 0, 100)
		for name, a := range map[string]axis{"log": log, "linear": linear} {
			if at := a.at(v); at < 0 || at > 100 || len(a.ticks) < 2 || len(a.ticks) > 12 {
				t.Errorf("%s, %g: at %d, ticks %v", name, v, at, a.ticks)
			}
		}
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
