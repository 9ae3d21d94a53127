package proof

import "math/big"

// weak reports whether a modulus was made by the Infineon library that is in YubiKeys
// of firmware 4.2.6 to 4.3.4 (CVE-2017-15361; Nemec et al., "The Return of
// Coppersmith's Attack", 2017). Its primes are k·M + (65537^a mod M), where M is the
// product of the first primes: modulo each of these, the modulus is then a power of
// 65537. One of another origin is so with a probability of 2^-28.
func weak(modulus *big.Int) bool {
	var rest big.Int
	for _, prime := range smallPrimes() {
		if !power(rest.Mod(modulus, big.NewInt(prime)).Int64(), prime) {
			return false
		}
	}
	return true
}

// power reports whether n is a power of 65537 modulo a prime.
func power(n, prime int64) bool {
	p := int64(1)
	for range prime {
		if p == n {
			return true
		}
		p = p * exponent % prime
	}
	return false
}

func smallPrimes() []int64 {
	return []int64{3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79,
		83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167}
}
