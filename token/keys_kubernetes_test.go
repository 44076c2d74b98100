//go:build unix

package token_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

// volume is a secret volume as kubelet makes it for a pod with fsGroup: keys.json leads
// to ..data/keys.json, and ..data to a folder with the time in its name. An update makes
// another folder, replaces ..data by a rename, and removes the old folder.
type volume struct {
	path string
	n    int
}

func newVolume(t *testing.T) *volume {
	t.Helper()
	v := &volume{path: filepath.Join(t.TempDir(), "keys")}
	must(t, os.Mkdir(v.path, 0o700))
	must(t, os.Chmod(v.path, 0o777|fs.ModeSticky|fs.ModeSetgid))
	must(t, os.Symlink("..data/keys.json", v.file()))
	return v
}

// groupRead is the mode of kubelet's files. Only root can make a file of root, so another
// user tests the links alone.
func groupRead() fs.FileMode {
	if os.Geteuid() != 0 {
		return 0o400
	}
	return 0o440
}

func (v *volume) file() string { return filepath.Join(v.path, "keys.json") }

func (v *volume) write(t testing.TB, text []byte, mode fs.FileMode) {
	v.n++
	name := fmt.Sprintf("..2026_11_30_12_00_00.%d", v.n)
	folder := filepath.Join(v.path, name)
	must(t, os.Mkdir(folder, 0o755))
	file := filepath.Join(folder, "keys.json")
	must(t, os.WriteFile(file, text, mode))
	must(t, os.Chmod(file, mode))
	old, _ := os.Readlink(filepath.Join(v.path, "..data"))
	must(t, os.Symlink(name, filepath.Join(v.path, "..data_tmp")))
	must(t, os.Rename(filepath.Join(v.path, "..data_tmp"), filepath.Join(v.path, "..data")))
	if old != "" {
		must(t, os.RemoveAll(filepath.Join(v.path, old)))
	}
}

// ASVS 5.0, 13.3.1.
func TestKubernetesSecretIsReadByName(t *testing.T) {
	v := newVolume(t)
	keys := newKeys(t, "")
	text, err := keys.Bytes()
	must(t, err)
	v.write(t, text, groupRead())
	mounted, err := token.LoadKubernetesKeySet(v.file())
	must(t, err)
	if _, err := token.LoadKeySet(v.file()); groupRead() == 0o440 && (err == nil || !strings.Contains(err.Error(), "LoadKubernetesKeySet") || !strings.Contains(err.Error(), v.file())) {
		t.Errorf("the strict function: %v", err)
	}

	must(t, keys.Rotate())
	must(t, keys.Rotate())
	text, err = keys.Bytes()
	must(t, err)
	v.write(t, text, groupRead())
	must(t, mounted.Reload(v.file()))
	s := &store.Memory{}
	wants(t, newIssuer(t, over(s, mounted)), issued(t, newIssuer(t, over(s, keys))).RefreshToken, valid)

	for mode, advice := range map[fs.FileMode]string{0o644: "defaultMode", 0o444: "defaultMode", 0o460: "defaultMode"} {
		v.write(t, text, mode)
		if err := mounted.Reload(v.file()); err == nil || !strings.Contains(err.Error(), advice) || !strings.Contains(err.Error(), v.file()) || !strings.Contains(err.Error(), fmt.Sprintf("%04o", mode)) {
			t.Errorf("mode %04o: %v", mode, err)
		}
	}
	v.write(t, text, groupRead())
	must(t, os.Chmod(v.path, 0o777))
	if err := mounted.Reload(v.file()); err == nil || !strings.Contains(err.Error(), "folder") {
		t.Errorf("a folder in which others can replace the links: %v", err)
	}
}

// Each read is of one version, whenever kubelet replaces the link.
func TestKubernetesSecretIsReadWhileItIsReplaced(t *testing.T) {
	v := newVolume(t)
	text, err := newKeys(t, token.HS256).Bytes()
	must(t, err)
	v.write(t, text, groupRead())
	keys, err := token.LoadKubernetesKeySet(v.file())
	must(t, err)
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(done)
		for range 300 {
			v.write(t, text, groupRead())
		}
	})
	reads, missed := 0, 0
	for running := true; running; reads++ {
		if keys.Reload(v.file()) != nil {
			missed++ // three swaps within one read
		}
		select {
		case <-done:
			running = false
		default:
		}
	}
	wg.Wait()
	t.Logf("%d reads, %d met three swaps", reads, missed)
	must(t, keys.Reload(v.file()))
}
