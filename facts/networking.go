package facts

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// Flags of the kernel's IPv6 addresses, by facter's names; only the old eight bits are told.
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
	cards := cards{named: map[string]*card{}}
	for _, link := range links {
		m.addLink(&cards, link)
	}
	interfaces := object{}
	for name, card := range cards.named {
		interfaces[name] = card.withBindings()
	}
	set(out, "interfaces", interfaces)
	primary := parseDefaultRoute(m.read("/proc/net/route"))
	if cards.named[primary] == nil {
		primary = cards.reachable()
	}
	if card := cards.named[primary]; card != nil {
		out["primary"] = primary
		maps.Copy(out, card.summary())
	}
	return object{"networking": out}, err
}

// cards are the interfaces by name, with those that only addresses are named for, such as eth0:1.
type cards struct {
	named map[string]*card
	order []string // the kernel's
}

// card is one interface: its own facts, and its addresses.
type card struct {
	own      object
	ip4, ip6 []address
}

func (c *cards) at(name string) *card {
	if c.named[name] == nil {
		c.named[name] = &card{own: object{}}
		c.order = append(c.order, name)
	}
	return c.named[name]
}

// reachable names the first interface with an address that others may reach; empty: none.
func (c *cards) reachable() string {
	for _, name := range c.order {
		card := c.named[name]
		if slices.ContainsFunc(slices.Concat(card.ip4, card.ip6), func(a address) bool { return !isLocal(a.ip()) }) {
			return name
		}
	}
	return ""
}

// addLink adds a link, and its addresses under the names that they gave themselves.
func (m *machine) addLink(cards *cards, link link) {
	own := cards.at(link.name).own
	set(own, "mac", either(m.permanentMAC(link), link.mac))
	if link.mtu > 0 {
		own["mtu"] = int64(link.mtu)
	}
	set(own, "dhcp", m.dhcp(link))
	for _, a := range link.addrs {
		card := cards.at(either(a.label, link.name))
		if a.ip().Is6() {
			card.ip6 = append(card.ip6, a)
		} else {
			card.ip4 = append(card.ip4, a)
		}
	}
}

// summary gives the facts of an interface, with the address of either family that says most.
func (c *card) summary() object {
	out := maps.Clone(c.own)
	for suffix, addresses := range map[string][]address{"": c.ip4, "6": c.ip6} {
		if len(addresses) == 0 {
			continue
		}
		a := addresses[max(0, slices.IndexFunc(addresses, func(a address) bool { return !isLocal(a.ip()) }))]
		out["ip"+suffix], out["netmask"+suffix], out["network"+suffix] = a.ip().String(), netmask(a.prefix), a.network()
		if suffix == "6" {
			out["scope6"] = scope6(a.ip())
		}
	}
	return out
}

// withBindings gives the facts of an interface, with all its addresses.
func (c *card) withBindings() object {
	out := c.summary()
	for key, addresses := range map[string][]address{"bindings": c.ip4, "bindings6": c.ip6} {
		bindings := make([]any, len(addresses))
		for i, a := range addresses {
			bindings[i] = a.binding()
		}
		set(out, key, bindings)
	}
	return out
}

// binding gives the facts of one address.
func (a address) binding() object {
	out := object{"address": a.ip().String(), "netmask": netmask(a.prefix), "network": a.network()}
	if a.ip().Is6() {
		out["scope6"], out["flags"] = scope6(a.ip()), flagNames(a.flags)
	}
	return out
}

func (a address) ip() netip.Addr { return a.prefix.Addr().WithZone("") }

func (a address) network() string { return a.prefix.Masked().Addr().WithZone("").String() }

func isLocal(ip netip.Addr) bool {
	return slices.ContainsFunc(localRanges, func(local netip.Prefix) bool { return local.Contains(ip) })
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
