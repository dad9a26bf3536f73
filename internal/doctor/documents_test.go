package doctor

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// example is the bucket of docs/operate.md.
var example = Bucket{
	Name: "clinic-files", Region: "ap-northeast-2", Origins: []string{"https://caseload.example"}, AbandonAfter: 168 * time.Hour,
}

// What docs/operate.md tells operators to paste is, letter by letter, what `caseload bucket … print` prints.
func TestTheOperatorsPageShowsWhatIsPrinted(t *testing.T) {
	text, err := os.ReadFile("../../docs/operate.md")
	if err != nil {
		t.Fatal(err)
	}
	var shown []string
	for block := range strings.SplitSeq(string(text), "```json\n") {
		if body, _, closed := strings.Cut(block, "```"); closed && json.Valid([]byte(body)) {
			shown = append(shown, body)
		}
	}
	for name, printed := range map[string][]byte{
		"cors print":                CORS(example.Origins, CLIForm),
		"cors print --form console": CORS(example.Origins, ConsoleForm),
		"policy print":              example.Policy(ServerPrincipal).JSON(),
		"lifecycle print":           example.Lifecycle(),
	} {
		if !slices.Contains(shown, string(printed)) {
			t.Errorf("docs/operate.md does not show what `caseload bucket %s` prints:\n%s", name, printed)
		}
	}
}

func TestDocumentsAreValidAndWhatTheyAreCalled(t *testing.T) {
	var forCLI map[string][]map[string]any
	var forConsole []map[string]any
	if err := json.Unmarshal(CORS(example.Origins, CLIForm), &forCLI); err != nil || len(forCLI) != 1 || len(forCLI["CORSRules"]) != 1 {
		t.Errorf("the CLI form is %v, %v", forCLI, err)
	}
	if err := json.Unmarshal(CORS(example.Origins, ConsoleForm), &forConsole); err != nil || len(forConsole) != 1 {
		t.Errorf("the console form is %v, %v", forConsole, err)
	}
	if got := CORS(nil, ConsoleForm); string(got) != "[]\n" {
		t.Errorf("without origins there is %q", got)
	}
	kms := example
	kms.KMSKey, kms.Versioned = "arn:aws:kms:ap-northeast-2:111122223333:key/1234", true
	for _, document := range [][]byte{
		kms.Lifecycle(), kms.Encryption(), kms.TLSOnly().JSON(), PublicAccessBlock(), Ownership(), Versioning(),
		kms.Policy(ServerPrincipal).JSON(), kms.Policy(SignerPrincipal).JSON(), kms.Policy(SetupPrincipal).JSON(),
	} {
		if !json.Valid(document) || bytes.Contains(document, []byte(`\u`)) || bytes.Contains(document, []byte("null")) {
			t.Errorf("not to be pasted as it is: %s", document)
		}
	}
}

// The store may not end an upload that Caseload would still resume, whatever the setting, and nothing ever expires.
func TestTheLifecycleNeverOvertakesTheResume(t *testing.T) {
	for after, want := range map[time.Duration]int{
		time.Minute: 30, 168 * time.Hour: 30, 23 * 24 * time.Hour: 30, 24 * 24 * time.Hour: 31, 30*24*time.Hour + time.Second: 38, 365 * 24 * time.Hour: 372,
	} {
		b := example
		b.AbandonAfter = after
		if got := b.AbortDays(); got != want || time.Duration(got)*24*time.Hour < after+7*24*time.Hour {
			t.Errorf("with CASELOAD_ABANDON_AFTER=%v the store aborts after %d days, want %d", after, got, want)
		}
		if strings.Contains(string(b.Lifecycle()), "Expiration") || strings.Contains(string(b.Lifecycle()), "Transition") {
			t.Errorf("files expire: %s", b.Lifecycle())
		}
	}
}

