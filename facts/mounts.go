package facts

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// mount is a line of /proc/self/mounts.
type mount struct {
	device, path, kind string
	options            []string
}

// maxMounts is the number of mounts of which there are facts. More than that are those of a thousand containers, and would fill a document.
const maxMounts = 1000

func (m *machine) mounts() []mount {
	return m.mountsOnce.get(func() []mount { return parseMounts(m.read("/proc/self/mounts")) })
}

// mountpoints gives mountpoints: a mount for each path, the last one over the same path wins.
func (m *machine) mountpoints() (object, error) {
	shown := m.shownMounts()
	paths := make([]string, len(shown))
	for i, mount := range shown {
		paths[i] = m.path(mount.path)
	}
	sizes := m.usages.of(paths)
	out := object{}
	for i, mount := range shown {
		facts := object{"device": m.device(mount.device), "filesystem": mount.kind, "options": list(mount.options)}
		if size, ok := sizes[paths[i]]; ok || !networked(mount.kind) {
			usageFacts(facts, size)
		}
		out[mount.path] = facts
	}
	facts := object{}
	set(facts, "mountpoints", out)
	return facts, nil
}

// shownMounts leaves out what the kernel shows of itself.
func (m *machine) shownMounts() []mount {
	var shown []mount
	for _, mount := range m.mounts() {
		inner := strings.HasPrefix(mount.path, "/proc") || strings.HasPrefix(mount.path, "/sys")
		if inner && mount.kind != "tmpfs" || mount.kind == "autofs" {
			continue
		}
		if shown = append(shown, mount); len(shown) == maxMounts {
			break
		}
	}
	return shown
}

// networked tells whether a server keeps the file system, so that its size may be out of reach.
func networked(kind string) bool {
	return slices.Contains([]string{"nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "glusterfs", "lustre"}, kind) || strings.HasPrefix(kind, "fuse")
}

// usageFacts adds sizes in bytes and for people, and how full the file system is for those who are not root.
func usageFacts(out object, size usage) {
	used := size.total - min(size.free, size.total)
	out["size"], out["size_bytes"] = humanBytes(size.total), count(size.total)
	out["available"], out["available_bytes"] = humanBytes(size.available), count(size.available)
	out["used"], out["used_bytes"] = humanBytes(used), count(used)
	out["capacity"] = diskPercent(used, used+size.available)
}

// parseMounts reads proc_pid_mounts(5).
func parseMounts(text string) []mount {
	var mounts []mount
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) >= 4 {
			mounts = append(mounts, mount{
				device: unescape(fields[0]), path: unescape(fields[1]), kind: unescape(fields[2]), options: strings.Split(unescape(fields[3]), ","),
			})
		}
	}
	return mounts
}

// unescape reads the octal escapes of blanks and backslashes.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(c))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return strings.ToValidUTF8(b.String(), "\uFFFD")
}

var rootArgument = regexp.MustCompile(`(?:^|\s)root=(\S+)`)

// device names what the kernel calls /dev/root as its command line did.
func (m *machine) device(name string) string {
	if name != "/dev/root" {
		return name
	}
	found := rootArgument.FindStringSubmatch(m.read("/proc/cmdline"))
	if found == nil {
		return name
	}
	kind, id, ok := strings.Cut(found[1], "=")
	if !ok {
		return found[1]
	}
	if device := m.link("/dev/disk/by-" + strings.ToLower(kind) + "/" + id); device != "" {
		return "/dev/" + device
	}
	return found[1]
}
