package facts

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Kinds of exception.
const (
	onlyFacter = "only facter" // facter has the fact, and we do not
	onlyFettle = "only fettle" // we have it, and facter does not
	differs    = "differs"     // both have it, with other values; or one of them only
	varies     = "varies"      // it changes from one moment to the next
)

// exceptions are the paths, and all below them, at which we and facter 4 may differ on Linux. docs/facts.md has the same table.
var exceptions = []struct{ path, kind, reason string }{
	{"aio_agent_version", onlyFacter, "it is the version of Puppet's own package"},
	{"augeas", onlyFacter, "it is the version of a library that we do not use"},
	{"facterversion", onlyFacter, "we are not facter; see `fettle.version`"},
	{"ruby", onlyFacter, "there is no Ruby here"},
	{"os.distro.specification", onlyFacter, "only the program `lsb_release` knows it"},
	{"hypervisors.vmware.version", onlyFacter, "only the program `dmidecode` knows it"},
	{"xen", onlyFacter, "only the program `xl` knows the guests"},
	{"zfs_featurenumbers", onlyFacter, "only the program `zfs` knows it"},
	{"zfs_version", onlyFacter, "only the program `zfs` knows it"},
	{"zpool_featureflags", onlyFacter, "only the program `zpool` knows it"},
	{"zpool_featurenumbers", onlyFacter, "only the program `zpool` knows it"},
	{"zpool_version", onlyFacter, "only the program `zpool` knows it"},
	{"processors.extensions", onlyFacter, "facter 4.4 and later; not yet"},
	{"fettle", onlyFettle, "our own"},
	{"mountpoints", onlyFettle, "facter leaves them out where the Ruby library sys-filesystem is missing"},
	{"system_uptime", onlyFettle, "facter leaves it out where it may not read `/proc/1/environ`"},
	{"virtual", differs, "facter asks the programs `virt-what` and `lspci`, and without them takes KVM for hardware; we ask the processor and the firmware"},
	{"is_virtual", differs, "as `virtual`"},
	{"hypervisors", differs, "as `virtual`; docker with control groups v2 and podman are known to us only"},
	{"networking.domain", differs, "facter asks name servers; we ask `/etc/hosts` and `/etc/resolv.conf` only, because a name server may be away"},
	{"networking.fqdn", differs, "as `networking.domain`; and where `/etc/hosts` has the bare name, facter's is bare although it knows a domain"},
	{"partitions", differs, "facter asks `blkid` and `lsblk`; we read what udev found, and know less where it does not run. Without partitions facter may say `{}`"},
	{"disks.*.serial", differs, "facter asks `lsblk`; we read what udev found, and else the kernel's"},
	{"disks.*.wwn", differs, "as the serial"},
	{"processors.isa", differs, "it is what `uname -p` says, which distributions have patched or not; we know the larger ones"},
	{"system_uptime", varies, "the clock"},
	{"load_averages", varies, "the machine's load"},
	{"processors.speed", varies, "the frequency now, of the processor that is listed last"},
	{"memory.system.available", varies, "use of memory"},
	{"memory.system.available_bytes", varies, "use of memory"},
	{"memory.system.capacity", varies, "use of memory"},
	{"memory.system.used", varies, "use of memory"},
	{"memory.system.used_bytes", varies, "use of memory"},
	{"memory.swap.available", varies, "use of memory"},
	{"memory.swap.available_bytes", varies, "use of memory"},
	{"memory.swap.capacity", varies, "use of memory"},
	{"memory.swap.used", varies, "use of memory"},
	{"memory.swap.used_bytes", varies, "use of memory"},
	{"mountpoints.*.available", varies, "use of the disk"},
	{"mountpoints.*.available_bytes", varies, "use of the disk"},
	{"mountpoints.*.capacity", varies, "use of the disk"},
	{"mountpoints.*.used", varies, "use of the disk"},
	{"mountpoints.*.used_bytes", varies, "use of the disk"},
}

// TestExceptionsAreDocumented holds the table above against that of docs/facts.md.
func TestExceptionsAreDocumented(t *testing.T) {
	raw, err := os.ReadFile("../docs/facts.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(raw), "\n## What differs from facter\n")
	if !ok {
		t.Fatal("docs/facts.md has no section on what differs")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var want, got strings.Builder
	for _, e := range exceptions {
		fmt.Fprintf(&want, "| `%s` | %s | %s |\n", e.path, e.kind, e.reason)
	}
	for line := range strings.Lines(section) {
		if strings.HasPrefix(line, "| `") {
			got.WriteString(line)
		}
	}
	if diff := cmp.Diff(want.String(), got.String()); diff != "" {
		t.Errorf("the table in docs/facts.md differs, -want +got\n%s", diff)
	}
}

// TestVolatileFactsAreThoseThatVary holds the default patterns against the exceptions.
func TestVolatileFactsAreThoseThatVary(t *testing.T) {
	vary := map[string]bool{}
	for _, e := range exceptions {
		if e.kind == varies {
			vary[e.path] = true
		}
	}
	for _, pattern := range DefaultVolatile() {
		if !vary[pattern] {
			t.Errorf("%s is volatile, and not said to vary", pattern)
		}
		delete(vary, pattern)
	}
	for pattern := range vary {
		t.Errorf("%s is said to vary, and not volatile", pattern)
	}
}
