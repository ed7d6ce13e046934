package emulate

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/facts"
)

// machine is what an emulated node finds. Nothing of it is kept: facts are made again, and are the same again, whenever they are asked for.
type machine struct {
	seed     uint64
	number   int
	identity fettle.NodeID
	begun    time.Time // of the fleet
}

// Changed implements agent.Source.
func (m *machine) Changed() <-chan struct{} { return nil }

// Volatile implements agent.Source.
func (m *machine) Volatile() facts.Volatile {
	v, _ := facts.NewVolatile(facts.DefaultVolatile()) // the patterns are constants, and tested
	return v
}

// platform is an operating system as its facts tell it.
type platform struct {
	family, name, kernel string
	majors               []string
}

func platforms() []platform {
	return []platform{
		{"Debian", "Debian", "6.1.0-28-amd64", []string{"11", "12", "13"}},
		{"Debian", "Ubuntu", "6.8.0-45-generic", []string{"22.04", "24.04"}},
		{"RedHat", "RedHat", "5.14.0-427.el9.x86_64", []string{"8", "9"}},
		{"RedHat", "AlmaLinux", "5.14.0-503.el9.x86_64", []string{"8", "9"}},
		{"Suse", "SLES", "6.4.0-150600-default", []string{"12", "15"}},
	}
}

const (
	countries    = "de fr gb nl se us ca br jp au in za"
	environments = "production production production staging development qa"
	roles        = "web-frontend web-api db-mysql db-pgsql cache-redis lb-haproxy queue k8s-node ci-runner monitoring log-search dns mail bastion storage vpn"
	customers    = "acme globex initech umbrella hooli stark wayne soylent tyrell cyberdyne"
)

// pick takes one of the words of a list.
func pick(r *rand.Rand, words string) string {
	list := strings.Fields(words)
	return list[r.IntN(len(list))]
}

// Collect implements agent.Source.
func (m *machine) Collect(context.Context) (facts.Snapshot, error) {
	r := rand.New(rand.NewPCG(m.seed, uint64(m.number)))
	f := map[string]any{}
	role := m.business(r, f)
	m.system(r, f)
	m.hardware(r, f)
	m.network(r, f)
	m.details(r, f)
	m.moving(f)
	classes := []string{"base", "monitoring::agent", "role::" + strings.ReplaceAll(role, "-", "_"), "ssh::server"}
	return facts.Snapshot{Facts: f, Classes: classes}, nil
}

// business are the facts that people give their machines.
func (m *machine) business(r *rand.Rand, f map[string]any) (role string) {
	role = pick(r, roles)
	country := pick(r, countries)
	f["role"], f["country"], f["customer"], f["environment"] = role, country, pick(r, customers), pick(r, environments)
	f["rack"] = fmt.Sprintf("%s-%s%02d", country, string(rune('a'+r.IntN(6))), 1+r.IntN(40))
	f["datacenter"] = country + strconv.Itoa(1+r.IntN(3))
	f["fettle"] = map[string]any{"version": "emulated", "puppet": map[string]any{"enabled": r.IntN(20) > 0, "applying": false}}
	return role
}

func (m *machine) system(r *rand.Rand, f map[string]any) {
	all := platforms()
	p := all[r.IntN(len(all))]
	major := p.majors[r.IntN(len(p.majors))]
	minor := strconv.Itoa(r.IntN(10))
	f["os"] = map[string]any{
		"family": p.family, "name": p.name, "architecture": "amd64", "hardware": "x86_64",
		"release": map[string]any{"full": major + "." + minor, "major": major, "minor": minor},
		"distro":  map[string]any{"id": p.name, "codename": "release-" + major, "description": p.name + " " + major + "." + minor, "release": map[string]any{"full": major + "." + minor, "major": major}},
		"selinux": map[string]any{"enabled": p.family == "RedHat"},
	}
	version, _, _ := strings.Cut(p.kernel, "-")
	f["kernel"], f["kernelrelease"], f["kernelversion"] = "Linux", p.kernel, version
	f["kernelmajversion"] = version[:strings.LastIndexByte(version, '.')]
	f["timezone"], f["path"] = "UTC", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	f["identity"] = map[string]any{"user": "root", "group": "root", "uid": int64(0), "gid": int64(0), "privileged": true}
}

func (m *machine) hardware(r *rand.Rand, f map[string]any) {
	virtual := []string{"kvm", "kvm", "vmware", "physical", "xen"}[r.IntN(5)]
	f["virtual"], f["is_virtual"] = virtual, virtual != "physical"
	cpus := int64(1) << r.IntN(7)
	models := make([]any, min(cpus, 4))
	for i := range models {
		models[i] = "Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz"
	}
	f["processors"] = map[string]any{"count": cpus, "physicalcount": 1 + cpus/32, "cores": max(1, cpus/2), "threads": int64(2), "isa": "x86_64", "models": models}
	f["dmi"] = map[string]any{
		"manufacturer": []string{"Dell Inc.", "HPE", "Supermicro", "QEMU"}[r.IntN(4)],
		"bios":         map[string]any{"vendor": "SeaBIOS", "version": "1.16." + strconv.Itoa(r.IntN(9)), "release_date": "04/01/2014"},
		"board":        map[string]any{"manufacturer": "Intel", "product": "440BX", "serial_number": hex(r, 10)},
		"chassis":      map[string]any{"type": "Other", "asset_tag": "No Asset Tag"},
		"product":      map[string]any{"name": "PowerEdge R" + strconv.Itoa(640+10*r.IntN(4)), "serial_number": hex(r, 12), "uuid": hex(r, 32)},
	}
	disks, partitions := map[string]any{}, map[string]any{}
	for i := range 1 + r.IntN(2) {
		name, size := "sd"+string(rune('a'+i)), int64(20+20*r.IntN(40))<<30
		disks[name] = map[string]any{"model": "VIRTUAL-DISK", "vendor": "ATA", "type": "ssd", "serial": hex(r, 16), "size": gib(size), "size_bytes": size}
		partitions["/dev/"+name+"1"] = map[string]any{"filesystem": "ext4", "mount": []string{"/", "/var"}[i], "size": gib(size), "size_bytes": size, "uuid": hex(r, 32)}
	}
	f["disks"], f["partitions"], f["filesystems"] = disks, partitions, "ext2,ext3,ext4,vfat,xfs"
}

