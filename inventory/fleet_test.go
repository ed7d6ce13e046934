package inventory_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"

	"github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
)

// generator makes nodes with realistic facts: about 165 leaves, a third of them the same everywhere, a third of few values, a third each node's
// own. The same number gives the same node; the revision changes what is volatile.
type generator struct {
	texts []string // between the placeholders
	names []string // of the placeholders
}

var placeholder = regexp.MustCompile(`"\$([a-z0-9_]+)"`)

func newGenerator() *generator {
	text := string(filter.AppendJSON(nil, prototype()))
	g := &generator{texts: placeholder.Split(text, -1)}
	for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
		g.names = append(g.names, m[1])
	}
	return g
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

var families = []struct{ family, name, code, major string }{
	{"Debian", "Debian", "bookworm", "12"}, {"Debian", "Debian", "bullseye", "11"}, {"Debian", "Ubuntu", "jammy", "22.04"}, {"Debian", "Ubuntu", "noble", "24.04"},
	{"RedHat", "RedHat", "ootpa", "8"}, {"RedHat", "AlmaLinux", "seafoam", "9"}, {"Suse", "SLES", "sles", "15"}, {"windows", "windows", "", "2022"},
}

var (
	countries    = strings.Fields("us ca de fr gb mt za jp au br in nl se no ie")
	environments = strings.Fields("production staging development qa dr")
	roles        = strings.Fields("web-frontend web-api web-static db-mysql db-pgsql cache-redis lb-haproxy mq-nats k8s-node k8s-master ci-runner mon-prom log-elk dns mail bastion storage-ceph ldap vpn build")
)

// node gives node i at a revision.
func (g *generator) node(i, rev int) fettle.Node {
	r, vol := rand.New(rand.NewPCG(uint64(i), 42)), rand.New(rand.NewPCG(uint64(i), uint64(1000+rev)))
	role, country, fam := pick(r, roles...), pick(r, countries...), pick(r, families...)
	host := fmt.Sprintf("%s%d", strings.SplitN(role, "-", 2)[0], i)
	id := host + "." + country + ".example.net"
	cpus, mem, seconds := int64(1)<<r.IntN(7), int64(2)<<(30+r.IntN(8)), vol.Int64N(40_000_000)
	customer := fmt.Sprintf("customer%d", int(r.ExpFloat64()*20))
	kernel, minor := fmt.Sprintf("6.1.%d-amd64", r.IntN(40)), fmt.Sprint(r.IntN(10))
	out := make([]byte, 0, 8<<10)
	for k, name := range g.names {
		out = append(out, g.texts[k]...)
		var v any
		switch name {
		case "identity":
			v = id
		case "host":
			v = host
		case "domain":
			v = country + ".example.net"
		case "country":
			v = country
		case "customer":
			v = customer
		case "environment":
			v = environments[r.IntN(len(environments))]
		case "role":
			v = role
		case "rack":
			v = fmt.Sprintf("r%d", r.IntN(400))
		case "bool":
			v = r.IntN(4) > 0
		case "kernel":
			v = kernel
		case "motd":
			v = "This system is managed by configuration management, and changes made by hand will be overwritten. It serves " + customer
		case "virtual":
			v = pick(r, "kvm", "vmware", "physical", "xen")
		case "family":
			v = fam.family
		case "osname":
			v = fam.name
		case "codename":
			v = fam.code
		case "description":
			v = fam.name + " GNU/Linux " + fam.major
		case "major":
			v = fam.major
		case "minor":
			v = minor
		case "release":
			v = fam.major + "." + minor
		case "cpus":
			v = cpus
		case "mem":
			v = mem
		case "memtext":
			v = fmt.Sprintf("%d.00 GiB", mem>>30)
		case "bytes":
			v = int64(20+r.IntN(50)) << 30
		case "size":
			v = fmt.Sprintf("%.2f GiB", vol.Float64()*200)
		case "volatile":
			v = vol.Int64N(mem)
		case "percent":
			v = fmt.Sprintf("%.2f%%", vol.Float64()*100)
		case "load":
			v = float64(vol.IntN(800)) / 100
		case "seconds":
			v = seconds
		case "hours":
			v = seconds / 3600
		case "days":
			v = seconds / 86400
		case "uptime":
			v = fmt.Sprintf("%d days", seconds/86400)
		case "ip":
			v = fmt.Sprintf("10.%d.%d.%d", i>>16&255, i>>8&255, i&255)
		case "network":
			v = fmt.Sprintf("10.%d.%d.0", i>>16&255, i>>8&255)
		case "ip6":
			v = "fe80::" + digits(r, 4) + ":" + digits(r, 4)
		case "mac":
			h := digits(r, 6)
			v = "52:54:00:" + h[:2] + ":" + h[2:4] + ":" + h[4:]
		case "bios":
			v = fmt.Sprintf("1.16.%d", r.IntN(9))
		case "maker":
			v = pick(r, "Dell Inc.", "HPE", "Supermicro")
		case "model":
			v = fmt.Sprintf("PowerEdge R%d", 600+r.IntN(20))
		case "speed":
			v = fmt.Sprintf("%.2f GHz", 2+float64(r.IntN(20))/10)
		default:
			n := 0
			_, _ = fmt.Sscanf(name, "hex%d", &n)
			v = digits(r, n)
		}
		out = filter.AppendJSON(out, v)
	}
	out = append(out, g.texts[len(g.names)]...)
	n := fettle.Node{
		Identity: fettle.NodeID(id), Facts: out, Hash: digits(vol, 64), Classes: []string{"base", "role::" + role}, Commands: []string{"check_disk", "check_load"},
		Agent: fettle.AgentInfo{Version: "1.0.0", OS: "linux", Arch: "amd64", Plugins: map[string]string{"package": "1.0"}}, Liveness: fettle.Alive, Session: digits(r, 32),
		Seen: 1763700000000, Enrolled: 1763000000000, FactsAt: 1763700000000,
	}
	for c := range 8 {
		if r.IntN(3) == 0 {
			n.Classes = append(n.Classes, fmt.Sprintf("module%d::service", c))
		}
	}
	if strings.HasPrefix(role, "db-mysql") {
		n.Classes = append(n.Classes, "mysql::master")
	}
	return n
}

func digits(r *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = "0123456789abcdef"[r.IntN(16)]
	}
	return string(b)
}
