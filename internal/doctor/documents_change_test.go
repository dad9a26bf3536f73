package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"dcdentals.com/caseload/internal/caseload"
)

// What is ours is added or mended, what is others' stays, what is stricter is not weakened, and what is right is left alone.
func TestWhatIsChangedOfASetting(t *testing.T) {
	const key = "arn:aws:kms:ap-northeast-2:111122223333:key/1234"
	ours := `{"Sid":"CaseloadTLSOnly","Effect":"Deny","Principal":{"AWS":["*"]},"Action":"s3:*","Resource":["arn:aws:s3:::clinic-files/*","arn:aws:s3:::clinic-files"],"Condition":{"Bool":{"aws:SecureTransport":["false"]}}}`
	theirs := `{"Sid":"Backup","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::1:role/backup"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::clinic-files/*"}`
	cors := strings.TrimSpace(string(CORS(example.Origins, CLIForm)))
	for name, c := range map[string]struct {
		bucket  func(*Bucket)
		setting caseload.BucketSetting
		have    string // "": not set
		needed  bool
		holds   []string // of what is wanted
		lacks   []string
		note    string
	}{
		"all of Block Public Access is on": {nil, caseload.BucketPublicAccess, `{"BlockPublicAcls":true,"IgnorePublicAcls":true,"BlockPublicPolicy":true,"RestrictPublicBuckets":true}`, false, nil, nil, ""},
		"one of its switches is off":       {nil, caseload.BucketPublicAccess, `{"BlockPublicAcls":true,"IgnorePublicAcls":true,"BlockPublicPolicy":false,"RestrictPublicBuckets":true}`, true, []string{`"BlockPublicPolicy": true`}, nil, ""},
		"it is not set":                    {nil, caseload.BucketPublicAccess, "", true, []string{`"RestrictPublicBuckets": true`}, nil, ""},
		"ACLs are on":                      {nil, caseload.BucketOwnership, `{"Rules":[{"ObjectOwnership":"ObjectWriter"}]}`, true, []string{"BucketOwnerEnforced"}, []string{"ObjectWriter"}, ""},

		"AWS's own encryption":          {nil, caseload.BucketEncryption, `{"Rules":[{"ApplyServerSideEncryptionByDefault":{"SSEAlgorithm":"AES256"},"BucketKeyEnabled":false,"BlockedEncryptionTypes":{"EncryptionType":["SSE-C"]}}]}`, false, nil, nil, ""},
		"a key that nobody named":       {nil, caseload.BucketEncryption, `{"Rules":[{"ApplyServerSideEncryptionByDefault":{"SSEAlgorithm":"aws:kms","KMSMasterKeyID":"` + key + `"}}]}`, false, nil, nil, "CASELOAD_BUCKET_KMS_KEY"},
		"no key where one is named":     {func(b *Bucket) { b.KMSKey = key }, caseload.BucketEncryption, `{"Rules":[{"ApplyServerSideEncryptionByDefault":{"SSEAlgorithm":"AES256"},"BucketKeyEnabled":false}]}`, true, []string{key, `"aws:kms"`}, nil, ""},
		"versions by choice":            {func(b *Bucket) { b.Versioned = true }, caseload.BucketVersioning, "", true, []string{"Enabled"}, nil, ""},
		"versions that nobody chose":    {nil, caseload.BucketVersioning, `{"Status":"Enabled"}`, false, nil, nil, "CASELOAD_BUCKET_VERSIONING=True"},
		"no versions, and none wanted":  {nil, caseload.BucketVersioning, "", false, nil, nil, ""},
		"no policy":                     {nil, caseload.BucketPolicy, "", true, []string{"aws:SecureTransport", `"Deny"`}, []string{`"Allow"`}, ""},
		"a policy of others":            {nil, caseload.BucketPolicy, `{"Version":"2012-10-17","Id":"x","Statement":` + theirs + `}`, true, []string{`"Backup"`, `"CaseloadTLSOnly"`, `"Id": "x"`}, nil, ""},
		"ours as MinIO gives it back":   {nil, caseload.BucketPolicy, `{"Version":"2012-10-17","Statement":[` + theirs + "," + ours + `]}`, false, nil, nil, ""},
		"ours for another bucket":       {nil, caseload.BucketPolicy, `{"Version":"2012-10-17","Statement":[` + strings.ReplaceAll(ours, "clinic", "other") + `]}`, true, []string{"clinic-files/*"}, []string{"other-files"}, ""},
		"the same under another name":   {nil, caseload.BucketPolicy, `{"Version":"2012-10-17","Statement":[` + strings.Replace(ours, "CaseloadTLSOnly", "TLS", 1) + `]}`, false, nil, nil, ""},
		"TLS asked of some requests":    {nil, caseload.BucketPolicy, `{"Version":"2012-10-17","Statement":[` + strings.Replace(ours, `{"Bool"`, `{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"},"Bool"`, 1) + `]}`, true, []string{"SecureTransport"}, []string{"SourceIp"}, ""},
		"a store that is asked by http": {func(b *Bucket) { b.Plain = true }, caseload.BucketPolicy, "", false, nil, nil, "shut Caseload itself out"},

		"no lifecycle":                  {nil, caseload.BucketLifecycle, "", true, []string{`"DaysAfterInitiation": 30`}, []string{"Expiration"}, ""},
		"our rule":                      {nil, caseload.BucketLifecycle, string(example.Lifecycle()), false, nil, nil, ""},
		"our rule, switched off":        {nil, caseload.BucketLifecycle, strings.Replace(string(example.Lifecycle()), "Enabled", "Disabled", 1), true, []string{"Enabled"}, []string{"Disabled"}, ""},
		"our rule, with an expiry":      {nil, caseload.BucketLifecycle, strings.Replace(string(example.Lifecycle()), `"Status"`, `"Expiration":{"Days":30},"Status"`, 1), true, nil, []string{"Expiration"}, ""},
		"our rule for a part of it":     {nil, caseload.BucketLifecycle, strings.Replace(string(example.Lifecycle()), `"Prefix": ""`, `"Prefix": "a/"`, 1), true, []string{`"Prefix": ""`}, nil, ""},
		"rules of others":               {nil, caseload.BucketLifecycle, `{"Rules":[{"ID":"cold","Status":"Enabled","Filter":{},"Transitions":[{"Days":90,"StorageClass":"GLACIER_IR"}]}]}`, true, []string{"GLACIER_IR", AbortRule}, nil, ""},
		"a rule by which files expire":  {nil, caseload.BucketLifecycle, `{"Rules":[{"ID":"old","Status":"Enabled","Filter":{},"Expiration":{"Days":30}}]}`, true, []string{`"old"`, AbortRule}, nil, "case files would vanish"},
		"a rule that aborts too early":  {nil, caseload.BucketLifecycle, `{"Rules":[{"ID":"quick","Status":"Enabled","Filter":{},"AbortIncompleteMultipartUpload":{"DaysAfterInitiation":1}}]}`, true, []string{AbortRule}, nil, "may still resume"},
		"markers of deleted files only": {nil, caseload.BucketLifecycle, `{"Rules":[{"ID":"m","Status":"Enabled","Filter":{},"Expiration":{"ExpiredObjectDeleteMarker":true}}]}`, true, []string{AbortRule}, nil, ""},

		"no CORS":                      {nil, caseload.BucketCORS, "", true, []string{"https://caseload.example"}, nil, ""},
		"our CORS in another order":    {nil, caseload.BucketCORS, strings.Replace(strings.Replace(cors, `"PUT"`, `"X"`, 1), `"GET"`, `"PUT"`, 1), true, []string{`"GET"`}, []string{`"X"`}, ""},
		"our CORS with an ID":          {nil, caseload.BucketCORS, strings.Replace(cors, `"MaxAgeSeconds"`, `"ID":"r","MaxAgeSeconds"`, 1), false, nil, nil, ""},
		"everybody's origin":           {nil, caseload.BucketCORS, strings.Replace(cors, "https://caseload.example", "*", 1), true, []string{"https://caseload.example"}, []string{`"*"`}, ""},
		"an origin more":               {nil, caseload.BucketCORS, strings.Replace(cors, `"https://caseload.example"`, `"https://caseload.example","https://old.example"`, 1), true, nil, []string{"old.example"}, ""},
		"a rule more":                  {nil, caseload.BucketCORS, strings.Replace(cors, `"CORSRules": [`, `"CORSRules": [{"AllowedOrigins":["*"],"AllowedMethods":["GET"]},`, 1), true, nil, []string{`"*"`}, ""},
		"no origin and no CORS":        {func(b *Bucket) { b.Origins = nil }, caseload.BucketCORS, "", false, nil, nil, ""},
		"no origin, and CORS is there": {func(b *Bucket) { b.Origins = nil }, caseload.BucketCORS, cors, true, []string{`"CORSRules": []`}, nil, ""},
	} {
		b := example
		if c.bucket != nil {
			c.bucket(&b)
		}
		change, err := b.Change(c.setting, []byte(c.have))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if change.Needed() != c.needed {
			t.Errorf("%s: to be changed: %v\n%s%s", name, change.Needed(), change.Have, change.Want)
		}
		for _, text := range c.holds {
			if !strings.Contains(string(change.Want), text) {
				t.Errorf("%s: %q is not in\n%s", name, text, change.Want)
			}
		}
		for _, text := range c.lacks {
			if strings.Contains(string(change.Want), text) {
				t.Errorf("%s: %q is in\n%s", name, text, change.Want)
			}
		}
		if said := strings.Join(change.Notes, " "); !strings.Contains(said, c.note) || (c.note == "") != (said == "") {
			t.Errorf("%s: noted %q, want %q", name, said, c.note)
		}
		if len(change.Want) == 0 {
			continue
		}
		again, err := b.Change(c.setting, change.Want)
		if err != nil || again.Needed() && c.setting != caseload.BucketCORS || again.Needed() && len(b.Origins) > 0 {
			t.Errorf("%s: what was set is changed again: %v\n%s", name, err, again.Want)
		}
	}
	if _, err := example.Change(caseload.BucketPolicy, []byte("<html>")); caseload.KindOf(err) != caseload.Invalid {
		t.Errorf("what is no JSON is taken: %v", err)
	}
}

