package doctor

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

type fakeCredentials struct {
	id, source         string
	ends               time.Time
	missing            bool
	account, arn, code string
	silent             bool
}

func (f fakeCredentials) Credential(context.Context) (id, source string, ends time.Time, err error) {
	if f.missing {
		return "", "", time.Time{}, errors.New("none")
	}
	return f.id, f.source, f.ends, nil
}

func (f fakeCredentials) Principal(context.Context) (account, arn, code string, err error) {
	if f.silent || f.code != "" {
		return "", "", f.code, errors.New("refused")
	}
	return f.account, f.arn, "", nil
}

func TestWhatIsWrongWithTheCredentialsIsNamed(t *testing.T) {
	now := time.Now()
	key := fakeCredentials{id: "AKIAIOSFODNN7EXAMPLE", source: "StaticCredentials", account: "123456789012", arn: "arn:aws:iam::123456789012:user/caseload"}
	role := fakeCredentials{id: "ASIAIOSFODNN7EXAMPLE", source: "EC2RoleProvider", ends: now.Add(5 * time.Hour), account: "123456789012", arn: "arn:aws:sts::123456789012:assumed-role/caseload/i-1"}
	for name, test := range map[string]struct {
		c    fakeCredentials
		more CredentialOptions
		want []string
		says string
	}{
		"a key":                    {key, CredentialOptions{AWS: true, Chosen: true}, nil, ""},
		"a role":                   {role, CredentialOptions{AWS: true}, nil, ""},
		"a role about to renew":    {func() fakeCredentials { r := role; r.ends = now.Add(time.Minute); return r }(), CredentialOptions{AWS: true}, nil, ""},
		"another store's":          {fakeCredentials{id: "minioadmin", silent: true}, CredentialOptions{Chosen: true}, nil, ""},
		"no STS from here":         {func() fakeCredentials { k := key; k.silent = true; return k }(), CredentialOptions{AWS: true}, nil, ""},
		"STS is denied":            {func() fakeCredentials { k := key; k.code = "AccessDenied"; return k }(), CredentialOptions{AWS: true}, nil, ""},
		"none":                     {fakeCredentials{missing: true}, CredentialOptions{AWS: true}, []string{"credentials.present failure"}, "AWS_ACCESS_KEY_ID"},
		"ended":                    {func() fakeCredentials { r := role; r.ends = now.Add(-time.Hour); return r }(), CredentialOptions{AWS: true}, []string{"credentials.lifetime failure"}, "60 min"},
		"a token by hand":          {role, CredentialOptions{AWS: true, Token: true}, []string{"credentials.lifetime warning"}, "role"},
		"ended, says STS":          {func() fakeCredentials { k := key; k.code = "ExpiredToken"; return k }(), CredentialOptions{AWS: true}, []string{"credentials.principal.expired failure"}, "AWS_SESSION_TOKEN"},
		"an unknown key":           {func() fakeCredentials { k := key; k.code = "InvalidClientTokenId"; return k }(), CredentialOptions{AWS: true}, []string{"credentials.principal.key failure"}, "deleted"},
		"a wrong secret":           {func() fakeCredentials { k := key; k.code = "SignatureDoesNotMatch"; return k }(), CredentialOptions{AWS: true}, []string{"credentials.principal.signature failure"}, "AWS_SECRET_ACCESS_KEY"},
		"the account's own (root)": {func() fakeCredentials { k := key; k.arn = "arn:aws:iam::123456789012:root"; return k }(), CredentialOptions{AWS: true}, []string{"credentials.principal warning"}, "policy print"},
	} {
		t.Run(name, func(t *testing.T) {
			test.more.Credentials, test.more.Expiry = test.c, 15*time.Minute
			report := Run(t.Context(), CredentialChecks(test.more), nil)
			if got := worstOf(report); !reflect.DeepEqual(got, test.want) {
				t.Fatalf("found %q, want %q: %+v", got, test.want, report.Findings)
			}
			saysHowItIsMended(t, report, test.says)
			for _, f := range report.Findings {
				if strings.Contains(f.Got, "IOSFODNN7") {
					t.Errorf("the whole key id is said: %q", f.Got)
				}
			}
		})
	}
}
