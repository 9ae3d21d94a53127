package pam_test

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/factordtest/yksim"
	"github.com/factord/factord/pam/pamtest"
)

// pamYubico is libpam-yubico's module, which Debian has outside the folder that PAM
// looks into first.
func pamYubico(t *testing.T) string {
	t.Helper()
	for _, pattern := range []string{"/lib/security/pam_yubico.so", "/lib/*/security/pam_yubico.so", "/usr/lib/*/security/pam_yubico.so"} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return found[0]
		}
	}
	t.Fatal("there is no pam_yubico.so\nhint: install libpam-yubico; \"make test\" does")
	return ""
}

// Yubico's own module and ours ask the same validation server about the same key: what
// one of them has accepted, the other refuses as replayed, and neither disturbs the
// other.
func TestYubicoBesidePamYubico(t *testing.T) {
	t.Parallel()
	factordtest.NeedRoot(t)
	module := pamYubico(t)
	k := yksim.NewKey("dteffujehknh")
	s := yksim.NewServer(k)
	url, apiKey := s.Start(t), base64.StdEncoding.EncodeToString(s.APIKey)
	dir := factordtest.OpenDir(t)
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	l := &lab{t: t, who: pamtest.NewAccount(t, ""), Process: factordtest.StartProcess(t, factordtest.ProcessOptions{Config: fmt.Sprintf(
		"[[yubico.server]]\nurl = %q\nclient_id = %d\napi_key_file = %q\n[[rule]]\nfactors = [\"yubico\"]\n",
		url, yksim.ClientID, write("api-key", apiKey, 0o600))})}
	l.MustEnroll(l.who.Name, "yubico", "public-id", k.PublicID)
	ours := pamtest.Service(t, l.moduleLine("auth", "required", "first"))
	theirs := pamtest.Service(t, fmt.Sprintf("auth required %s id=%d key=%s urllist=%s authfile=%s\n",
		module, yksim.ClientID, apiKey, url, write("keys", l.who.Name+":"+k.PublicID+"\n", 0o644)))
	for range 2 {
		otp := k.Touch()
		if got := l.tests(theirs, otp+"\n"); !strings.Contains(got, saysSuccess) {
			t.Fatalf("pam_yubico: %q", got)
		}
		if got := l.tests(ours, otp+"\n"); strings.Contains(got, saysSuccess) || !strings.Contains(got, "used already") {
			t.Errorf("pam_factord takes what pam_yubico has accepted: %q", got)
		}
		l.lastRecord(map[string]string{"verdict": "deny", "reason": "replayed"})
		otp = k.Touch()
		if got := l.tests(ours, otp+"\n"); !strings.Contains(got, saysSuccess) {
			t.Errorf("pam_factord: %q", got)
		}
		if got := l.tests(theirs, otp+"\n"); strings.Contains(got, saysSuccess) {
			t.Errorf("pam_yubico takes what pam_factord has accepted: %q", got)
		}
	}
	l.Stop()
}