// bucketStore is one with everything refused that the test says.
type bucketStore struct {
	look    caseload.BucketLook
	has     map[caseload.BucketSetting]string
	refuses map[string]error // by "get cors", "set cors", "create"
	calls   []string
}

func (s *bucketStore) LookAtBucket(context.Context) (caseload.BucketLook, error) { return s.look, nil }

func (s *bucketStore) CreateBucket(context.Context) error {
	s.calls = append(s.calls, "create")
	s.look.Exists = true
	return s.refuses["create"]
}

func (s *bucketStore) Setting(_ context.Context, which caseload.BucketSetting) ([]byte, error) {
	if !s.look.Exists {
		return nil, errors.New("there is no bucket to be asked")
	}
	return []byte(s.has[which]), s.refuses["get "+string(which)]
}

func (s *bucketStore) SetSetting(_ context.Context, which caseload.BucketSetting, document []byte) error {
	s.calls = append(s.calls, "set "+string(which))
	if err := s.refuses["set "+string(which)]; err != nil {
		return err
	}
	s.has[which] = string(document)
	return nil
}

func newBucketStore(exists bool) *bucketStore {
	return &bucketStore{look: caseload.BucketLook{Exists: exists, Store: caseload.StoreAWS}, has: map[caseload.BucketSetting]string{}, refuses: map[string]error{}}
}

