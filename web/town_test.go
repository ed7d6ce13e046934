//go:build integration

package web

import (
	"fmt"

	fettle "github.com/fettle-dev/fettle"
)

// town gives sixty nodes as they are found in the field: three systems, four roles, two sites, and here and there one that lacks a fact.
func town() []member {
	type m = map[string]any
	roles := []string{"web", "web", "web", "db", "cache", "queue"}
	sites := []string{"fra", "ams"}
	environments := []string{"production", "production", "staging", "production", "development"}
	systems := []m{
		{"family": "Debian", "name": "Debian", "release": m{"full": "12.5", "major": "12", "minor": "5"}, "distro": m{"codename": "bookworm"}},
		{"family": "Debian", "name": "Ubuntu", "release": m{"full": "24.04", "major": "24.04"}, "distro": m{"codename": "noble"}},
		{"family": "RedHat", "name": "AlmaLinux", "release": m{"full": "9.4", "major": "9", "minor": "4"}, "distro": m{"codename": "Seafoam Ocelot"}},
	}
	out := make([]member, 60)
	for i := range out {
		role, site := roles[i%len(roles)], sites[i/7%2]
		name := fmt.Sprintf("%s%02d.%s.acme.net", role, i, site)
		ip := fmt.Sprintf("10.%d.%d.%d", 20+i/7%2, i%6, 10+i)
		facts := m{
			"os": systems[i%7%3], "kernel": "Linux", "kernelrelease": []string{"6.1.0-18-amd64", "6.8.0-31-generic", "5.14.0-427.el9"}[i%7%3],
			"role": role, "datacenter": site, "is_virtual": i%4 != 0, "virtual": []string{"physical", "kvm", "kvm", "kvm"}[i%4], "timezone": "UTC",
			"processors": m{"count": 2 << (i % 4), "isa": "x86_64", "models": []any{"AMD EPYC 7543 32-Core Processor"}},
			"memory":     m{"system": m{"total": "15.5 GiB", "total_bytes": 16643182592 + i, "used": "4.2 GiB", "capacity": "27.1%"}, "swap": m{"total": "1 GiB"}},
			"networking": m{
				"fqdn": name, "hostname": name[:5], "ip": ip, "mac": fmt.Sprintf("52:54:00:ab:cd:%02x", i), "primary": "eth0",
				"interfaces": m{"eth0": m{"ip": ip, "mtu": 1500, "bindings": []any{m{"address": ip, "netmask": "255.255.255.0"}}}, "lo": m{"ip": "127.0.0.1", "mtu": 65536}},
			},
			"mountpoints":   m{"/": m{"size": "40 GiB", "available": "11 GiB", "filesystem": "ext4", "options": []any{"rw", "relatime"}}, "/boot": m{"size": "1 GiB", "filesystem": "ext4"}},
			"ssh":           m{"ed25519": m{"fingerprints": m{"sha256": "SSHFP 4 2 7f1b1c1d5c6e0a2b3f4e5d6c7b8a9988776655443322110099aabbccddeeff00"}, "key": "AAAAC3NzaC1lZDI1NTE5AAAAIJ4nq7vZ0cXg1m3T2o5Jk8l9p0a1b2c3d4e5f6g7h8i9"}},
			"load_averages": m{"1m": 0.42, "5m": 0.38, "15m": 0.31}, "system_uptime": m{"uptime": "41 days", "seconds": 3546211},
			"fettle": m{"puppet": m{"enabled": true, "message": nil}}, "motd": "",
		}
		if i%20 != 3 {
			facts["environment"] = environments[i%len(environments)]
		}
		out[i] = member{id: fettle.NodeID(name), facts: facts, classes: []string{"base::ntp", "base::ssh", map[string]string{"web": "nginx", "db": "mysql::master", "cache": "redis", "queue": "rabbitmq"}[role]}, commands: []string{"check_load", "check_disk", "check_procs"}}
	}
	return out
}
