package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// results are what a run has measured. What it has not is empty.
type results struct {
	about    about
	flags    string   // with which the command ran
	versions []string // of servers
	missing  []string // what was left out, and why
	groups   []measured
	costs    []cost
	hash     time.Duration
	ends     []end
	servers  []throughput
	growth   []grown
	units    []unit
	keeps    []keep
	arrivals []arrival
}

// group returns the rows of a group, or none.
func (r *results) group(what, where string, atOnce int) []row {
	for _, m := range r.groups {
		if m.what == what && m.where == where && m.atOnce == atOnce {
			return m.rows
		}
	}
	return nil
}

// places returns where a thing was measured.
func (r *results) places(what string) (all []string) {
	for _, m := range r.groups {
		if m.what == what && m.atOnce == 1 {
			all = append(all, m.where)
		}
	}
	return all
}

// find returns the row of a name, and whether there is one.
func find(rows []row, name string) (row, bool) {
	for _, r := range rows {
		if r.name == name {
			return r, true
		}
	}
	return row{}, false
}

// A page is Markdown, and the plots that it shows.
type page struct {
	strings.Builder
	folder string            // of the plots, relative to the page; empty if they are left out
	plots  map[string]string // by file name
}

func (p *page) text(format string, args ...any) { fmt.Fprintf(p, "\n"+format+"\n", args...) }

// table writes a table. Columns whose title begins with a space are to the right.
func (p *page) table(titles []string, rows [][]string) {
	var head, rules []string
	for _, title := range titles {
		name, right := strings.CutPrefix(title, " ")
		rule := "---"
		if right {
			rule = "---:"
		}
		head, rules = append(head, name), append(rules, rule)
	}
	p.WriteByte('\n')
	for _, cells := range append([][]string{head, rules}, rows...) {
		fmt.Fprintf(p, "| %s |\n", strings.Join(cells, " | "))
	}
}

// plot shows a plot, with a text for those who cannot see it.
func (p *page) plot(name, alternative, svg string) {
	if p.folder == "" {
		return
	}
	p.plots[name+".svg"] = svg
	p.text("![%s](%s/%s.svg)", alternative, p.folder, name)
}

// write writes the page to out.md and its plots into the folder out, or the page
// alone to w if out is empty.
func (b *bench) write(out string, w io.Writer) error {
	p := &page{plots: make(map[string]string)}
	if out == "" {
		b.results.writeTo(p)
		_, err := io.WriteString(w, p.String())
		return err
	}
	p.folder = filepath.Base(out)
	b.results.writeTo(p)
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	for name, svg := range p.plots {
		if err := os.WriteFile(filepath.Join(out, name), []byte(svg), 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(out+".md", []byte(p.String()), 0o644)
}

// brief writes a time in a unit that suits it.
func brief(d time.Duration) string {
	switch {
	case d < 10*time.Microsecond:
		return fmt.Sprintf("%.2f µs", float64(d)/1e3)
	case d < 100*time.Microsecond:
		return fmt.Sprintf("%.1f µs", float64(d)/1e3)
	case d < time.Millisecond:
		return fmt.Sprintf("%.0f µs", float64(d)/1e3)
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.2f ms", float64(d)/1e6)
	case d < time.Second:
		return fmt.Sprintf("%.0f ms", float64(d)/1e6)
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

func times(ratio float64) string { return fmt.Sprintf("%.2f ×", ratio) }

// count writes a number with commas.
func count(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
