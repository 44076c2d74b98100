package main

import (
	"encoding/xml"
	"fmt"
	"strings"
	"unicode"
)

const (
	width  = 540 // of each diagram: a phone shows it at two thirds
	size   = 16  // of the font
	line   = 21  // distance between lines of text
	margin = 16
)

// style has the colors. A diagram has a background of its own, because a page may be dark
// while the system is light.
const style = `
svg{font:16px -apple-system,"Segoe UI",Roboto,"Noto Sans","Apple SD Gothic Neo","Malgun Gothic","Noto Sans KR",sans-serif}
text{fill:#1f2328;text-anchor:middle}
.paper{fill:#fff;stroke:#d1d9e0}.box{fill:#f0f3f6;stroke:#818b98}.note{fill:#fff8c5;stroke:#9a6700}
.life{stroke:#818b98;stroke-dasharray:3 4}.part{fill:#ddf4ff;stroke:none}
.head,.title{font-weight:600}.title{text-anchor:start;fill:#0550ae}
.arrow{stroke:#1f2328;fill:none;stroke-width:1.5}.tip{fill:#1f2328}.reply{stroke-dasharray:6 4}
.bad{stroke:#cf222e}.bad.tip{fill:#cf222e;stroke:none}text.bad{fill:#a40e26;stroke:none}
.good{stroke:#1a7f37}.good.tip{fill:#1a7f37;stroke:none}text.good{fill:#116329;stroke:none}
@media (prefers-color-scheme:dark){
text{fill:#f0f6fc}.paper{fill:#0d1117;stroke:#3d444d}.box{fill:#212830;stroke:#9198a1}.note{fill:#3a2d08;stroke:#d29922}
.life{stroke:#9198a1}.part{fill:#0c2d6b}.title{fill:#a5d6ff}
.arrow{stroke:#f0f6fc}.tip{fill:#f0f6fc}
.bad{stroke:#f85149}.bad.tip{fill:#f85149}text.bad{fill:#ffa198}
.good{stroke:#3fb950}.good.tip{fill:#3fb950}text.good{fill:#7ee787}}
`

// A canvas collects the elements of a diagram from top to bottom.
type canvas struct {
	body, words strings.Builder // words is the description
	y           int
}

func (c *canvas) draw(format string, args ...any) { fmt.Fprintf(&c.body, format+"\n", args...) }

// say adds a sentence to the description.
func (c *canvas) say(format string, args ...any) { fmt.Fprintf(&c.words, format+". ", args...) }

// write draws lines of text around x, the first one at y.
func (c *canvas) write(x, y int, class string, lines []string) {
	for i, l := range lines {
		c.draw(`<text x="%d" y="%d"%s>%s</text>`, x, y+i*line, attribute(class), escape(l))
	}
}

// arrow draws an arrow from x to x2.
func (c *canvas) arrow(x, x2, y int, class string) {
	step := 9
	if x2 < x {
		step = -9
	}
	c.draw(`<path class="arrow %s" d="M%d %dH%d"/>`, class, x, y, x2-step/2)
	c.draw(`<path class="tip %s" d="M%d %dl%d -5v10z"/>`, class, x2, y, -step)
}

// finish returns the file.
func (c *canvas) finish(title string) string {
	height := c.y + margin
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" role="img" aria-labelledby="t d">`+"\n", width, height)
	fmt.Fprintf(&b, "<title id=\"t\">%s</title>\n<desc id=\"d\">%s</desc>\n<style>%s</style>\n", escape(title), escape(strings.TrimSpace(c.words.String())), style)
	fmt.Fprintf(&b, `<rect class="paper" x=".5" y=".5" width="%d" height="%d" rx="8"/>`+"\n", width-1, height-1)
	b.WriteString(c.body.String())
	b.WriteString("</svg>\n")
	return b.String()
}

func attribute(class string) string {
	if class == "" {
		return ""
	}
	return ` class="` + class + `"`
}

func escape(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s))
	return b.String()
}

// measure estimates the width of a text in the fonts of the style, and rather too wide.
func measure(s string) float64 {
	em := 0.0
	for _, r := range s {
		switch {
		case unicode.Is(unicode.Hangul, r) || r > 0x2e80:
			em += 0.98
		case strings.ContainsRune("iljtfrI.,:;'|!()/ ", r):
			em += 0.34
		case strings.ContainsRune("mwMW@%—→", r) || unicode.IsUpper(r):
			em += 0.78
		default:
			em += 0.58
		}
	}
	return em * size
}

// wrap breaks a text into as few lines of at most this width as possible, of about the same
// length. A "|" breaks it in any case.
func wrap(s string, most int) (lines []string) {
	for part := range strings.SplitSeq(s, "|") {
		best := fill(part, most)
		for narrower := most - 8; narrower > 0; narrower -= 8 {
			next := fill(part, narrower)
			if len(next) > len(best) || widest(next) > float64(narrower) {
				break
			}
			best = next
		}
		lines = append(lines, best...)
	}
	return lines
}

func fill(s string, most int) (lines []string) {
	current := ""
	for _, word := range strings.Fields(s) {
		if current != "" && measure(current+" "+word) > float64(most) {
			lines, current = append(lines, current), ""
		}
		current = strings.TrimSpace(current + " " + word)
	}
	return append(lines, current)
}

// widest returns the width of the longest line.
func widest(lines []string) (most float64) {
	for _, l := range lines {
		most = max(most, measure(l))
	}
	return most
}
