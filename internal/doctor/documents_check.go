package doctor

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"dcdentals.com/caseload/internal/caseload"
)

// someKey stands for the keys of files, which are random: what a policy says of it, it says of each.
const someKey = "f0000000000000000000000000000000"

// CheckPolicy compares an IAM policy with what the principal needs: each action that is missing, refused or given only
// under a condition, and each grant that is wider. It reads; `caseload doctor` tries. It answers Invalid when the document
// is no policy. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
func (b Bucket) CheckPolicy(p Principal, document []byte) ([]Finding, error) {
	statements, err := readPolicy(document)
	if err != nil {
		return nil, err
	}
	var found []Finding
	needed := b.Permissions(p)
	for _, each := range needed {
		found = append(found, b.checkPermission(each, statements)...)
	}
	for _, s := range statements {
		found = append(found, b.checkWidth(s, needed)...)
	}
	return found, nil
}

// CheckBucketPolicy looks at the bucket's own policy (nil: there is none): whether it lets strangers in, shuts Caseload out
// or takes requests without TLS. Errors are CheckPolicy's.
func (b Bucket) CheckBucketPolicy(document []byte) ([]Finding, error) {
	var found []Finding
	statements := []statement{}
	if document != nil {
		var err error
		if statements, err = readPolicy(document); err != nil {
			return nil, err
		}
	}
	const tried = "The bucket's own policy was read."
	tlsOnly := false
	for _, s := range statements {
		tlsOnly = tlsOnly || refusesPlain(s.raw, b.arn())
		if f := s.networksOnly("policy.networks", tried); f != nil {
			found = append(found, *f)
		}
		switch {
		case s.open():
			found = append(found, Finding{
				Check: "policy.open", Level: Failure, Tried: tried, Got: fmt.Sprintf("The statement %s allows everybody in the world %s.", s.name, s.does()),
				Means: "Strangers reach patients' files. Caseload never needs this: browsers come with signed requests.",
				Fix:   &Fix{Say: "Take the statement away."},
			})
		case s.allows && s.setsUp():
			found = append(found, Finding{
				Check: "policy.wide", Level: Warning, Tried: tried, Got: fmt.Sprintf("The statement %s allows somebody %s.", s.name, s.does()),
				Means: "Whoever it names can change this policy, and with it who reaches patients' files.",
				Fix:   &Fix{Say: "Name the actions that they need; setting the bucket up is for its own account's administrators."},
			})
		case !s.allows && s.exempting:
			found = append(found, Finding{
				Check: "policy.conditional", Level: Note, Tried: tried, Got: fmt.Sprintf("The statement %s refuses everybody but whom it names (NotPrincipal).", s.name),
				Means: "Whether Caseload is among them, reading cannot judge; `caseload doctor` tries it.",
			})
		case !s.allows && s.everybody && !s.conditional:
			for _, each := range b.Permissions(ServerPrincipal) {
				if s.matches(each.Action, b.resource(each)) {
					found = append(found, Finding{
						Check: "policy.denied." + each.Action, Level: Failure, Tried: tried, Got: fmt.Sprintf("The statement %s refuses everybody %s.", s.name, each.Action),
						Means: "No other policy can give it back, and Caseload needs it " + each.Why + ".", Fix: &Fix{Say: "Take the statement away, or the action out of it."},
					})
				}
			}
		}
	}
	if !tlsOnly && !b.Plain {
		found = append(found, Finding{
			Check: "policy.tls", Level: Warning, Tried: tried, Got: "No statement refuses requests without TLS.",
			Means: "A request that somebody on the way can read would be answered.",
			Fix:   &Fix{Say: "Add this statement.", Command: "caseload bucket create", Document: string(b.TLSOnly().JSON())},
		})
	}
	return found, nil
}

func (b Bucket) resource(p Permission) string {
	switch p.On {
	case OnObjects:
		return b.arn() + "/" + someKey
	case OnKey:
		return b.KMSKey
	}
	return b.arn()
}

func (b Bucket) checkPermission(p Permission, statements []statement) []Finding {
	resource := b.resource(p)
	f := Finding{Level: Failure, Tried: "The policy was read for " + p.Action + ".", Means: "Caseload needs it " + p.Why + "."}
	given, sometimes := false, ""
	for _, s := range statements {
		if !s.matches(p.Action, resource) {
			continue
		}
		switch usual := b.usual(s); {
		case !s.allows && !s.conditional:
			f.Check, f.Got = "policy.denied."+p.Action, fmt.Sprintf("The statement %s refuses %s on %s; no other can give it back.", s.name, p.Action, resource)
			f.Fix = &Fix{Say: "Take " + p.Action + " out of the statement " + s.name + "."}
			return []Finding{f}
		case !s.allows && refusesPlain(s.raw, b.arn()):
		case !s.allows || s.conditional && !usual:
			sometimes = s.name
		default:
			given = true
		}
	}
	switch {
	case !given && sometimes == "":
		f.Check, f.Got = "policy.missing."+p.Action, fmt.Sprintf("Nothing allows %s on %s.", p.Action, strings.Replace(resource, someKey, "*", 1))
		f.Fix = &Fix{Say: "Add " + p.Action + " for " + strings.Replace(resource, someKey, "*", 1) + "."}
	case sometimes != "":
		f.Check, f.Level = "policy.conditional."+p.Action, Note
		f.Got = fmt.Sprintf("The statement %s decides on %s under a condition, which reading cannot judge; `caseload doctor` tries it.", sometimes, p.Action)
	default:
		return nil
	}
	return []Finding{f}
}

