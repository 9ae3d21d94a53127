package session

// Names of what the session itself knows beside the rules' factors.
const (
	// bypassName is the factor of codes from root.
	bypassName = "bypass"
	// inviteScope holds invitations to enrol; having one is not a factor.
	inviteScope = "invite"
)
