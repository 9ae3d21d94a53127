package usbip

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// controller is a folder like the kernel's.
func controller(t *testing.T, status string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"status": status, "attach": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const (
	statusHead = "hub port sta spd dev      sockfd local_busid\n"
	statusFree = statusHead + "hs  0000 006 002 00010001 000003 1-1\nhs  0001 004 000 00000000 000000 0-0\nhs  0010 004 000 00000000 000000 0-0\nss  0008 004 000 00000000 000000 0-0\n"
)

func TestFreePorts(t *testing.T) {
	got, err := freePorts(controller(t, statusFree))
	if want := []int{1, 10}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
	for name, dir := range map[string]string{
		"none free": controller(t, statusHead+"hs  0000 006 002 00010001 000003 1-1\n"),
		"no number": controller(t, "hs  x 004\n"),
		"no module": t.TempDir(),
	} {
		if got, err := freePorts(dir); err == nil {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestPlugLine: what the kernel is told: port, descriptor, device, speed.
func TestPlugLine(t *testing.T) {
	dir := controller(t, statusFree)
	if err := plug(dir, 7); err != nil {
		t.Fatal(err)
	}
	line, err := os.ReadFile(filepath.Join(dir, "attach"))
	if err != nil || string(line) != "1 7 65537 2" {
		t.Errorf("%q, %v", line, err)
	}
}
