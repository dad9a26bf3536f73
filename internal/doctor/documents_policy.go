package doctor

import "slices"

// policyVersion is the version of the policy language, not of a policy.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_version.html
const policyVersion = "2012-10-17"

// Policy is an IAM or bucket policy as Caseload writes it.
type Policy struct {
	Version   string
	Statement []Statement
}

// Statement is one statement of a Policy. Principal is for bucket policies only.
type Statement struct {
	Sid       string
	Effect    string
	Principal string `json:",omitempty"`
	Action    []string
	Resource  []string
	Condition map[string]map[string]string `json:",omitempty"`
}

// JSON returns the policy ready to paste.
func (p Policy) JSON() []byte { return document(p) }

// Principal is one of those for whom a policy is printed.
type Principal string

const (
	ServerPrincipal Principal = "server" // what `caseload serve` and `caseload worker` run with
	SignerPrincipal Principal = "signer" // what only signs what browsers send: the ceiling of a signed URL
	SetupPrincipal  Principal = "setup"  // whoever runs `caseload bucket` and `caseload doctor --fix`
)

// Principals returns all of them.
func Principals() []Principal { return []Principal{ServerPrincipal, SignerPrincipal, SetupPrincipal} }

// On is what a permission is given on.
type On int

const (
	OnObjects On = iota // arn:…:s3:::BUCKET/*
	OnBucket            // arn:…:s3:::BUCKET
	OnKey               // the KMS key
)

// Permission is one action of a policy, the calls of the S3 API that ask for it, and why Caseload makes them.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
type Permission struct {
	Action string // "s3:AbortMultipartUpload"
	On     On
	Calls  []string // "AbortMultipartUpload"; for KMS the calls of S3 that use the key
	Why    string   // what it is for, as part of a sentence: "to throw away uploads that were given up"

	principals []Principal
	where      where
}

// where says on which buckets a permission is asked for.
type where int

const (
	anyBucket     where = iota
	keepsVersions       // on one that keeps versions
	ofAWSAlone          // at AWS: MinIO does not know the action and refuses a policy that names it
)

func (b Bucket) is(w where) bool {
	return w == anyBucket || w == keepsVersions && b.Versioned || w == ofAWSAlone && !b.Elsewhere
}

var (
	serves = []Principal{ServerPrincipal}
	signs  = []Principal{ServerPrincipal, SignerPrincipal}
	setsUp = []Principal{SetupPrincipal}
	looks  = []Principal{ServerPrincipal, SetupPrincipal}
)