// usual tells whether the statement's condition is one that Caseload's requests always meet: TLS, and the key through S3.
func (b Bucket) usual(s statement) bool {
	for operator, keys := range s.condition {
		for key, value := range object(keys) {
			values := list(value)
			tls := operator == "Bool" && strings.EqualFold(key, "aws:SecureTransport") && len(values) == 1 && fmt.Sprint(values[0]) == "true" && !b.Plain
			via := strings.HasPrefix(operator, "String") && strings.EqualFold(key, "kms:ViaService") && slices.Contains(values, any(b.service()))
			if !tls && !via {
				return false
			}
		}
	}
	return true
}

// checkWidth says what a statement allows beyond what is needed.
func (b Bucket) checkWidth(s statement, needed []Permission) []Finding {
	if !s.allows {
		return nil
	}
	var wide []string
	if s.inverted {
		wide = append(wide, "everything but what it names (NotAction or NotResource)")
	}
	for _, action := range s.actions {
		if !slices.ContainsFunc(needed, func(p Permission) bool { return strings.EqualFold(p.Action, action) }) {
			wide = append(wide, action)
		}
	}
	for _, resource := range s.resources {
		ours := slices.ContainsFunc(needed, func(p Permission) bool { return like(b.resource(p), resource) })
		if !ours || resource == "*" || resource != b.KMSKey && strings.ContainsAny(strings.TrimSuffix(resource, "/*"), "*?") {
			wide = append(wide, "on "+resource)
		}
	}
	if wide == nil {
		return nil
	}
	return []Finding{{
		Check: "policy.wide", Level: Warning, Tried: "The policy was read for what it gives beyond need.",
		Got:   fmt.Sprintf("The statement %s also allows %s.", s.name, strings.Join(wide, ", ")),
		Means: "Whoever gets hold of these credentials can do more harm than Caseload has use for.",
		Fix:   &Fix{Say: "Replace the policy by the one that `caseload bucket policy print` prints."},
	}}
}

// statement is one statement of anybody's policy.
type statement struct {
	raw         any
	name        string // its Sid, or its place
	allows      bool
	everybody   bool // of a bucket policy: its principal is everybody
	exempting   bool // of a bucket policy: NotPrincipal, everybody but whom it names
	actions     []string
	resources   []string
	inverted    bool // NotAction or NotResource
	conditional bool
	condition   map[string]any
}

// matches tells whether the statement speaks of the action on the resource. Of one that says what it is not about, only a
// person can tell: it never matches.
func (s statement) matches(action, resource string) bool {
	return !s.inverted &&
		slices.ContainsFunc(s.actions, func(p string) bool { return like(strings.ToLower(action), strings.ToLower(p)) }) &&
		slices.ContainsFunc(s.resources, func(p string) bool { return like(resource, p) })
}

func readPolicy(document []byte) ([]statement, error) {
	refuse := caseload.Errorf(caseload.Invalid, "This is no policy.").
		WithHint(`A policy is a JSON object with "Version" and "Statement", as caseload bucket policy print prints one.`)
	var policy map[string]any
	if err := json.Unmarshal(document, &policy); err != nil {
		return nil, refuse.WithCause(err)
	}
	if inner, ok := policy["PolicyVersion"].(map[string]any); ok { // what `aws iam get-policy-version` prints
		policy = object(inner["Document"])
	}
	if policy["Statement"] == nil {
		return nil, refuse
	}
	var statements []statement
	for i, raw := range list(policy["Statement"]) {
		s := statement{
			raw: raw, name: fmt.Sprintf("no. %d", i+1), allows: entry(raw, "Effect") == "Allow", actions: textsOf(entry(raw, "Action")), resources: textsOf(entry(raw, "Resource")),
			inverted: entry(raw, "NotAction") != nil || entry(raw, "NotResource") != nil || entry(raw, "NotPrincipal") != nil, condition: object(entry(raw, "Condition")),
		}
		s.conditional = len(s.condition) > 0
		if sid, ok := entry(raw, "Sid").(string); ok && sid != "" {
			s.name = `"` + sid + `"`
		}
		s.everybody, s.exempting = namesEverybody(entry(raw, "Principal")), entry(raw, "NotPrincipal") != nil
		if !s.allows && entry(raw, "Effect") != "Deny" {
			return nil, refuse.WithCause(fmt.Errorf("statement %s has the effect %v", s.name, entry(raw, "Effect")))
		}
		statements = append(statements, s)
	}
	return statements, nil
}

// like tells whether the text is like the pattern, in which * stands for any text and ? for any one character.
func like(text, pattern string) bool {
	for pattern != "" {
		switch {
		case pattern[0] == '*':
			for rest := pattern[1:]; ; text = text[1:] {
				if like(text, rest) {
					return true
				}
				if text == "" {
					return false
				}
			}
		case text == "" || pattern[0] != '?' && pattern[0] != text[0]:
			return false
		}
		text, pattern = text[1:], pattern[1:]
	}
	return text == ""
}

// object returns the value when it is an object, else none.
func object(value any) map[string]any {
	o, _ := value.(map[string]any)
	return o
}

// textsOf returns the texts of a list that may be written as its only member.
func textsOf(value any) []string {
	var all []string
	for _, each := range list(value) {
		if s, ok := each.(string); ok {
			all = append(all, s)
		}
	}
	return all
}
