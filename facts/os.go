package facts

import (
	"regexp"
	"strings"
)

// os gives os.*.
func (m *machine) os() (object, error) {
	d := m.distro()
	hardware := m.sys.hardware()
	os := object{"selinux": m.selinux()}
	set(os, "name", d.name)
	set(os, "family", d.family)
	set(os, "hardware", hardware)
	set(os, "architecture", architecture(hardware, d.family))
	set(os, "release", d.release)
	lsb := object{}
	set(lsb, "id", d.lsbID)
	set(lsb, "codename", d.codename)
	set(lsb, "description", d.description)
	set(lsb, "release", d.lsbRelease)
	set(os, "distro", lsb)
	return object{"os": os}, nil
}

// architecture names hardware as the distribution's packages do.
func architecture(hardware, family string) string {
	switch {
	case hardware == "x86_64" && family == "Debian":
		return "amd64"
	case len(hardware) == 4 && hardware[0] == 'i' && hardware[2:] == "86", strings.Contains(hardware, "pentium"):
		return "i386"
	}
	return hardware
}

// selinux gives os.selinux. It is enabled where its file system is mounted and it has a configuration.
func (m *machine) selinux() object {
	mounted := ""
	for _, mount := range m.mounts() {
		if mount.kind == "selinuxfs" {
			mounted = mount.path
			break
		}
	}
	config := m.read("/etc/selinux/config")
	if mounted == "" || config == "" {
		return object{"enabled": false}
	}
	settings := pairs(config, "=")
	out := object{"enabled": true, "enforced": false, "current_mode": "permissive"}
	if m.line(mounted+"/enforce") == "1" {
		out["enforced"], out["current_mode"] = true, "enforcing"
	}
	set(out, "config_mode", settings["SELINUX"])
	set(out, "config_policy", settings["SELINUXTYPE"])
	set(out, "policy_version", m.line(mounted+"/policyvers"))
	return out
}

var digits = regexp.MustCompile(`\d+`)

// kernel gives kernel, kernelrelease, kernelversion and kernelmajversion.
func (m *machine) kernel() (object, error) {
	const dir = "/proc/sys/kernel/"
	out := object{}
	set(out, "kernel", m.line(dir+"ostype"))
	kernelFacts(out, m.line(dir+"osrelease"))
	return out, nil
}

// kernelFacts splits a release such as 6.1.0-37-amd64: its version is 6.1.0, its major version "6.1", a string.
func kernelFacts(out object, release string) {
	set(out, "kernelrelease", release)
	numbers := digits.FindAllString(release, 3)
	set(out, "kernelversion", strings.Join(numbers, "."))
	parts := strings.SplitN(release, ".", 3)
	set(out, "kernelmajversion", strings.Join(parts[:min(2, len(parts))], "."))
}
