package conf

import "testing"

const winding = `# [[rule]]
text = """
[[rule]]
services = 1 ""\"""""
  raw = '''
[[rule]] ' '' '''   # [[rule]]
a . "b c".'d' = [ # ]
  1,
  { x = 2, y = [3,
     4] }, # comment with ] and "
  "]", ']',
]
[[rule]]
when = 1979-05-27 07:32:00
services = ["a", "#", """
""",
 "b"]
[rule.inner]
deep = 1
	[[ "rule" ]] # second
"services"=1
[[r.rule]]
no = 1
[other]
'rule' = [{a = 1}, {a = 2,
b = 3}]
["r\u0075le2"]
k = 1`

func TestLocate(t *testing.T) {
	lines, err := locate([]byte(winding))
	if err != nil {
		t.Fatal(err)
	}
	want := map[path]int{
		"text": 2, "raw": 5, `a."b c".d`: 7, `a."b c".d[0]`: 8, `a."b c".d[1].y`: 9, `a."b c".d[1].y[1]`: 10, `a."b c".d[3]`: 11,
		"rule": 13, "rule[0]": 13, "rule[0].when": 14, "rule[0].services": 15, "rule[0].services[3]": 17,
		"rule[0].inner": 18, "rule[0].inner.deep": 19, "rule[1]": 20, "rule[1].services": 21,
		"r": 22, "r.rule[0]": 22, "r.rule[0].no": 23, "rule[2]": 0,
		"other": 24, "other.rule[0].a": 25, "other.rule[1]": 25, "other.rule[1].b": 26, "rule2.k": 28,
	}
	for p, line := range want {
		if lines[p] != line {
			t.Errorf("%s: line %d, want %d", p, lines[p], line)
		}
	}
}
