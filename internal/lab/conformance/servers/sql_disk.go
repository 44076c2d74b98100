package servers

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Disk is a small file system of its own, which a test can fill.
type Disk struct {
	Dir string
	t   testing.TB
}

// NewDisk mounts a file system of some megabytes in memory. That needs root.
func NewDisk(t testing.TB, megabytes string) *Disk {
	t.Helper()
	if os.Geteuid() != 0 {
		Missing(t, "the right to mount a small file system")
	}
	dir := Folder(t, nil)
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=0755,size="+megabytes+"m"); err != nil {
		Missing(t, "the right to mount a small file system: "+err.Error())
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return &Disk{dir, t}
}

// Fill writes a ballast file until no space is left.
func (d *Disk) Fill() {
	d.t.Helper()
	f, err := os.OpenFile(d.ballast(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	for _, size := range []int64{1 << 20, 1 << 12, 1} {
		for err = nil; err == nil; {
			_, err = io.CopyN(f, zeros{}, size)
		}
		if !errors.Is(err, syscall.ENOSPC) {
			d.t.Fatal(err)
		}
	}
}

// Free removes the ballast.
func (d *Disk) Free() {
	d.t.Helper()
	if err := os.Remove(d.ballast()); err != nil {
		d.t.Fatal(err)
	}
}

func (d *Disk) ballast() string { return filepath.Join(d.Dir, "ballast") }

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
