package qr

import (
	"strings"
	"testing"

	"github.com/boombuler/barcode/qr"
)

const uri = "otpauth://totp/factord%20demo:alice?algorithm=SHA1&digits=6&issuer=factord%20demo&period=30&secret=D3OA4B7OGCLXRQYLKKATSZZ2QJREU6JJ"

// modules reads a drawing back: true is dark.
func modules(t *testing.T, drawing string) [][]bool {
	t.Helper()
	var rows [][]bool
	for _, line := range strings.Split(strings.TrimSuffix(drawing, "\n"), "\n") {
		cells, found := strings.CutPrefix(line, "\x1b[38;5;16;48;5;231m")
		cells, ended := strings.CutSuffix(cells, "\x1b[0m")
		if !found || !ended {
			t.Fatalf("a line without its colours: %q", line)
		}
		var above, below []bool
		for _, cell := range cells {
			above = append(above, cell == '▀' || cell == '█')
			below = append(below, cell == '▄' || cell == '█')
			if !strings.ContainsRune(" ▀▄█", cell) {
				t.Fatalf("a cell is %q", cell)
			}
		}
		rows = append(rows, above, below)
	}
	return rows
}

func TestQR(t *testing.T) {
	c, err := Encode(uri)
	if err != nil {
		t.Fatal(err)
	}
	width := c.Width
	code, err := qr.Encode(uri, qr.L, qr.Auto)
	if err != nil {
		t.Fatal(err)
	}
	size := code.Bounds().Dx()
	if width != size+8 || (size-17)%4 != 0 || width > 80 {
		t.Fatalf("width %d for %d modules", width, size)
	}
	rows := modules(t, c.Coloured())
	if len(rows) < width || len(rows) > width+1 {
		t.Errorf("%d rows for a width of %d", len(rows), width)
	}
	for y, row := range rows {
		if len(row) != width {
			t.Fatalf("row %d has %d columns, not %d", y, len(row), width)
		}
		for x, dark := range row {
			want := false // the quiet zone
			if mx, my := x-4, y-4; mx >= 0 && my >= 0 && mx < size && my < size {
				r, _, _, _ := code.At(mx, my).RGBA()
				want = r == 0
			}
			if dark != want {
				t.Fatalf("module %d, %d is %v", x, y, dark)
			}
		}
	}
	for _, corner := range [][2]int{{4, 4}, {4, width - 11}, {width - 11, 4}} { // finder patterns, 7 by 7
		for i := range 7 {
			if !rows[corner[1]][corner[0]+i] || !rows[corner[1]+i][corner[0]] {
				t.Errorf("no finder pattern at %v", corner)
			}
		}
	}
}

// Both ways of drawing show the same code: what one draws, the other leaves out.
func TestLines(t *testing.T) {
	c, err := Encode(uri)
	if err != nil {
		t.Fatal(err)
	}
	rows := modules(t, c.Coloured())
	lines := c.Lines()
	if len(lines) != len(rows)/2 {
		t.Fatalf("%d lines for %d rows", len(lines), len(rows))
	}
	for i, line := range lines {
		x := 0
		for _, cell := range line {
			above, below := cell == '▀' || cell == '█', cell == '▄' || cell == '█'
			if above == rows[2*i][x] || below == rows[2*i+1][x] {
				t.Fatalf("line %d, column %d is %q", i, x, cell)
			}
			x++
		}
		if x != c.Width {
			t.Fatalf("line %d has %d columns", i, x)
		}
	}
	if _, err := Encode(strings.Repeat("x", 10_000)); err == nil {
		t.Error("10 kB fit into a QR code")
	}
}
