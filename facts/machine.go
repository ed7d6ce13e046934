package facts

import (
	"net/netip"
	"sync"
	"time"
)

// native is one source of native facts. collect gives top-level keys; with an error it may give what it has.
type native struct {
	name    string
	collect func(*machine) (object, error)
}

// machine is what native facts are read from during one collection. It is used by one goroutine.
type machine struct {
	tree
	sys        system
	usages     *usages
	puppetDirs []string

	// Read by several facts, and once only.
	dmiOnce    memo[dmi]
	distroOnce memo[distro]
	mountsOnce memo[[]mount]
	virtOnce   memo[virtualization]
}

// memo keeps what a function gave when it was first called.
type memo[T any] struct {
	done  bool
	value T
}

func (m *memo[T]) get(read func() T) T {
	if !m.done {
		m.value, m.done = read(), true
	}
	return m.value
}

// system is what is asked of the kernel rather than read from a file. Tests put a machine of their own in its place. Each function is safe
// for concurrent use.
type system struct {
	hardware   func() string                     // as uname -m has it: x86_64
	links      func() ([]link, error)            // network interfaces, in the kernel's order
	usage      func(path string) (usage, error)  // of the file system at path; may block for ever where a server is away
	account    func() (account, error)           // that this process runs as
	hypervisor func() string                     // as the processor names it: KVMKVMKVM; empty: none
	getenv     func(string) string               //
	alive      func(pid int, name string) bool   // whether process pid exists, and where that can be told, has name in its command line
	zone       func(localtime []byte) (z string) // abbreviation of the time zone now; localtime is /etc/localtime
}

// link is a network interface, as the kernel knows it.
type link struct {
	name   string
	mac    string // empty: none, or all zero
	mtu    int    // zero: not known
	index  int    // zero: not known
	master string // name of the bond or bridge that it belongs to
	addrs  []address
}

// address is one address of a link.
type address struct {
	prefix netip.Prefix
	label  string // the name that the address gave itself, eth0:1; empty: that of the link
	flags  byte   // IFA_F_*, IPv6 only
}

// usage is the size of a file system in bytes.
type usage struct{ total, free, available uint64 }

// account is the user that this process runs as.
type account struct {
	uid, gid    int64
	user, group string
	privileged  bool
}

// usageLimit is how long one collection waits for the sizes of all file systems together. A healthy one answers in microseconds.
const usageLimit = 40 * time.Millisecond

// usages asks the sizes of file systems. A server that is away makes the kernel hold such a question for ever; it is then left pending, at
// most one for each mount, and the mount has its last known size.
type usages struct {
	ask func(path string) (usage, error)

	mu      sync.Mutex
	pending map[string]bool  // guarded by mu
	last    map[string]usage // guarded by mu
}

func newUsages(ask func(string) (usage, error)) *usages {
	return &usages{ask: ask, pending: map[string]bool{}, last: map[string]usage{}}
}

// of gives the sizes of the file systems at paths; those that do not answer in time, and never have, are missing.
func (u *usages) of(paths []string) map[string]usage {
	var wait sync.WaitGroup
	for _, path := range paths {
		u.mu.Lock()
		busy := u.pending[path]
		u.pending[path] = true
		u.mu.Unlock()
		if !busy {
			wait.Go(func() { u.one(path) })
		}
	}
	answered := make(chan struct{})
	go func() { // ends when the last question is answered; those that never are, are bounded by the number of mounts
		wait.Wait()
		close(answered)
	}()
	timer := time.NewTimer(usageLimit)
	defer timer.Stop()
	select {
	case <-answered:
	case <-timer.C:
	}
	return u.known(paths)
}

func (u *usages) one(path string) {
	size, err := u.ask(path)
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.pending, path)
	if err != nil {
		delete(u.last, path)
		return
	}
	u.last[path] = size
}

// known gives the last sizes of paths, and forgets those of mounts that are gone.
func (u *usages) known(paths []string) map[string]usage {
	u.mu.Lock()
	defer u.mu.Unlock()
	known := make(map[string]usage, len(paths))
	for _, path := range paths {
		if size, ok := u.last[path]; ok {
			known[path] = size
		}
	}
	u.last = make(map[string]usage, len(known))
	for path, size := range known {
		u.last[path] = size
	}
	return known
}
