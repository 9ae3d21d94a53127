package conf

import (
	"fmt"
	"net/netip"

	"github.com/factord/factord/daemon/policy"
)

// readNetwork reads a prefix, an address, or "local". Host bits are not dropped: whoever wrote 10.1.2.3/8 may have meant
// 10.1.2.3 alone.
func readNetwork(s string) (policy.Network, flaw) {
	if s == "local" {
		return policy.Network{Local: true}, flaw{}
	}
	prefix, err := netip.ParsePrefix(s)
	if addr, addrErr := netip.ParseAddr(s); addrErr == nil && addr.Zone() == "" {
		prefix, err = netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	switch {
	case err != nil:
		return policy.Network{}, flaw{fmt.Sprintf("%q is not a network", s),
			`write it like "192.0.2.0/24", "2001:db8::/32" or "192.0.2.7"; "local" is this machine's own seat`}
	case prefix.Addr().Is4In6():
		return policy.Network{}, flaw{fmt.Sprintf("%q is an IPv4 network written as IPv6, which matches no client", s), ipv4Hint(prefix)}
	case prefix != prefix.Masked():
		return policy.Network{}, flaw{fmt.Sprintf("%q has host bits set", s), fmt.Sprintf("write %q or %q", prefix.Masked(), prefix.Addr())}
	}
	return policy.Network{Prefix: prefix}, flaw{}
}

func ipv4Hint(mapped netip.Prefix) string {
	const offset = 128 - 32
	if mapped.Bits() < offset {
		return "write it as IPv4"
	}
	return fmt.Sprintf("write %q", netip.PrefixFrom(mapped.Addr().Unmap(), mapped.Bits()-offset).Masked())
}
