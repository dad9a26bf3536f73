package doctor

import (
	"net/netip"
	"slices"
	"strings"
)

// Who a statement of a bucket's policy lets in or shuts out. What counts as open to everybody is AWS's own definition: a
// condition closes a statement only when it pins one of a few keys, which AWS itself fills in, to fixed values.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html#access-control-block-public-access-policy-status

// pins are those keys, in small letters. Every other key is filled in by whoever asks (aws:Referer, aws:UserAgent,
// s3:prefix, s3:x-amz-acl), or is the same for all the world (aws:SecureTransport, aws:CurrentTime).
var pins = []string{
	"aws:sourceip", "aws:vpcsourceip", "aws:sourcevpc", "aws:sourcevpce", "aws:sourcearn", "aws:sourceaccount", "aws:sourceowner",
	"aws:sourceorgid", "aws:sourceorgpaths", "aws:principalarn", "aws:principalaccount", "aws:principalorgid", "aws:principalorgpaths",
	"aws:userid", "aws:username", "s3:dataaccesspointarn", "s3:dataaccesspointaccount",
}

// equals are the operators that hold only for a request which has the key with one of the values. Negated ones hold for
// all the rest of the world, …IfExists for whoever does not have the key.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
var equals = []string{"stringequals", "stringequalsignorecase", "stringlike", "arnequals", "arnlike", "ipaddress", "foranyvalue:stringequals", "foranyvalue:stringlike"}

// open tells whether the statement allows its actions to everybody in the world.
func (s statement) open() bool {
	return s.allows && (s.everybody || s.exempting) && !keepsOut(s.condition)
}

// keepsOut tells whether a condition keeps anybody out who wants in. All of its parts must hold, so that one is enough.
func keepsOut(condition map[string]any) bool {
	for operator, keys := range condition {
		if !slices.Contains(equals, strings.ToLower(operator)) {
			continue
		}
		for key, value := range object(keys) {
			values := textsOf(value)
			if slices.Contains(pins, strings.ToLower(key)) && len(values) > 0 && !slices.ContainsFunc(values, anybodys) {
				return true
			}
		}
	}
	return false
}

// The widest network that is somebody's: anything wider is the world, said in pieces.
const (
	widestIPv4 = 8  // bits
	widestIPv6 = 32 // bits
)

// anybodys tells whether a value of a condition is met by the world: a network of half the internet, a pattern, a variable.
// An ARN in which only what lies within one account is a pattern is that account's.
func anybodys(value string) bool {
	if network, err := netip.ParsePrefix(value); err == nil {
		return network.Addr().Is4() && network.Bits() < widestIPv4 || network.Addr().Is6() && network.Bits() < widestIPv6
	}
	if part := strings.SplitN(value, ":", 6); len(part) == 6 && part[0] == "arn" && len(part[4]) == 12 {
		return strings.ContainsAny(part[4], "*?$")
	}
	id, rest, _ := strings.Cut(value, ":") // aws:userid is "AROA…:session"
	return strings.ContainsAny(id, "*?$") || strings.ContainsAny(rest, "*?$") && len(id) < 16
}

// setsUp tells whether the statement gives somebody else the bucket's own policy.
func (s statement) setsUp() bool {
	return s.inverted && !s.exempting || slices.ContainsFunc(s.actions, func(p string) bool { return like("s3:putbucketpolicy", strings.ToLower(p)) })
}

// refusesNetworks tells whether the statement refuses everybody who does not come from some networks, whatever he has signed
// with, and how bad that is: a VPC or an endpoint of one is no place where browsers are; a range of addresses may be theirs.
func (s statement) refusesNetworks() (level Level, refuses bool) {
	if s.allows || !s.everybody {
		return Fine, false
	}
	for operator, keys := range s.condition {
		operator = strings.ToLower(operator)
		if !strings.HasPrefix(operator, "not") && !strings.HasPrefix(operator, "stringnot") {
			continue
		}
		for key := range object(keys) {
			switch strings.ToLower(key) {
			case "aws:sourcevpc", "aws:sourcevpce":
				return Warning, true
			case "aws:sourceip":
				level, refuses = Note, true
			}
		}
	}
	return level, refuses
}

// networksOnly says of a statement that it lets only some networks in; nil when it does not.
func (s statement) networksOnly(check, tried string) *Finding {
	level, refuses := s.refusesNetworks()
	if !refuses {
		return nil
	}
	return &Finding{
		Check: check, Level: level, Tried: tried, Got: "The statement " + s.name + " refuses whoever does not come from the networks that it names.",
		Means: "Signed addresses are refused elsewhere, too: browsers outside these networks send every large file through this server, and their downloads fail.",
		Fix:   &Fix{Say: "If all who send and read are in these networks, nothing is to be mended. Else whoever manages the bucket excepts signed addresses: a further condition on the statement, s3:authType other than REST-QUERY-STRING."},
	}
}

// does is what the statement is about, for people.
func (s statement) does() string {
	if len(s.actions) == 0 {
		return "everything but what it names (NotAction)"
	}
	return strings.Join(s.actions, ", ")
}

// namesEverybody tells whether a principal is everybody.
func namesEverybody(principal any) bool {
	if principal == "*" {
		return true
	}
	for _, of := range object(principal) {
		if slices.Contains(textsOf(of), "*") {
			return true
		}
	}
	return false
}

// statementsIn returns the statements of a policy that a store gave, none when it is not in a form that is known.
func statementsIn(document []byte) []statement {
	statements, err := readPolicy(document)
	if err != nil {
		return nil
	}
	return statements
}
