// Package private reads and replaces files that hold secrets. Only their owner and
// root can read or change them.
package private

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// maxFile bounds what is read.
const maxFile = 1 << 20

// ReadFile reads a file that no other user can read or change: a regular file of
// this process's user or of root, whose mode and folder give no access to others. A
// symbolic link is followed, because mounted secrets need it; then both folders are
// checked. Its errors name the path.
func ReadFile(path string) ([]byte, error) { return named(path, checkFile) }

// ReadGroupFile is ReadFile, and also reads a file of root that a group of this process
// can read and not change.
func ReadGroupFile(path string) ([]byte, error) {
	// A swap of the links on the way removes the old target.
	const swaps = 3
	var text []byte
	var err error
	for range swaps {
		if text, err = named(path, checkGroupFile); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return text, err
}

// named reads a file and names it in errors that do not.
func named(path string, check func(fs.FileInfo) error) ([]byte, error) {
	text, err := read(path, check)
	if named := (*fs.PathError)(nil); err != nil && !errors.As(err, &named) {
		err = &fs.PathError{Op: "read", Path: path, Err: err}
	}
	return text, err
}

func read(path string, check func(fs.FileInfo) error) ([]byte, error) {
	// Before the open, which can block, or have an effect on a device.
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if err := checkKind(info, check); err != nil {
		return nil, err
	}
	if err := checkFolders(path); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_RDONLY|openNonblock, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if info, err = file.Stat(); err != nil { // the path may name another file by now
		return nil, err
	}
	if err := checkKind(info, check); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxFile {
		return nil, errors.New("it is larger than 1 MiB")
	}
	return text, nil
}

func checkKind(info fs.FileInfo, check func(fs.FileInfo) error) error {
	if !info.Mode().IsRegular() {
		return errors.New("it is not a regular file: name the file itself")
	}
	return check(info)
}

// checkFolders looks at the folder of a path and, if that leads elsewhere, at the
// folder of the file itself: a change of either replaces the file.
func checkFolders(path string) error {
	folder := filepath.Dir(path)
	if err := checkFolder(folder); err != nil {
		return err
	}
	file, err := filepath.EvalSymlinks(path)
	if err != nil || filepath.Dir(file) == folder {
		return err
	}
	return checkFolder(filepath.Dir(file))
}

// ReplaceFile writes a temporary file beside the old one and renames it. A
// crash leaves one of the two as a whole.
func ReplaceFile(path string, text []byte) error {
	folder := filepath.Dir(path)
	if err := checkFolder(folder); err != nil {
		return err
	}
	file, err := os.CreateTemp(folder, ".keys-*") // of mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(file.Name()) // finds nothing after the rename
	_, err = file.Write(text)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return err
	}
	return syncFolder(folder)
}

// syncFolder makes the rename durable. Windows has no such call for folders.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
