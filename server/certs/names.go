package certs

import (
	"net"
	"os"
	"strings"
)

// NamesOf gives the names and addresses under which a listener at host is reached: host itself or, where that is every address, those of this
// machine; and the machine's names. fqdn may be empty.
func NamesOf(host, fqdn string) []string {
	var names []string
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		names = append(names, addresses()...)
	} else {
		names = append(names, host)
	}
	if name, err := os.Hostname(); err == nil {
		names = append(names, name)
		short, _, _ := strings.Cut(name, ".")
		names = append(names, short)
	}
	if fqdn != "" {
		names = append(names, fqdn)
	}
	return names
}

// addresses are those of this machine at which others can reach it.
func addresses() (out []string) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil // then they come one by one, as clients reach them
	}
	for _, a := range all {
		if n, is := a.(*net.IPNet); is && n.IP.IsGlobalUnicast() {
			out = append(out, n.IP.String())
		}
	}
	return out
}
