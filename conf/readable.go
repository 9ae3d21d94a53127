package conf

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// Account is the user that the units run factord as.
const Account = "factord"

// Unreadable is why the account can't read a configuration that root can, with the
// commands that mend it; "" if it can, if there is no such account, or if only root
// could tell. The kernel is asked, with the account's rights: it knows of folders and
// access lists too.
func Unreadable(file, account string) string {
	u, err := user.Lookup(account)
	if err != nil || os.Geteuid() != 0 {
		return ""
	}
	if file, err = filepath.Abs(file); err != nil {
		return ""
	}
	if dir := filepath.Dir(file); refused(u, "-x", dir) {
		return fmt.Sprintf("%s: %s can't look into %s\nhint: %s", file, account, dir, placeHint)
	}
	if refused(u, "-r", file) {
		return fmt.Sprintf("%s: %s can't read this file\nhint: %s", file, account, chgrp(file))
	}
	return ""
}

const placeHint = "factord's place for it is /etc/factord, of mode 0755"

// readableHint says to root what keeps this process from reading a file: who can't
// even ask for its mode can't look into its folder.
func readableHint(err error) string {
	var of *fs.PathError
	if errors.As(err, &of) {
		if _, stat := os.Stat(of.Path); errors.Is(stat, fs.ErrPermission) {
			return placeHint
		}
	}
	return "root may read it, and factord by its group: " + giveGroup(err)
}

// giveGroup is chgrp for the file that an error is about.
func giveGroup(err error) string {
	var of *fs.PathError
	if !errors.As(err, &of) {
		return chgrp("it")
	}
	return chgrp(of.Path)
}

func chgrp(file string) string {
	return fmt.Sprintf("chgrp %s %s && chmod 640 %s", Account, file, file)
}

// refused reports that test(1), with the rights of u, says no of a file.
func refused(u *user.User, test, file string) bool {
	ids := []string{u.Uid, u.Gid}
	if more, err := u.GroupIds(); err == nil {
		ids = append(ids, more...)
	}
	var numbers []uint32
	for _, id := range ids {
		n, err := strconv.ParseUint(id, 10, 32)
		if err != nil {
			return false
		}
		numbers = append(numbers, uint32(n))
	}
	ctx, cancel := context.WithTimeout(context.Background(), getentTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "test", test, file)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: numbers[0], Gid: numbers[1], Groups: numbers[2:]}}
	cmd.Dir = "/"
	var exit *exec.ExitError
	return errors.As(cmd.Run(), &exit) && exit.ExitCode() == 1
}
