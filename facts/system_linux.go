package facts

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/user"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/klauspost/cpuid/v2"
	"golang.org/x/sys/unix"
)

// natives lists the sources of native facts.
func natives() []native {
	return []native{
		{"os", (*machine).os},
		{"kernel", (*machine).kernel},
		{"basics", (*machine).basics},
		{"networking", (*machine).networking},
		{"memory", (*machine).memory},
		{"processors", (*machine).processors},
		{"system_uptime", (*machine).uptime},
		{"identity", (*machine).identity},
		{"dmi", (*machine).firmware},
		{"virtual", (*machine).virtual},
		{"disks", (*machine).disks},
		{"partitions", (*machine).partitions},
		{"mountpoints", (*machine).mountpoints},
		{"ssh", (*machine).ssh},
	}
}

// thisSystem is the machine that we run on.
func thisSystem() system {
	return system{
		hardware:   hardware,
		links:      netlinkLinks,
		usage:      statfs,
		account:    sync.OnceValues(thisAccount), // a process keeps its user
		hypervisor: func() string { return cpuid.CPU.HypervisorVendorString },
		getenv:     os.Getenv,
		alive:      alive,
		zone:       zone,
	}
}

func hardware() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Machine[:])
}

func statfs(path string) (usage, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return usage{}, fmt.Errorf("size of %s: %w", path, err)
	}
	block := uint64(max(s.Frsize, 0))
	if block == 0 {
		block = uint64(max(s.Bsize, 0))
	}
	return usage{total: s.Blocks * block, free: s.Bfree * block, available: s.Bavail * block}, nil
}

func thisAccount() (account, error) {
	who := account{uid: int64(os.Getuid()), gid: int64(os.Getgid()), privileged: os.Getuid() == 0}
	u, err := user.LookupId(strconv.FormatInt(who.uid, 10))
	if err != nil {
		return who, nil // a user without a name is no fault: containers have them
	}
	who.user = u.Username
	if gid, err := strconv.ParseInt(u.Gid, 10, 64); err == nil {
		who.gid = gid
	}
	if g, err := user.LookupGroupId(strconv.FormatInt(who.gid, 10)); err == nil {
		who.group = g.Name
	}
	return who, nil
}

// alive tells whether pid runs something that has name in its command line: numbers of processes are used again.
func alive(pid int, name string) bool {
	line, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	return err == nil && bytes.Contains(line, []byte(name))
}

// zone reads the zone anew, as an administrator may have changed it since we began; TZ in the environment goes before it.
func zone(localtime []byte) string {
	now := time.Now()
	if os.Getenv("TZ") == "" {
		if location, err := time.LoadLocationFromTZData("localtime", localtime); err == nil {
			now = now.In(location)
		} else {
			now = now.UTC()
		}
	}
	name, _ := now.Zone()
	return name
}

// netlinkLinks asks the kernel for interfaces and their addresses (rtnetlink(7)). Package net knows neither labels nor masters nor flags.
func netlinkLinks() ([]link, error) {
	var links []link
	at, masters := map[int]int{}, map[int]int{} // by index of the interface: its place in links, the index of its master
	err := netlink(syscall.RTM_GETLINK, syscall.RTM_NEWLINK, unix.SizeofIfInfomsg, func(head []byte, attrs map[uint16][]byte) {
		l := link{index: int(int32(binary.NativeEndian.Uint32(head[4:]))), name: text(attrs[unix.IFLA_IFNAME])}
		if mac := net.HardwareAddr(attrs[unix.IFLA_ADDRESS]); len(mac) >= 6 && len(mac) <= 20 && !allZero(mac) {
			l.mac = mac.String()
		}
		if raw := attrs[unix.IFLA_MTU]; len(raw) == 4 {
			l.mtu = int(binary.NativeEndian.Uint32(raw))
		}
		if raw := attrs[unix.IFLA_MASTER]; len(raw) == 4 {
			masters[l.index] = int(binary.NativeEndian.Uint32(raw))
		}
		at[l.index] = len(links)
		links = append(links, l)
	})
	if err != nil {
		return nil, err
	}
	for index, master := range masters {
		if place, known := at[master]; known {
			links[at[index]].master = links[place].name
		}
	}
	err = netlink(syscall.RTM_GETADDR, syscall.RTM_NEWADDR, unix.SizeofIfAddrmsg, func(head []byte, attrs map[uint16][]byte) {
		place, known := at[int(binary.NativeEndian.Uint32(head[4:]))]
		raw := attrs[unix.IFA_LOCAL]
		if raw == nil {
			raw = attrs[unix.IFA_ADDRESS]
		}
		ip, ok := netip.AddrFromSlice(raw)
		if !known || !ok {
			return
		}
		a := address{prefix: netip.PrefixFrom(ip, int(head[1])), label: text(attrs[unix.IFA_LABEL])}
		if ip.Is6() {
			a.flags = head[2]
		}
		links[place].addrs = append(links[place].addrs, a)
	})
	return links, err
}

// netlink dumps one kind of message: each with its head and its attributes by kind.
func netlink(ask int, want uint16, size int, each func(head []byte, attrs map[uint16][]byte)) error {
	raw, err := syscall.NetlinkRIB(ask, syscall.AF_UNSPEC)
	if err != nil {
		return fmt.Errorf("ask the kernel for interfaces: %w", err)
	}
	messages, err := syscall.ParseNetlinkMessage(raw)
	if err != nil {
		return fmt.Errorf("ask the kernel for interfaces: %w", err)
	}
	for _, m := range messages {
		if m.Header.Type != want || len(m.Data) < size {
			continue
		}
		list, err := syscall.ParseNetlinkRouteAttr(&m)
		if err != nil {
			return fmt.Errorf("ask the kernel for interfaces: %w", err)
		}
		attrs := make(map[uint16][]byte, len(list))
		for _, attr := range list {
			attrs[attr.Attr.Type] = attr.Value
		}
		each(m.Data[:size], attrs)
	}
	return nil
}

// text reads a string that ends with a zero byte.
func text(raw []byte) string { return strings.ToValidUTF8(unix.ByteSliceToString(raw), "\uFFFD") }

func allZero(raw []byte) bool { return len(bytes.Trim(raw, "\x00")) == 0 }
