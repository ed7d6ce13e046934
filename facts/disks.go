package facts

import (
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// blockDir holds a directory for each block device.
const blockDir = "/sys/block/"

// sector is the unit of sizes in sysfs, whatever that of the device is; bytes.
const sector = 512

// disks gives disks: the block devices that hardware stands behind.
func (m *machine) disks() (object, error) {
	out := object{}
	for _, name := range m.names(blockDir) {
		dir := blockDir + name + "/"
		if !m.exists(dir + "device") {
			continue
		}
		known := m.udev(dir)
		disk := object{}
		if text := m.line(dir + "size"); text != "" {
			size := sectors(text)
			disk["size"], disk["size_bytes"] = humanBytes(size), count(size)
		}
		set(disk, "model", m.line(dir+"device/model"))
		set(disk, "vendor", m.line(dir+"device/vendor"))
		set(disk, "serial", either(known["ID_SCSI_SERIAL"], known["ID_SERIAL_SHORT"], known["ID_SERIAL"], m.line(dir+"device/serial")))
		set(disk, "wwn", either(known["ID_WWN_WITH_EXTENSION"], known["ID_WWN"], m.line(dir+"wwid")))
		switch m.line(dir + "queue/rotational") {
		case "":
		case "0":
			disk["type"] = "ssd"
		default:
			disk["type"] = "hdd"
		}
		out[name] = disk
	}
	facts := object{}
	set(facts, "disks", out)
	return facts, nil
}

// partitions gives partitions: parts of disks, device-mapper volumes and loops in use.
func (m *machine) partitions() (object, error) {
	out := object{}
	mounted := m.mountedDevices()
	for _, name := range m.names(blockDir) {
		dir := blockDir + name + "/"
		switch {
		case m.isDir(dir + "device"):
			for _, part := range m.names(dir) {
				if strings.Contains(part, name) && m.isDir(dir+part) {
					out["/dev/"+part] = m.partition("/dev/"+part, dir+part+"/", mounted)
				}
			}
		case m.isDir(dir + "dm"):
			device := "/dev/" + name
			if mapped := m.line(dir + "dm/name"); mapped != "" {
				device = "/dev/mapper/" + mapped
			}
			out[device] = m.partition(device, dir, mounted)
		case m.isDir(dir + "loop"):
			loop := m.partition("/dev/"+name, dir, mounted)
			set(loop, "backing_file", m.line(dir+"loop/backing_file"))
			out["/dev/"+name] = loop
		}
	}
	facts := object{}
	set(facts, "partitions", out)
	return facts, nil
}

// partition describes one, by what udev has found on it.
func (m *machine) partition(device, dir string, mounted map[string]mount) object {
	known := m.udev(dir)
	size := sectors(m.line(dir + "size"))
	out := object{"size": humanBytes(size), "size_bytes": count(size)}
	at, isMounted := mounted[device]
	set(out, "filesystem", known["ID_FS_TYPE"])
	if _, ok := out["filesystem"]; !ok && isMounted {
		out["filesystem"] = at.kind
	}
	set(out, "uuid", known["ID_FS_UUID"])
	set(out, "label", unhex(known["ID_FS_LABEL_ENC"]))
	set(out, "partuuid", known["ID_PART_ENTRY_UUID"])
	set(out, "partlabel", unhex(known["ID_PART_ENTRY_NAME"]))
	set(out, "mount", at.path)
	return out
}

// mountedDevices gives, for each device, the first place where it is mounted.
func (m *machine) mountedDevices() map[string]mount {
	mounted := map[string]mount{}
	for _, mount := range m.shownMounts() {
		device := m.device(mount.device)
		if _, seen := mounted[device]; !seen {
			mounted[device] = mount
		}
	}
	return mounted
}

// udev gives what udev keeps of the block device in the sysfs directory dir; nothing without udev, as in a container.
func (m *machine) udev(dir string) map[string]string {
	number := m.line(dir + "dev")
	if number == "" || strings.ContainsRune(number, filepath.Separator) {
		return nil
	}
	known := map[string]string{}
	for line := range strings.Lines(m.read("/run/udev/data/b" + number)) {
		entry, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), "E:")
		if key, value, found := strings.Cut(entry, "="); ok && found {
			known[key] = value
		}
	}
	return known
}

var hexEscape = regexp.MustCompile(`\\x[0-9a-fA-F]{2}`)

// unhex reads udev's \x20 escapes.
func unhex(s string) string {
	plain := hexEscape.ReplaceAllStringFunc(s, func(escape string) string {
		c, _ := strconv.ParseUint(escape[2:], 16, 8) // the pattern lets nothing else through
		return string([]byte{byte(c)})
	})
	return strings.ToValidUTF8(plain, "\uFFFD")
}

// sectors reads a number of sectors and gives bytes.
func sectors(text string) uint64 {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n > 1<<54 {
		return 0
	}
	return n * sector
}
