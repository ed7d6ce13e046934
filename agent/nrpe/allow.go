package nrpe

import (
	"fmt"
	"net/netip"

	fettle "github.com/fettle-dev/fettle"
)

// ParseAllow reads addresses and networks, such as 10.1.2.3, 10.0.0.0/8 and fd00::/8. ErrInvalid names the first that is none. Names of machines
// are none: what they mean could change with every answer of a name server.
func ParseAllow(words []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, word := range words {
		prefix, err := netip.ParsePrefix(word)
		if err != nil {
			address, fault := netip.ParseAddr(word)
			if fault != nil || address.Zone() != "" {
				return nil, fmt.Errorf("%q is neither an address nor a network such as 10.0.0.0/8: %w", word, fettle.ErrInvalid)
			}
			prefix = netip.PrefixFrom(address, address.BitLen())
		}
		if prefix.Masked() != prefix {
			return nil, fmt.Errorf("%q has bits behind its network: %s is meant, or %s: %w", word, prefix.Masked(), prefix.Addr(), fettle.ErrInvalid)
		}
		if a := prefix.Addr(); a.Is4In6() {
			return nil, fmt.Errorf("%q: write %s: %w", word, a.Unmap(), fettle.ErrInvalid)
		}
		out = append(out, prefix)
	}
	return out, nil
}
