package actions

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// apt keeps packages of Debian and its kin. A root other than empty is a system of its own below that folder.
type apt struct{ root string }

func (apt) name() string { return "apt" }

func (a apt) query() []string {
	argv := []string{"dpkg-query"}
	if a.root != "" {
		argv = append(argv, "--admindir="+filepath.Join(a.root, "var/lib/dpkg"))
	}
	return append(argv, "-W", "-f", `${db:Status-Status}\t${binary:Package}\t${Version}\n`)
}

// read leaves out what is not installed: of a package that was removed, its configuration may be there still.
func (apt) read(output string) map[string]string {
	installed := map[string]string{}
	for line := range strings.Lines(output) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		if len(f) == 3 && f[0] != "config-files" && f[0] != "not-installed" {
			installed[f[1]] = f[2]
		}
	}
	return installed
}

func (a apt) get(options ...string) []string {
	argv := []string{"apt-get", "-y", "-q", "-o", "Dpkg::Use-Pty=0"}
	if a.root != "" {
		argv = append(argv, "-o", "Dir="+a.root, "-o", "Dir::State::status="+filepath.Join(a.root, "var/lib/dpkg/status"), "-o", "DPkg::Options::=--root="+a.root, "-o", "DPkg::Options::=--log="+filepath.Join(a.root, "var/log/dpkg.log"))
	}
	return append(argv, options...)
}

// change never asks: a configuration file that somebody has changed stays as it is.
func (a apt) change(verb, name, version string, wait time.Duration) []string {
	argv := a.get("-o", fmt.Sprintf("DPkg::Lock::Timeout=%d", int(wait.Seconds())), "-o", "DPkg::Options::=--force-confdef", "-o", "DPkg::Options::=--force-confold")
	switch verb {
	case "refresh":
		return append(argv, "-o", "APT::Update::Error-Mode=any", "update")
	case "update":
		return append(argv, "--only-upgrade", "install", "--", name)
	case "install":
		if version != "" {
			return append(argv, "--allow-downgrades", "install", "--", name+"="+version)
		}
	}
	return append(argv, verb, "--", name)
}

// locked knows what apt says of the lock of its lists too, for which it does not wait.
func (apt) locked(output string) bool {
	return strings.Contains(output, "Could not get lock") || strings.Contains(output, "Unable to acquire the dpkg frontend lock") || strings.Contains(output, "Unable to lock directory")
}

func (a apt) outdated() ([]string, []int) {
	return a.get("-s", "-o", "Debug::NoLocking=1", "dist-upgrade"), nil
}

// aptInst is a line of a simulation: Inst bash [5.2-1] (5.2-2 Debian:12.1/stable [amd64]).
var aptInst = regexp.MustCompile(`^Inst (\S+)(?: \[([^\]]*)\])? \((\S+) ([^\[)]*)`)

func (apt) readOutdated(output string, _ map[string]string) (list []update) {
	for line := range strings.Lines(output) {
		m := aptInst.FindStringSubmatch(line)
		if m == nil || m[2] == "" {
			continue // it would come along with another, and there is none of it yet
		}
		origin := strings.TrimSpace(m[4])
		list = append(list, update{name: m[1], installed: m[2], available: m[3], origin: origin, security: strings.Contains(strings.ToLower(origin), "security")})
	}
	return list
}

// rpm keeps packages of Red Hat and its kin: by dnf, or by yum, which takes the same words.
type rpm struct{ program string }

func (r rpm) name() string { return filepath.Base(r.program) }

func (rpm) query() []string {
	return []string{"rpm", "-qa", "--qf", `%{NAME}.%{ARCH}\t%|EPOCH?{%{EPOCH}:}:{}|%{VERSION}-%{RELEASE}\n`}
}

func (rpm) read(output string) map[string]string {
	installed := map[string]string{}
	for line := range strings.Lines(output) {
		if name, version, is := strings.Cut(strings.TrimSpace(line), "\t"); is && !strings.HasPrefix(name, "gpg-pubkey.") {
			installed[name] = version
		}
	}
	return installed
}

// change needs not wait: dnf and yum do so by themselves, for as long as it takes.
func (r rpm) change(verb, name, version string, _ time.Duration) []string {
	argv := []string{r.program, "-y", "-q"}
	switch {
	case verb == "refresh":
		return append(argv, "makecache")
	case verb == "purge":
		verb = "remove"
	case verb == "update" && r.name() == "dnf":
		verb = "upgrade"
	case verb == "install" && version != "":
		name += "-" + version
	}
	return append(argv, verb, name)
}

func (rpm) locked(output string) bool {
	return strings.Contains(output, "Existing lock") || strings.Contains(output, "is holding the yum lock")
}

func (r rpm) outdated() ([]string, []int) {
	return []string{r.program, "-q", "check-update"}, []int{100}
}

// readOutdated reads lines of name.arch, version and repository; long names stand on a line of their own.
func (rpm) readOutdated(output string, installed map[string]string) (list []update) {
	var fields []string
	for line := range strings.Lines(output) {
		if strings.HasPrefix(line, "Obsoleting Packages") {
			break
		}
		fields = append(fields, strings.Fields(line)...)
		if len(fields) == 3 && strings.Contains(fields[0], ".") {
			list = append(list, update{name: fields[0], installed: installed[fields[0]], available: fields[1], origin: fields[2], security: strings.Contains(fields[2], "security")})
		}
		if len(fields) != 1 {
			fields = nil
		}
	}
	return list
}

// apk keeps packages of Alpine.
type apk struct{ program string }

func (apk) name() string { return "apk" }

func (a apk) query() []string { return []string{a.program, "info", "-v"} }

// apkVersion cuts busybox-1.36.1-r5.
var apkVersion = regexp.MustCompile(`^(.+)-([0-9][^-]*-r[0-9]+)$`)

func (apk) read(output string) map[string]string {
	installed := map[string]string{}
	for line := range strings.Lines(output) {
		if m := apkVersion.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
			installed[m[1]] = m[2]
		}
	}
	return installed
}

func (a apk) change(verb, name, version string, wait time.Duration) []string {
	argv := []string{a.program, "--no-progress", "--wait", fmt.Sprint(int(wait.Seconds()))}
	switch verb {
	case "refresh":
		return append(argv, "update")
	case "remove":
		return append(argv, "del", name)
	case "purge":
		return append(argv, "del", "--purge", name)
	case "update":
		return append(argv, "add", "--upgrade", name)
	}
	if version != "" {
		name += "=" + version
	}
	return append(argv, "add", name)
}

func (apk) locked(output string) bool { return strings.Contains(output, "Unable to lock database") }

func (a apk) outdated() ([]string, []int) { return []string{a.program, "version", "-l", "<"}, nil }

// readOutdated reads lines such as: busybox-1.36.1-r5  < 1.36.1-r6.
func (apk) readOutdated(output string, _ map[string]string) (list []update) {
	for line := range strings.Lines(output) {
		f := strings.Fields(line)
		if len(f) < 3 || f[1] != "<" {
			continue
		}
		if m := apkVersion.FindStringSubmatch(f[0]); m != nil {
			list = append(list, update{name: m[1], installed: m[2], available: f[2]})
		}
	}
	return list
}
