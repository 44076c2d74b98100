package main

// A stages diagram shows how an application grows: each stage has boxes in a row.
type stagesDiagram struct {
	name  string
	title text
	rows  []stage
}

type stage struct {
	title text
	boxes []text
	gains text // below the boxes
}

func (s stagesDiagram) svg(language int) string {
	c := &canvas{y: margin - 8}
	for i, row := range s.rows {
		if i > 0 {
			c.y += 6
		}
		row.draw(c, language)
	}
	return c.finish(s.title.in(language))
}

func (r stage) draw(c *canvas, language int) {
	lines := wrap(r.title.in(language), width-2*margin-16)
	c.draw(`<rect class="part" x="%d" y="%d" width="%d" height="%d" rx="4"/>`, margin, c.y+8, width-2*margin, len(lines)*line+8)
	c.write(margin+10, c.y+size+12, "title", lines)
	c.y += len(lines)*line + 26
	c.say("%s", r.title.in(language))

	const gap = 34
	wide := (width - 2*margin - gap*(len(r.boxes)-1)) / len(r.boxes)
	texts, most := make([][]string, len(r.boxes)), 1
	for i, b := range r.boxes {
		texts[i] = wrap(b.in(language), wide-14)
		most = max(most, len(texts[i]))
	}
	high := most*line + 14
	for i, lines := range texts {
		x := margin + i*(wide+gap)
		c.draw(`<rect class="box" x="%d" y="%d" width="%d" height="%d" rx="6"/>`, x, c.y, wide, high)
		c.write(x+wide/2, c.y+size+7+(most-len(lines))*line/2, "", lines)
		if i > 0 {
			c.arrow(x-gap+3, x-3, c.y+high/2, "")
		}
		c.say("%s", r.boxes[i].in(language))
	}
	c.y += high + 6
	lines = wrap(r.gains.in(language), width-2*margin)
	c.write(width/2, c.y+size, "", lines)
	c.y += len(lines) * line
	c.say("%s", r.gains.in(language))
}
