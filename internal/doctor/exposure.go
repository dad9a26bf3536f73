package doctor

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"net/http"
	"strings"

	"dcdentals.com/caseload/internal/caseload"
)

// exposure tries what must fail, and reads what keeps it so.
func (t *trials) exposure(ctx context.Context) []Finding {
	return append(append(t.strangersTry(ctx), t.plain(ctx)...), t.closed(ctx)...)
}

// strangersTry tries the bucket as somebody without credentials, at the address browsers use: reading an object that was
// put for the purpose, listing, and writing. All must fail.
func (t *trials) strangersTry(ctx context.Context) []Finding {
	anonymous := func(key caseload.ObjectKey, query string) answer {
		return t.send(ctx, ask{as: asNobody, method: http.MethodGet, key: key, query: query})
	}
	listing := "list-type=2&max-keys=1&prefix=" + trialPrefix
	var found []Finding
	var read answer
	if t.kept != "" {
		if read = anonymous(t.kept, ""); read.ok() && t.isCached(ctx, anonymous) {
			return []Finding{fromCache(read)}
		}
		found = append(found, t.stranger("read", "Reading an object without credentials.", read, "Anybody who knows or guesses a key can read patients' files."))
	}
	list := anonymous("", listing)
	if list.ok() && !read.ok() && !anonymous("", "list-type=2&max-keys=1&prefix="+t.run+"fresh").ok() {
		return append(found, fromCache(list))
	}
	found = append(found, t.stranger("list", "Listing the bucket without credentials.", list, "Anybody can list every key in the bucket."))
	write := t.send(ctx, ask{as: asNobody, method: http.MethodPut, key: t.key("stranger"), body: trialBody})
	return append(found, t.stranger("write", "Writing an object without credentials.", write, "Anybody can put objects into the bucket, and overwrite files."))
}

// isCached tells a cache that gives away what was read before from a bucket that is open: of an object that nobody has read
// yet there is no copy.
func (t *trials) isCached(ctx context.Context, anonymous func(key caseload.ObjectKey, query string) answer) bool {
	key := t.key("unread")
	put := t.send(ctx, ask{as: asServer, method: http.MethodPut, key: key, body: trialBody, header: putHeader(trialBody)})
	return put.ok() && !anonymous(key, "").ok()
}

func fromCache(got answer) Finding {
	return Finding{
		Check: "exposure.cache", Level: Failure, Tried: "Asking without credentials for what was asked for with a signature before.", Got: got.taken(),
		Means: "The bucket is closed, but a cache before it keeps what is read, and gives it to everybody who knows or guesses a key.",
		Fix:   &Fix{Say: "Whoever runs the proxy or CDN before the store switches caching off for it, now, and empties the cache (nginx: proxy_cache off)."},
	}
}

func (t *trials) stranger(name, tried string, got answer, means string) Finding {
	f := Finding{Check: "exposure." + name, Level: Fine, Tried: tried, Got: got.turned()}
	switch {
	case got.ok():
		f.Level, f.Got, f.Means = Failure, got.taken(), means
		f.Fix = t.setUp(caseload.BucketPublicAccess, "Close the bucket now: whoever may set it up switches Block Public Access on, then takes the public statement out of its policy or its ACL away; "+
			"Caseload never needs a public bucket.", blockCommand(t.o.Store.Bucket()), PublicAccessBlock())
		if knownToLack(t.kind, caseload.BucketPublicAccess) {
			f.Fix.Say = "Close the bucket now: whoever may set it up takes the public statement out of its policy. " + f.Fix.Say
		}
	case got.err != nil || got.strange || got.status >= http.StatusInternalServerError:
		f.Level, f.Got, f.Means = Note, got.saidWhole(), "The store gave no clear answer to a stranger."
	}
	return f
}

// plain tries the store without TLS, when its address has it.
func (t *trials) plain(ctx context.Context) []Finding {
	address, err := t.o.Store.Address(ctx, false, t.key("plain"))
	if err != nil || address.Scheme != "https" {
		return nil // config.endpoint speaks of an http address
	}
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	address.Scheme = "http"
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), http.NoBody)
	if err != nil {
		return nil
	}
	if err := t.o.Store.Sign(ctx, r); err != nil {
		return nil
	}
	got := t.do(r)
	f := Finding{Check: "exposure.tls", Level: Fine, Tried: "Asking for an object by http, which must be refused.", Got: got.turned()}
	if got.ok() || got.code == "NoSuchKey" {
		f.Level, f.Got = Warning, got.taken()
		f.Means = "The bucket can be used without TLS: a client set up wrongly would send patients' files readable, and nobody would notice."
		f.Fix = t.setUp(caseload.BucketPolicy, "Whoever may set the bucket up adds this statement to its policy.", "caseload bucket create", t.o.Bucket.TLSOnly().JSON())
	}
	return []Finding{f}
}

