//go:build unix

package private

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// privateFile writes a file of its own, in a folder of its own.
func privateFile(t *testing.T) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "keys")
	check(t, os.Mkdir(folder, 0o700))
	path := filepath.Join(folder, "file")
	check(t, os.WriteFile(path, []byte("text"), 0o600))
	return path
}

// refusesFile expects an error that says what to do.
func refusesFile(t *testing.T, path, advice string) {
	t.Helper()
	if text, err := ReadFile(path); err == nil || text != nil || !strings.Contains(err.Error(), advice) {
		t.Errorf("%q, error %v, want %q", text, err, advice)
	}
}

func readsFile(t *testing.T, path string) {
	t.Helper()
	if text, err := ReadFile(path); err != nil || string(text) != "text" {
		t.Errorf("%q, %v", text, err)
	}
}

func TestWhatIsNotARegularFileIsRefusedAndDoesNotBlock(t *testing.T) {
	fifo := filepath.Join(filepath.Dir(privateFile(t)), "fifo")
	check(t, syscall.Mkfifo(fifo, 0o600))
	link := filepath.Join(filepath.Dir(fifo), "link")
	check(t, os.Symlink(fifo, link))
	for _, path := range []string{fifo, link, filepath.Dir(fifo), "/dev/null", "/dev/zero"} {
		refusesFile(t, path, "name the file itself")
	}
}

func TestFolderInWhichOthersCanReplaceTheFileIsRefused(t *testing.T) {
	path := privateFile(t)
	folder := filepath.Dir(path)
	for mode, fine := range map[fs.FileMode]bool{
		0o700: true, 0o755: true, 0o711: true, 0o777 | fs.ModeSticky: true, 0o777: false, 0o770: false, 0o707: false, 0o720: false, 0o775: false,
	} {
		check(t, os.Chmod(folder, mode))
		if fine {
			readsFile(t, path)
		} else {
			refusesFile(t, path, "make it 0700")
		}
		if err := ReplaceFile(path, []byte("text")); (err == nil) != fine {
			t.Errorf("%v: written: %v", mode, err)
		}
	}
}

// Mounted secrets are links; both folders count.
func TestLinkToAPrivateFileIsFollowed(t *testing.T) {
	path, from := privateFile(t), filepath.Dir(privateFile(t))
	link := filepath.Join(from, "link")
	check(t, os.Symlink(path, link))
	readsFile(t, link)
	for _, folder := range []string{from, filepath.Dir(path)} {
		check(t, os.Chmod(folder, 0o777))
		refusesFile(t, link, "make it 0700")
		check(t, os.Chmod(folder, 0o700))
	}
	check(t, os.Chmod(path, 0o640))
	refusesFile(t, link, "make it 0600")
}

func TestFileOfAnotherUserIsRefused(t *testing.T) {
	path := privateFile(t)
	info, err := os.Stat(path)
	check(t, err)
	own := info.Sys().(*syscall.Stat_t).Uid
	for user, foreign := range map[int]bool{int(own): false, int(own) + 1: own != 0} {
		if _, got := foreignOwner(info, user); got != foreign {
			t.Errorf("a file of %d for %d: foreign: %v", own, user, got)
		}
	}
	if own != 0 {
		return // only root can give a file away
	}
	check(t, os.Chown(path, 12345, 12345))
	refusesFile(t, path, "chown")
	check(t, os.Chown(path, 0, 0))
	check(t, os.Chown(filepath.Dir(path), 12345, 12345))
	refusesFile(t, path, "chown")
}
