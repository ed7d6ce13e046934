package facts

import (
	"net/netip"
	"strings"
)

// Flags of the kernel's routes and IPv6 addresses, by facter's names; only the old eight bits are told.
var addressFlags = []struct {
	bit  byte
	name string
}{
	{0x01, "temporary"},
	{0x02, "noad"},
	{0x04, "optimistic"},
	{0x08, "dadfailed"},
	{0x10, "homeaddress"},
	{0x20, "deprecated"},
	{0x40, "tentative"},
	{0x80, "permanent"},
}

// Addresses that say little of where a machine can be reached: an interface's ip is another one if it has any.
var localRanges = []netip.Prefix{
	netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"),
	netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("fe80::/10"), netip.MustParsePrefix("fc00::/7"),
}

// networking gives networking.*: names, interfaces, and the primary interface's facts again at the top.
func (m *machine) networking() (object, error) {
	out := m.hostnames()
	links, err := m.sys.links()
	interfaces, order := object{}, []string{}
	for _, link := range links {
		order = m.addInterface(interfaces, order, link)
	}
	set(out, "interfaces", interfaces)
	primary := parseDefaultRoute(m.read("/proc/net/route"))
	if _, known := interfaces[primary]; !known {
		primary = reachable(interfaces, order)
	}
	if facts, ok := interfaces[primary].(object); ok {
		out["primary"] = primary
		for key, value := range facts {
			if key != "bindings" && key != "bindings6" {
				out[key] = value
			}
		}
	}
	return object{"networking": out}, err
}

// addInterface adds the facts of link, and of the names that its addresses gave themselves, such as eth0:1.
func (m *machine) addInterface(interfaces object, order []string, link link) []string {
	at := func(name string) object {
		if _, ok := interfaces[name]; !ok {
			interfaces[name] = object{}
			order = append(order, name)
		}
		return interfaces[name].(object)
	}
	facts := at(link.name)
	set(facts, "mac", either(m.permanentMAC(link), link.mac))
	if link.mtu > 0 {
		facts["mtu"] = int64(link.mtu)
	}
	set(facts, "dhcp", m.dhcp(link))
	for _, address := range link.addrs {
		addBinding(at(either(address.label, link.name)), address)
	}
	for _, name := range append([]string{link.name}, order...) {
		mainBinding(interfaces[name].(object))
	}
	return order
}

// addBinding adds one address to the list of its family.
func addBinding(facts object, a address) {
	ip := a.prefix.Addr().WithZone("")
	binding := object{"address": ip.String(), "netmask": netmask(a.prefix), "network": a.prefix.Masked().Addr().WithZone("").String()}
	key := "bindings"
	if ip.Is6() {
		key = "bindings6"
		binding["scope6"] = scope6(ip)
		binding["flags"] = flagNames(a.flags)
	}
	before, _ := facts[key].([]any)
	facts[key] = append(before, binding)
}

// mainBinding repeats the address that says most as the interface's own.
func mainBinding(facts object) {
	for key, suffix := range map[string]string{"bindings": "", "bindings6": "6"} {
		bindings, _ := facts[key].([]any)
		if len(bindings) == 0 {
			continue
		}
		chosen := bindings[0].(object)
		for _, one := range bindings {
			if one := one.(object); !isLocal(one["address"].(string)) {
				chosen = one
				break
			}
		}
		facts["ip"+suffix], facts["netmask"+suffix], facts["network"+suffix] = chosen["address"], chosen["netmask"], chosen["network"]
		if suffix == "6" {
			facts["scope6"] = chosen["scope6"]
		}
	}
}

// reachable names the first interface with an address that others may reach; empty: none.
func reachable(interfaces object, order []string) string {
	for _, name := range order {
		facts := interfaces[name].(object)
		for _, key := range []string{"ip", "ip6"} {
			if ip, ok := facts[key].(string); ok && !isLocal(ip) {
				return name
			}
		}
	}
	return ""
}

func isLocal(ip string) bool {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return true
	}
	for _, local := range localRanges {
		if local.Contains(addr) {
			return true
		}
	}
	return false
}

// netmask writes a prefix's length as an address.
func netmask(p netip.Prefix) string {
	ones := make([]byte, p.Addr().BitLen()/8)
	for i := range ones {
		ones[i] = 0xff
	}
	all, _ := netip.AddrFromSlice(ones) // 4 or 16 bytes
	mask, err := all.Prefix(p.Bits())
	if err != nil {
		return ""
	}
	return mask.Addr().String()
}

func scope6(ip netip.Addr) string {
	raw := ip.As16()
	switch {
	case ip.IsLinkLocalUnicast():
		return "link"
	case raw[0] == 0xfe && raw[1]&0xc0 == 0xc0: // fec0::/10, RFC 3879 has deprecated it
		return "site"
	case ip.IsLoopback():
		return "host"
	}
	return "global"
}

func flagNames(flags byte) []any {
	names := []any{}
	for _, flag := range addressFlags {
		if flags&flag.bit != 0 {
			names = append(names, flag.name)
		}
	}
	return names
}

// parseDefaultRoute gives the interface of the first default route in /proc/net/route; empty: there is none.
func parseDefaultRoute(text string) string {
	const iface, destination, mask = 0, 1, 7
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) > mask && fields[destination] == "00000000" && fields[mask] == "00000000" && fields[iface] != "*" {
			return fields[iface]
		}
	}
	return ""
}

// permanentMAC gives the address that link had before its bond gave it the bond's own; empty: it is in no bond.
func (m *machine) permanentMAC(link link) string {
	if link.master == "" {
		return ""
	}
	mine := false
	for line := range strings.Lines(m.read("/proc/net/bonding/" + link.master)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "Slave Interface":
			mine = value == link.name
		case "Permanent HW addr":
			if mine {
				return value
			}
		}
	}
	return ""
}
