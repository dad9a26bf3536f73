package doctor

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"dcdentals.com/caseload/internal/caseload"
)

// Change is what setting up does to one setting of a bucket. Nothing is done when Have and Want are the same.
type Change struct {
	Setting caseload.BucketSetting
	Have    []byte   // indented JSON; nil: it is not set
	Want    []byte   // indented JSON; what is there and not ours stays in it
	Notes   []string // what a person should know besides, one sentence each
	Lacking bool     // the store has no such setting; the note says what is done instead
}

// Needed tells whether there is something to do.
func (c Change) Needed() bool { return !bytes.Equal(c.Have, c.Want) }

// Change returns what setting up does to the setting, of which the store says that it has the document (nil: nothing). It
// keeps the statements and rules of others and never weakens: what is stricter than ours stays, and is noted. It answers
// Invalid when the store's document is not JSON.
func (b Bucket) Change(setting caseload.BucketSetting, have []byte) (Change, error) {
	var found map[string]any
	if len(have) > 0 {
		if err := json.Unmarshal(have, &found); err != nil {
			return Change{}, caseload.Errorf(caseload.Invalid, "What the store has as %s cannot be read.", setting).WithCause(err)
		}
	}
	want, notes := b.wanted(setting, found)
	c := Change{Setting: setting, Notes: notes}
	if found != nil {
		c.Have = document(found)
	}
	if want != nil {
		c.Want = document(want)
	}
	return c, nil
}

// wanted returns the document that found (which it leaves as it is) should be.
func (b Bucket) wanted(setting caseload.BucketSetting, found map[string]any) (want map[string]any, notes []string) {
	switch setting {
	case caseload.BucketPublicAccess:
		return orOurs(found, loose(PublicAccessBlock())), nil
	case caseload.BucketOwnership:
		return orOurs(found, loose(Ownership())), nil
	case caseload.BucketEncryption:
		return b.wantedEncryption(found)
	case caseload.BucketVersioning:
		return b.wantedVersioning(found)
	case caseload.BucketPolicy:
		return b.wantedPolicy(found)
	case caseload.BucketLifecycle:
		return b.wantedLifecycle(found)
	case caseload.BucketCORS:
		return wantedCORS(found, CORSRules(b.Origins)), nil
	}
	return found, nil
}

// orOurs returns found when it has everything of ours, else ours.
func orOurs(found, ours map[string]any) map[string]any {
	if has(found, ours) {
		return found
	}
	return ours
}

func (b Bucket) wantedEncryption(found map[string]any) (map[string]any, []string) {
	ours := loose(b.Encryption())
	if b.KMSKey != "" {
		return orOurs(found, ours), nil
	}
	for _, rule := range list(found["Rules"]) {
		byDefault, _ := entry(rule, "ApplyServerSideEncryptionByDefault").(map[string]any)
		if algorithm := fmt.Sprint(byDefault["SSEAlgorithm"]); algorithm == "aws:kms" || algorithm == "aws:kms:dsse" {
			key := "a KMS key"
			if name, ok := byDefault["KMSMasterKeyID"].(string); ok {
				key = "the KMS key " + name
			}
			return found, []string{"The bucket encrypts with " + key + ", which stays. Set CASELOAD_BUCKET_KMS_KEY to its ARN, so that the printed policies let Caseload use it."}
		}
	}
	return orOurs(found, ours), nil
}

func (b Bucket) wantedVersioning(found map[string]any) (map[string]any, []string) {
	switch {
	case b.Versioned:
		return orOurs(found, loose(Versioning())), nil
	case found["Status"] == "Enabled":
		return found, []string{"The bucket keeps versions. Set CASELOAD_BUCKET_VERSIONING=True, so that the printed policies let Caseload read and erase them."}
	}
	return found, nil
}

func (b Bucket) wantedPolicy(found map[string]any) (map[string]any, []string) {
	if b.Plain {
		return found, []string{"The store is reached by http, so no policy that asks for TLS is set: it would shut Caseload itself out."}
	}
	ours := loose(b.TLSOnly().JSON())
	statement := list(ours["Statement"])[0]
	var kept []any
	for _, each := range list(found["Statement"]) {
		if refusesPlain(each, b.arn()) {
			return found, nil
		}
		if entry(each, "Sid") != TLSOnlySid {
			kept = append(kept, each)
		}
	}
	if found == nil {
		return ours, nil
	}
	want := maps.Clone(found)
	want["Statement"] = append(kept, statement)
	return want, nil
}

