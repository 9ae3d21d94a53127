// Package qr draws QR codes of half blocks: a character is two modules, one above
// the other. It is apart because factorctl and factord both draw, and share
// nothing else of a factor.
package qr

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

// Code is a QR code with its quiet zone.
type Code struct {
	// Width is how many columns a drawing takes.
	Width int
	dark  func(x, y int) bool
}

// Encode makes the code of a text.
func Encode(text string) (Code, error) {
	code, err := qr.Encode(text, qr.L, qr.Auto)
	if err != nil {
		return Code{}, fmt.Errorf("drawing the QR code: %w", err)
	}
	size := code.Bounds().Dx()
	return Code{Width: size + 2*quietZone, dark: func(x, y int) bool {
		x, y = x-quietZone, y-quietZone
		if x < 0 || y < 0 || x >= size || y >= size {
			return false
		}
		r, _, _, _ := code.At(x, y).RGBA()
		return r == 0
	}}, nil
}

// Coloured draws for a terminal that one holds oneself: dark is black and light is
// white whatever colours it has. Each line ends in a newline.
func (c Code) Coloured() string {
	var b strings.Builder
	for _, line := range c.lines(c.dark) {
		b.WriteString(blackOnWhite + line + plain + "\n")
	}
	return b.String()
}

// Lines draws where no colours can be chosen, as in a PAM conversation, which
// carries text only: what is light is drawn, since most terminals write light on
// dark. Readers that take both ways read it on the others too.
func (c Code) Lines() []string {
	return c.lines(func(x, y int) bool { return !c.dark(x, y) })
}

func (c Code) lines(drawn func(x, y int) bool) []string {
	var lines []string
	for y := 0; y < c.Width; y += 2 {
		var b strings.Builder
		for x := range c.Width {
			b.WriteString(cell(drawn(x, y), drawn(x, y+1)))
		}
		lines = append(lines, b.String())
	}
	return lines
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
