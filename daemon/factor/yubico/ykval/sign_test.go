package ykval

import (
	"encoding/base64"
	"net/url"
	"strings"
	"testing"
)

// apiKey is that of ykclient's self test.
const apiKey = "oBVbNt7IZehZGR99rvq8d6RZ1DM="

func paramsOf(text string) map[string]string {
	params := map[string]string{}
	for pair := range strings.SplitSeq(text, "&") {
		key, value, _ := strings.Cut(pair, "=")
		params[key] = value
	}
	return params
}

func TestSignatures(t *testing.T) {
	key, err := base64.StdEncoding.DecodeString(apiKey)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []struct {
		key        []byte
		text, want string
	}{
		{key, "a=2&b=1&c=3", "5iHixfktLHEbV85Gp0u80psu7Qo="},
		{nil, "a=2&b=1&c=3", "ZEtTjv0t/MBA+Hb11QE1zPe4qB0="},
		{key, "id=1851&nonce=askjdnkajsndjkasndkjsnad&otp=ccccccbchvthlivuitriujjifivbvtrjkjfirllluurj&timestamp=1", "rtIhgAax8PazjM/sQbl9yV9cLQQ="},
		{key, "nonce=aef3a7835277a28da831005c2ae3b919e2076a62&otp=cccccccbcjdifctrndncchkftchjlnbhvhtugdljibej&sl=75&status=OK&t=2010-04-23T20:34:51Z0678", "ZPFJbJnouAzajHXh/8VoasqoHtM="},
	} {
		params := paramsOf(v.text)
		params["h"] = v.want
		if got := base64.StdEncoding.EncodeToString(sign(v.key, params)); got != v.want {
			t.Errorf("%s: %s, want %s", v.text, got, v.want)
		}
		if signed(v.key, params) != (v.key != nil) {
			t.Errorf("%s: signed %v", v.text, v.key == nil)
		}
	}
	if got := url.QueryEscape("a+/="); got != "a%2B%2F%3D" {
		t.Errorf("a plus is sent as %s", got)
	}
}

func TestParse(t *testing.T) {
	got, err := parse("h=ZPFJ+/8VoasqoHtM=\r\nt=2010-04-23T20:34:51Z0678\nstatus=OK \t\r\n\r\nsl=\r\n")
	if err != nil || len(got) != 4 || got["h"] != "ZPFJ+/8VoasqoHtM=" || got["status"] != "OK" || got["sl"] != "" {
		t.Errorf("%q, %v", got, err)
	}
	for _, body := range []string{"", "\r\n", "status", "status=", "=OK\nstatus=OK", "status=OK\nstatus=OK", "h=a\nh=b\nstatus=OK",
		"st atus=OK", "<html>", "status=OK\nSTATUS=x", strings.Repeat("status=OK\n", 2), manyParams(33)} {
		if got, err := parse(body); err == nil {
			t.Errorf("%.40q is read as %q", body, got)
		}
	}
	if _, err := parse(manyParams(32)); err != nil {
		t.Error(err)
	}
}

func manyParams(n int) string {
	text := "status=OK\n"
	for i := range n - 1 {
		text += "k" + strings.Repeat("x", i) + "=1\n"
	}
	return text
}

// A no that is there when the grace ends beats the yes before it.
func TestLateNo(t *testing.T) {
	c := &Client{servers: make([]*server, 2), grace: 1}
	for range 50 {
		replies := make(chan reply, 2)
		replies <- reply{answer: Answer{Outcome: Accepted}}
		replies <- reply{answer: Answer{Outcome: Replayed}}
		if got, err := c.collect(t.Context(), replies); err != nil || got.Outcome != Replayed {
			t.Fatalf("%+v, %v", got, err)
		}
	}
}

// FuzzAnswer: whatever comes without our signature allows nothing.
func FuzzAnswer(f *testing.F) {
	f.Add("h=ZPFJ=\r\nt=2010-04-23T20:34:51Z0678\r\notp=c\r\nnonce=n\r\nstatus=OK\r\n\r\n")
	f.Add("status=REPLAYED_OTP")
	f.Fuzz(func(t *testing.T, body string) {
		got, err := parse(body)
		if err != nil {
			return
		}
		if answer, err := judge([]byte("a key"), map[string]string{"otp": "c", "nonce": "n"}, got); err == nil {
			t.Errorf("%q is %v", body, answer)
		}
		params := map[string]string{}
		for k, v := range got {
			if strings.ContainsAny(v, "\n") || strings.TrimRight(v, " \t\r") != v || strings.TrimSpace(k) == "" {
				t.Errorf("%q has %q = %q", body, k, v)
			}
			params[k] = v
		}
		if len(params) > maxParams {
			t.Errorf("%d parameters", len(params))
		}
	})
}
