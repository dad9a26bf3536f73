package doctor

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Bucket is what the documents of a bucket are made from: the configuration, nothing that was asked of the store.
type Bucket struct {
	Name         string
	Region       string
	KMSKey       string        // ARN of the key that encrypts the objects; "": the store's own key
	Versioned    bool          // the bucket keeps the versions of an object
	Origins      []string      // that browsers use: "https://caseload.example", exactly as they send them
	AbandonAfter time.Duration // an upload is resumed until this long after its last sign of life
	UndoWindow   time.Duration // a version that was hidden can be restored for so long
	Elsewhere    bool          // the store is not AWS, but compatible
	Plain        bool          // it is reached by http: a policy that asks for TLS would shut us out
}

// Partition returns the part of AWS the region belongs to, as ARNs name it; other stores know "aws" only.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
func (b Bucket) Partition() string {
	switch {
	case b.Elsewhere:
	case strings.HasPrefix(b.Region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(b.Region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

func (b Bucket) arn() string { return "arn:" + b.Partition() + ":s3:::" + b.Name }

// Faults returns everything for which the configuration gives no right documents, each with the name of its setting.
func (b Bucket) Faults() []string {
	var faults []string
	if b.Name == "" {
		faults = append(faults, "AWS_STORAGE_BUCKET_NAME is empty; name the bucket")
	} else if !bucketName(b.Name) {
		faults = append(faults, fmt.Sprintf("AWS_STORAGE_BUCKET_NAME is %q; a bucket's name has 3 to 63 small letters, digits, dots and hyphens and begins and ends with a letter or digit", b.Name))
	}
	if b.Region == "" {
		faults = append(faults, "AWS_S3_REGION_NAME is empty; name the bucket's region, such as ap-northeast-2")
	}
	if b.KMSKey == "" {
		return faults
	}
	switch part := strings.Split(b.KMSKey, ":"); {
	case b.Elsewhere:
		faults = append(faults, "CASELOAD_BUCKET_KMS_KEY is for AWS; a store at AWS_S3_ENDPOINT_URL has a key service of its own, if any")
	case len(part) != 6 || part[0] != "arn" || part[2] != "kms" || !strings.HasPrefix(part[5], "key/"):
		faults = append(faults, fmt.Sprintf("CASELOAD_BUCKET_KMS_KEY is %q; use the key's ARN, arn:%s:kms:REGION:ACCOUNT:key/ID: policies know no aliases", b.KMSKey, b.Partition()))
	case part[1] != b.Partition() || b.Region != "" && part[3] != b.Region:
		faults = append(faults, fmt.Sprintf("CASELOAD_BUCKET_KMS_KEY lies in %s, the bucket in %s; a bucket's key lies in its region", part[3], b.Region))
	}
	return faults
}

// bucketName tells whether a name can be a bucket's. It ends up in ARNs, where a star or a colon would mean more.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
func bucketName(name string) bool {
	const ends = "abcdefghijklmnopqrstuvwxyz0123456789"
	return len(name) >= 3 && len(name) <= 63 && strings.Trim(name, ends+".-") == "" &&
		strings.Contains(ends, name[:1]) && strings.Contains(ends, name[len(name)-1:]) && !strings.Contains(name, "..")
}

// CORSRule is one rule of a bucket's CORS configuration.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/ManageCorsUsing.html
type CORSRule struct {
	AllowedOrigins []string
	AllowedMethods []string
	AllowedHeaders []string
	ExposeHeaders  []string
	MaxAgeSeconds  int
}

// CORSForm is one of the two forms in which a CORS configuration is written.
type CORSForm string

const (
	CLIForm     CORSForm = "cli"     // for `aws s3api put-bucket-cors`: {"CORSRules": […]}
	ConsoleForm CORSForm = "console" // for the bucket's page in the console: the bare array
)

// CORSRules returns what browsers on exactly these origins need and nothing wider; without origins, no rule.
//
// PUT sends a part (and, to a store without forms, a file), POST a form of stock Uppy, GET reads by a signed link; no
// script asks by HEAD. x-amz-checksum-crc64nvme is signed with each part, content-type is what Uppy adds. Uppy needs to
// read ETag, and Location in its versions before 6.
func CORSRules(origins []string) []CORSRule {
	if len(origins) == 0 {
		return []CORSRule{}
	}
	return []CORSRule{{
		AllowedOrigins: origins,
		AllowedMethods: []string{"PUT", "POST", "GET"},
		AllowedHeaders: []string{"content-type", "x-amz-checksum-crc64nvme"},
		ExposeHeaders:  []string{"ETag", "Location", "x-amz-checksum-crc64nvme"},
		MaxAgeSeconds:  3600,
	}}
}

// CORS returns the CORS configuration for the origins in the form, indented.
func CORS(origins []string, form CORSForm) []byte {
	rules := CORSRules(origins)
	if form == ConsoleForm {
		return document(rules)
	}
	return document(struct{ CORSRules []CORSRule }{rules})
}

// AbortRule is the ID of the lifecycle rule that is ours; rules under other IDs are left as they are.
const AbortRule = "caseload-abort-incomplete"

// AbortDays returns after how many days the store itself may throw an incomplete multipart upload away: at least 30, and
// at least a week more than CASELOAD_ABANDON_AFTER. The store counts from the upload's begin, Caseload from its last sign
// of life; earlier, the store would end uploads that can still be resumed.
func (b Bucket) AbortDays() int {
	const day = 24 * time.Hour
	return max(30, int((b.AbandonAfter+day-1)/day)+7)
}

// Lifecycle returns the bucket's lifecycle configuration, indented: incomplete multipart uploads are thrown away, which no
// listing shows and every bill counts. Nothing expires: files live until somebody deletes them.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpu-abort-incomplete-mpu-lifecycle-config.html
func (b Bucket) Lifecycle() []byte {
	type abort struct{ DaysAfterInitiation int }
	type filter struct{ Prefix string }
	type rule struct {
		ID                             string
		Status                         string
		Filter                         filter
		AbortIncompleteMultipartUpload abort
	}
	return document(struct{ Rules []rule }{[]rule{{AbortRule, "Enabled", filter{}, abort{b.AbortDays()}}}})
}

// TLSOnlySid marks the statement of the bucket policy that is ours.
const TLSOnlySid = "CaseloadTLSOnly"

// TLSOnly returns the bucket policy that refuses everybody, us too, whose request does not come by TLS. It grants nothing.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/security-best-practices.html
func (b Bucket) TLSOnly() Policy {
	return Policy{Version: policyVersion, Statement: []Statement{{
		Sid: TLSOnlySid, Effect: "Deny", Principal: "*", Action: []string{"s3:*"}, Resource: []string{b.arn(), b.arn() + "/*"},
		Condition: map[string]map[string]string{"Bool": {"aws:SecureTransport": "false"}},
	}}}
}

// PublicAccessBlock returns Block Public Access with all four of its switches on.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
func PublicAccessBlock() []byte {
	return document(struct{ BlockPublicAcls, IgnorePublicAcls, BlockPublicPolicy, RestrictPublicBuckets bool }{true, true, true, true})
}

// Ownership returns the ownership under which the bucket has no ACLs at all.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html
func Ownership() []byte {
	type rule struct{ ObjectOwnership string }
	return document(struct{ Rules []rule }{[]rule{{"BucketOwnerEnforced"}}})
}

// Encryption returns the default encryption: by the KMS key when the configuration names one, else by the store's own.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-encryption.html
func (b Bucket) Encryption() []byte {
	type byDefault struct {
		SSEAlgorithm   string
		KMSMasterKeyID string `json:",omitempty"`
	}
	type rule struct {
		ApplyServerSideEncryptionByDefault byDefault
		BucketKeyEnabled                   bool
	}
	if b.KMSKey == "" {
		return document(struct{ Rules []rule }{[]rule{{byDefault{"AES256", ""}, false}}})
	}
	return document(struct{ Rules []rule }{[]rule{{byDefault{"aws:kms", b.KMSKey}, true}}}) // a bucket key: fewer calls to KMS
}

// Versioning returns the switch that makes the bucket keep versions.
func Versioning() []byte { return document(struct{ Status string }{"Enabled"}) }

// document writes v as indented JSON that ends with a line break. Nothing in it is escaped for HTML.
func document(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		panic(err) // our own types, which always encode
	}
	return b.Bytes()
}
