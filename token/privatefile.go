package token

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
)

// maxKeyFile bounds what is read.
const maxKeyFile = 1 << 20

// readPrivate reads a file that belongs to nobody else.
func readPrivate(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is no regular file")
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("its mode is %04o, so others can reach it: make it 0600", mode)
	}
	text, err := io.ReadAll(io.LimitReader(file, maxKeyFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxKeyFile {
		return nil, errors.New("it is bigger than 1 MiB")
	}
	return text, nil
}

// replaceFile writes a temporary file beside the old one and renames it. A
// crash leaves one of the two as a whole.
func replaceFile(path string, text []byte) error {
	folder := filepath.Dir(path)
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

// syncFolder makes the rename last. Windows has no such call for folders.
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
