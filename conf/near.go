package conf

import "strings"

// didYouMean is the question of which of words was meant by one that is none of them,
// or "" if it is like none.
func didYouMean(word string, words []string) string {
	var near []string
	best := 1 + len(word)/5
	for _, w := range words {
		switch d := editDistance(word, w); {
		case d > best || d >= len(w):
		case d < best:
			best, near = d, []string{w}
		default:
			near = append(near, w)
		}
	}
	if near == nil {
		return ""
	}
	return "did you mean " + strings.Join(near, " or ") + "?"
}

// editDistance is how many bytes are to be put in, taken out or changed to make b of a
// (Levenshtein's distance).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
