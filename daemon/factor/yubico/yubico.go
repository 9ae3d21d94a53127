// Package yubico is the factor of the one-time passwords that a YubiKey types
// into any prompt: its public id and, encrypted, who it is and how often it was
// used.
//
// Whoever has seen such an OTP before it is used can use it themself, and whoever
// has a key's secrets can make them. What protects it is that each works once:
// accepting one moves the key's counter past it, in the transaction that lets the
// user in. A validation server that is asked counts too, but on this machine ours
// has the last word.
package yubico
