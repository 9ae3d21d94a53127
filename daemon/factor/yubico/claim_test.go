package yubico

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/yubico/ykval"
	"github.com/factord/factord/daemon/factordtest/yksim"
)

func TestLocalLogin(t *testing.T) {
	u, k := keyHolder(t)
	first, second := k.OTP(3, 0), k.OTP(3, 1)
	u.want(second, factor.Proven)
	if got := u.key("yubico-1"); got.Next != newCounter(3, 2) || !got.Used.Equal(u.now) {
		t.Errorf("kept: %+v", got)
	}
	u.want(second, factor.Replayed)
	u.want(k.OTP(3, 1), factor.Replayed) // another token of the same counter
	u.want(first, factor.Replayed)
	u.want(k.OTP(2, 255), factor.Replayed)
	u.want(k.OTP(0, 0), factor.Replayed)
	u.want(k.OTP(0x8002, 9), factor.Replayed) // the lock key's bit makes nothing newer
	u.want(k.OTP(0x8003, 2), factor.Proven)
	u.want(k.OTP(3, 2), factor.Replayed)
	u.want(k.OTP(4, 0), factor.Proven)
	u.want(k.OTP(0x7ffe, 0xff), factor.Proven)
	if found := u.want(k.OTP(0x7fff, 0), factor.Wrong); !strings.Contains(found.Log, "end of its counter") {
		t.Errorf("worn out: %+v", found)
	}
	u.want(k.OTP(0xffff, 0xff), factor.Wrong)
	u.want(k.OTP(0, 0), factor.Replayed) // it does not begin anew
	u.want(k.OTP(0x7ffe, 0xff), factor.Replayed)
}

func TestWrongOTPs(t *testing.T) {
	u, k := keyHolder(t)
	good := k.OTP(5, 5)
	stranger := yksim.NewKey(alicesID)
	sameAES := yksim.NewKey(alicesID)
	sameAES.AESKey = k.AESKey // its checksum is right, its private id is not
	for name, otp := range map[string]string{
		"another key under the same public id": stranger.Touch(),
		"other private id":                     sameAES.Touch(),
		"valid key of nobody":                  yksim.NewKey(bobsID).Touch(),
		"our token under another id":           bobsID + good[12:],
		"our token without an id":              good[12:],
		"one character of the id missing":      good[1:],
		"33 characters":                        good[11:],
		"corrupt":                              good[:43] + map[bool]string{true: "c", false: "v"}[good[43] == 'v'],
		"twisted":                              good[:12] + good[28:] + good[12:28],
		"64 characters":                        strings.Repeat("c", 64),
	} {
		t.Run(name, func(t *testing.T) { u.want(otp, factor.Wrong) })
	}
	for name, otp := range map[string]string{
		"truncated to 31": good[13:], "empty": "", "65 characters": strings.Repeat("c", 65), "1 MB": strings.Repeat("c", 1<<20),
		"digits": "123456", "backup code": "abcd-efgh-jkmn", "in two": good[:20] + " " + good[20:], "with an a": "a" + good[1:], "binary": "\x00\xff\x80",
	} {
		t.Run(name, func(t *testing.T) { u.notMine(otp) })
	}
	if got := u.key("yubico-1"); got.Next != 0 {
		t.Errorf("a wrong OTP moved the counter to %v", got.Next)
	}
	u.want(good, factor.Proven)
}

// The published OTPs, as logins: each is taken once, by the key whose secrets they are
// published with, and by no other.
func TestVectorsLogIn(t *testing.T) {
	for _, v := range vectors {
		u := newUser(t, nil)
		publicID, token := v.otp[:len(v.otp)-tokenSize], v.otp[len(v.otp)-tokenSize:]
		if publicID == "" {
			publicID = alicesID
		}
		privateID := strings.ReplaceAll(v.plain, " ", "")[:2*privateIDSize]
		if err := u.enrollAs(map[string]string{"public-id": publicID}, privateID+" "+v.aesKey, nil); err != nil {
			t.Fatal(err)
		}
		u.want("cdkfefrdhtru"+token, factor.Wrong)
		end := map[bool]string{true: "c", false: "v"}[strings.HasSuffix(token, "v")]
		u.want(publicID+token[:tokenSize-1]+end, factor.Wrong)
		u.want(publicID+token, factor.Proven)
		if got := u.key("yubico-1").Next - 1; got.use() != v.use || got.session() != v.session {
			t.Errorf("%s: counter %v", v.otp, got)
		}
		u.want(publicID+token, factor.Replayed)
	}
}

