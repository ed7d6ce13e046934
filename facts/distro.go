package facts

import (
	"slices"
	"strings"
)

// distro is what the files of a distribution say of it, by facter's names.
type distro struct {
	id          string // of os-release: debian
	name        string // Debian, RedHat
	family      string // Debian, RedHat
	release     object // full, major, minor
	codename    string
	description string
	lsbID       string // os.distro.id
	lsbRelease  object // os.distro.release
}

// families by a part of the identifier, as facter tells them. The first that fits wins.
var families = []struct {
	name  string
	parts []string
}{
	{"RedHat", []string{
		"redhat", "rhel", "fedora", "centos", "scientific", "ascendos", "cloudlinux", "psbm", "oraclelinux", "ovs", "oel", "amazon", "amzn",
		"xenserver", "xcp-ng", "virtuozzo", "photon", "mariner", "rocky", "almalinux",
	}},
	{"Debian", []string{"debian", "ubuntu", "huaweios", "linuxmint", "devuan", "kde"}},
	{"Suse", []string{"sles", "sled", "suse"}},
	{"Gentoo", []string{"gentoo"}},
	{"Archlinux", []string{"arch", "manjaro"}},
	{"Mandrake", []string{"mandrake", "mandriva", "mageia"}},
}

func (m *machine) distro() distro { return m.distroOnce.get(m.readDistro) }

func (m *machine) readDistro() distro {
	text := m.read("/etc/os-release")
	if text == "" {
		text = m.read("/usr/lib/os-release")
	}
	release := parseOSRelease(text)
	d := distro{
		id:          release["ID"],
		name:        distroName(release["NAME"]),
		family:      distroFamily(release["ID_LIKE"], release["ID"]),
		codename:    release["VERSION_CODENAME"],
		description: release["PRETTY_NAME"],
		lsbID:       capitalize(release["ID"]),
	}
	version := release["VERSION_ID"]
	if version != "" && !strings.Contains(version, ".") {
		version += ".0" // as facter has it: Fedora 41 is 41.0
	}
	d.release = object{"full": version, "major": version}
	switch {
	case d.id == "debian" || d.id == "devuan" || d.id == "raspbian":
		m.debian(&d, release)
	case d.id == "ubuntu":
		d.lsbRelease = d.release
	case d.id == "linuxmint":
		d.name, d.release = capitalize(d.id), versionOf(version)
	case strings.Contains(d.id, "sles") || strings.Contains(d.id, "suse"):
		suse(&d, version)
	case d.id == "amzn":
		m.redHatLike(&d, "/etc/system-release", version)
	case d.family == "RedHat":
		m.redHatLike(&d, "/etc/redhat-release", version)
	case d.id == "alpine":
		d.release = versionOf(either(m.line("/etc/alpine-release"), version))
	}
	if d.lsbRelease == nil {
		d.lsbRelease = d.release
	}
	if version == "" && d.release["full"] == "" { // rolling: no release at all
		d.release, d.lsbRelease = nil, nil
	}
	return d
}

// debian reads the point release, which only /etc/debian_version knows.
func (m *machine) debian(d *distro, release map[string]string) {
	if version := m.line("/etc/debian_version"); version != "" {
		d.release = versionOf(version)
	}
	if d.codename == "" {
		if _, after, ok := strings.Cut(release["VERSION"], "("); ok {
			d.codename = strings.TrimSuffix(after, ")")
		}
	}
}

func suse(d *distro, version string) {
	major, minor, _ := strings.Cut(version, ".")
	d.release = object{"full": version, "major": major, "minor": minor}
	d.lsbID = "SUSE"
	if major == "12" {
		d.lsbID = "SUSE LINUX"
	}
	d.codename = either(d.codename, "n/a")
}

// redHatLike reads the line of a release file: "CentOS Linux release 7.9.2009 (Core)".
func (m *machine) redHatLike(d *distro, file, version string) {
	line := m.line(file)
	product, rest, ok := strings.Cut(line, "release")
	if !ok {
		d.release = versionOf(version)
		return
	}
	d.description = line
	words := slices.DeleteFunc(strings.Fields(product), func(word string) bool { return strings.EqualFold(word, "linux") })
	d.lsbID = strings.Join(words, "")
	if fields := strings.Fields(rest); len(fields) > 0 {
		version = fields[0]
	}
	d.release, d.codename = versionOf(version), ""
	if _, after, ok := strings.Cut(rest, "("); ok {
		d.codename, _, _ = strings.Cut(after, ")")
	}
	if d.id == "amzn" {
		d.codename = either(d.codename, "n/a")
	}
}

// parseOSRelease reads os-release(5): KEY=value, the value perhaps in quotes.
func parseOSRelease(text string) map[string]string {
	fields := pairs(text, "=")
	for key, value := range fields {
		if len(value) > 1 && (value[0] == '"' || value[0] == '\'') && value[len(value)-1] == value[0] {
			value = value[1 : len(value)-1]
		}
		fields[key] = strings.NewReplacer(`\"`, `"`, `\$`, `$`, "\\`", "`", `\\`, `\`).Replace(value)
	}
	return fields
}

// distroName makes facter's os.name of NAME: the first word, with exceptions that grew.
func distroName(name string) string {
	words := strings.Fields(name)
	if len(words) == 0 {
		return ""
	}
	lower := strings.ToLower(name)
	first := words[0]
	starts := func(prefix string) bool { return strings.HasPrefix(lower, prefix) }
	switch {
	case starts("red") || starts("oracle"):
		return strings.Join(words[:min(2, len(words))], "")
	case starts("arch") || starts("manjaro"):
		return capitalize(strings.Join(words[:min(2, len(words))], ""))
	case strings.HasSuffix(lower, "mariner"):
		return words[len(words)-1]
	case starts("virtuozzo"):
		return first + "Linux"
	}
	return first
}

func distroFamily(like, id string) string {
	of := either(like, id)
	for _, family := range families {
		if slices.ContainsFunc(family.parts, func(part string) bool { return strings.Contains(strings.ToLower(of), part) }) {
			return family.name
		}
	}
	return capitalize(of)
}

// versionOf splits "12.11"; a zero before the minor number goes: "9.04" has the minor "4".
func versionOf(full string) object {
	parts := strings.SplitN(full, ".", 3)
	release := object{"full": full, "major": parts[0]}
	if len(parts) > 1 {
		minor := parts[1]
		if len(minor) > 1 && minor[0] == '0' && minor[1] != '0' {
			minor = minor[1:]
		}
		release["minor"] = minor
	}
	return release
}

func capitalize(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + strings.ToLower(s[1:])
}

// either gives the first of its arguments that says something.
func either(words ...string) string {
	for _, word := range words {
		if word != "" {
			return word
		}
	}
	return ""
}