// setting reads one setting of the bucket, called what. When it cannot be read, the finding says why; nil when these
// credentials may not look at it, which is said of all such settings at once.
func (t *trials) setting(ctx context.Context, check string, which caseload.BucketSetting, what string) ([]byte, *Finding) {
	f := &Finding{Check: check, Level: Note, Tried: "Reading " + what + "."}
	document, err := t.o.Setup.Setting(ctx, which)
	switch {
	case err == nil:
		f.Level = Fine
		return document, f
	case errors.Is(err, errors.ErrUnsupported):
		f.Got, f.Means = "The store has no such setting: "+what+".", t.o.Bucket.Instead(t.kind, which)
	case caseload.KindOf(err) == caseload.Forbidden:
		t.unseen = append(t.unseen, what+" ("+settingActions[which].get+")")
		return nil, nil
	default:
		f.Level, f.Got = Warning, errorText(err)
		f.Means = "The setting could not be read."
		f.Fix = &Fix{Say: "Run this again; if it stays, look at the setting by hand."}
	}
	return nil, f
}

// notSeen says what these credentials may not look at. That is as it should be of a server's: what strangers may do was
// tried, not read.
func (t *trials) notSeen() []Finding {
	if len(t.unseen) == 0 {
		return nil
	}
	return []Finding{{
		Check: "exposure.settings", Level: Note, Tried: "Reading how the bucket is set up.", Got: "These credentials may not look at " + strings.Join(t.unseen, ", ") + ".",
		Means: "The server does not need to. To have it looked at, whoever may set the bucket up runs `caseload doctor --principal setup` once with credentials of their own.",
	}}
}

// errorText is what an error says to people; other errors only that they are there.
func errorText(err error) string {
	var known *caseload.Error
	if errors.As(err, &known) {
		return known.Message
	}
	return "The call failed."
}

// closed looks at Block Public Access, the bucket's policy and its ownership.
func (t *trials) closed(ctx context.Context) []Finding {
	var found []Finding
	for _, look := range []func(context.Context) *Finding{t.publicBlock, t.publicPolicy, t.ownership} {
		if f := look(ctx); f != nil {
			found = append(found, *f)
		}
	}
	return append(found, t.notSeen()...)
}

// publicBlock: https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
func (t *trials) publicBlock(ctx context.Context) *Finding {
	document, f := t.setting(ctx, "exposure.block", caseload.BucketPublicAccess, "Block Public Access")
	if f == nil || f.Level != Fine {
		return f
	}
	var off []string
	var set map[string]bool
	if len(document) == 0 {
		f.Got = "Block Public Access is not set."
		off = []string{"all"}
	} else if json.Unmarshal(document, &set) == nil {
		for _, name := range []string{"BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"} {
			if !set[name] {
				off = append(off, name)
			}
		}
		f.Got = "Off: " + strings.Join(off, ", ") + "."
	}
	if len(off) == 0 {
		t.blocked = true
		f.Got = "Block Public Access is on."
		return f
	}
	f.Level = Warning
	f.Means = "Nothing keeps a careless policy or ACL from opening the bucket to the world; Caseload never needs that."
	f.Fix = t.setUp(caseload.BucketPublicAccess, "Whoever may set the bucket up switches it on; it changes nothing for Caseload.", blockCommand(t.o.Store.Bucket()), PublicAccessBlock())
	return f
}

func blockCommand(bucket string) string {
	return "aws s3api put-public-access-block --bucket " + bucket +
		" --public-access-block-configuration BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true"
}

