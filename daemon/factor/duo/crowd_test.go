//go:build !race

package duo_test

// crowdSize is how many people are asked at the same time.
const crowdSize = 3000
