package doctor_test

import (
	"net/http"
	"strings"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/doctor"
)

// brokenRights are about rights; each action by itself is in TestEachMissingRightIsNamed.
var brokenRights = []broken{
	{"the key's rights to encrypt are missing", func(d *deployment) {
		d.answers = func(r request) *said {
			if r.action == "s3:PutObject" && !r.anonymous && r.Method != http.MethodOptions {
				return &said{status: 403, code: "AccessDenied", message: "User: " + principal + " is not authorized to perform: kms:GenerateDataKey on resource: " + keyARN + " because no identity-based policy allows the kms:GenerateDataKey action"}
			}
			return nil
		}
	}, []string{"failure store.permission.kms:GenerateDataKey"}, "S3 allows the call", keyARN},
	{"the key's rights to decrypt are missing", func(d *deployment) {
		d.answers = func(r request) *said {
			if strings.HasPrefix(r.action, "s3:GetObject") && !r.anonymous && r.Method != http.MethodOptions {
				return &said{status: 403, code: "AccessDenied", message: "User: " + principal + " is not authorized to perform: kms:Decrypt on resource: " + keyARN + " because no identity-based policy allows the kms:Decrypt action"}
			}
			return nil
		}
	}, []string{"failure store.permission.kms:Decrypt"}, "S3 allows the call", "kms:Decrypt"},
	{"the key is disabled", func(d *deployment) {
		d.answers = func(r request) *said {
			if r.action == "s3:PutObject" && !r.anonymous && r.Method != http.MethodOptions {
				return &said{status: 400, code: "KMS.DisabledException", message: keyARN + " is disabled."}
			}
			return nil
		}
	}, []string{"failure store.key"}, "disabled", "aws kms enable-key --key-id 1234abcd-12ab-34cd-56ef-1234567890ab"},
	{"the key waits to be deleted", func(d *deployment) {
		d.answers = func(r request) *said {
			if r.action == "s3:PutObject" && !r.anonymous && r.Method != http.MethodOptions {
				return &said{status: 400, code: "KMS.KMSInvalidStateException", message: keyARN + " is pending deletion."}
			}
			return nil
		}
	}, []string{"failure store.key"}, "lost for good", "cancel-key-deletion"},
	{"the bucket's policy forbids deleting", func(d *deployment) {
		delete(d.allowed, "s3:DeleteObject")
		d.denies = func(action string) string {
			if action == "s3:DeleteObject" {
				return "with an explicit deny in a resource-based policy"
			}
			return "because no identity-based policy allows the " + action + " action"
		}
	}, []string{"failure store.permission.s3:DeleteObject"}, "no other policy can outdo it", "takes the Deny of s3:DeleteObject out"},
	{"a permissions boundary leaves a right out", func(d *deployment) {
		delete(d.allowed, "s3:AbortMultipartUpload")
		d.denies = func(action string) string {
			if action == "s3:AbortMultipartUpload" {
				return "because no permissions boundary allows the s3:AbortMultipartUpload action"
			}
			return "because no identity-based policy allows the " + action + " action"
		}
	}, []string{"failure store.permission.s3:AbortMultipartUpload"}, "not allowed by the permissions boundary", "permissions boundary allows s3:AbortMultipartUpload there too"},
	{"the policy wants every request to say how it is encrypted", func(d *deployment) {
		d.answers = func(r request) *said {
			if r.action != "s3:PutObject" || r.anonymous || r.Method == http.MethodOptions {
				return nil
			}
			if r.Header.Get("X-Amz-Server-Side-Encryption") == "" {
				return &said{status: 403, code: "AccessDenied", message: "User: " + principal + ` is not authorized to perform: s3:PutObject on resource: "x" with an explicit deny in a resource-based policy`}
			}
			return &said{status: 200, document: "<x/>"}
		}
	}, []string{"failure store.encryption-header"}, "Default encryption makes that needless", "s3:PutBucketPolicy"},
	{"the policy wants a customer's key", func(d *deployment) {
		delete(d.allowed, "s3:PutObject")
		d.denies = func(string) string { return "with an explicit deny in a resource-based policy" }
	}, []string{"failure store.permission.s3:PutObject"}, "no other policy can outdo it", "SSE-C"},
	{"the owner wants others to pay", func(d *deployment) {
		d.answers = func(r request) *said {
			if r.Header.Get("X-Amz-Request-Payer") == "" && r.Method != http.MethodOptions {
				return &said{status: 403, code: "AccessDenied", message: "Access Denied"}
			}
			return nil
		}
	}, []string{"failure bucket.access.payer"}, "Requester Pays", "Payer=BucketOwner"},
	{"the bucket has MFA Delete", func(d *deployment) {
		must(d.t, d.root.SetSetting(d.t.Context(), caseload.BucketVersioning, doctor.Versioning()))
		delete(d.allowed, "s3:DeleteObjectVersion") // what the trials make stays, too
		d.answers = func(r request) *said {
			if r.action == "s3:DeleteObjectVersion" {
				return &said{status: 403, code: "AccessDenied", message: "Mfa Authentication must be used for this request"}
			}
			return nil
		}
	}, []string{"warning store.mfa-delete"}, "no program can erase a version", "MFADelete=Disabled"},
	{"the VPC endpoint's policy leaves deleting out", func(d *deployment) {
		delete(d.allowed, "s3:DeleteObject")
		d.denies = func(action string) string { return "because no VPC endpoint policy allows the " + action + " action" }
	}, []string{"failure store.permission.s3:DeleteObject"}, "not allowed by the VPC endpoint policy", "VPC endpoint policy allows s3:DeleteObject there too"},
	{"the policy wants KMS named with every request", func(d *deployment) {
		d.answers = func(r request) *said {
			if r.action != "s3:PutObject" || r.anonymous || r.Method == http.MethodOptions {
				return nil
			}
			if r.Header.Get("X-Amz-Server-Side-Encryption") != "aws:kms" {
				return &said{status: 403, code: "AccessDenied", message: "User: " + principal + ` is not authorized to perform: s3:PutObject on resource: "x" with an explicit deny in a resource-based policy`}
			}
			return &said{status: 200, document: "<x/>"}
		}
	}, []string{"failure store.encryption-header"}, "(aws:kms)", "s3:PutBucketPolicy"},
	{"the key is another account's", func(d *deployment) {
		d.answers = func(r request) *said {
			if r.action == "s3:PutObject" && !r.anonymous && r.Method != http.MethodOptions {
				return &said{status: 403, code: "AccessDenied", message: "User: " + principal + " is not authorized to perform: kms:GenerateDataKey on resource: arn:aws:kms:us-east-1:444455556666:key/1 because no resource-based policy allows the kms:GenerateDataKey action"}
			}
			return nil
		}
	}, []string{"failure store.permission.kms:GenerateDataKey"}, "another account's (444455556666)", "lets the account 111122223333 in"},
	{"the key lies nowhere", func(d *deployment) {
		d.answers = func(r request) *said {
			if r.action == "s3:PutObject" && !r.anonymous && r.Method != http.MethodOptions {
				return &said{status: 400, code: "KMS.NotFoundException", message: "Key '" + keyARN + "' does not exist"}
			}
			return nil
		}
	}, []string{"failure store.key"}, "does not exist", "caseload bucket create"},
}
