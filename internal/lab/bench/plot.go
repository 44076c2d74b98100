package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

const (
	width  = 760
	rowGap = 26
	fontPx = 13
)

// style has the colors of light and dark pages.
const style = `<style>
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.back { fill: #ffffff } .grid { stroke: #d1d9e0 } .bar { stroke: #59636e; stroke-width: 6 }
.ours { stroke: #0969da; fill: #0969da } .peer { stroke: #9a6700; fill: #9a6700 } .name { font-weight: 600 }
path.ours, path.peer, .bar.ours, .bar.peer { fill: none }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc }
.back { fill: #0d1117 } .grid { stroke: #3d444d }
.ours { stroke: #4493f8; fill: #4493f8 } .peer { stroke: #d29922; fill: #d29922 }
}
</style>`

// A dots is a plot with a value on each line, on a logarithmic axis unless it is
// linear.
type dots struct {
	unit   string
	linear bool
	rows   []dot
}

type dot struct {
	label string
	value float64
	ours  bool
}

func (d *dots) add(label string, value float64, ours bool) {
	d.rows = append(d.rows, dot{label, value, ours})
}

func (d *dots) svg() string {
	const left, right, top = 330, width - 80, 12
	bottom := top + rowGap*len(d.rows)
	x := d.axis(left, right)
	var s strings.Builder
	open(&s, bottom+46)
	for _, tick := range x.ticks {
		fmt.Fprintf(&s, `<line class="grid" x1="%[1]d" y1="%[2]d" x2="%[1]d" y2="%[3]d"/>`+"\n", x.at(tick), top, bottom)
		label(&s, x.at(tick), bottom+18, "middle", short(tick))
	}
	label(&s, (left+right)/2, bottom+38, "middle", d.unit)
	for i, r := range d.rows {
		y := top + rowGap*i + rowGap/2
		class := "peer"
		if r.ours {
			class = "ours"
		}
		label(&s, left-12, y+4, "end", r.label)
		fmt.Fprintf(&s, `<line class="bar %s" x1="%d" y1="%d" x2="%d" y2="%d"/>`+"\n", class, left, y, x.at(r.value), y)
		label(&s, x.at(r.value)+8, y+4, "start", short(r.value))
	}
	s.WriteString("</svg>\n")
	return s.String()
}

func (d *dots) axis(from, to int) axis {
	low, high := math.Inf(1), 0.0
	for _, r := range d.rows {
		low, high = min(low, r.value), max(high, r.value)
	}
	if d.linear {
		return linearAxis(high, from, to)
	}
	return logAxis(low, high, from, to)
}

// A lines is a plot with lines over the number of logins, on logarithmic axes.
type lines struct {
	y      string
	names  []string
	points map[string][][2]float64
}

func (l *lines) add(name string, x, y float64) {
	if l.points == nil {
		l.points = make(map[string][][2]float64)
	}
	if l.points[name] == nil {
		l.names = append(l.names, name)
	}
	l.points[name] = append(l.points[name], [2]float64{x, y})
}

func (l *lines) svg() string {
	const left, right, top, bottom = 70, width - 70, 36, 300
	x, y := l.axes(left, right, top, bottom)
	var s strings.Builder
	open(&s, bottom+46)
	label(&s, left-50, 20, "start", l.y)
	for _, tick := range y.ticks {
		fmt.Fprintf(&s, `<line class="grid" x1="%d" y1="%[2]d" x2="%[3]d" y2="%[2]d"/>`+"\n", left, y.at(tick), right)
		label(&s, left-8, y.at(tick)+4, "end", short(tick))
	}
	for _, tick := range x.ticks {
		label(&s, x.at(tick), bottom+18, "middle", count(int(tick)))
	}
	label(&s, (left+right)/2, bottom+38, "middle", "logins")
	for _, name := range l.names {
		class := "peer"
		if isOurs(name) {
			class = "ours"
		}
		path, last := "M", [2]float64{}
		for _, at := range l.points[name] {
			path, last = fmt.Sprintf("%s %d %d", path, x.at(at[0]), y.at(at[1])), at
			fmt.Fprintf(&s, `<circle class="%s" cx="%d" cy="%d" r="4"/>`+"\n", class, x.at(at[0]), y.at(at[1]))
		}
		fmt.Fprintf(&s, `<path class="%s" stroke-width="2" d="%s"/>`+"\n", class, path)
		label(&s, x.at(last[0])+10, y.at(last[1])+4, "start", name)
	}
	s.WriteString("</svg>\n")
	return s.String()
}

func (l *lines) axes(left, right, top, bottom int) (x, y axis) {
	low, high := [2]float64{math.Inf(1), math.Inf(1)}, [2]float64{}
	for _, points := range l.points {
		for _, at := range points {
			for i := range at {
				low[i], high[i] = min(low[i], at[i]), max(high[i], at[i])
			}
		}
	}
	return logAxis(low[0], high[0], left, right), logAxis(low[1], high[1], bottom, top)
}

// An axis maps values to pixels.
type axis struct {
	ticks []float64
	at    func(value float64) int
}

// logAxis has whole powers of ten at both ends.
func logAxis(low, high float64, from, to int) axis {
	first, last := math.Floor(math.Log10(low)), math.Ceil(math.Log10(high))
	last = max(last, first+1)
	a := axis{at: func(v float64) int {
		return from + int(math.Round((math.Log10(v)-first)/(last-first)*float64(to-from)))
	}}
	for power := first; power <= last; power++ {
		a.ticks = append(a.ticks, math.Pow(10, power))
	}
	return a
}

// linearAxis begins at zero.
func linearAxis(high float64, from, to int) axis {
	step := math.Pow(10, math.Floor(math.Log10(high)))
	if high/step < 3 {
		step /= 2
	}
	end := math.Ceil(high/step) * step
	a := axis{at: func(v float64) int { return from + int(math.Round(v/end*float64(to-from))) }}
	for v := 0.0; v <= end; v += step {
		a.ticks = append(a.ticks, v)
	}
	return a
}

func open(s *strings.Builder, height int) {
	fmt.Fprintf(s, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%[1]d" height="%[2]d" role="img">`+"\n%s\n"+
		`<rect class="back" width="100%%" height="100%%"/>`+"\n", width, height, style)
}

func label(s *strings.Builder, x, y int, anchor, text string) {
	fmt.Fprintf(s, `<text x="%d" y="%d" text-anchor="%s">%s</text>`+"\n", x, y, anchor, html.EscapeString(text))
}

// short writes a value with two or three digits.
func short(v float64) string {
	switch {
	case v >= 1000:
		return count(int(math.Round(v)))
	case v >= 100 || v == math.Trunc(v):
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.3g", v)
}
