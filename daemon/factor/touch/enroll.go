package touch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/key"
	"github.com/factord/factord/daemon/factor/record"
	"github.com/factord/factord/daemon/wire/agent"
)

// Shown is a new link, as the person who enrols sees it.
type Shown struct {
	ID     string `json:"id"`
	Factor string `json:"factor"`
	Name   string `json:"name"`
	Serial uint32 `json:"serial,omitempty"`
	Token  string `json:"token"`
	// Added: the token was not enrolled before.
	Added bool `json:"token-added,omitempty"`
}

// Enroll implements factor.Keeper. The key is touched once. What it types tells which of
// the user's tokens it is, or makes one of it, as "enroll yubico" does; the OTP is spent.
func (f *Factor) Enroll(e factor.Enrolment) (factor.Draft, error) {
	existing, err := record.DecodeAll[link](e.Existing)
	if err != nil {
		return factor.Draft{}, err
	}
	if err := key.Full(len(existing)); err != nil {
		return factor.Draft{}, err
	}
	if e.NoPresence {
		return factor.Draft{}, errors.New("a YubiKey types only when it is touched: there is no --no-presence for it")
	}
	n := &enrolling{f: f, e: e, link: &link{Head: key.Head{Head: record.Head{Version: version}}}, existing: existing}
	record.Name(n.link, e.Name, existing)
	if err := factor.CheckName(n.link.Name); err != nil {
		return factor.Draft{}, err
	}
	if err := n.set(e.Options); err != nil {
		return factor.Draft{}, err
	}
	return factor.Draft{ID: n.link.ID, Begin: n.begin, Commit: n.commit}, nil
}

// NotYourSeed implements factor.SeedKeeper.
func (f *Factor) NotYourSeed() string { return f.OTP.NotYourSeed() }

// enrolling is the setting up of one link.
type enrolling struct {
	f        *Factor
	e        factor.Enrolment
	publicID string // as it was said; "": nothing was
	link     *link
	existing []*link
	otp      factor.Secret
	token    token
}

// set takes over what was said.
func (n *enrolling) set(options map[string]string) (err error) {
	for _, name := range slices.Sorted(maps.Keys(options)) {
		switch value := options[name]; name {
		case "serial":
			n.link.Serial, err = key.ParseSerial(value)
		case "scan-map":
			n.link.ScanMap = value
			_, err = parseScanMap(value)
		case "public-id":
			n.publicID = value
		default:
			err = fmt.Errorf("a touch has no %q\nhint: --serial, --scan-map, and for a key that is not enrolled yet --public-id, --private-id-file and --aes-key-file", name)
		}
		if err != nil {
			return err
		}
	}
	if n.link.ScanMap != "" && n.link.Serial == 0 {
		return errors.New("a scan map is of one key\nhint: --serial names it")
	}
	return nil
}

// begin has the key touched, and finds out whose OTP that is.
func (n *enrolling) begin(ctx context.Context, say func(string)) (any, error) {
	scanMap, err := parseScanMap(n.link.ScanMap)
	if err != nil {
		return nil, err
	}
	request := &agent.CaptureRequest{Any: n.link.Serial == 0, ScanMap: scanMap}
	if !request.Any {
		request.Serials = []uint32{n.link.Serial}
	}
	var reply agent.CaptureReply
	a := key.Asking{Device: n.f.Device, Key: "the YubiKey that is to be enrolled", Job: key.Job{
		Verb: agent.Capture, Queue: key.Queue(n.link.Serial), User: n.e.User, For: "enrolment", Request: request, Reply: &reply}}
	if n.link.Serial != 0 {
		a.Key = key.Name(n.link.Serial)
	}
	if err := a.Run(ctx, say); err != nil {
		return nil, err
	}
	n.otp, n.link.Serial, n.link.Length = reply.Text, reply.Serial, len(reply.Text)
	n.token, err = n.find(ctx, say)
	if errors.Is(err, factor.ErrFirstCode) { // there is no other try: a touch has been asked for
		err = factor.Refusal(err.Error())
	}
	if err != nil {
		return nil, err
	}
	return Shown{ID: n.link.ID, Factor: kind, Name: n.link.Name, Serial: n.link.Serial, Token: n.token.id(), Added: n.token.added()}, nil
}

// commit spends the OTP and keeps the link to the token that took it.
func (n *enrolling) commit(rs factor.Records, _ factor.Secret, now time.Time) error {
	defer n.otp.Wipe()
	lender, ok := rs.(factor.Lender)
	if !ok || n.token == nil {
		return errors.New("the records of the tokens are not within reach")
	}
	kept := *n.link
	holder := n.token.holder()
	its := lender.Of(holder.Name())
	id, err := n.token.take(its, now)
	if err != nil {
		return err
	}
	value, found, err := its.Get(id)
	if err != nil || !found {
		return errors.Join(err, factor.ErrFirstCode)
	}
	defer clear(value)
	item, err := holder.Describe(factor.Record{ID: id, Value: value})
	if err != nil {
		return err
	}
	kept.Token, kept.Since, kept.Created = id, item.Created, record.Stamp(now)
	existing, err := record.List[link](rs)
	if err != nil {
		return err
	}
	if err := kept.admit(existing); err != nil {
		return err
	}
	if err := record.Check(&kept); err != nil {
		return err
	}
	return record.Put(rs, &kept)
}

// admit says whether a user who has these links may have this one as well.
func (k *link) admit(existing []*link) error {
	if err := key.Full(len(existing)); err != nil {
		return err
	}
	for _, other := range existing {
		if other.Serial == k.Serial && other.Token == k.Token && other.Since.Equal(k.Since) {
			return factor.Refusal(fmt.Sprintf("that YubiKey is enrolled already, as %q", other.ID))
		}
	}
	return record.Admit(k, existing)
}
