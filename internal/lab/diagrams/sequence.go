package main

// A sequence is a diagram of messages between actors, from top to bottom.
type sequence struct {
	name   string
	title  text
	actors []text
	steps  []step
}

// A step is a part's title, a message, or a note.
type step struct {
	kind     string // of a message: "", "reply", "bad", "good"; or "part", "note"
	from, to int    // actors
	text     text
}

func part(en, ko string) step { return step{"part", 0, 0, text{en, ko}} }

func note(at int, en, ko string) step { return step{"note", at, at, text{en, ko}} }

func send(from, to int, en, ko string) step { return step{"", from, to, text{en, ko}} }

func reply(from, to int, en, ko string) step { return step{"reply", from, to, text{en, ko}} }

func bad(from, to int, en, ko string) step { return step{"bad", from, to, text{en, ko}} }

func good(from, to int, en, ko string) step { return step{"good", from, to, text{en, ko}} }

// column returns the position of an actor.
func (s sequence) column(actor int) int {
	distance := (width - 2*margin) / len(s.actors)
	return margin + distance/2 + actor*distance
}

func (s sequence) svg(language int) string {
	c := &canvas{y: margin}
	distance := (width - 2*margin) / len(s.actors)
	heads, most := make([][]string, len(s.actors)), 1
	for i, a := range s.actors {
		heads[i] = wrap(a.in(language), distance-24)
		most = max(most, len(heads[i]))
	}
	top := c.y + most*line + 14
	for i, lines := range heads {
		x := s.column(i)
		c.draw(`<rect class="box" x="%d" y="%d" width="%d" height="%d" rx="6"/>`, x-distance/2+6, c.y, distance-12, most*line+12)
		c.write(x, c.y+size+7+(most-len(lines))*line/2, "head", lines)
	}
	c.y = top
	for _, p := range s.steps {
		s.step(c, p, language)
	}
	c.y += 4
	all := &canvas{y: c.y}
	for i := range s.actors {
		all.draw(`<path class="life" d="M%d %dV%d"/>`, s.column(i), top-2, c.y)
	}
	all.body.WriteString(c.body.String())
	all.words.WriteString(c.words.String())
	return all.finish(s.title.in(language))
}

// step draws one step below the ones before it.
func (s sequence) step(c *canvas, p step, language int) {
	words := p.text.in(language)
	from, to := s.column(p.from), s.column(p.to)
	switch p.kind {
	case "part":
		c.y += 12
		lines := wrap(words, width-2*margin-16)
		c.draw(`<rect class="part" x="%d" y="%d" width="%d" height="%d" rx="4"/>`, margin, c.y, width-2*margin, len(lines)*line+8)
		c.write(margin+10, c.y+size+4, "title", lines)
		c.y += len(lines)*line + 10
		c.say("%s", words)
	case "note":
		lines := wrap(words, 300)
		half := int(widest(lines)/2) + 12
		x := min(max(from, margin+half), width-margin-half)
		c.draw(`<rect class="note" x="%d" y="%d" width="%d" height="%d" rx="4"/>`, x-half, c.y+8, 2*half, len(lines)*line+10)
		c.write(x, c.y+size+11, "", lines)
		c.y += len(lines)*line + 22
		c.say("%s: %s", s.actors[p.from].in(language), words)
	default:
		// The text may be wider than the arrow, up to the edges.
		lines := wrap(words, max(abs(to-from)-20, 240))
		half := int(widest(lines)/2) + 4
		x := min(max((from+to)/2, margin+half), width-margin-half)
		class := p.kind
		if class == "reply" {
			class = ""
		}
		for i, l := range lines { // a background, so that no lifeline crosses the text
			half := int(measure(l)/2) + 2
			c.draw(`<rect class="paper" stroke="none" style="stroke:none" x="%d" y="%d" width="%d" height="%d"/>`, x-half, c.y+8+i*line, 2*half, line)
		}
		c.write(x, c.y+size+8, class, lines)
		c.y += len(lines)*line + 14
		c.arrow(from, to, c.y, p.kind)
		c.y += 8
		c.say("%s → %s: %s", s.actors[p.from].in(language), s.actors[p.to].in(language), words)
	}
}

func abs(n int) int { return max(n, -n) }
