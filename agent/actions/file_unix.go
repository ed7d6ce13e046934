//go:build unix

package actions

import (
	"fmt"
	"io/fs"
	"os/user"
	"strconv"
	"syscall"

	fettle "github.com/fettle-dev/fettle"
)

// idsOf gives the user and group that a file belongs to.
func idsOf(info fs.FileInfo) (uid, gid int) {
	if s, is := info.Sys().(*syscall.Stat_t); is {
		return int(s.Uid), int(s.Gid)
	}
	return -1, -1
}

// ownersOf gives their names, or their numbers where they have none.
func ownersOf(info fs.FileInfo) (owner, group string) {
	uid, gid := idsOf(info)
	owner, group = strconv.Itoa(uid), strconv.Itoa(gid)
	if u, err := user.LookupId(owner); err == nil {
		owner = u.Username
	}
	if g, err := user.LookupGroupId(group); err == nil {
		group = g.Name
	}
	return owner, group
}

// lookupOwners gives numbers for a user and a group, named or numbered; -1: none is named.
func lookupOwners(owner, group string) (uid, gid int, err error) {
	uid, gid = -1, -1
	if owner != "" {
		if u, err := user.Lookup(owner); err == nil {
			owner = u.Uid
		}
		if uid, err = strconv.Atoi(owner); err != nil || uid < 0 {
			return -1, -1, fmt.Errorf("this node has no user %s: %w", owner, fettle.ErrInvalid)
		}
	}
	if group != "" {
		if g, err := user.LookupGroup(group); err == nil {
			group = g.Gid
		}
		if gid, err = strconv.Atoi(group); err != nil || gid < 0 {
			return -1, -1, fmt.Errorf("this node has no group %s: %w", group, fettle.ErrInvalid)
		}
	}
	return uid, gid, nil
}
