package doctor

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// hidden stands where something was that must not be seen.
const hidden = "[hidden]"

// What must never be printed, whoever put it there: the parts of a signed address that are worth something (AWS Signature
// Version 4 query parameters, CloudFront's Signature and Policy), an Authorization header, and the password of an address.
var (
	signedPart = regexp.MustCompile(`(?i)(X-Amz-(?:Signature|Credential|Security-Token)|[?&](?:Signature|Policy|Key-Pair-Id))=[^&\s"']+`)
	authority  = regexp.MustCompile(`(?i)(Authorization:\s*)?AWS4-HMAC-SHA256[^\r\n"]*`)
	password   = regexp.MustCompile(`(://[^/\s:@]*):[^/\s@]+@`)
)

// longestText bounds each sentence of a finding, in bytes: what a proxy answers may be a whole page.
const longestText = 1200

// clean takes out of a finding what must not be seen and what terminals and pages would obey.
func clean(f Finding) Finding {
	f.Tried, f.Got, f.Means = printable(f.Tried), printable(f.Got), printable(f.Means)
	if f.Guard != nil {
		g := *f.Guard
		g.Says = printable(g.Says)
		f.Guard = &g
	}
	if f.Fix != nil {
		fix := *f.Fix
		fix.Say, fix.Command, fix.Document = printable(fix.Say), mask(fix.Command), mask(fix.Document)
		f.Fix = &fix
	}
	return f
}

// printable is one line of plain text: masked, without control and direction characters, and not endless.
func printable(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsPrint(r):
			return r
		}
		return -1
	}, mask(text))
	if len(text) > longestText {
		text = strings.ToValidUTF8(text[:longestText], "") + " …"
	}
	return strings.TrimSpace(text)
}

func mask(text string) string {
	text = signedPart.ReplaceAllString(text, "$1="+hidden)
	text = authority.ReplaceAllString(text, "AWS4-HMAC-SHA256 "+hidden)
	return password.ReplaceAllString(text, "$1:"+hidden+"@")
}

// Hide returns the checks with the secrets taken out of whatever they find, wherever it came from. Empty secrets, and
// those so short that they would hide ordinary words, are passed over.
func Hide(checks []Check, secrets ...string) []Check {
	secrets = slices.DeleteFunc(slices.Clone(secrets), func(s string) bool { return len(s) < 4 })
	var pairs []string
	for _, s := range secrets {
		pairs = append(pairs, s, hidden)
	}
	hide := strings.NewReplacer(pairs...)
	out := slices.Clone(checks)
	for i, c := range checks {
		out[i].Run = func(ctx context.Context) []Finding {
			found := slices.Clone(c.Run(ctx))
			for j := range found {
				f := &found[j]
				f.Tried, f.Got, f.Means = hide.Replace(f.Tried), hide.Replace(f.Got), hide.Replace(f.Means)
				if f.Fix != nil {
					fix := *f.Fix
					fix.Say, fix.Command, fix.Document = hide.Replace(fix.Say), hide.Replace(fix.Command), hide.Replace(fix.Document)
					f.Fix = &fix
				}
				if f.Guard != nil {
					guard := *f.Guard
					guard.Says = hide.Replace(guard.Says)
					f.Guard = &guard
				}
			}
			return found
		}
	}
	return out
}
