//go:build !linux

package facts

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/user"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/disk"
	"github.com/shirou/gopsutil/v4/host"
	"github.com/shirou/gopsutil/v4/load"
	"github.com/shirou/gopsutil/v4/mem"
)

// natives lists the sources of native facts. What is absent here stands in docs/facts.md.
func natives() []native {
	return []native{
		{"os", (*machine).otherOS},
		{"networking", (*machine).otherNetworking},
		{"memory", (*machine).otherMemory},
		{"processors", (*machine).otherProcessors},
		{"identity", (*machine).identity},
		{"mountpoints", (*machine).otherMounts},
		{"load_averages", (*machine).otherLoad},
		{"ssh", (*machine).ssh},
	}
}

// thisSystem is the machine that we run on.
func thisSystem() system {
	return system{
		hardware: func() string {
			arch, _ := host.KernelArch() // empty: not known
			return arch
		},
		links:      netLinks,
		usage:      diskUsage,
		account:    sync.OnceValues(thisAccount),
		hypervisor: func() string { return "" },
		getenv:     os.Getenv,
		alive: func(pid int, _ string) bool {
			p, err := os.FindProcess(pid)
			if err == nil {
				_ = p.Release() // a handle on windows, nothing elsewhere
			}
			return err == nil
		},
		zone: func([]byte) string {
			name, _ := time.Now().Zone()
			return name
		},
	}
}

// otherOS gives os.*, kernel*, system_uptime, virtual, timezone and path.
func (m *machine) otherOS() (object, error) {
	info, err := host.Info()
	if err != nil {
		return nil, fmt.Errorf("ask the system about itself: %w", err)
	}
	name := map[string]string{"darwin": "Darwin"}[runtime.GOOS]
	name = either(name, info.OS)
	os := object{}
	set(os, "name", name)
	set(os, "family", name)
	set(os, "hardware", info.KernelArch)
	set(os, "architecture", map[string]string{"x86_64": map[string]string{"windows": "x64"}[runtime.GOOS]}[info.KernelArch])
	if os["architecture"] == nil {
		set(os, "architecture", info.KernelArch)
	}
	release := either(info.KernelVersion, info.PlatformVersion)
	set(os, "release", versionOf(release))
	out := object{"os": os, "kernel": name, "system_uptime": uptimeFacts(int64(info.Uptime)), "is_virtual": info.VirtualizationRole == "guest"}
	kernelFacts(out, release)
	out["virtual"] = "physical"
	if info.VirtualizationRole == "guest" {
		set(out, "virtual", info.VirtualizationSystem)
	}
	set(out, "timezone", m.sys.zone(nil))
	set(out, "path", m.sys.getenv("PATH"))
	return out, nil
}

func (m *machine) otherMemory() (object, error) {
	out := object{}
	system, err := mem.VirtualMemory()
	if err != nil {
		return nil, fmt.Errorf("ask for memory: %w", err)
	}
	out["system"] = memoryFacts(system.Total, system.Available)
	if swap, err := mem.SwapMemory(); err == nil && swap.Total > 0 {
		out["swap"] = memoryFacts(swap.Total, swap.Free)
	}
	return object{"memory": out}, nil
}

func (m *machine) otherProcessors() (object, error) {
	infos, err := cpu.Info()
	if err != nil {
		return nil, fmt.Errorf("ask for processors: %w", err)
	}
	logical, err := cpu.Counts(true)
	if err != nil {
		return nil, fmt.Errorf("ask for processors: %w", err)
	}
	out := object{"count": int64(logical), "physicalcount": int64(len(infos))}
	set(out, "isa", m.sys.hardware())
	if len(infos) > 0 {
		models := make([]any, logical)
		for i := range models {
			models[i] = infos[min(i, len(infos)-1)].ModelName
		}
		set(out, "models", models)
		set(out, "speed", humanHertz(int64(infos[0].Mhz)*1_000_000))
	}
	return object{"processors": out}, nil
}

func (m *machine) otherMounts() (object, error) {
	parts, err := disk.Partitions(false)
	if err != nil {
		return nil, fmt.Errorf("ask for mounts: %w", err)
	}
	paths := make([]string, len(parts))
	for i, part := range parts {
		paths[i] = part.Mountpoint
	}
	sizes := m.usages.of(paths)
	out := object{}
	for _, part := range parts {
		facts := object{"device": part.Device, "filesystem": part.Fstype, "options": list(part.Opts)}
		if size, ok := sizes[part.Mountpoint]; ok {
			usageFacts(facts, size)
		}
		out[part.Mountpoint] = facts
	}
	facts := object{}
	set(facts, "mountpoints", out)
	return facts, nil
}

// otherLoad gives load_averages, which Windows has none of.
func (m *machine) otherLoad() (object, error) {
	if runtime.GOOS == "windows" {
		return nil, nil
	}
	avg, err := load.Avg()
	if err != nil {
		return nil, fmt.Errorf("ask for the load: %w", err)
	}
	return object{"load_averages": object{"1m": round2(avg.Load1), "5m": round2(avg.Load5), "15m": round2(avg.Load15)}}, nil
}

// otherNetworking gives networking.*; the primary interface is the first that others may reach.
func (m *machine) otherNetworking() (object, error) {
	facts, err := m.networking()
	if out, ok := facts["networking"].(object); ok && out["hostname"] == nil {
		name, _ := os.Hostname() // empty: not known
		hostname, domain, _ := strings.Cut(name, ".")
		for key, value := range nameFacts(hostname, either(domain, parseDomain(m.read("/etc/resolv.conf")))) {
			out[key] = value
		}
	}
	return facts, err
}

func diskUsage(path string) (usage, error) {
	u, err := disk.Usage(path)
	if err != nil {
		return usage{}, fmt.Errorf("size of %s: %w", path, err)
	}
	return usage{total: u.Total, free: u.Total - min(u.Used, u.Total), available: u.Free}, nil
}

func thisAccount() (account, error) {
	u, err := user.Current()
	if err != nil {
		return account{}, fmt.Errorf("ask who we are: %w", err)
	}
	who := account{uid: -1, user: u.Username}
	if uid, err := strconv.ParseInt(u.Uid, 10, 64); err == nil { // a SID on windows
		who.uid, who.privileged = uid, uid == 0
		who.gid, _ = strconv.ParseInt(u.Gid, 10, 64) // zero: not known
		if g, err := user.LookupGroupId(u.Gid); err == nil {
			who.group = g.Name
		}
	}
	return who, nil
}

func netLinks() ([]link, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("ask for interfaces: %w", err)
	}
	links := make([]link, 0, len(interfaces))
	for _, i := range interfaces {
		l := link{name: i.Name, mac: i.HardwareAddr.String(), mtu: i.MTU, index: i.Index}
		addrs, err := i.Addrs()
		if err != nil {
			continue // it went away meanwhile
		}
		for _, a := range addrs {
			if prefix, err := netip.ParsePrefix(a.String()); err == nil {
				l.addrs = append(l.addrs, address{prefix: prefix})
			}
		}
		links = append(links, l)
	}
	return links, nil
}