// refusesPlain tells whether the statement refuses everybody every request on the bucket and its objects without TLS.
func refusesPlain(statement any, arn string) bool {
	secure := list(entry(entry(entry(statement, "Condition"), "Bool"), "aws:SecureTransport"))
	principal := entry(statement, "Principal")
	if byKind, ok := principal.(map[string]any); ok {
		principal = byKind["AWS"]
	}
	actions, resources := list(entry(statement, "Action")), list(entry(statement, "Resource"))
	condition, _ := entry(statement, "Condition").(map[string]any)
	return entry(statement, "Effect") == "Deny" && slices.Contains(list(principal), any("*")) && len(condition) == 1 &&
		len(secure) == 1 && fmt.Sprint(secure[0]) == "false" && (slices.Contains(actions, any("s3:*")) || slices.Contains(actions, any("*"))) &&
		(slices.Contains(resources, any("*")) || slices.Contains(resources, any(arn)) && slices.Contains(resources, any(arn+"/*")))
}

func (b Bucket) wantedLifecycle(found map[string]any) (map[string]any, []string) {
	ours := list(loose(b.Lifecycle())["Rules"])[0]
	var rules []any
	var notes []string
	done := false
	for _, rule := range list(found["Rules"]) {
		enabled := entry(rule, "Status") == "Enabled"
		days, aborts := entry(entry(rule, "AbortIncompleteMultipartUpload"), "DaysAfterInitiation").(float64)
		name := fmt.Sprint(entry(rule, "ID"))
		if name == AbortRule {
			if done = enabled && aborts && int(days) == b.AbortDays() && everything(rule) && !endsFiles(rule); done {
				ours = rule
			}
			continue
		}
		rules = append(rules, rule)
		if enabled && aborts && int(days) < b.AbortDays() {
			notes = append(notes, fmt.Sprintf("The rule %q throws uploads away after %d days, while Caseload may still resume them; take it away, or make it %d.", name, int(days), b.AbortDays()))
		}
		if enabled && endsFiles(rule) {
			notes = append(notes, fmt.Sprintf("The rule %q lets objects expire: case files would vanish. It is left as it is; take it away unless you know what it does.", name))
		}
	}
	if done && len(rules)+1 == len(list(found["Rules"])) {
		return found, notes
	}
	want := map[string]any{}
	maps.Copy(want, found)
	want["Rules"] = append(rules, ours)
	return want, notes
}

// everything tells whether a lifecycle rule is for all of the bucket.
func everything(rule any) bool {
	filter, _ := entry(rule, "Filter").(map[string]any)
	prefix := entry(rule, "Prefix")
	if named, ok := filter["Prefix"]; ok {
		prefix = named
	}
	return (prefix == nil || prefix == "") && entry(filter, "And") == nil && entry(filter, "Tag") == nil &&
		entry(filter, "ObjectSizeGreaterThan") == nil && entry(filter, "ObjectSizeLessThan") == nil
}

// endsFiles tells whether a lifecycle rule ends objects, not only what is left of deleted ones.
func endsFiles(rule any) bool {
	ends, _ := entry(rule, "Expiration").(map[string]any)
	return ends["Days"] != nil || ends["Date"] != nil
}

// wantedCORS returns the rules and no others: each further one would let somebody else in. Stores give them back in their
// own order.
func wantedCORS(found map[string]any, rules []CORSRule) map[string]any {
	ours := loose(document(struct{ CORSRules []CORSRule }{rules}))
	had := list(found["CORSRules"])
	if len(had) != len(rules) {
		if len(rules) == 0 && found == nil {
			return nil
		}
		return ours
	}
	for i, rule := range list(ours["CORSRules"]) {
		was, ok := had[i].(map[string]any)
		if !ok {
			return ours
		}
		was = maps.Clone(was)
		delete(was, "ID")
		if !has(was, rule) || !has(rule, was) {
			return ours
		}
	}
	return found
}

// has tells whether all of part is in whole. Lists are sets: their order says nothing in any of these documents, and one
// may be written as its only member.
func has(whole, part any) bool {
	switch p := part.(type) {
	case map[string]any:
		w, ok := whole.(map[string]any)
		for name := range p {
			ok = ok && has(w[name], p[name])
		}
		return ok
	case []any:
		for _, each := range p {
			if !slices.ContainsFunc(list(whole), func(w any) bool { return has(w, each) }) {
				return false
			}
		}
		return true
	}
	return whole == part
}

// loose reads one of our own documents as what any document is.
func loose(document []byte) (v map[string]any) {
	if err := json.Unmarshal(document, &v); err != nil {
		panic(err) // our own, which are always JSON objects
	}
	return v
}

// entry returns what stands under the name in an object; nil when it is no object or has none.
func entry(object any, name string) any {
	o, _ := object.(map[string]any)
	return o[name]
}

// list returns a list's members; what is no list is a list of one.
func list(value any) []any {
	switch v := value.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	return []any{value}
}
