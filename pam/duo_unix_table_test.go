package pam_test

import "github.com/factord/factord/daemon/factordtest/duosim"

// duoUnixCase is a category of duo_unix's own tests, or a thing that it has learnt
// since, and its counterpart here.
type duoUnixCase struct {
	name    string // theirs, with how many tests of login_duo and pam_duo it has
	duoUnix string // what duo_unix does: 1.11.3, which Debian ships, unless it says otherwise
	factord string
	why     string // they differ; "": they do not
	test    string // of factord: folder and name
	try     []debianTry
}

// debianTry is Debian's login_duo in that case.
type debianTry struct {
	options string // lines of its configuration, in front of failmode
	config  string // all of it, instead
	user    string // at Duo; alice is a person with a phone who approves
	env     string
	fault   duosim.Fault
	in      bool
}

var duoUnixCases = []duoUnixCase{
	{"Configuration (6/6)", "a missing file, key or wrong value is failmode as read so far: by default everybody is let in",
		"does not start, or keeps the configuration that it has; the error names file, line, key and what to do", "a typing error must not open a machine",
		"conf TestBadDuo", []debianTry{{config: "[duo]\nikey = x\n", in: true}, {config: "[duo]\ncolour = red\n", in: true}, {config: "[duo]\nfailmode = secure\ncolour = red\n"}}},
	{"Configuration: readable by others", "refuses to read it, which is failmode", "refuses it, with chmod as hint", "", "conf TestSkeyInTheFile", nil},
	{"Duo down (2/2)", "failmode: lets in, or refuses", "another factor; who has none is refused, unless the rule says unavailable = \"allow\"", "the network must decide nothing",
		"pam TestDuoFaults", []debianTry{{fault: duosim.Refused, in: true}, {options: "failmode = secure\n", fault: duosim.Refused}}},
	{"self-signed (2/2)", "failmode", "refused, whatever the rule says", "a certificate that is wrong is an attack or a mistake, and no outage",
		"pam TestDuoFaults", []debianTry{{fault: duosim.SelfSigned, in: true}}},
	{"wrong CN (3/3)", "failmode", "refused, whatever the rule says", "as above", "pam TestDuoFaults", []debianTry{{fault: duosim.WrongNameCert, in: true}}},
	{"anon cipher (1/-)", "failmode", "not offered: Go's TLS has none; nothing below TLS 1.2 either", "", "daemon/factor/duo/authapi TestFaults", nil},
	{"HTTP status and bad keys (4/4)", "5xx and 401 are failmode, other 4xx refuse", "5xx is an outage, 4xx never", "a rotated key would let everybody in",
		"pam TestDuoFaults", []debianTry{{fault: duosim.ServerError, in: true}, {fault: duosim.WrongSignature, in: true}, {fault: "code=40301"}}},
	{"preauth states: auth (10/10)", "asks, or pushes if nobody can be asked", "the same", "", "pam TestDuoPush", []debianTry{{user: "alice", in: true}}},
	{"preauth states: allow", "lets in", "lets in if accept_bypass, says so, and marks the record; it proves nothing, and is not remembered", "an admin must see who was not asked",
		"daemon/factor/duo TestBypass", []debianTry{{user: "free", in: true}}},
	{"preauth states: deny", "refuses", "that factor is not there; others are", "", "daemon/factor/duo TestLockedOut", []debianTry{{user: "off"}}},
	{"preauth states: enroll", "prints a URL and refuses", "prints it, or shows a QR code and enrols in the login, if the rule says so", "", "daemon/factor/duo TestStart", []debianTry{{user: "nobody"}}},
	{"preauth states: 429 (3)", "1.11.3 refuses at once, 2.2.3 after 67 s", "waits as Duo asks, within the deadline; else another factor", "nobody waits for a minute",
		"daemon/factor/duo/authapi TestThrottled", []debianTry{{fault: "429=1"}}},
	{"preauth states: Retry-After as seconds, date, X-Retry-After", "2.2.3 reads all three", "the same", "", "daemon/factor/duo/authapi TestRetryAfter", nil},
	{"terminal-escape injection (2/2)", "1.11.3 shows them; stripped in unreleased versions", "stripped, on screens and in logs", "", "pam TestDuoEscapes", nil},
	{"host and ipaddr forms (1/1)", "whatever SSH_CONNECTION says is sent", "an address or nothing; of a user's own program, what logind says", "a user can set variables",
		"daemon/factor/duo TestWhatThePushSays", []debianTry{{env: "SSH_CONNECTION=not an address", in: true}}},
	{"http_proxy (2/2)", "only from the configuration, since a variable was a hole", "the same", "", "daemon/factor/duo/authapi TestProxy", nil},
	{"http_proxy: refuses", "failmode", "an outage", "", "daemon/factor/duo/authapi TestProxyRefuses", nil},
	{"hostname (1/1)", "sent", "the same, and in what the phone shows", "", "daemon/factor/duo TestWhatThePushSays", nil},
	{"preauth failures (4/4)", "failmode, which is told to Duo", "refused; Duo is told of no mode", "there is none", "daemon/factor/duo/authapi TestFaults", []debianTry{{fault: duosim.UnknownResult, in: true}}},
	{"bad JSON (1/1)", "failmode", "refused, whatever the rule says", "a hotel's portal is not Duo", "pam TestDuoFaults", []debianTry{{fault: duosim.Garbage, in: true}, {fault: duosim.HTML, in: true}}},
	{"env and fallback (3/3)", "SSH_CONNECTION, or the server's own address in its place", "PAM_RHOST, or what logind says; unknown is unknown", "a false address can be trusted at Duo", "pam TestDuoGate", nil},
	{"env factor (4/-)", "DUO_PASSCODE chooses a factor or is a passcode, and 1.11.3 leaves it to the session", "no variable is an answer", "environments are read by everything that runs in them",
		"pam TestDuoVariables", []debianTry{{options: "accept_env_factor = yes\n", env: "DUO_PASSCODE=" + duoPasscodes[0], in: true}, {options: "accept_env_factor = yes\n", env: "DUO_PASSCODE=1234321"}}},
	{"uid and privsep (5/-)", "setuid root; -c and -f are root's", "no setuid program; the kernel says who asks", "", "daemon/session TestWhoMayAsk", nil},
	{"timeout (1/-)", "https_timeout, of a request alone; without it a silent server hangs the login", "one deadline for everything", "", "pam TestDuoBlackHole", nil},
	{"shell (2/-)", "becomes the user's shell", "the same", "", "pam TestForceCommandShells", nil},
	{"groups (6/-)", "only members of groups are asked", "rules with groups, and users, networks and services", "", "daemon/policy TestPlan", nil},
	{"NSS failure (4/-)", "a group that can't be looked up is \"not in the group\", and lets in; an error in unreleased versions", "unavailable, which denies", "", "pam TestNSSFails", nil},
	{"interactive menu (5/6)", "Duo's own menu", "the list of what there is, and any code at the same prompt", "", "pam TestDuoList", nil},
	{"interactive menu: passcodes", "wrong ones are asked again, three times", "the same", "", "pam TestDuoPasscode", nil},
	{"interactive menu: no answer", "asks again", "the same", "", "pam TestDuoPushUnanswered", nil},
	{"GECOS (10/11)", "the Duo username may come from GECOS, which users can change", "a template, or a map in the configuration", "users must not choose who they are", "daemon/factor/duo/authapi TestNames", nil},
	{"MOTD (3/-)", "can print /etc/motd, also into scp", "prints nothing of its own on stdout", "sshd and pam_motd do that, and scp must not see it", "pam TestDuoForceCommandCopies", nil},
	{"SIGPIPE (1/-)", "ignored while it works", "the program that PAM is in keeps its own way", "", "pam TestModuleGoesAway", nil},
	{"time sync and skew (3/-)", "1.11.3 signs no date; 2.2.3 corrects its own by Duo's", "refused, and named with its size", "a clock that is wrong is wrong for TOTP and certificates too",
		"daemon/factor/duo/authapi TestSkew", []debianTry{{fault: "clock-skew=-312s", in: true}}},
	{"verified push (2/-)", "not in 1.11.3; 2.2.3 shows the code too late over SSH", "the code is seen before it is waited for, in every program", "", "pam TestDuoVerifiedPush", nil},
	{"IPv6 and fallback (5/2)", "unreleased versions know IPv6", "an address is an address", "", "daemon/policy TestParseAddr", nil},
	{"malformed HTTP (2/-)", "failmode", "refused", "", "daemon/factor/duo/authapi TestFaults", []debianTry{{fault: duosim.HalfResponse, in: true}}},
	{"prompts (-/2)", "1 to 3 attempts", "3", "the budget counts over all logins", "pam TestModulePrograms", nil},
	{"PAM argv (-/3)", "conf= and debug; an unknown one is an error", "an unknown one is an error", "", "pam TestModuleArguments", nil},

	// What its maintainers have mended since 2.2.3, and not released.
	{"#391, no certificate at all", "let in", "no handshake ends without one", "", "daemon/factor/duo/authapi TestFaults", nil},
	{"#385, control characters", "shown", "stripped", "", "daemon/factor/duo TestEscapes", nil},
	{"#384, getgrgid fails", "not in the group, let in", "unavailable, which denies", "", "daemon/session TestDirectoryDownIsUnavailable", nil},
	{"#377, a poll without a result", "went on as if it were one", "waited for until the deadline, then denied", "", "pam TestDuoFaults", nil},
	{"#378, the part that asks is killed", "let in", "denied, by every program", "", "pam TestDuoFactordKilled", nil},
	{"#388, DUO_PASSCODE in the session", "left there", "there is no such variable", "", "pam TestDuoVariables", nil},
	{"#393, a code out of bounds", "read behind an array", "numbers and texts are read, and nothing is looked up by them", "", "daemon/factor/duo/authapi TestFaults", nil},
	{"#392, IPv6 literals", "not understood", "understood", "", "conf TestBadDuo", nil},
	{"#389, supplementary groups", "kept root's", "the helper is the user's from the start", "", "pam TestForceCommandTerminal", nil},
	{"#397, an option that is unknown or gone", "failmode = secure behind it was dropped", "an error; nothing is dropped", "", "conf TestBad", []debianTry{{config: "[duo]\ncolour = red\nfailmode = secure\n", in: true}}},
	{"#372, the date in the user's language", "the signature was wrong", "dates are written in English by our own hand", "", "daemon/factor/duo/authapi TestDate", nil},
	{"#347 and #369, the code of a verified push over SSH", "not shown before it is over", "shown with a question", "sshd before 10.3 shows text only so", "pam TestDuoVerifiedPush", nil},
	{"#279, https_timeout and failmode", "hangs", "the deadline holds for name, TCP, TLS, request and push", "", "pam TestDuoFaults", nil},
	{"ssh -N with ForceCommand", "passes it", "the snippet forbids forwarding; through PAM the gate asks", "", "pam TestDuoGate", nil},
}
