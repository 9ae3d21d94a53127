package totp

import (
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	pquerna "github.com/pquerna/otp"
	pquernatotp "github.com/pquerna/otp/totp"

	"github.com/factord/factord/daemon/factor"
)

var rfcKeys = map[string]string{
	"SHA1":   rfcSecret,
	"SHA256": "12345678901234567890123456789012",
	"SHA512": "1234567890123456789012345678901234567890123456789012345678901234",
}

func TestRFC4226(t *testing.T) {
	u := newUser(t, 0)
	u.counted("hotp-1", rfcSecret, 0)
	for i, code := range strings.Fields("755224 287082 359152 969429 338314 254676 287922 162583 399871 520489") {
		if reference(rfcSecret, int64(i)) != code {
			t.Fatalf("reference is wrong at %d", i)
		}
		if found := u.want(code, factor.Proven); found.ID != "hotp-1" {
			t.Errorf("ID %q", found.ID)
		}
		if next := u.token("hotp-1").HOTP.Next; next != uint64(i)+1 {
			t.Errorf("counter %d after %d", next, i)
		}
	}
}

func TestRFC6238(t *testing.T) {
	vectors := []struct {
		at                   int64
		sha1, sha256, sha512 string
	}{
		{59, "94287082", "46119246", "90693936"},
		{1111111109, "07081804", "68084774", "25091201"},
		{1111111111, "14050471", "67062674", "99943326"},
		{1234567890, "89005924", "91819424", "93441116"},
		{2000000000, "69279037", "90698825", "38618901"},
		{20000000000, "65353130", "77737706", "47863826"},
	}
	for _, v := range vectors {
		for alg, code := range map[string]string{"SHA1": v.sha1, "SHA256": v.sha256, "SHA512": v.sha512} {
			u := newUser(t, 0)
			u.now = time.Unix(v.at, 0)
			tok, _ := newToken(kindTOTP)
			tok.ID, tok.Secret, tok.Algorithm, tok.Digits = "totp-1", seed(rfcKeys[alg]), alg, 8
			u.keep(tok)
			u.want(code, factor.Proven)
			u.want(code, factor.Replayed)
		}
	}
}

// peers calls check for tokens of every algorithm, length and some periods.
func peers(t *testing.T, check func(tok *token, now time.Time)) {
	for alg, secret := range rfcKeys {
		for digits := minDigits; digits <= maxDigits; digits++ {
			for _, period := range []int{15, 30, 60, 120} {
				tok, _ := newToken(kindTOTP)
				tok.ID, tok.Secret, tok.Algorithm, tok.Digits = "totp-1", seed(secret), alg, digits
				tok.TOTP.Period = period
				check(tok, time.Unix(1_700_000_000+int64(digits*period), 0))
			}
		}
	}
}

func TestAgreesWithPquerna(t *testing.T) {
	peers(t, func(tok *token, now time.Time) {
		alg, _ := algorithm(tok.Algorithm)
		code, err := pquernatotp.GenerateCodeCustom(base32.StdEncoding.EncodeToString(tok.Secret), now, pquernatotp.ValidateOpts{
			Period: uint(tok.TOTP.Period), Digits: pquerna.Digits(tok.Digits), Algorithm: alg,
		})
		if err != nil {
			t.Fatal(err)
		}
		acceptOnce(t, tok, now, code)
	})
}

func TestAgreesWithOathtool(t *testing.T) {
	path, err := exec.LookPath("oathtool")
	if errors.Is(err, exec.ErrNotFound) && os.Getuid() != 0 {
		t.Skip("oathtool is not installed")
	} else if err != nil {
		t.Fatal("oathtool, the peer of this test, is missing: ", err)
	}
	run := func(args ...string) []string {
		out, err := exec.Command(path, args...).Output()
		if err != nil {
			t.Fatalf("oathtool %v: %v", args, err)
		}
		return strings.Fields(string(out))
	}
	peers(t, func(tok *token, now time.Time) {
		code := run("--totp="+strings.ToLower(tok.Algorithm), fmt.Sprintf("--digits=%d", tok.Digits),
			fmt.Sprintf("--time-step-size=%ds", tok.TOTP.Period), fmt.Sprintf("--now=@%d", now.Unix()), hex.EncodeToString(tok.Secret))
		acceptOnce(t, tok, now, code[0])
	})
	for digits := minDigits; digits <= maxDigits; digits++ {
		u := newUser(t, 0)
		tok, _ := newToken(kindHOTP)
		tok.ID, tok.Secret, tok.Digits, tok.HOTP.Next = "hotp-1", seed(rfcSecret), digits, 1<<32-5
		u.keep(tok)
		for _, code := range run("--hotp", "-w", "9", fmt.Sprintf("--counter=%d", tok.HOTP.Next), fmt.Sprintf("--digits=%d", digits), hex.EncodeToString(tok.Secret)) {
			u.want(code, factor.Proven)
		}
	}
}

func acceptOnce(t *testing.T, tok *token, now time.Time, code string) {
	t.Helper()
	u := newUser(t, 0)
	u.now = now
	u.keep(tok)
	u.want(code, factor.Proven)
	u.want(code, factor.Replayed)
}

func TestForm(t *testing.T) {
	plain, _ := newToken(kindTOTP)
	keyed, _ := newToken(kindHOTP)
	keyed.HOTP.Prefix = "ubhe00123456"
	for _, c := range []struct {
		tok          *token
		answer, code string
	}{
		{plain, "755224", "755224"},
		{plain, "755 224", "755224"},
		{plain, "75 52 24", "755224"},
		{plain, "7 5 5 2 2 4", "755224"},
		{plain, "755  224", ""},
		{plain, " 755224", ""},
		{plain, "755224 ", ""},
		{plain, "755\t224", ""},
		{plain, "755-224", ""},
		{plain, "75522", ""},
		{plain, "7552244", ""},
		{plain, "", ""},
		{plain, "      ", ""},
		{plain, "\u0667\u0665\u0665\u0662\u0662\u0664", ""}, // Arabic-Indic digits
		{plain, "\uff17\uff15\uff15\uff12\uff12\uff14", ""}, // full width
		{plain, "755224\x00", ""},
		{plain, "ubhe00123456755224", ""},
		{keyed, "755224", "755224"},
		{keyed, "755 224", "755224"},
		{keyed, "ubhe00123456755224", "755224"},
		{keyed, "UBHE00123456755224", "755224"},
		{keyed, "ubhe00123456 755224", ""},
		{keyed, "ubhe00123457755224", ""},
		{keyed, "123456755224", ""},
		{keyed, "ubhe0012345675522x", ""},
		{keyed, "ubhe00123456", ""},
	} {
		code, ok := c.tok.codeIn(factor.Secret(c.answer))
		if ok != (c.code != "") || ok && string(code) != c.code {
			t.Errorf("code in %q: %q, %v", c.answer, string(code), ok)
		}
	}
}
