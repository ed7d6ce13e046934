package facts

import (
	"regexp"
	"strconv"
	"strings"
)

// hostnames gives hostname, domain and fqdn. They come from the kernel, /etc/hosts and /etc/resolv.conf; name servers are not asked, because
// a name server that is away must not hold up a collection.
func (m *machine) hostnames() object {
	name := m.line("/proc/sys/kernel/hostname")
	if name == "" {
		name = m.line("/etc/hostname")
	}
	hostname, domain, _ := strings.Cut(name, ".")
	if domain == "" {
		domain = parseHosts(m.read("/etc/hosts"), hostname)
	}
	if domain == "" {
		domain = parseDomain(m.read("/etc/resolv.conf"))
	}
	return nameFacts(hostname, domain)
}

func nameFacts(hostname, domain string) object {
	out := object{}
	domain = strings.Trim(domain, ".")
	set(out, "hostname", hostname)
	set(out, "domain", domain)
	fqdn := hostname
	if hostname != "" && domain != "" {
		fqdn += "." + domain
	}
	set(out, "fqdn", fqdn)
	return out
}

// parseHosts gives the domain of hostname by hosts(5): the first name of a line that names it, where that is hostname with a domain.
func parseHosts(text, hostname string) string {
	if hostname == "" {
		return ""
	}
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		for _, name := range fields[1:] {
			before, domain, _ := strings.Cut(fields[1], ".")
			if (strings.EqualFold(name, hostname) || name == fields[1]) && strings.EqualFold(before, hostname) && domain != "" {
				return domain
			}
		}
	}
	return ""
}

var resolverDomain = []*regexp.Regexp{regexp.MustCompile(`(?m)^domain\s+(\S+)`), regexp.MustCompile(`(?m)^search\s+(\S+)`)}

// parseDomain gives the domain of resolv.conf(5), or else the first that it searches.
func parseDomain(text string) string {
	for _, pattern := range resolverDomain {
		if found := pattern.FindStringSubmatch(text); found != nil {
			return found[1]
		}
	}
	return ""
}

// Where DHCP clients leave what they were given.
const (
	networkdLeases = "/run/systemd/netif/leases/" // by the interface's number
	managerLeases  = "/var/lib/NetworkManager/"
)

var dhclientDirs = []string{"/var/lib/dhclient/", "/var/lib/dhcp/", "/var/lib/dhcp3/", managerLeases, "/var/db/"}

var (
	leaseServer    = regexp.MustCompile(`(?m)^SERVER_ADDRESS=(\S+)`)
	dhclientServer = regexp.MustCompile(`dhcp-server-identifier ([0-9.]+);`)
)

// dhcp gives the server that gave link its address, as systemd-networkd, dhclient and NetworkManager note it; empty: none did.
func (m *machine) dhcp(link link) string {
	if link.index > 0 {
		if found := leaseServer.FindStringSubmatch(m.read(networkdLeases + strconv.Itoa(link.index))); found != nil {
			return found[1]
		}
	}
	for _, dir := range dhclientDirs {
		for _, name := range m.names(dir) {
			var pattern *regexp.Regexp
			var text string
			switch {
			case strings.HasPrefix(name, "dhclient") && strings.Contains(name, ".lease"):
				text, pattern = leaseOf(m.read(dir+name), link.name), dhclientServer
			case dir == managerLeases && strings.HasPrefix(name, "internal") && strings.HasSuffix(name, "-"+link.name+".lease"):
				text, pattern = m.read(dir+name), leaseServer
			default:
				continue
			}
			if found := pattern.FindStringSubmatch(text); found != nil {
				return found[1]
			}
		}
	}
	return ""
}

// leaseOf gives the last lease of an interface in a file of dhclient.leases(5): the one that holds.
func leaseOf(text, iface string) string {
	last := ""
	for lease := range strings.SplitSeq(text, "lease {") {
		if strings.Contains(lease, `interface "`+iface+`"`) {
			last = lease
		}
	}
	return last
}