func (m *machine) network(r *rand.Rand, f map[string]any) {
	host, domain, _ := strings.Cut(string(m.identity), ".")
	n := m.number
	ip := fmt.Sprintf("10.%d.%d.%d", n>>16&255, n>>8&255, n&255)
	interfaces := map[string]any{"lo": map[string]any{
		"ip": "127.0.0.1", "netmask": "255.0.0.0", "network": "127.0.0.0", "mtu": int64(65536), "ip6": "::1", "scope6": "host",
	}}
	main := map[string]any{}
	for i := range 1 + r.IntN(2) {
		main = map[string]any{
			"ip": ip, "netmask": "255.255.255.0", "network": fmt.Sprintf("10.%d.%d.0", n>>16&255, n>>8&255), "mac": mac(r), "mtu": int64(1500),
			"ip6": "fe80::" + hex(r, 4) + ":" + hex(r, 4), "netmask6": "ffff:ffff:ffff:ffff::", "network6": "fe80::", "scope6": "link",
		}
		interfaces["eth"+strconv.Itoa(i)] = main
	}
	f["networking"] = map[string]any{
		"hostname": host, "domain": domain, "fqdn": string(m.identity), "primary": "eth0", "ip": main["ip"], "ip6": main["ip6"], "mac": main["mac"],
		"mtu": main["mtu"], "netmask": main["netmask"], "network": main["network"], "interfaces": interfaces,
	}
}

// details are facts that few people ask for, and that are most of a document.
func (m *machine) details(r *rand.Rand, f map[string]any) {
	keys := map[string]any{}
	for _, k := range []string{"ecdsa", "ed25519", "rsa"} {
		keys[k] = map[string]any{"type": "ssh-" + k, "key": hex(r, 68), "fingerprints": map[string]any{"sha1": "SSHFP 3 1 " + hex(r, 40), "sha256": "SSHFP 3 2 " + hex(r, 64)}}
	}
	f["ssh"] = keys
	settings := map[string]any{}
	for i := range 4 {
		settings[fmt.Sprintf("setting_%02d", i)] = "value " + strconv.Itoa(r.IntN(8))
	}
	f["site"] = map[string]any{"settings": settings, "deployed": "2026-11-" + fmt.Sprintf("%02d", 1+r.IntN(20)), "owner": pick(r, "platform database web security network"), "tier": int64(1 + r.IntN(4))}
}

// moving are the facts that change all the time.
func (m *machine) moving(f map[string]any) {
	fixed := rand.New(rand.NewPCG(m.seed+1, uint64(m.number)))
	now := time.Now()
	r := rand.New(rand.NewPCG(m.seed+2, uint64(m.number)<<32|uint64(now.Unix()/60)))
	memory := map[string]any{}
	for _, k := range []string{"system", "swap"} {
		memory[k] = usage(r, int64(2)<<(30+fixed.IntN(8)), "total", "total_bytes")
	}
	f["memory"] = memory
	mounts := map[string]any{}
	for _, k := range []string{"/", "/var"} {
		mount := usage(r, int64(20+10*fixed.IntN(20))<<30, "size", "size_bytes")
		mount["device"], mount["filesystem"], mount["options"] = "/dev/sda1", "ext4", []any{"rw", "relatime"}
		mounts[k] = mount
	}
	f["mountpoints"] = mounts
	up := int64(fixed.IntN(20_000_000)) + int64(now.Sub(m.begun).Seconds())
	f["system_uptime"] = map[string]any{"seconds": up, "hours": up / 3600, "days": up / 86400, "uptime": strconv.FormatInt(up/86400, 10) + " days"}
	load := func() float64 { return float64(r.IntN(800)) / 100 }
	f["load_averages"] = map[string]any{"1m": load(), "5m": load(), "15m": load()}
}

// usage are the facts of something that has a size and is used in part.
func usage(r *rand.Rand, total int64, text, bytes string) map[string]any {
	used := int64(float64(total) * (0.05 + 0.9*r.Float64()))
	return map[string]any{
		text: gib(total), bytes: total, "used": gib(used), "used_bytes": used, "available": gib(total - used), "available_bytes": total - used,
		"capacity": fmt.Sprintf("%.2f%%", float64(used)*100/float64(total)),
	}
}

func gib(n int64) string { return fmt.Sprintf("%.2f GiB", float64(n)/(1<<30)) }

func hex(r *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = "0123456789abcdef"[r.IntN(16)]
	}
	return string(b)
}

func mac(r *rand.Rand) string {
	h := hex(r, 10)
	return "52:" + h[:2] + ":" + h[2:4] + ":" + h[4:6] + ":" + h[6:8] + ":" + h[8:]
}
