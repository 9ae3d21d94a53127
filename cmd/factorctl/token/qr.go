package token

import (
	"fmt"
	"strings"

	"github.com/boombuler/barcode/qr"
)

const (
	// quietZone is the light border that readers need, in modules (ISO/IEC
	// 18004, 6.3.8).
	quietZone = 4
	// Black on white by their numbers in the cube of 256 colours: the sixteen
	// basic ones are whatever a theme makes of them.
	blackOnWhite = "\x1b[38;5;16;48;5;231m"
	plain        = "\x1b[0m"
)

// QR draws text as a QR code of half blocks: a character is two modules, one
// above the other. Dark is black and light is white whatever colours the
// terminal has. width is how many columns it takes.
func QR(text string) (drawing string, width int, err error) {
	code, err := qr.Encode(text, qr.L, qr.Auto)
	if err != nil {
		return "", 0, fmt.Errorf("drawing the QR code: %w", err)
	}
	size := code.Bounds().Dx()
	dark := func(x, y int) bool {
		x, y = x-quietZone, y-quietZone
		if x < 0 || y < 0 || x >= size || y >= size {
			return false
		}
		r, _, _, _ := code.At(x, y).RGBA()
		return r == 0
	}
	width = size + 2*quietZone
	var b strings.Builder
	for y := 0; y < width; y += 2 {
		b.WriteString(blackOnWhite)
		for x := range width {
			b.WriteString(cell(dark(x, y), dark(x, y+1)))
		}
		b.WriteString(plain + "\n")
	}
	return b.String(), width, nil
}

func cell(above, below bool) string {
	switch {
	case above && below:
		return "█"
	case above:
		return "▀"
	case below:
		return "▄"
	}
	return " "
}