func TestKeyboards(t *testing.T) {
	u, k := keyHolder(t)
	otp := k.Touch()
	u.want(strings.ToUpper(otp[:20])+otp[20:], factor.Proven)
	u.want(" "+strings.ToUpper(k.Touch())+"\t", factor.Proven)
	tabbed := k.Touch()
	u.want("\t"+tabbed[:12]+"\t"+tabbed[12:]+"\t", factor.Proven)
	dvorak := strings.NewReplacer("c", "j", "b", "x", "d", "e", "e", ".", "f", "u", "g", "i", "h", "d", "i", "c",
		"j", "h", "k", "t", "l", "n", "n", "b", "r", "p", "t", "y", "u", "g", "v", "k")
	u.want(dvorak.Replace(otp), factor.Replayed)
	u.want(dvorak.Replace(k.Touch()), factor.Proven)
}

// On keyboards that have most letters of modhex elsewhere in modhex, an OTP can look
// like another one, or like that of a third keyboard. The public id tells.
func TestAmbiguousKeyboards(t *testing.T) {
	const publicID = "vvvvccuunnbb"
	for name, keys := range map[string]string{"colemak": "cbsftdhuneikpglv", "norman": "cbedtgyrniopfkuv", "dvorak": "jxe.uidchtnbpygk"} {
		u, k := newUser(t, nil), yksim.NewKey(publicID)
		if err := u.enroll(k); err != nil {
			t.Fatal(err)
		}
		ambiguous := 0
		for n := range 2000 {
			otp := k.OTP(uint16(n+1), 0)
			in := strings.Map(func(c rune) rune { return rune(keys[strings.IndexRune(modhex, c)]) }, otp)
			if as, _, ok := typed([]byte(in)); !ok || string(as) != publicID {
				ambiguous++
			}
			u.want(in, factor.Proven)
		}
		t.Logf("%s: %d of 2000 are not clear by themselves", name, ambiguous)
	}
}

func TestOtherUsersKey(t *testing.T) {
	alice, _ := keyHolder(t)
	bob, bobs := newUser(t, nil), yksim.NewKey(bobsID)
	if err := bob.enroll(bobs); err != nil {
		t.Fatal(err)
	}
	otp := bobs.Touch()
	if found := alice.want(otp, factor.Wrong); !strings.Contains(found.Log, bobsID) {
		t.Errorf("log: %q", found.Log)
	}
	bob.want(otp, factor.Proven)
}

// A YubiKey's long touch types a static password, in the same letters as an OTP.
func TestStaticPasswordIsNotLogged(t *testing.T) {
	u, _ := keyHolder(t)
	static := "vjkbdlrhtgcncvhuebjfiuvdjnklcihrbhkdtlvfjcrnuegigdvhtkfjcbnlrieu"
	for n := tokenSize; n <= len(static); n++ {
		if n == usualPublicID+tokenSize {
			continue
		}
		found := u.want(static[:n], factor.Wrong)
		for at := 0; at+4 <= n; at++ {
			if strings.Contains(found.Log, static[at:at+4]) {
				t.Errorf("of %d characters: %q", n, found.Log)
			}
		}
	}
}

// Two connections have read the same counter; the transaction reads it again.
func TestSpentMeanwhile(t *testing.T) {
	u, k := keyHolder(t)
	otp := k.Touch()
	c, err := u.f.Verify(context.Background(), u.login(), factor.Secret(otp))
	if err != nil {
		t.Fatal(err)
	}
	u.want(otp, factor.Proven)
	if found, err := c.Settle(u.rs); err != nil || found.Outcome != factor.Replayed {
		t.Errorf("%+v, %v", found, err)
	}
	c, err = u.f.Verify(context.Background(), u.login(), factor.Secret(k.Touch()))
	if err != nil {
		t.Fatal(err)
	}
	u.rs.Delete("yubico-1")
	if found, err := c.Settle(u.rs); err != nil || found.Outcome != factor.Wrong {
		t.Errorf("of a removed key: %+v, %v", found, err)
	}
}

func TestDamagedRecord(t *testing.T) {
	u, k := keyHolder(t)
	u.rs.Put("yubico-2", []byte("{}"))
	if _, err := u.f.Verify(context.Background(), u.login(), factor.Secret(k.Touch())); err == nil || errors.Is(err, factor.ErrNotMine) {
		t.Errorf("an OTP: %v", err)
	}
	u.notMine("abcd-efgh-jkmn")
	if _, err := u.f.Offer(context.Background(), u.login()); err == nil {
		t.Error("the offer has no error")
	}
}