func TestABucketIsMadeInOrderAndASecondTimeNothingIsDone(t *testing.T) {
	store := newBucketStore(false)
	store.has[caseload.BucketEncryption] = `{"Rules":[{"ApplyServerSideEncryptionByDefault":{"SSEAlgorithm":"AES256"},"BucketKeyEnabled":false}]}` // AWS does that by itself
	for range 2 {
		plan, err := example.Plan(t.Context(), store, caseload.BucketSettings())
		if err != nil {
			t.Fatal(err)
		}
		if left, err := example.Apply(t.Context(), store, plan, func(string) {}); err != nil || len(left) > 0 {
			t.Fatal(left, err)
		}
	}
	if want := []string{"create", "set public-access-block", "set ownership", "set policy", "set lifecycle", "set cors"}; !slices.Equal(store.calls, want) {
		t.Errorf("called %v, want %v", store.calls, want)
	}
}

func TestLookingChangesNothing(t *testing.T) {
	store := newBucketStore(true)
	if _, err := example.Plan(t.Context(), store, caseload.BucketSettings()); err != nil || len(store.calls) > 0 {
		t.Errorf("called %v, %v", store.calls, err)
	}
}

// All actions that are missing are named, not the first alone, and nothing is changed.
func TestEveryMissingActionIsNamedAtOnce(t *testing.T) {
	store := newBucketStore(true)
	for _, setting := range []caseload.BucketSetting{caseload.BucketCORS, caseload.BucketLifecycle} {
		store.refuses["get "+string(setting)] = caseload.Errorf(caseload.Forbidden, "They lack the right to %s.", setting).WithHint("hand this on")
	}
	_, err := example.Plan(t.Context(), store, caseload.BucketSettings())
	var known *caseload.Error
	if !errors.As(err, &known) || known.Kind != caseload.Forbidden || !strings.Contains(known.Message, "cors") || !strings.Contains(known.Message, "lifecycle") || known.Hint == "" {
		t.Errorf("said: %v", err)
	}
}

