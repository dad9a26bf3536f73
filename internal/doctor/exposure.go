package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
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
	var found []Finding
	if t.kept != "" {
		got := t.send(ctx, ask{as: asNobody, method: http.MethodGet, key: t.kept})
		found = append(found, t.stranger("read", "Reading an object without credentials.", got, "Anybody who knows or guesses a key can read patients' files."))
	}
	list := t.send(ctx, ask{as: asNobody, method: http.MethodGet, query: "list-type=2&max-keys=1&prefix=" + trialPrefix})
	found = append(found, t.stranger("list", "Listing the bucket without credentials.", list, "Anybody can list every key in the bucket."))
	write := t.send(ctx, ask{as: asNobody, method: http.MethodPut, key: t.key("stranger"), body: trialBody})
	return append(found, t.stranger("write", "Writing an object without credentials.", write, "Anybody can put objects into the bucket, and overwrite files."))
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
	public := publicStatements(document)
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

// publicStatements returns what a policy allows to everybody without a condition that keeps anybody out. Others may be as
// wide as none, but what strangers may do is tried besides.
func publicStatements(document []byte) (actions []string) {
	var policy struct{ Statement json.RawMessage }
	if json.Unmarshal(document, &policy) != nil {
		return nil
	}
	type statement struct {
		Effect       string
		Principal    any
		NotPrincipal any
		Action       any
		Condition    map[string]any
	}
	var statements []statement
	if json.Unmarshal(policy.Statement, &statements) != nil {
		var one statement
		if json.Unmarshal(policy.Statement, &one) != nil {
			return nil
		}
		statements = []statement{one}
	}
	for _, s := range statements {
		if s.Effect == "Allow" && !keepsOut(s.Condition) && (everybody(s.Principal) || s.NotPrincipal != nil) {
			actions = append(actions, texts(s.Action)...)
		}
	}
	return actions
}

// saidByAnybody are the keys of a condition that whoever asks fills in as he likes: a Referer or User-Agent is no password,
// and TLS is open to all. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
var saidByAnybody = []string{"aws:referer", "aws:useragent", "aws:securetransport", "s3:signatureversion", "s3:tlsversion", "s3:authtype"}

// keepsOut tells whether a condition keeps anybody out who wants in.
func keepsOut(condition map[string]any) bool {
	for _, keys := range condition {
		for key, values := range object(keys) {
			world := slices.ContainsFunc(texts(values), func(v string) bool { return v == "0.0.0.0/0" || v == "::/0" || v == "*" })
			if !world && !slices.Contains(saidByAnybody, strings.ToLower(key)) {
				return true
			}
		}
	}
	return false
}

func everybody(principal any) bool {
	if of, ok := principal.(map[string]any); ok {
		principal = of["AWS"]
	}
	return slices.Contains(texts(principal), "*")
}

// texts returns a JSON value that is one text or a list of them.
func texts(value any) (out []string) {
	switch v := value.(type) {
	case string:
		return []string{v}
	case []any:
		for _, each := range v {
			if s, ok := each.(string); ok {
				out = append(out, s)
			}
		}
	}
	return out
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
	f.Level, f.Got = Warning, "ACLs are on."
	f.Means = "An ACL on the bucket or on one object could open it, past every policy; Caseload never sends one."
	f.Fix = t.setUp(caseload.BucketOwnership, "Whoever may set the bucket up switches ACLs off.", "aws s3api put-bucket-ownership-controls --bucket "+t.o.Store.Bucket()+
		" --ownership-controls 'Rules=[{ObjectOwnership=BucketOwnerEnforced}]'", Ownership())
	return f
}
