package conf

import _ "embed"

//go:embed factord.toml
var sample string

// Sample returns the configuration that packages install.
func Sample() []byte { return []byte(sample) }