func TestPoliciesGiveTheLeastAndSayWhy(t *testing.T) {
	kms := example
	kms.KMSKey, kms.Versioned = "arn:aws:kms:ap-northeast-2:111122223333:key/1234", true
	server := []string{
		"s3:PutObject", "s3:GetObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts",
		"s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:GetBucketLocation",
	}
	for _, c := range []struct {
		name      string
		bucket    Bucket
		principal Principal
		want      []string
	}{
		{"server", example, ServerPrincipal, server},
		{"server with versions and a key", kms, ServerPrincipal, append(slices.Clone(server), "s3:GetObjectVersion", "s3:DeleteObjectVersion", "s3:GetBucketVersioning", "s3:ListBucketVersions", "kms:GenerateDataKey", "kms:Decrypt")},
		{"signer", example, SignerPrincipal, []string{"s3:PutObject", "s3:GetObject"}},
		{"signer with versions and a key", kms, SignerPrincipal, []string{"s3:PutObject", "s3:GetObject", "s3:GetObjectVersion", "kms:GenerateDataKey", "kms:Decrypt"}},
	} {
		var got []string
		for _, s := range c.bucket.Policy(c.principal).Statement {
			got = append(got, s.Action...)
		}
		slices.Sort(got)
		slices.Sort(c.want)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	for _, p := range Principals() {
		for _, each := range kms.Permissions(p) {
			if each.Why == "" || len(each.Calls) == 0 {
				t.Errorf("nobody says what %s is for", each.Action)
			}
		}
		for _, s := range kms.Policy(p).Statement {
			if s.Effect != "Allow" || len(s.Resource) != 1 || strings.Contains(strings.TrimSuffix(s.Resource[0], "/*"), "*") || strings.ContainsAny(strings.Join(s.Action, ""), "*?") {
				t.Errorf("%s: too wide: %+v", p, s)
			}
		}
	}
	if setup := string(kms.Policy(SetupPrincipal).JSON()); strings.Contains(setup, "Object\"") || strings.Contains(setup, "kms:") || strings.Contains(setup, "PutBucketAcl") {
		t.Errorf("whoever sets up has no business with files, keys or ACLs: %s", setup)
	}
	for _, p := range permissions {
		if strings.HasPrefix(p.Action, "s3:Put") && strings.HasSuffix(p.Action, "Acl") || slices.Contains(p.Calls, "PutBucketAcl") {
			t.Errorf("no ACL is ever sent, yet there is %q", p.Action)
		}
	}
}

func TestResourcesAreNamedInTheirPartition(t *testing.T) {
	for region, want := range map[string]string{
		"ap-northeast-2": "arn:aws:s3:::clinic-files", "cn-north-1": "arn:aws-cn:s3:::clinic-files", "us-gov-west-1": "arn:aws-us-gov:s3:::clinic-files",
	} {
		b := example
		b.Region = region
		b.KMSKey = "arn:" + b.Partition() + ":kms:" + region + ":111122223333:key/1234"
		if faults := b.Faults(); len(faults) > 0 {
			t.Errorf("%s: %v", region, faults)
		}
		for _, p := range []Policy{b.Policy(ServerPrincipal), b.Policy(SetupPrincipal), b.TLSOnly()} {
			if !strings.Contains(string(p.JSON()), `"`+want+`"`) {
				t.Errorf("%s: %s", region, p.JSON())
			}
		}
		via := "s3." + region + ".amazonaws.com"
		if b.Partition() == "aws-cn" {
			via += ".cn"
		}
		if !strings.Contains(string(b.Policy(ServerPrincipal).JSON()), `"kms:ViaService": "`+via+`"`) {
			t.Errorf("%s: the key opens otherwise than through %s", region, via)
		}
	}
}

func TestAllThatIsWrongWithABucketIsSaidAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		bucket Bucket
		faults []string
	}{
		"nothing is set":               {Bucket{}, []string{"AWS_STORAGE_BUCKET_NAME", "AWS_S3_REGION_NAME"}},
		"a star in the name":           {Bucket{Name: "clinic*", Region: "us-east-1"}, []string{"AWS_STORAGE_BUCKET_NAME"}},
		"an ARN in place of the name":  {Bucket{Name: "arn:aws:s3:::clinic", Region: "us-east-1"}, []string{"AWS_STORAGE_BUCKET_NAME"}},
		"an alias in place of the key": {Bucket{Name: "clinic", Region: "us-east-1", KMSKey: "alias/clinic"}, []string{"CASELOAD_BUCKET_KMS_KEY"}},
		"a key of another region":      {Bucket{Region: "us-east-1", KMSKey: "arn:aws:kms:eu-west-1:1:key/2"}, []string{"AWS_STORAGE_BUCKET_NAME", "CASELOAD_BUCKET_KMS_KEY"}},
		"all is well":                  {example, nil},
	} {
		faults := c.bucket.Faults()
		if len(faults) != len(c.faults) {
			t.Errorf("%s: %q", name, faults)
			continue
		}
		for i, setting := range c.faults {
			if !strings.HasPrefix(faults[i], setting+" ") {
				t.Errorf("%s: %q does not name %s", name, faults[i], setting)
			}
		}
	}
}