// permissions is the one list of what Caseload needs and why. The policies are made of it, docs/operate.md shows them, and
// a doctor that misses one names it from here.
var permissions = []Permission{
	{"s3:PutObject", OnObjects, []string{"PutObject", "PostObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"}, "to keep what is sent, whole or in parts", signs, anyBucket},
	{"s3:GetObject", OnObjects, []string{"GetObject", "HeadObject"}, "to verify, read and hand out files", signs, anyBucket},
	{"s3:GetObjectVersion", OnObjects, []string{"GetObject", "HeadObject"}, "to read exactly the version that was verified", signs, keepsVersions},
	{"s3:DeleteObject", OnObjects, []string{"DeleteObject"}, "to erase what was deleted, when its time in the trash is over", serves, anyBucket},
	{"s3:DeleteObjectVersion", OnObjects, []string{"DeleteObject"}, "to erase the version itself, not only to hide it", serves, keepsVersions},
	{"s3:AbortMultipartUpload", OnObjects, []string{"AbortMultipartUpload"}, "to throw away the parts of uploads that were given up", serves, anyBucket},
	{"s3:ListMultipartUploadParts", OnObjects, []string{"ListParts"}, "to see which parts arrived: nothing is completed or resumed without it", serves, anyBucket},
	{"s3:ListBucket", OnBucket, []string{"HeadBucket", "ListObjectsV2"}, "to tell a missing object from a forbidden one, and to account for every object", looks, anyBucket},
	{"s3:ListBucketMultipartUploads", OnBucket, []string{"ListMultipartUploads"}, "to account for uploads that nobody finished", serves, anyBucket},
	{"s3:GetBucketLocation", OnBucket, []string{"GetBucketLocation"}, "to tell a wrong region from a refused key", looks, anyBucket},
	{"s3:GetBucketVersioning", OnBucket, []string{"GetBucketVersioning"}, "to know that there are versions to account for", serves, keepsVersions},
	{"s3:ListBucketVersions", OnBucket, []string{"ListObjectVersions"}, "to account for every version", serves, keepsVersions},

	{"s3:CreateBucket", OnBucket, []string{"CreateBucket"}, "to make the bucket", setsUp, anyBucket},
	{"s3:GetBucketPublicAccessBlock", OnBucket, []string{"GetPublicAccessBlock"}, "to see whether Block Public Access is on", setsUp, ofAWSAlone},
	{"s3:PutBucketPublicAccessBlock", OnBucket, []string{"PutPublicAccessBlock"}, "to switch Block Public Access on", setsUp, ofAWSAlone},
	{"s3:GetBucketOwnershipControls", OnBucket, []string{"GetBucketOwnershipControls"}, "to see whether ACLs are off", setsUp, ofAWSAlone},
	{"s3:GetBucketAcl", OnBucket, []string{"GetBucketAcl"}, "to see whether an ACL opens the bucket", setsUp, ofAWSAlone},
	{"s3:PutBucketOwnershipControls", OnBucket, []string{"PutBucketOwnershipControls"}, "to switch ACLs off", setsUp, ofAWSAlone},
	{"s3:GetEncryptionConfiguration", OnBucket, []string{"GetBucketEncryption"}, "to see the default encryption", setsUp, anyBucket},
	{"s3:PutEncryptionConfiguration", OnBucket, []string{"PutBucketEncryption"}, "to set the default encryption", setsUp, anyBucket},
	{"s3:GetBucketVersioning", OnBucket, []string{"GetBucketVersioning"}, "to see whether versions are kept", setsUp, anyBucket},
	{"s3:PutBucketVersioning", OnBucket, []string{"PutBucketVersioning"}, "to have versions kept", setsUp, keepsVersions},
	{"s3:GetBucketPolicy", OnBucket, []string{"GetBucketPolicy"}, "to keep the statements the bucket's policy has", setsUp, anyBucket},
	{"s3:PutBucketPolicy", OnBucket, []string{"PutBucketPolicy"}, "to refuse requests without TLS", setsUp, anyBucket},
	{"s3:GetLifecycleConfiguration", OnBucket, []string{"GetBucketLifecycleConfiguration"}, "to keep the lifecycle rules the bucket has", setsUp, anyBucket},
	{"s3:PutLifecycleConfiguration", OnBucket, []string{"PutBucketLifecycleConfiguration"}, "to have incomplete uploads thrown away", setsUp, anyBucket},
	{"s3:GetBucketCORS", OnBucket, []string{"GetBucketCors"}, "to see from which origins browsers may send", setsUp, ofAWSAlone},
	{"s3:PutBucketCORS", OnBucket, []string{"PutBucketCors", "DeleteBucketCors"}, "to let browsers send from exactly your origins", setsUp, ofAWSAlone},

	{"kms:GenerateDataKey", OnKey, []string{"PutObject", "PostObject", "CreateMultipartUpload"}, "to encrypt what is kept", signs, anyBucket},
	{"kms:Decrypt", OnKey, []string{"GetObject", "HeadObject", "UploadPart", "CompleteMultipartUpload"}, "to read it again, and to put parts together", signs, anyBucket},
}

// Permissions returns what the principal needs on this bucket, each action once, in the order of the policy.
func (b Bucket) Permissions(p Principal) []Permission {
	var needed []Permission
	for _, each := range permissions {
		if slices.Contains(each.principals, p) && b.is(each.where) && (each.On != OnKey || b.KMSKey != "") {
			needed = append(needed, each)
		}
	}
	return needed
}

// Policy returns the IAM policy that gives the principal what it needs on this bucket and nothing else.
func (b Bucket) Policy(p Principal) Policy {
	policy := Policy{Version: policyVersion}
	for _, part := range []struct {
		on       On
		sid      string
		resource string
	}{{OnObjects, "CaseloadObjects", b.arn() + "/*"}, {OnBucket, "CaseloadBucket", b.arn()}, {OnKey, "CaseloadKey", b.KMSKey}} {
		s := Statement{Sid: part.sid, Effect: "Allow", Resource: []string{part.resource}}
		for _, each := range b.Permissions(p) {
			if each.On == part.on {
				s.Action = append(s.Action, each.Action)
			}
		}
		if part.on == OnKey { // the key opens through S3 only
			s.Condition = map[string]map[string]string{"StringEquals": {"kms:ViaService": b.service()}}
		}
		if len(s.Action) > 0 {
			policy.Statement = append(policy.Statement, s)
		}
	}
	return policy
}

// service is S3's name in the bucket's region, as KMS knows it.
// https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-via-service
func (b Bucket) service() string {
	name := "s3." + b.Region + ".amazonaws.com"
	if b.Partition() == "aws-cn" {
		name += ".cn"
	}
	return name
}
