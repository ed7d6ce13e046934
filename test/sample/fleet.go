// Package sample makes nodes with realistic facts, for benchmarks: the same number gives the same node.
package sample

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"

	"github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
)

// Fleet makes nodes with realistic facts: 166 leaves in 4.8 KB of JSON (every fourth has four more, as nodes in a cloud do), a third of them the same everywhere, a third of few values, a third
// each node's own. It is safe for concurrent use; NewFleet makes one.
type Fleet struct {
	plain, cloud template // the latter for every fourth node
}

// template is a document with placeholders.
type template struct {
	texts []string // between the placeholders
	names []string // of the placeholders
}

var placeholder = regexp.MustCompile(`"\$([a-z0-9_]+)"`)

// NewFleet gives a fleet of as many nodes as are asked for.
func NewFleet() *Fleet {
	cloud := prototype()
	cloud["ec2_metadata"] = filter.Map{"ami-id": "ami-0f31", "instance-id": "$hex17", "instance-type": "$instance", "placement": filter.Map{"availability-zone": "$zone"}}
	return &Fleet{plain: newTemplate(prototype()), cloud: newTemplate(cloud)}
}

func newTemplate(document filter.Map) template {
	text := string(filter.AppendJSON(nil, document))
	t := template{texts: placeholder.Split(text, -1)}
	for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
		t.names = append(t.names, m[1])
	}
	return t
}

// document writes the facts of a machine.
func (t template) document(m *machine) []byte {
	out := make([]byte, 0, 8<<10)
	for k, name := range t.names {
		out = append(out, t.texts[k]...)
		out = filter.AppendJSON(out, m.value(name))
	}
	return append(out, t.texts[len(t.names)]...)
}

func prototype() filter.Map {
	disk := func() filter.Map {
		return filter.Map{"model": "VBOX HARDDISK", "serial": "$hex16", "size": "$size", "size_bytes": "$bytes", "type": "ssd", "vendor": "ATA"}
	}
	iface := func() filter.Map {
		return filter.Map{"ip": "$ip", "ip6": "$ip6", "mac": "$mac", "mtu": int64(1500), "netmask": "255.255.255.0", "network": "$network", "scope6": "link"}
	}
	memory := func() filter.Map {
		return filter.Map{
			"available": "$size", "available_bytes": "$volatile", "capacity": "$percent", "total": "$memtext", "total_bytes": "$mem", "used": "$size", "used_bytes": "$volatile",
		}
	}
	mount := func() filter.Map {
		return filter.Map{
			"available": "$size", "available_bytes": "$volatile", "capacity": "$percent", "device": "/dev/sda1", "filesystem": "ext4", "options": []any{"rw", "relatime"},
			"size": "$size", "size_bytes": "$bytes", "used": "$size", "used_bytes": "$volatile",
		}
	}
	key := func(n string) filter.Map {
		return filter.Map{"fingerprints": filter.Map{"sha1": "$hex40", "sha256": "$hex64"}, "key": "$hex" + n, "type": "ssh-key"}
	}
	return filter.Map{
		"architecture": "x86_64", "augeasversion": "1.14.1", "clientcert": "$identity", "country": "$country", "customer": "$customer", "environment": "$environment", "rack": "$rack",
		"facterversion": "4.10.0", "fips_enabled": false, "is_virtual": "$bool", "kernel": "Linux", "kernelmajversion": "6.1", "kernelrelease": "$kernel", "kernelversion": "$kernel",
		"motd": "$motd", "path": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "puppet_enabled": "$bool", "puppetversion": "8.10.0", "role": "$role", "timezone": "UTC",
		"virtual": "$virtual", "disks": filter.Map{"sda": disk(), "sdb": disk()},
		"dmi": filter.Map{
			"bios": filter.Map{"release_date": "04/01/2014", "vendor": "SeaBIOS", "version": "$bios"}, "manufacturer": "$maker",
			"product": filter.Map{"name": "$model", "serial_number": "$hex12", "uuid": "$hex32"},
		},
		"identity":      filter.Map{"gid": int64(0), "group": "root", "privileged": true, "uid": int64(0), "user": "root"},
		"load_averages": filter.Map{"15m": "$load", "1m": "$load", "5m": "$load"},
		"memory":        filter.Map{"swap": memory(), "system": memory()},
		"mountpoints":   filter.Map{"/": mount(), "/boot": mount(), "/var": mount()},
		"networking": filter.Map{
			"domain": "$domain", "fqdn": "$identity", "hostname": "$host", "interfaces": filter.Map{"eth0": iface(), "eth1": iface(), "lo": iface()},
			"ip": "$ip", "ip6": "$ip6", "mac": "$mac", "mtu": int64(1500), "netmask": "255.255.255.0", "network": "$network", "primary": "eth0",
		},
		"os": filter.Map{
			"architecture": "amd64", "distro": filter.Map{"codename": "$codename", "description": "$description", "id": "$osname"}, "family": "$family", "hardware": "x86_64", "name": "$osname",
			"release": filter.Map{"full": "$release", "major": "$major", "minor": "$minor"}, "selinux": filter.Map{"enabled": "$bool"},
		},
		"processors": filter.Map{
			"cores": "$cpus", "count": "$cpus", "isa": "x86_64", "models": []any{"Intel(R) Xeon(R) Gold CPU"}, "physicalcount": int64(1), "speed": "$speed", "threads": int64(2),
		},
		"ruby":          filter.Map{"platform": "x86_64-linux", "sitedir": "/usr/lib/ruby/site_ruby", "version": "3.1.2"},
		"ssh":           filter.Map{"ecdsa": key("140"), "ed25519": key("68"), "rsa": key("372")},
		"system_uptime": filter.Map{"days": "$days", "hours": "$hours", "seconds": "$seconds", "uptime": "$uptime"},
		"fettle":        filter.Map{"version": "1.0.0", "commands": []any{"check_disk", "check_load"}},
	}
}