// byServer is a user with one key that the servers verify.
func byServer(t *testing.T) (*user, *yksim.Key, *fakeServers) {
	t.Helper()
	s, k := &fakeServers{}, yksim.NewKey(alicesID)
	u := newUser(t, s)
	if err := u.enrollAs(map[string]string{"public-id": alicesID}, "", nil); err != nil {
		t.Fatal(err)
	}
	return u, k, s
}

func counted(use uint16, session uint8) ykval.Answer {
	return ykval.Answer{Outcome: ykval.Accepted, Counted: true, Use: use, Session: session}
}

func TestServerLogin(t *testing.T) {
	u, k, s := byServer(t)
	s.answer = counted(5, 1)
	u.want(strings.ToUpper(k.OTP(5, 1)), factor.Proven)
	if len(s.asked) != 1 || s.asked[0] != strings.ToLower(s.asked[0]) || !strings.HasPrefix(s.asked[0], alicesID) {
		t.Errorf("asked %q", s.asked)
	}
	u.want(k.OTP(5, 1), factor.Replayed) // whatever the server says
	u.want(k.OTP(4, 9), factor.Replayed)
	s.answer = ykval.Answer{Outcome: ykval.Replayed}
	u.want(k.OTP(6, 0), factor.Replayed)
	s.answer = ykval.Answer{}
	u.want(k.OTP(6, 0), factor.Wrong)
	for _, err := range []error{errors.New("out of order"), ykval.ErrConsumed} {
		s.answer, s.err = counted(7, 0), err
		u.want(k.OTP(7, 0), factor.Lapsed)
	}
	s.err = nil
	u.want(k.OTP(7, 0), factor.Proven)
	n := len(s.asked)
	u.want(yksim.NewKey(bobsID).Touch(), factor.Wrong) // which the server may well know
	if len(s.asked) != n {
		t.Error("the server was asked about another user's key")
	}
	if got := u.key("yubico-1"); got.Next != newCounter(7, 1) {
		t.Errorf("next %v", got.Next)
	}
}

func TestServerWithoutCounters(t *testing.T) {
	u, k, s := byServer(t)
	s.answer = ykval.Answer{Outcome: ykval.Accepted}
	otp := k.Touch()
	u.want(otp, factor.Proven)
	u.want(otp, factor.Replayed)
	u.want(k.Touch(), factor.Proven)
}

// One user has a key that is verified here and one that the servers verify: each OTP
// goes its own way, and the servers hear of none that is not theirs.
func TestMixedFleet(t *testing.T) {
	u, remote, s := byServer(t)
	here := yksim.NewKey(bobsID)
	if err := u.enroll(here); err != nil {
		t.Fatal(err)
	}
	s.err = errors.New("out of order")
	u.want(here.Touch(), factor.Proven)
	if len(s.asked) != 0 {
		t.Errorf("asked %q", s.asked)
	}
	u.want(remote.OTP(3, 0), factor.Lapsed)
	s.answer, s.err = counted(3, 0), nil
	u.want(remote.OTP(3, 0), factor.Proven)
	u.want(here.Touch(), factor.Proven)
	u.f = New(Config{}) // without servers the other key still counts
	u.want(remote.OTP(3, 1), factor.Lapsed)
	u.want(here.Touch(), factor.Proven)
}

func TestOffers(t *testing.T) {
	offer := func(u *user) factor.Offer {
		t.Helper()
		o, err := u.f.Offer(context.Background(), u.login())
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	if o := offer(newUser(t, nil)); o.Enrolled || o.Usable {
		t.Errorf("without a key: %+v", o)
	}
	u, _ := keyHolder(t)
	if o := offer(u); !o.Enrolled || !o.Usable || o.Guessable || o.Hint == "" || o.Refused != "" {
		t.Errorf("with a key: %+v", o)
	}
	u, k, _ := byServer(t)
	if o := offer(u); !o.Usable {
		t.Errorf("with a server: %+v", o)
	}
	u.f = New(Config{}) // the servers were taken out of the configuration
	if o := offer(u); !o.Enrolled || o.Usable || o.Refused != "" {
		t.Errorf("without a server, to a rule that takes no YubiKey: %+v", o)
	}
	l := u.login()
	l.Wanted = true
	if o, err := u.f.Offer(t.Context(), l); err != nil || !o.Enrolled || o.Usable || !strings.Contains(o.Refused, "your YubiKey") {
		t.Errorf("without a server: %+v, %v", o, err)
	}
	u.want(k.Touch(), factor.Lapsed)
}