// publicPolicy looks for a statement that lets everybody in.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html#access-control-block-public-access-policy-status
func (t *trials) publicPolicy(ctx context.Context) *Finding {
	document, f := t.setting(ctx, "exposure.policy", caseload.BucketPolicy, "its policy")
	if f == nil || f.Level != Fine {
		return f
	}
	f.Got = "No statement lets everybody in."
	var public []string
	var networks *Finding
	for _, s := range statementsIn(document) {
		if s.open() {
			public = append(public, s.does())
		}
		if networks == nil {
			networks = s.networksOnly("exposure.networks", f.Tried)
		}
	}
	if len(public) == 0 && networks != nil {
		return networks
	}
	if len(public) == 0 {
		return f
	}
	f.Level, f.Got = Failure, "Everybody may "+strings.Join(public, ", ")+"."
	f.Means = "The bucket's policy opens it to the world. Caseload never needs that: browsers come with signed addresses."
	f.Fix = &Fix{
		Say:      "Whoever may set the bucket up takes the statements with Principal * and Effect Allow out of its policy; this is all that it needs to say.",
		Command:  "caseload bucket create",
		Document: string(t.o.Bucket.TLSOnly().JSON()),
		Needs:    []string{settingActions[caseload.BucketPolicy].put},
	}
	return f
}

// ownership: https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html
func (t *trials) ownership(ctx context.Context) *Finding {
	document, f := t.setting(ctx, "exposure.acl", caseload.BucketOwnership, "whether ACLs are off")
	if f == nil || f.Level != Fine {
		return f
	}
	if strings.Contains(string(document), "BucketOwnerEnforced") {
		f.Got = "ACLs are off."
		return f
	}
	if open := t.openACL(ctx); open != nil && !t.blocked {
		return open
	}
	f.Level, f.Got = Warning, "ACLs are on."
	f.Means = "An ACL on the bucket or on one object could open it, past every policy; Caseload never sends one."
	f.Fix = t.setUp(caseload.BucketOwnership, "Whoever may set the bucket up switches ACLs off.", "aws s3api put-bucket-ownership-controls --bucket "+t.o.Store.Bucket()+
		" --ownership-controls 'Rules=[{ObjectOwnership=BucketOwnerEnforced}]'", Ownership())
	return f
}

// crowds are the groups of an ACL that are no group of anybody's, as people call them.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#specifying-grantee-predefined-groups
var crowds = []struct{ uri, people string }{
	{"http://acs.amazonaws.com/groups/global/AllUsers", "everybody (AllUsers)"},
	{"http://acs.amazonaws.com/groups/global/AuthenticatedUsers", "everybody who has an AWS account, whose ever it is (AuthenticatedUsers)"},
}

// openACL looks whether the bucket's ACL gives a crowd anything; nil when it does not, or may not be looked at. What
// strangers may do was tried; what everybody with an account of his own may do, only the ACL tells.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketAcl.html
func (t *trials) openACL(ctx context.Context) *Finding {
	got := t.send(ctx, ask{as: asServer, method: http.MethodGet, query: "acl"})
	if got.isDenied() {
		t.unseen = append(t.unseen, "its ACL (s3:GetBucketAcl)")
	}
	var acl struct {
		Grants []struct {
			URI        string `xml:"Grantee>URI"`
			Permission string
		} `xml:"AccessControlList>Grant"`
	}
	if !got.ok() || xml.Unmarshal(got.body, &acl) != nil {
		return nil
	}
	for _, crowd := range crowds {
		var rights []string
		for _, each := range acl.Grants {
			if each.URI == crowd.uri {
				rights = append(rights, each.Permission)
			}
		}
		if len(rights) == 0 {
			continue
		}
		bucket := t.o.Store.Bucket()
		return &Finding{
			Check: "exposure.acl.open", Level: Failure, Tried: "Reading the bucket's ACL.", Got: "It gives " + strings.Join(unique(rights), ", ") + " to " + crowd.people + ".",
			Means: "The bucket's ACL opens it to the world, past every policy. Caseload never sends one and needs none.",
			Fix: &Fix{
				Say:     "Close the bucket now: whoever may set it up takes the grants away, then switches ACLs off.",
				Command: "aws s3api put-bucket-acl --bucket " + bucket + " --acl private\naws s3api put-bucket-ownership-controls --bucket " + bucket + " --ownership-controls 'Rules=[{ObjectOwnership=BucketOwnerEnforced}]'",
				Needs:   []string{"s3:PutBucketAcl", settingActions[caseload.BucketOwnership].put},
			},
		}
	}
	return nil
}
