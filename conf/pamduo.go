package conf

import "strings"

const pamDuo = "pam_duo and login_duo"

// pamDuoHints says, for each key of login_duo.conf and pam_duo.conf that [duo] has not,
// what stands for it here. The same table is in packaging/doc/duo.md.
func pamDuoHints() map[string]string {
	const (
		groups   = `leave it out: write groups = ["..."] into a [[rule]], and for whom Duo is not to ask a [[rule]] with mode = "exempt" in front`
		username = `leave it out: username = "{user}@example.com" and user_map say who is who, since users can change their GECOS`
		nothing  = "leave it out: "
	)
	return map[string]string{
		"failmode":      `leave it out: without Duo another factor of the rule serves (totp, backup); unavailable = "allow" in a [[rule]] is the nearest to "safe"`,
		"http_proxy":    `write proxy = "http://proxy.example.com:3128"`,
		"https_timeout": `write preauth_timeout = "5s" and deadline = "50s", which bound everything`,
		"cafile":        `write ca_file = "/path/of/ca.pem"`,
		"noverify":      `leave it out: the server is always verified, with ca_file = "/path/of/ca.pem" if the system does not know it`,
		"groups":        groups, "group": groups,
		"send_gecos": username, "gecos_delim": username, "gecos_username_pos": username, "gecos_parsed": username,
		"autopush":          nothing + "Enter sends a push, and where nobody can type it is sent by itself",
		"prompts":           nothing + "an attempt has three answers",
		"pushinfo":          nothing + "a push always shows the command",
		"verified_push":     nothing + "the code of a Verified Push is always shown",
		"accept_env_factor": nothing + "no variable is an answer",
		"fallback_local_ip": nothing + "an address that is not known is not made up",
		"dev_fips_mode":     nothing + "there is nothing like it",
		"motd":              nothing + "sshd and pam_motd show it",
	}
}

// likePamDuo reports whether the [duo] in which line n lies, as far as it goes, is written
// as login_duo.conf is: with comments behind a semicolon, or its keys without quotes. One
// text without its quotes is a slip of who writes TOML.
func likePamDuo(data []byte, n int) bool {
	inside, comments, bare, number := false, 0, 0, 0
	for line := range strings.Lines(string(data)) {
		number++
		line = strings.TrimSpace(line)
		key, value, _ := strings.Cut(line, "=")
		switch key, value = strings.TrimSpace(key), strings.TrimSpace(value); {
		case strings.HasPrefix(line, "["):
			if number > n {
				return inside && (comments > 0 || bare > 1)
			}
			inside, comments, bare = line == "[duo]", 0, 0
		case strings.HasPrefix(line, ";"):
			comments++
		case (key == "ikey" || key == "skey" || key == "host") && value != "" && !strings.ContainsAny(value[:1], `'"`):
			bare++
		}
	}
	return inside && (comments > 0 || bare > 1)
}
