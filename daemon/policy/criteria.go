package policy

import (
	"fmt"
	"slices"
)

// finding is what one criterion, or all of a rule together, say about a request.
type finding struct {
	match   Known
	missing string // the input for want of which match is Unknown
	group   bool   // missing is a group
	why     string // for an admin, when match is No
}

// criteria judges all criteria of r. One that fails settles it, whatever else is unknown; an unknown group comes before
// other unknown inputs, because it refuses in any mode.
func (r *Rule) criteria(q *Request) finding {
	result := finding{match: Yes}
	for _, f := range []finding{r.byName(q), r.byGroup(q), r.byNetwork(q)} {
		switch {
		case f.match == No:
			return f
		case f.match == Unknown && !result.group && (f.group || result.match == Yes):
			result = f
		}
	}
	return result
}

// byName judges what is known of every request: service, caller and user. It is never Unknown.
func (r *Rule) byName(q *Request) finding {
	switch {
	case len(r.Services) > 0 && !slices.Contains(r.Services, q.Service):
		return finding{match: No, why: fmt.Sprintf("service %q is not in services %s", q.Service, quoted(r.Services))}
	case !slices.Contains(r.Callers, q.Caller):
		return finding{match: No, why: fmt.Sprintf("caller is %s, rule is for %s", q.Caller, callers(r.Callers))}
	case len(r.Users) > 0 && !slices.Contains(r.Users, q.User):
		return finding{match: No, why: fmt.Sprintf("%q is not in users %s", q.User, quoted(r.Users))}
	}
	return finding{match: Yes}
}

func (r *Rule) byGroup(q *Request) finding {
	if len(r.Groups) == 0 {
		return finding{match: Yes}
	}
	result := finding{match: No, why: fmt.Sprintf("%q is in none of groups %s", q.User, quoted(r.Groups))}
	for _, g := range r.Groups {
		switch q.Groups[g] {
		case Member:
			return finding{match: Yes}
		case NotMember:
		default:
			if result.match == No {
				result = finding{missing: fmt.Sprintf("group %q", g), group: true}
			}
		}
	}
	return result
}

func (r *Rule) byNetwork(q *Request) finding {
	if len(r.Networks) == 0 {
		return finding{match: Yes}
	}
	result := finding{match: No, why: fmt.Sprintf("%s is in none of networks %s", client(q), networks(r.Networks))}
	for _, n := range r.Networks {
		switch match, missing := n.has(q); {
		case match == Yes:
			return finding{match: Yes}
		case match == Unknown && result.match == No:
			result = finding{missing: missing}
		}
	}
	return result
}

// has reports whether the client of q is in n, and if that is unknown, the input that is missing.
func (n Network) has(q *Request) (match Known, missing string) {
	switch {
	case n.Local && q.Local == Yes, n.Local && q.Local == No:
		return q.Local, ""
	case n.Local:
		return Unknown, "seat"
	case !n.Prefix.IsValid():
		return No, ""
	case !q.AddrKnown:
		return Unknown, "client address"
	case n.Prefix.Contains(plain(q.Addr)):
		return Yes, ""
	}
	return No, ""
}
