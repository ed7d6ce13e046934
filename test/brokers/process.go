package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// process is a broker's, as /proc shows it.
type process struct{ pid int }

// rss gives the resident memory in bytes.
func (p process) rss() (int, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.Atoi(strings.Fields(rest)[0])
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("process %d has no VmRSS", p.pid)
}

// cpu gives the processor time that it has used.
func (p process) cpu() (time.Duration, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(raw), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("process %d has no times", p.pid)
	}
	var ticks int64
	for _, f := range fields[11:13] { // utime, stime, in hundredths of a second
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}

// listening finds the process that listens at addr.
func listening(addr string) (process, error) {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return process{}, err
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return process{}, err
	}
	inodes := map[string]bool{}
	for _, s := range sockets() {
		if s.state == "0A" && s.local == n {
			inodes["socket:["+s.inode+"]"] = true
		}
	}
	links, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return process{}, err
	}
	for _, link := range links {
		if to, err := os.Readlink(link); err == nil && inodes[to] {
			pid, err := strconv.Atoi(strings.Split(link, "/")[2])
			return process{pid}, err
		}
	}
	return process{}, fmt.Errorf("no process that may be looked at listens at %s", addr)
}

// socket is one of TCP.
type socket struct {
	local, remote int // ports
	state, inode  string
}

// sockets gives all of this machine.
func sockets() (list []socket) {
	for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		raw, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(raw)) {
			f := strings.Fields(line)
			if len(f) < 10 || f[0] == "sl" {
				continue
			}
			list = append(list, socket{local: portOf(f[1]), remote: portOf(f[2]), state: f[3], inode: f[9]})
		}
	}
	return list
}

func portOf(addr string) int {
	_, port, _ := strings.Cut(addr, ":")
	n, err := strconv.ParseInt(port, 16, 32)
	if err != nil {
		return -1
	}
	return int(n)
}

// hungUp tells whether the other end of nc, which is on this machine, has closed it, also when nothing of that has come here because nobody
// reads: state 01 is "established".
func hungUp(nc net.Conn) bool {
	local, remote := nc.LocalAddr().(*net.TCPAddr), nc.RemoteAddr().(*net.TCPAddr) //nolint:errcheck // it was dialled by tcp
	for _, s := range sockets() {
		if s.local == remote.Port && s.remote == local.Port {
			return s.state != "01"
		}
	}
	return true
}