// What a store has not is left out with what is done there instead; every other refusal ends the work and is said.
func TestWhatAStoreLacksIsLeftOutAndOtherRefusalsAreSaid(t *testing.T) {
	unsupported := fmt.Errorf("no such call: %w", errors.ErrUnsupported)
	store := newBucketStore(true)
	store.look.Store = caseload.StoreR2
	store.refuses["get policy"], store.refuses["set cors"] = unsupported, unsupported
	plan, err := example.Plan(t.Context(), store, caseload.BucketSettings())
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(plan.Changes, func(c Change) bool { return c.Setting == caseload.BucketPolicy })
	if c := plan.Changes[at]; !c.Lacking || c.Needed() || !strings.Contains(c.Notes[0], "R2") {
		t.Errorf("planned %+v", c)
	}
	left, err := example.Apply(t.Context(), store, plan, func(string) {})
	if err != nil || len(left) != 1 || left[0].Setting != caseload.BucketCORS || !strings.Contains(left[0].Notes[0], "bucket cors print --form console") {
		t.Errorf("left %+v, %v", left, err)
	}
	store = newBucketStore(true)
	store.refuses["set ownership"] = caseload.Errorf(caseload.Forbidden, "no")
	if plan, err = example.Plan(t.Context(), store, caseload.BucketSettings()); err != nil {
		t.Fatal(err)
	}
	if _, err := example.Apply(t.Context(), store, plan, func(string) {}); caseload.KindOf(err) != caseload.Forbidden || slices.Contains(store.calls, "set policy") {
		t.Errorf("went on after a refusal: %v, %v", store.calls, err)
	}
}

// Advice is whole: no place is left to be filled in, and each store we know has one for whatever it lacks.
func TestAdviceIsReadyToBeFollowed(t *testing.T) {
	for kind, settings := range stores {
		for setting := range settings {
			if said := example.Instead(kind, setting); strings.ContainsAny(said, "{}%") {
				t.Errorf("%s, %s: %s", kind, setting, said)
			}
		}
	}
	for _, want := range []string{"stale_uploads_expiry=720h", "MINIO_API_STALE_UPLOADS_EXPIRY=720h"} {
		if said := example.Instead(caseload.StoreMinIO, caseload.BucketLifecycle); !strings.Contains(said, want) {
			t.Errorf("%q is not in %s", want, said)
		}
	}
	if said := example.Instead(caseload.StoreOther, caseload.BucketCORS); !strings.Contains(said, "cors") {
		t.Errorf("of a store nobody knows: %s", said)
	}
}

