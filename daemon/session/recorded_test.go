package session_test

import (
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/backup"
	"github.com/factord/factord/daemon/factor/totp"
	"github.com/factord/factord/daemon/factor/yubico"
	"github.com/factord/factord/daemon/factordtest"
)

// Audit tells which token was enrolled and removed: an id may be given again.
func TestRecordsSayWhich(t *testing.T) {
	needRoot(t)
	d := factordtest.NewDaemon(t, factordtest.Options{Factors: []factor.Factor{
		totp.New(totp.Config{}), backup.New(backup.Config{}), yubico.New(yubico.Config{})}})
	for _, c := range []struct{ command, seed, id, log string }{
		{"ENROLL factor=totp user=alice name=phone no-confirm=1", "", "totp-1", `name \"phone\"`},
		{"ENROLL factor=hotp user=alice no-confirm=1", "", "hotp-1", `name \"hotp-1\"`},
		{"ENROLL factor=backup user=alice name=paper", "", "backup-1", `name \"paper\"`},
		{"ENROLL factor=yubico user=alice name=blue public-id=dteffujehknh seed=1", "8792ebfe26cc ecde18dbe76fbd0c33330f1c354871db", "yubico-1", `name \"blue\", public id \"dteffujehknh\"`},
	} {
		for _, command := range []string{c.command, "REMOVE user=alice id=" + c.id} {
			var answers []string
			if c.seed != "" && strings.HasPrefix(command, "ENROLL") {
				answers = append(answers, c.seed)
			}
			d.MustCall(command, answers...)
			want := `"id":"` + c.id + `","log":"` + c.log + `"`
			if audit := d.MustCall("AUDIT last=1"); !strings.Contains(audit, want) {
				t.Errorf("%s: %s, want %s", command, audit, want)
			}
		}
	}
}
