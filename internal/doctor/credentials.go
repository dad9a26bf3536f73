package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Credentials is what the checks ask of the credentials in use.
type Credentials interface {
	// Credential returns the access key's id, where it came from, and when it ends (zero: it says nothing of an end).
	Credential(ctx context.Context) (id, source string, ends time.Time, err error)
	// Principal asks the store's service of identities whose credentials they are. code is its error code when it
	// answered with one ("ExpiredToken"), or "" when it could not be asked.
	Principal(ctx context.Context) (account, arn, code string, err error)
}

// CredentialOptions says whose credentials are looked at.
type CredentialOptions struct {
	Credentials Credentials
	AWS         bool          // the store is AWS's own, which has a service of identities (STS)
	Token       bool          // a session token is set by hand
	Chosen      bool          // the key is set by hand, not found by the SDK's chain
	Expiry      time.Duration // how long signed links live
	Now         func() time.Time
}

const credentialsWithin = 20 * time.Second // an instance's metadata service answers within seconds or never

// CredentialChecks returns the group "credentials".
func CredentialChecks(o CredentialOptions) []Check {
	if o.Now == nil {
		o.Now = time.Now
	}
	return []Check{
		{Name: "credentials.present", Run: o.present},
		{Name: "credentials.principal", Needs: []string{"credentials.present"}, Run: o.principal},
	}
}

func (o CredentialOptions) present(ctx context.Context) []Finding {
	f := Finding{Check: "credentials.present", Tried: "Credentials were looked for where the settings and the AWS SDK look."}
	ctx, cancel := context.WithTimeout(ctx, credentialsWithin)
	defer cancel()
	id, source, ends, err := o.Credentials.Credential(ctx)
	if err != nil || id == "" {
		f.Level, f.Got, f.Means = Failure, "There are none.", "Nothing can be signed."
		f.Fix = &Fix{Say: "Give this machine a role (instance profile, task role, IRSA), or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."}
		return []Finding{f}
	}
	f.Got = fmt.Sprintf("The access key %s, from %s.", shown(id), sourceOf(source, o.Chosen))
	return append([]Finding{f}, o.lifetime(id, ends)...)
}

// shown is enough of an access key's id to know it by.
func shown(id string) string {
	if len(id) <= 8 {
		return "…" + id[len(id)/2:]
	}
	return id[:4] + "…" + id[len(id)-4:]
}

// sourceOf names the SDK's providers as operators know them.
func sourceOf(source string, chosen bool) string {
	if chosen {
		return "AWS_ACCESS_KEY_ID"
	}
	for part, name := range map[string]string{
		"EC2Role": "the instance's role", "Endpoint": "the container's role", "WebIdentity": "a web identity (IRSA)",
		"SharedConfig": "the shared profile", "EnvConfig": "the environment", "SSO": "AWS SSO", "Process": "a credential process", "AssumeRole": "an assumed role",
	} {
		if strings.Contains(source, part) {
			return name
		}
	}
	return "the AWS SDK's chain"
}

func (o CredentialOptions) lifetime(id string, ends time.Time) []Finding {
	f := Finding{Check: "credentials.lifetime", Tried: "It was looked at how long the credentials live."}
	left := ends.Sub(o.Now())
	switch {
	case o.Token:
		f.Level, f.Got = Warning, "A session token is set by hand; it ends within hours and nobody renews it."
		f.Means = "When it ends, no upload and no download works any more."
		f.Fix = &Fix{Say: "Give this machine a role and set none of the three, or use a key of a user made for Caseload."}
	case !ends.IsZero() && left <= 0:
		f.Level, f.Got, f.Means = Failure, "They ended "+shortly(-left)+" ago.", "The store refuses them."
		f.Fix = &Fix{Say: "Get new ones: sign in again, or look why the role does not renew them."}
	case !ends.IsZero():
		f.Got = "They live another " + shortly(left) + " and are renewed by themselves."
		if left < o.Expiry {
			f.Level, f.Means = Note, "A link signed now ends with them, before its own time; the browser has it signed again."
		}
	case o.AWS && strings.HasPrefix(id, "AKIA"):
		f.Level, f.Got = Note, "It is a key without an end."
		f.Means = "Whoever copies it can use it until it is deleted; a role of the machine needs no key at all."
	default:
		f.Got = "They say nothing of an end."
	}
	return []Finding{f}
}

// principal asks whose they are. That the service cannot be reached is no fault: many networks let only S3 through.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
func (o CredentialOptions) principal(ctx context.Context) []Finding {
	if !o.AWS {
		return nil
	}
	f := Finding{Check: "credentials.principal", Tried: "STS was asked whose credentials they are (GetCallerIdentity)."}
	ctx, cancel := context.WithTimeout(ctx, credentialsWithin)
	defer cancel()
	account, arn, code, err := o.Credentials.Principal(ctx)
	switch {
	case err == nil && strings.HasSuffix(arn, ":root"):
		f.Level, f.Got, f.Means = Warning, "The account "+account+" itself (root).", "These credentials may do everything in the account, not only what Caseload needs."
		f.Fix = &Fix{Say: "Make a user or role with the printed policy and use its credentials; then delete the root key.", Command: "caseload bucket policy print --principal server"}
	case err == nil:
		f.Got = arn + "."
	case code == "ExpiredToken" || code == "ExpiredTokenException":
		f.Check, f.Level, f.Got, f.Means = "credentials.principal.expired", Failure, "ExpiredToken.", "The temporary credentials have ended."
		f.Fix = &Fix{Say: "Get new ones and set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN together; better, give the machine a role."}
	case code == "InvalidClientTokenId" || code == "UnrecognizedClientException":
		f.Check, f.Level, f.Got, f.Means = "credentials.principal.key", Failure, "InvalidClientTokenId.", "AWS does not know this access key: it was deleted, switched off, mistyped, or its session token is missing or of another key."
		f.Fix = &Fix{Say: "Set a key that exists: IAM, Users, Security credentials shows them."}
	case code == "SignatureDoesNotMatch":
		f.Check, f.Level, f.Got, f.Means = "credentials.principal.signature", Failure, "SignatureDoesNotMatch.", "AWS knows the access key, but not this secret."
		f.Fix = &Fix{Say: "Set AWS_SECRET_ACCESS_KEY anew, without quotes or spaces; a lost secret cannot be seen again, make a new key."}
	case code != "":
		f.Level, f.Got, f.Means = Note, "STS answered "+code+".", "Whose they are is not known; the checks of the store go on without."
	default:
		f.Level, f.Got, f.Means = Note, "STS cannot be reached from here.", "Whose they are is not known; a network that lets only S3 through is all right."
	}
	return []Finding{f}
}
