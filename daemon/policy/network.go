package policy

import "net/netip"

// Network is one entry of a rule's networks: a prefix of client addresses, or this machine's own seat.
// The zero value matches nobody.
type Network struct {
	Prefix netip.Prefix
	Local  bool
}

// String returns n as the configuration writes it.
func (n Network) String() string {
	if n.Local {
		return "local"
	}
	return n.Prefix.String()
}

// covers reports whether every client in other is in n.
func (n Network) covers(other Network) bool {
	if n.Local || other.Local {
		return n.Local && other.Local
	}
	return n.Prefix.IsValid() && other.Prefix.IsValid() &&
		n.Prefix.Bits() <= other.Prefix.Bits() && n.Prefix.Contains(other.Prefix.Addr())
}

// ParseAddr reads the client address of a login (PAM_RHOST). Nothing at all is the known fact that there is none; a host
// name is not known: whoever controls reverse DNS would choose it, so it is never resolved. The zone of an address is
// dropped and an IPv4 address mapped into IPv6 becomes the IPv4 address that it is.
func ParseAddr(rhost string) (addr netip.Addr, known bool) {
	if rhost == "" {
		return netip.Addr{}, true
	}
	addr, err := netip.ParseAddr(rhost)
	if err != nil {
		return netip.Addr{}, false
	}
	return plain(addr), true
}

func plain(addr netip.Addr) netip.Addr { return addr.WithZone("").Unmap() }
