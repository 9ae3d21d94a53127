// Command bench measures what a second factor costs, against its peers in the
// same interleaved run, and says which of factord's promises hold. The machine
// may be noisy: only the ratios mean something.
//
//	go run ./daemon/factordtest/bench -bin bin
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// agentName is what factord calls the copy of this program that stands for factord-usb.
const agentName = "factord-usb"

func main() {
	bin := flag.String("bin", "bin", "folder of the built programs")
	rounds := flag.Int("rounds", 300, "interleaved rounds of the process benchmarks")
	users := flag.Int("users", 100_000, "enrolled users of the large database")
	only := flag.String("only", "", "socket, cold, pam, duo, yubico or touch: only that part")
	if filepath.Base(os.Args[0]) == agentName {
		if err := serveKey(os.Args[0]); err != nil {
			fmt.Fprintf(os.Stderr, "bench: factord-usb: %v\n", err)
			os.Exit(1)
		}
		return
	}
	flag.Parse()
	if os.Getenv(isSimulator) != "" {
		if err := simulate(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintf(os.Stderr, "bench: the Duo simulator: %v\n", err)
			os.Exit(1)
		}
		return
	}
	if err := run(*bin, *rounds, *users, *only); err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

func run(bin string, rounds, users int, only string) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("only root may ask for other users, and mount an /etc of its own: run it as root")
	}
	if rounds < 1 || !slices.Contains([]string{"", "socket", "cold", "pam", "duo", "yubico", "touch"}, only) {
		return fmt.Errorf("-rounds is 1 or more, and -only is socket, cold, pam, duo, yubico or touch")
	}
	bin, err := filepath.Abs(bin) // PAM takes no other
	if err != nil {
		return err
	}
	dir := os.Getenv(inPrivateEtc)
	if dir == "" {
		if only != "socket" && only != "cold" && only != "yubico" && only != "touch" {
			if err := peersInstalled(only); err != nil {
				return err
			}
		}
		dir, err := os.MkdirTemp("", "factord-bench")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		return privateEtc(dir, active+1+people)
	}
	r := &report{}
	if only == "" || only == "socket" {
		if err := benchSocket(r, bin, dir, users); err != nil {
			return err
		}
	}
	if only == "" || only == "cold" {
		if err := benchCold(r, bin, dir); err != nil {
			return err
		}
	}
	if only == "" || only == "duo" {
		if err := benchDuo(r, bin, dir, rounds); err != nil {
			return err
		}
	}
	if only == "" || only == "yubico" {
		if err := benchYubico(r, bin, dir, rounds); err != nil {
			return err
		}
	}
	if only == "" || only == "touch" {
		if err := benchTouch(r, bin, dir, min(rounds, touchRounds)); err != nil {
			return err
		}
	}
	if only == "" || only == "pam" {
		if err := benchPAM(r, bin, dir, rounds); err != nil {
			return err
		}
	}
	return r.end()
}