type family struct{ family, name, code, major string }

var families = []family{
	{"Debian", "Debian", "bookworm", "12"},
	{"Debian", "Debian", "bullseye", "11"},
	{"Debian", "Ubuntu", "jammy", "22.04"},
	{"Debian", "Ubuntu", "noble", "24.04"},
	{"RedHat", "RedHat", "ootpa", "8"},
	{"RedHat", "AlmaLinux", "seafoam", "9"},
	{"Suse", "SLES", "sles", "15"},
	{"windows", "windows", "", "2022"},
}

var (
	countries    = strings.Fields("us ca de fr gb mt za jp au br in nl se no ie")
	environments = strings.Fields("production staging development qa dr")
	roles        = strings.Fields("web-frontend web-api web-static db-mysql db-pgsql cache-redis lb-haproxy mq-nats k8s-node k8s-master ci-runner mon-prom log-elk dns mail bastion storage-ceph ldap vpn build")
)

// machine is what the facts of one node follow from.
type machine struct {
	i                                                int
	r, vol                                           *rand.Rand // of what stays, and of what is volatile
	role, country, host, id, customer, kernel, minor string
	cpus, mem, seconds                               int64
	fam                                              family
}

func newMachine(i, rev int) *machine {
	r, vol := rand.New(rand.NewPCG(uint64(i), 42)), rand.New(rand.NewPCG(uint64(i), uint64(1000+rev)))
	m := &machine{i: i, r: r, vol: vol, role: pick(r, roles...), country: pick(r, countries...), fam: pick(r, families...)}
	m.host = fmt.Sprintf("%s%d", strings.SplitN(m.role, "-", 2)[0], i)
	m.id = m.host + "." + m.country + ".example.net"
	m.cpus, m.mem, m.seconds = int64(1)<<r.IntN(7), int64(2)<<(30+r.IntN(8)), vol.Int64N(40_000_000)
	m.customer = fmt.Sprintf("customer%d", int(r.ExpFloat64()*20))
	m.kernel, m.minor = fmt.Sprintf("6.1.%d-amd64", r.IntN(40)), fmt.Sprint(r.IntN(10))
	return m
}

