package main_test

import "testing"

// What is plugged in, as a person reads it; a key's own words can't drive the terminal.
func TestKeys(t *testing.T) {
	for _, tc := range []struct{ reply, want string }{
		{`{"keys":[]}`, "no key is plugged in\n"},
		{`{"keys":[],"notes":["no pcscd"]}`, "no key is plugged in\nno pcscd\n"},
		{`{"keys":[{"port":"1-1","serial":7,"name":"YubiKey","vendor":4176,"product":1031,"firmware":"5.4.3",` +
			`"slots":[{"slot":1,"configured":true},{"slot":2,"configured":true,"challenge":true}],` +
			`"fido":{"versions":["FIDO_2_0"],"pin_set":true,"uv":false},"piv":{"reader":"r","tries":3,"slots":[{"slot":"9a","algorithm":"P-256","pin":"once","touch":"never","public_key":null}]},` +
			`"enrolled":[{"user":"alice","id":"hmac-1","factor":"hmac"},{"user":"bob","id":"piv-2","factor":"piv"}]},` +
			`{"port":"1-2","name":"\u001b[2Jx","vendor":1,"product":1,"note":"another program holds it"}]}`,
			"KEY      SERIAL  FIRMWARE  CAN                                                             ENROLLED\n" +
				"YubiKey  7       5.4.3     touch or hmac (slot 1), hmac (slot 2), fido2 (PIN set), piv 9a  alice hmac-1, bob piv-2\n" +
				"?[2Jx    -       -         -                                                               -\n?[2Jx: another program holds it\n"},
	} {
		path := serve(t, func(f *fake) {
			f.put("OK factord 1")
			f.expect("KEYS")
			f.put("D "+tc.reply+"%0A", "OK")
		})
		o := run(t, "", "keys", "--socket", path)
		o.want(t, 0, tc.want, "")
	}
}
