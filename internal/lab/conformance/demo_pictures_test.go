package conformance

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
)

// The pictures in docs, of one story in light and dark, are taken by
//
//	DEMO_PICTURES=../../../docs go -C internal/lab/conformance test -run TestDemoPictures .
//
// The name of the other language needs a font with Hangul. The pictures in docs have Inter.
func TestDemoPictures(t *testing.T) {
	folder := os.Getenv("DEMO_PICTURES")
	if folder == "" {
		return // not requested
	}
	d := openDemo(t, "-grace", "1s", "-access", "60s")
	d.size(1280, 800)
	d.scenario(2, 5)
	eval[any](d.tab, `document.querySelectorAll("details").forEach((details) => details.open = false)`)
	eval[any](d.tab, `document.activeElement.blur(), scrollTo(0, 0)`)
	if err := chromedp.Do(d.ctx, chromedp.MouseClickXY(5, 5)); err != nil { // the pointer is over nothing
		t.Fatal(err)
	}
	d.picture(filepath.Join(folder, "demo.png"))
	d.prefers("prefers-color-scheme", "dark")
	d.picture(filepath.Join(folder, "demo-dark.png"))
}

func (d *demo) picture(file string) {
	d.t.Helper()
	d.waitFor(`document.getAnimations().length + document.querySelectorAll(".changed").length`, "0")
	shot, err := chromedp.Run(d.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		d.t.Fatal(err)
	}
	small, err := fewColours(shot)
	if err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(file, small, 0o644); err != nil {
		d.t.Fatal(err)
	}
}

// fewColours makes a picture small: it keeps 256 colours, of those that are used
// most, and of others one of each kind. The nearest of them stands for the rest.
func fewColours(picture []byte) ([]byte, error) {
	full, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		return nil, err
	}
	bounds, count := full.Bounds(), make(map[color.RGBA]int)
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			count[color.RGBAModel.Convert(full.At(x, y)).(color.RGBA)]++
		}
	}
	var few color.Palette
	kinds := make(map[[3]uint8]bool)
	for i, c := range slices.SortedFunc(maps.Keys(count), func(a, b color.RGBA) int { return count[b] - count[a] }) {
		kind := [3]uint8{c.R >> 4, c.G >> 4, c.B >> 4}
		if len(few) < 256 && (i < 48 || !kinds[kind]) {
			few = append(few, c)
			kinds[kind] = true
		}
	}
	small := image.NewPaletted(bounds, few)
	draw.Draw(small, bounds, full, bounds.Min, draw.Src)
	var out bytes.Buffer
	err = (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, small)
	return out.Bytes(), err
}
