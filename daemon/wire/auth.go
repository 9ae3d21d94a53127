package wire

import "unicode/utf8"

// Phase is the PAM phase a client asks in.
type Phase uint8

// Phases.
const (
	PhaseAuth Phase = iota
	PhaseAccount
)

var phases = [...]string{PhaseAuth: "auth", PhaseAccount: "account"}

func (p Phase) String() string { return phases[p] }

// Conv is what a client can do with text and questions. The zero value can do
// nothing.
type Conv uint8

// Conversations.
const (
	// ConvNone: nobody can be asked and nothing be shown.
	ConvNone Conv = iota
	// ConvInfo: text can be shown.
	ConvInfo
	// ConvPrompt: somebody can be asked, and text shows at once.
	ConvPrompt
	// ConvFlush: somebody can be asked, but text shows only together with a
	// prompt (sshd before OpenSSH 10.3).
	ConvFlush
)

var convs = [...]string{ConvNone: "none", ConvInfo: "info", ConvPrompt: "prompt", ConvFlush: "flush"}

func (c Conv) String() string { return convs[c] }

// CanAsk reports whether an inquiry can reach a person.
func (c Conv) CanAsk() bool { return c == ConvPrompt || c == ConvFlush }

// Auth is what a client says of one attempt. None of it is proof: who may ask
// for whom is decided by the peer's credentials.
type Auth struct {
	User    string // may be empty: the peer itself
	Service string // PAM service name
	RHost   string // PAM_RHOST
	RUser   string // PAM_RUSER
	TTY     string // PAM_TTY
	Command string // what is to be run, in the client's own words
	Phase   Phase
	Conv    Conv
	// AuthInfo: the client has sshd's SSH_AUTH_INFO_0.
	AuthInfo bool
	// First: a first factor was proven in this login.
	First bool
	// Race: the client watches the socket while it asks.
	Race bool
}

// ParseAuth parses the arguments of AUTH.
func ParseAuth(rest string) (Auth, error) {
	args, err := ParseArgs(rest)
	if err != nil {
		return Auth{}, err
	}
	a := Auth{
		User: args.Take("user"), Service: args.Take("service"), RHost: args.Take("rhost"),
		RUser: args.Take("ruser"), TTY: args.Take("tty"), Command: args.Take("command"),
	}
	phase, okPhase := oneOf(phases[:], args, "phase")
	conv, okConv := oneOf(convs[:], args, "conv")
	if !okPhase || !okConv {
		return Auth{}, ErrKey
	}
	a.Phase, a.Conv = Phase(phase), Conv(conv)
	for key, flag := range map[string]*bool{"auth-info": &a.AuthInfo, "first": &a.First, "race": &a.Race} {
		if *flag, err = args.TakeFlag(key); err != nil {
			return Auth{}, err
		}
	}
	return a, args.Done()
}

// oneOf returns the place of args' key in names; a key not given is place 0.
func oneOf(names []string, args Args, key string) (int, bool) {
	v, given := args[key]
	delete(args, key)
	if !given {
		return 0, true
	}
	for i, name := range names {
		if v == name {
			return i, true
		}
	}
	return 0, false
}

// Line returns the AUTH command. The command is cut so that the line fits; a
// line that is too long without it is ErrLineTooLong.
func (a Auth) Line() (string, error) {
	line := Command(VerbAuth, "user", a.User, "service", a.Service, "rhost", a.RHost,
		"ruser", a.RUser, "tty", a.TTY, "phase", a.Phase.String(), "conv", a.Conv.String(),
		"auth-info", flag(a.AuthInfo), "first", flag(a.First), "race", flag(a.Race))
	if len(line) > MaxLine {
		return "", ErrLineTooLong
	}
	const key = " command="
	if value := fit(Printable(a.Command), MaxLine-len(line)-len(key)); value != "" {
		line += key + value
	}
	return line, nil
}

func flag(set bool) string {
	if set {
		return "1"
	}
	return ""
}

// fit escapes as many whole characters of s as make at most room bytes. A command
// may be a hundred times as long as a line: the rest is not looked at.
func fit(s string, room int) string {
	n, size := 0, 0
	for i, r := range s {
		end := i + utf8.RuneLen(r)
		if size += len(Escape(s[i:end])); size > room {
			break
		}
		n = end
	}
	return Escape(s[:n])
}