// What others wrote is judged by what it gives, not by how it is written.
func TestPoliciesOfOthersAreJudged(t *testing.T) {
	all := func(actions string) string {
		return `{"Effect":"Allow","Action":` + actions + `,"Resource":["arn:aws:s3:::clinic-files","arn:aws:s3:::clinic-files/*"]}`
	}
	whole := string(example.Policy(ServerPrincipal).JSON())
	for name, c := range map[string]struct {
		policy string
		finds  []string // level and check of each finding
	}{
		"ours":                        {whole, nil},
		"as the command line prints":  {`{"PolicyVersion":{"Document":` + whole + `,"VersionId":"v1"}}`, nil},
		"in capitals":                 {strings.ReplaceAll(whole, "s3:Abort", "S3:ABORT"), nil},
		"one action less":             {strings.Replace(whole, `"s3:AbortMultipartUpload",`, "", 1), []string{"failure policy.missing.s3:AbortMultipartUpload"}},
		"of another bucket":           {strings.Replace(whole, `clinic-files"`, `clinic-filez"`, 1), []string{"failure policy.missing.s3:ListBucket", "failure policy.missing.s3:ListBucketMultipartUploads", "failure policy.missing.s3:GetBucketLocation", "warning policy.wide"}},
		"for a folder only":           {strings.Replace(whole, `clinic-files/*`, `clinic-files/incoming/*`, 1), []string{"failure policy.missing.s3:PutObject", "failure policy.missing.s3:GetObject", "failure policy.missing.s3:DeleteObject", "failure policy.missing.s3:AbortMultipartUpload", "failure policy.missing.s3:ListMultipartUploadParts", "warning policy.wide"}},
		"everything":                  {`{"Version":"2012-10-17","Statement":[` + all(`"s3:*"`) + `]}`, []string{"warning policy.wide"}},
		"a refusal beside it":         {strings.Replace(whole, `"Statement": [`, `"Statement": [{"Effect":"Deny","Action":["s3:Delete*"],"Resource":"*"},`, 1), []string{"failure policy.denied.s3:DeleteObject"}},
		"from one network only":       {strings.Replace(whole, `"Effect": "Allow"`, `"Effect":"Allow","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`, 1), []string{"note policy.conditional.s3:PutObject", "note policy.conditional.s3:GetObject", "note policy.conditional.s3:DeleteObject", "note policy.conditional.s3:AbortMultipartUpload", "note policy.conditional.s3:ListMultipartUploadParts"}},
		"by TLS only":                 {strings.Replace(whole, `"Effect": "Allow"`, `"Effect":"Allow","Condition":{"Bool":{"aws:SecureTransport":"true"}}`, 1), nil},
		"everything but what is said": {strings.Replace(whole, `"Statement": [`, `"Statement": [{"Effect":"Allow","NotAction":"iam:*","Resource":"*"},`, 1), []string{"warning policy.wide"}},
	} {
		found, err := example.CheckPolicy(ServerPrincipal, []byte(c.policy))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var finds []string
		for _, f := range found {
			finds = append(finds, f.Level.String()+" "+f.Check)
			if f.Tried == "" || f.Got == "" || f.Means == "" && f.Level != Note {
				t.Errorf("%s: %+v", name, f)
			}
		}
		if !slices.Equal(finds, c.finds) {
			t.Errorf("%s: found %q, want %q", name, finds, c.finds)
		}
	}
	for _, no := range []string{"", "[]", "{}", `{"Statement":[{"Effect":"Maybe"}]}`, "<html>"} {
		if _, err := example.CheckPolicy(ServerPrincipal, []byte(no)); caseload.KindOf(err) != caseload.Invalid {
			t.Errorf("%q is taken for a policy: %v", no, err)
		}
	}
}

