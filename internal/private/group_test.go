//go:build unix

package private

import (
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"
)

// stat is a file's info with an owner of the test's choice.
type stat struct {
	fs.FileInfo
	mode     fs.FileMode
	uid, gid uint32
}

func (s stat) Mode() fs.FileMode { return s.mode }
func (s stat) Sys() any          { return &syscall.Stat_t{Uid: s.uid, Gid: s.gid} }

func TestGroupOfThisProcessMayReadAFileOfRoot(t *testing.T) {
	own, other := uint32(os.Getegid()), uint32(os.Getegid())+12345
	user := uint32(os.Geteuid())
	stranger := user + 12345
	for _, c := range []struct {
		stat
		advice string // empty: it is read
	}{
		{stat{mode: 0o440, uid: 0, gid: own}, ""},
		{stat{mode: 0o640, uid: 0, gid: own}, ""},
		{stat{mode: 0o400, uid: 0, gid: other}, ""},
		{stat{mode: 0o600, uid: user, gid: other}, ""},
		{stat{mode: 0o440, uid: 0, gid: other}, "fsGroup"},
		{stat{mode: 0o440, uid: stranger, gid: own}, "root"},
		{stat{mode: 0o400, uid: stranger, gid: own}, "chown"},
		{stat{mode: 0o660, uid: 0, gid: own}, "defaultMode"},
		{stat{mode: 0o450, uid: 0, gid: own}, "defaultMode"},
		{stat{mode: 0o444, uid: 0, gid: own}, "defaultMode"},
		{stat{mode: 0o644, uid: 0, gid: own}, "defaultMode"},
		{stat{mode: 0o442, uid: 0, gid: own}, "defaultMode"},
	} {
		err := checkGroupFile(c.stat)
		if c.advice == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), c.advice) {
			t.Errorf("mode %04o, owner %d, group %d: error %v, want %q", c.mode, c.uid, c.gid, err, c.advice)
		}
		if err := checkFile(c.stat); err == nil && c.mode&0o077 != 0 {
			t.Errorf("the strict check accepts mode %04o", c.mode)
		}
	}
}

func TestErrorsNameTheFile(t *testing.T) {
	path := privateFile(t)
	check(t, os.Chmod(path, 0o644))
	for _, read := range []func(string) ([]byte, error){ReadFile, ReadGroupFile} {
		if _, err := read(path); err == nil || strings.Count(err.Error(), path) != 1 || !strings.Contains(err.Error(), "0644") {
			t.Error(err)
		}
		if _, err := read(path + "-missing"); err == nil || strings.Count(err.Error(), path) != 1 {
			t.Error(err)
		}
	}
}