// Node gives node i at a revision, which changes what is volatile alone. Its Hash is not that of its Facts, which are canonical.
func (f *Fleet) Node(i, rev int) fettle.Node {
	m, t := newMachine(i, rev), f.plain
	if i%4 == 3 {
		t = f.cloud
	}
	out := t.document(m)
	n := fettle.Node{
		Identity: fettle.NodeID(m.id), Facts: out, Hash: digits(m.vol, 64), Classes: []string{"base", "role::" + m.role}, Commands: []string{"check_disk", "check_load"},
		Agent: fettle.AgentInfo{Version: "1.0.0", OS: "linux", Arch: "amd64", Plugins: map[string]string{"package": "1.0"}}, Liveness: fettle.Alive, Session: digits(m.r, 32),
		Seen: 1763700000000, Enrolled: 1763000000000, FactsAt: 1763700000000,
	}
	for c := range 8 {
		if m.r.IntN(3) == 0 {
			n.Classes = append(n.Classes, fmt.Sprintf("module%d::service", c))
		}
	}
	if strings.HasPrefix(m.role, "db-mysql") {
		n.Classes = append(n.Classes, "mysql::master")
	}
	return n
}

// value gives what stands for a placeholder of the prototype.
func (m *machine) value(name string) any {
	switch name {
	case "identity":
		return m.id
	case "host":
		return m.host
	case "domain":
		return m.country + ".example.net"
	case "country":
		return m.country
	case "customer":
		return m.customer
	case "environment":
		return environments[m.r.IntN(len(environments))]
	case "role":
		return m.role
	case "rack":
		return fmt.Sprintf("r%d", m.r.IntN(400))
	case "bool":
		return m.r.IntN(4) > 0
	case "kernel":
		return m.kernel
	case "motd":
		return "This system is managed by configuration management, and changes made by hand will be overwritten. It serves " + m.customer
	case "virtual":
		return pick(m.r, "kvm", "vmware", "physical", "xen")
	case "family":
		return m.fam.family
	case "osname":
		return m.fam.name
	case "codename":
		return m.fam.code
	case "description":
		return m.fam.name + " GNU/Linux " + m.fam.major
	case "major":
		return m.fam.major
	case "minor":
		return m.minor
	case "release":
		return m.fam.major + "." + m.minor
	case "cpus":
		return m.cpus
	case "mem":
		return m.mem
	case "memtext":
		return fmt.Sprintf("%d.00 GiB", m.mem>>30)
	case "bytes":
		return int64(20+m.r.IntN(50)) << 30
	case "size":
		return fmt.Sprintf("%.2f GiB", m.vol.Float64()*200)
	case "volatile":
		return m.vol.Int64N(m.mem)
	case "percent":
		return fmt.Sprintf("%.2f%%", m.vol.Float64()*100)
	case "load":
		return float64(m.vol.IntN(800)) / 100
	case "seconds":
		return m.seconds
	case "hours":
		return m.seconds / 3600
	case "days":
		return m.seconds / 86400
	case "uptime":
		return fmt.Sprintf("%d days", m.seconds/86400)
	case "ip":
		return fmt.Sprintf("10.%d.%d.%d", m.i>>16&255, m.i>>8&255, m.i&255)
	case "network":
		return fmt.Sprintf("10.%d.%d.0", m.i>>16&255, m.i>>8&255)
	case "ip6":
		return "fe80::" + digits(m.r, 4) + ":" + digits(m.r, 4)
	case "mac":
		h := digits(m.r, 6)
		return "52:54:00:" + h[:2] + ":" + h[2:4] + ":" + h[4:]
	case "bios":
		return fmt.Sprintf("1.16.%d", m.r.IntN(9))
	case "maker":
		return pick(m.r, "Dell Inc.", "HPE", "Supermicro")
	case "model":
		return fmt.Sprintf("PowerEdge R%d", 600+m.r.IntN(20))
	case "instance":
		return pick(m.r, "m5.large", "m5.xlarge", "c6i.2xlarge", "t3.micro")
	case "zone":
		return m.country + "-1" + pick(m.r, "a", "b", "c")
	case "speed":
		return fmt.Sprintf("%.2f GHz", 2+float64(m.r.IntN(20))/10)
	}
	n := 0
	_, _ = fmt.Sscanf(name, "hex%d", &n)
	return digits(m.r, n)
}

func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

func digits(r *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = "0123456789abcdef"[r.IntN(16)]
	}
	return string(b)
}
