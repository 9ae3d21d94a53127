//go:build race

package duo_test

// crowdSize is smaller where everything takes ten times as long.
const crowdSize = 200