func TestTheBucketsOwnPolicyIsJudged(t *testing.T) {
	tls, err := json.Marshal(example.TLSOnly().Statement[0])
	if err != nil {
		t.Fatal(err)
	}
	open := func(condition string) string {
		return `,{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::clinic-files/*","Condition":{` + condition + `}}`
	}
	for name, c := range map[string]struct {
		statements string // "": there is no policy
		finds      []string
	}{
		"none":                       {"", []string{"policy.tls"}},
		"ours":                       {string(tls), nil},
		"open to everybody":          {string(tls) + `,{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::clinic-files/*"}`, []string{"policy.open"}},
		"open, said the other way":   {string(tls) + `,{"Effect":"Allow","Principal":{"AWS":["*"]},"Action":["s3:Get*"],"Resource":"*"}`, []string{"policy.open"}},
		"open to a role":             {string(tls) + `,{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::1:role/x"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::clinic-files/*"}`, nil},
		"open to all but one":        {string(tls) + `,{"Effect":"Allow","NotPrincipal":{"AWS":"arn:aws:iam::111122223333:user/x"},"Action":"s3:GetObject","Resource":"*"}`, []string{"policy.open"}},
		"open, but what it names":    {string(tls) + `,{"Effect":"Allow","Principal":"*","NotAction":"s3:DeleteBucket","Resource":"*"}`, []string{"policy.open"}},
		"a Referer":                  {string(tls) + open(`"StringLike":{"aws:Referer":"https://caseload.example/*"}`), []string{"policy.open"}},
		"a User-Agent":               {string(tls) + open(`"StringEquals":{"aws:UserAgent":"secret"}`), []string{"policy.open"}},
		"TLS alone":                  {string(tls) + open(`"Bool":{"aws:SecureTransport":"true"}`), []string{"policy.open"}},
		"all the networks":           {string(tls) + open(`"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}`), []string{"policy.open"}},
		"both halves of them":        {string(tls) + open(`"IpAddress":{"aws:SourceIp":["0.0.0.0/1","128.0.0.0/1"]}`), []string{"policy.open"}},
		"IPv6, all of it":            {string(tls) + open(`"IpAddress":{"aws:SourceIp":["10.0.0.0/8","::/0"]}`), []string{"policy.open"}},
		"not one network":            {string(tls) + open(`"NotIpAddress":{"aws:SourceIp":"198.51.100.0/24"}`), []string{"policy.open"}},
		"every organization":         {string(tls) + open(`"StringLike":{"aws:PrincipalOrgID":"o-*"}`), []string{"policy.open"}},
		"an endpoint, if any":        {string(tls) + open(`"StringEqualsIfExists":{"aws:SourceVpce":"vpce-1a2b3c4d"}`), []string{"policy.open"}},
		"no endpoint at all":         {string(tls) + open(`"Null":{"aws:SourceVpce":"true"}`), []string{"policy.open"}},
		"until a day":                {string(tls) + open(`"DateLessThan":{"aws:CurrentTime":"2030-01-01T00:00:00Z"}`), []string{"policy.open"}},
		"a prefix that one asks for": {string(tls) + open(`"StringEquals":{"s3:prefix":""}`), []string{"policy.open"}},
		"any account's role":         {string(tls) + open(`"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/reader"}`), []string{"policy.open"}},
		"roles of one account":       {string(tls) + open(`"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/*"}`), nil},
		"one session's role":         {string(tls) + open(`"StringLike":{"aws:userid":"AROAEXAMPLEID12345678:*"}`), nil},
		"one network":                {string(tls) + open(`"IpAddress":{"aws:SourceIp":"198.51.100.0/24"}`), nil},
		"one organization":           {string(tls) + open(`"StringEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}`), nil},
		"one endpoint, by TLS":       {string(tls) + open(`"StringEquals":{"aws:SourceVpce":"vpce-1a2b3c4d"},"Bool":{"aws:SecureTransport":"true"}`), nil},
		"everything for a partner":   {string(tls) + `,{"Effect":"Allow","Principal":{"AWS":"444455556666"},"Action":"s3:*","Resource":"*"}`, []string{"policy.wide"}},
		"all but a little":           {string(tls) + `,{"Effect":"Allow","Principal":{"AWS":"444455556666"},"NotAction":"s3:DeleteBucket","Resource":"*"}`, []string{"policy.wide"}},
		"only an endpoint":           {string(tls) + `,{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*","Condition":{"StringNotEquals":{"aws:SourceVpce":"vpce-1a2b3c4d"}}}`, []string{"policy.networks"}},
		"all but one shut out":       {string(tls) + `,{"Effect":"Deny","NotPrincipal":{"AWS":"arn:aws:iam::111122223333:user/x"},"Action":"s3:*","Resource":"*"}`, []string{"policy.conditional"}},
		"TLS for reading alone":      {strings.Replace(string(tls), "s3:*", "s3:GetObject", 1), []string{"policy.tls"}},
		"TLS for one user":           {strings.Replace(string(tls), `"Principal":"*"`, `"Principal":{"AWS":"arn:aws:iam::111122223333:user/x"}`, 1), []string{"policy.tls"}},
		"TLS for objects alone":      {strings.Replace(string(tls), `"arn:aws:s3:::clinic-files",`, "", 1), []string{"policy.tls"}},
		"deleting forbidden":         {string(tls) + `,{"Effect":"Deny","Principal":"*","Action":"s3:DeleteObject","Resource":"arn:aws:s3:::clinic-files/*"}`, []string{"policy.denied.s3:DeleteObject"}},
	} {
		var policy []byte
		if c.statements != "" {
			policy = []byte(`{"Version":"2012-10-17","Statement":[` + c.statements + `]}`)
		}
		found, err := example.CheckBucketPolicy(policy)
		var finds []string
		for _, f := range found {
			finds = append(finds, f.Check)
		}
		if err != nil || !slices.Equal(finds, c.finds) {
			t.Errorf("%s: found %q, %v; want %q", name, finds, err, c.finds)
		}
	}
}
