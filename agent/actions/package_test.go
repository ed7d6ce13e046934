package actions

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestReadPackages(t *testing.T) {
	for _, tt := range []struct {
		p      packager
		output string
		want   map[string]string
	}{
		{apt{}, "installed\tbash\t5.2-1\ninstalled\tlibc6:amd64\t2.36-9\nconfig-files\told\t1.0\nunpacked\thalf\t2\n\n", map[string]string{"bash": "5.2-1", "libc6:amd64": "2.36-9", "half": "2"}},
		{rpm{}, "bash.x86_64\t5.1.8-6.el9\nperl.x86_64\t4:5.32.1-480.el9\ngpg-pubkey.(none)\t1-2\n", map[string]string{"bash.x86_64": "5.1.8-6.el9", "perl.x86_64": "4:5.32.1-480.el9"}},
		{apk{}, "busybox-1.36.1-r5\nlibcrypto3-3.1.4-r1\nca-certificates-bundle-20230506-r0\nWARNING: something\n", map[string]string{"busybox": "1.36.1-r5", "libcrypto3": "3.1.4-r1", "ca-certificates-bundle": "20230506-r0"}},
	} {
		if diff := cmp.Diff(tt.want, tt.p.read(tt.output)); diff != "" {
			t.Errorf("%T (-want +got):\n%s", tt.p, diff)
		}
	}
}

func TestReadOutdated(t *testing.T) {
	for _, tt := range []struct {
		p      packager
		output string
		want   []update
	}{
		{
			apt{},
			"Inst bash [5.2-1] (5.2-2 Debian:12.1/stable [amd64])\nInst linux-6 (6.1 Debian-Security:12/stable-security [amd64])\nInst openssl [3.0.9-1] (3.0.11-1 Debian-Security:12/stable-security [amd64])\nConf bash (5.2-2 Debian:12.1/stable [amd64])\n",
			[]update{{name: "bash", installed: "5.2-1", available: "5.2-2", origin: "Debian:12.1/stable"}, {name: "openssl", installed: "3.0.9-1", available: "3.0.11-1", origin: "Debian-Security:12/stable-security", security: true}},
		},
		{
			rpm{"/usr/bin/dnf"},
			"\nbash.x86_64    5.1.8-9.el9   baseos\na-name-that-is-so-long-that-it-has-its-own-line.noarch\n     2.0-1   updates-security\nObsoleting Packages\nold.noarch 1 baseos\n",
			[]update{{name: "bash.x86_64", installed: "5.1.8-6.el9", available: "5.1.8-9.el9", origin: "baseos"}, {name: "a-name-that-is-so-long-that-it-has-its-own-line.noarch", available: "2.0-1", origin: "updates-security", security: true}},
		},
		{apk{}, "Installed:                                Available:\nbusybox-1.36.1-r5                       < 1.36.1-r6\n", []update{{name: "busybox", installed: "1.36.1-r5", available: "1.36.1-r6"}}},
	} {
		got := tt.p.readOutdated(tt.output, map[string]string{"bash.x86_64": "5.1.8-6.el9"})
		if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(update{})); diff != "" {
			t.Errorf("%T (-want +got):\n%s", tt.p, diff)
		}
	}
}

func TestPackageCommands(t *testing.T) {
	for _, tt := range []struct {
		p             packager
		verb, version string
		want          []string // how it ends
	}{
		{apt{}, "install", "1:2~3", []string{"--allow-downgrades", "install", "--", "x=1:2~3"}},
		{apt{}, "update", "", []string{"--only-upgrade", "install", "--", "x"}},
		{apt{}, "purge", "", []string{"purge", "--", "x"}},
		{rpm{"/usr/bin/dnf"}, "install", "2-3", []string{"/usr/bin/dnf", "-y", "-q", "install", "x-2-3"}},
		{rpm{"/usr/bin/dnf"}, "update", "", []string{"/usr/bin/dnf", "-y", "-q", "upgrade", "x"}},
		{rpm{"/usr/bin/yum"}, "update", "", []string{"/usr/bin/yum", "-y", "-q", "update", "x"}},
		{rpm{"/usr/bin/yum"}, "purge", "", []string{"/usr/bin/yum", "-y", "-q", "remove", "x"}},
		{apk{"/sbin/apk"}, "install", "1-r2", []string{"/sbin/apk", "--no-progress", "--wait", "60", "add", "x=1-r2"}},
		{apk{"/sbin/apk"}, "purge", "", []string{"--wait", "60", "del", "--purge", "x"}},
	} {
		got := tt.p.change(tt.verb, "x", tt.version, time.Minute)
		if diff := cmp.Diff(tt.want, got[max(0, len(got)-len(tt.want)):]); diff != "" {
			t.Errorf("%T %s (-want +got):\n%s", tt.p, tt.verb, diff)
		}
	}
}

func TestVersionIn(t *testing.T) {
	installed := map[string]string{"libc6:amd64": "2.36", "libc6-dev:amd64": "1", "bash.x86_64": "5", "python3.11": "3.11.2", "bash-completion.noarch": "7"}
	for name, version := range map[string]string{"libc6": "2.36", "libc6:amd64": "2.36", "libc": "", "bash": "5", "bash-completion": "7", "python3.11": "3.11.2"} {
		if got := versionIn(installed, name); got != version {
			t.Errorf("%s is %q, want %q", name, got, version)
		}
	}
}

func TestDifferences(t *testing.T) {
	got := differences(map[string]string{"a": "1", "b": "1", "c": "1"}, map[string]string{"b": "2", "c": "1", "d": "1"})
	if diff := cmp.Diff([]string{"changed b 1 to 2", "installed d 1", "removed a 1"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
