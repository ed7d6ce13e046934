package facts

import (
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// children gives the number of processes that were ever forked on this machine by us: those that were waited for leave their times behind.
func children(t *testing.T) int64 {
	t.Helper()
	var spent syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &spent); err != nil {
		t.Fatal(err)
	}
	return spent.Minflt // a process that has run at all has touched memory
}

func TestLinksOfTheKernel(t *testing.T) {
	links, err := netlinkLinks()
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if link.name != "lo" {
			continue
		}
		if link.mtu == 0 || link.index == 0 || link.mac != "" || len(link.addrs) == 0 || !link.addrs[0].prefix.Addr().IsLoopback() {
			t.Errorf("got %+v", link)
		}
		return
	}
	t.Errorf("there is no lo among %+v", links)
}

func TestAliveKnowsTheProgram(t *testing.T) {
	us := os.Getpid()
	name := strings.Split(os.Args[0], "/")
	if !alive(us, name[len(name)-1]) {
		t.Error("this process does not live")
	}
	if alive(us, "puppet agent") || alive(1<<30, "") {
		t.Error("others live in its place")
	}
}

func TestZone(t *testing.T) {
	t.Setenv("TZ", "")
	raw, err := os.ReadFile("/usr/share/zoneinfo/Asia/Kolkata")
	if err == nil && zone(raw) != "IST" {
		t.Errorf("Kolkata has the zone %q", zone(raw))
	}
	if got := zone([]byte("no zone")); got != "UTC" {
		t.Errorf("without a zone it is %q", got)
	}
}

// TestServerAway asks for the size of a file system that does not answer.
func TestServerAway(t *testing.T) {
	var asked atomic.Int64
	release := make(chan struct{})
	defer close(release)
	u := newUsages(func(path string) (usage, error) {
		if path == "/nfs" {
			asked.Add(1)
			<-release
		}
		return usage{total: 10}, nil
	})
	for range 3 {
		began := time.Now()
		sizes := u.of([]string{"/", "/nfs"})
		if _, ok := sizes["/nfs"]; ok || sizes["/"].total != 10 {
			t.Errorf("got %v", sizes)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("took %s", took)
		}
	}
	if asked.Load() != 1 {
		t.Errorf("the server that is away was asked %d times", asked.Load())
	}
}

// TestNoChildProcess looks for processes that a collection of native facts has started.
func TestNoChildProcess(t *testing.T) {
	c, _ := external(t, nil)
	before := children(t)
	collect(t, c)
	if after := children(t); after != before {
		t.Errorf("child processes have touched %d pages", after-before)
	}
}
