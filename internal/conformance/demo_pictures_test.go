package conformance

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// The pictures in docs are taken by
//
//	DEMO_PICTURES=../../docs go -C internal/conformance test -run TestDemoPictures .
//
// Korean needs a font with Hangul.
func TestDemoPictures(t *testing.T) {
	folder := os.Getenv("DEMO_PICTURES")
	if folder == "" {
		return // nobody has asked for any
	}
	d := openDemo(t, "-window", "3s")
	d.size(1440, 900)
	d.does("session", "login")
	d.does("token", "login")
	d.does("session", "me")
	d.does("token", "steal")
	d.does("token", "login")
	d.does("token", "steal")
	d.does("token", "login")
	eval[any](d.tab, `document.activeElement.blur()`)
	d.picture(filepath.Join(folder, "demo.png"))
}

func (d *demo) picture(file string) {
	d.t.Helper()
	time.Sleep(400 * time.Millisecond) // bars come to rest
	shot, err := chromedp.Run(d.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(file, shot, 0o644); err != nil {
		d.t.Fatal(err)
	}
}
