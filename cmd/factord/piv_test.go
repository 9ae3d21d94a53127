package main_test

import (
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/usb/virtual/card"
)

// A [piv] that can't work is told at the start; one that can leads to the keys of this
// machine. A machine of tests has none; who has one there does not give its PIN.
func TestPIV(t *testing.T) {
	ca := filepath.Join(factordtest.OpenDir(t), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: card.NewAuthority("A company").Certificate.Raw})
	if err := os.WriteFile(ca, text, 0o644); err != nil {
		t.Fatal(err)
	}
	const rule = "[[rule]]\nfactors = [\"piv\", \"totp\"]\n"
	for file, want := range map[string]string{
		"/nonexistent/ca.pem": "factord.toml: ca_file of [piv]: open /nonexistent/ca.pem",
		"/etc/passwd":         "factord.toml: ca_file of [piv]: there is no certificate in PEM",
	} {
		p := factordtest.Prepare(t, factordtest.ProcessOptions{Config: fmt.Sprintf("[piv]\nca_file = %q\n%s", file, rule)})
		p.Launch(p.Args()...)
		if status := p.Wait(10 * time.Second); status == 0 || !strings.Contains(p.Log(), want) {
			t.Errorf("%s: status %d, log %q", file, status, p.Log())
		}
	}
	factordtest.USB(t)
	for _, more := range []string{"", fmt.Sprintf("[piv]\nattestation = \"required\"\nca_file = %q\n", ca)} {
		p := factordtest.StartProcess(t, factordtest.ProcessOptions{Config: more + rule})
		_, err := factordtest.Call(p.Socket, -1, "ENROLL factor=piv user=root")
		if err == nil || strings.Contains(err.Error(), "can't be asked") {
			t.Errorf("enrolling: %v\n%s", err, p.Log())
		}
		p.Stop()
	}
}
