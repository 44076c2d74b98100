//go:build unix

package private

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"syscall"
)

// openNonblock keeps a FIFO from blocking.
const openNonblock = syscall.O_NONBLOCK

// checkFile refuses a file that its group or others can access, or that another
// user owns, because the owner can change its mode.
func checkFile(info fs.FileInfo) error {
	mode := info.Mode().Perm()
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Uid == 0 && mode&0o077 == 0o040 {
		return fmt.Errorf("its mode is %04o, so its group can read it: make it 0600 (keys in a secret volume of Kubernetes with fsGroup: use LoadKubernetesKeySet)", mode)
	}
	if mode&0o077 != 0 {
		return fmt.Errorf("its mode is %04o, so other users can access it: make it 0600", mode)
	}
	return checkOwner(info)
}

// checkGroupFile refuses a file that others can access, or that its group can change.
// Its group may read it if this process is in that group and root is the owner.
func checkGroupFile(info fs.FileInfo) error {
	mode := info.Mode().Perm()
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || mode&0o077 == 0 {
		return checkFile(info)
	}
	if mode&0o037 != 0 {
		return fmt.Errorf("its mode is %04o, so other users can access it: make it 0440 (defaultMode of the volume)", mode)
	}
	if stat.Uid != 0 {
		return fmt.Errorf("its group can read it, and it belongs to the user %d: make root the owner (chown), or its mode 0600", stat.Uid)
	}
	groups, err := os.Getgroups()
	if err != nil {
		return err
	}
	if gid := int(stat.Gid); gid != os.Getegid() && !slices.Contains(groups, gid) {
		return fmt.Errorf("its group %d can read it, and this process is not in that group: set fsGroup, or make its mode 0600", gid)
	}
	return nil
}

func checkOwner(info fs.FileInfo) error {
	if uid, foreign := foreignOwner(info, os.Geteuid()); foreign {
		return fmt.Errorf("it belongs to the user %d, and this process runs as %d: make that the owner (chown), or root", uid, os.Geteuid())
	}
	return nil
}

// checkFolder refuses a folder in which others can replace a file. In one with
// the sticky bit, such as /tmp, they cannot replace that of another user.
func checkFolder(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if uid, foreign := foreignOwner(info, os.Geteuid()); foreign {
		return fmt.Errorf("its folder %s belongs to the user %d, and this process runs as %d: make that the owner (chown), or root", path, uid, os.Geteuid())
	}
	if mode := info.Mode(); mode.Perm()&0o022 != 0 && mode&fs.ModeSticky == 0 {
		return fmt.Errorf("the mode of its folder %s is %04o, so other users can replace it: make it 0700", path, mode.Perm())
	}
	return nil
}

// foreignOwner returns the owner, and whether that is neither the given user nor
// root, which can access everything.
func foreignOwner(info fs.FileInfo, user int) (uid uint32, foreign bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return stat.Uid, stat.Uid != 0 && stat.Uid != uint32(user)
}
