package doctor_test

import (
	"strings"
	"time"
)

// brokenKeeping are about what becomes of what lies in the bucket.
var brokenKeeping = []broken{
	{
		"no encryption is set", reading("encryption", ""),
		[]string{"warning bucket.encryption"},
		"readable on the store's disks", "AES256",
	},
	{
		"no rule aborts incomplete uploads", reading("lifecycle", ""),
		[]string{"warning bucket.abort-rule"},
		"stay for ever", "caseload bucket lifecycle apply",
	},
	{
		"the rule that aborts is switched off", reading("lifecycle", lifecycleOf(strings.Replace(abortRule, "Enabled", "Disabled", 1))),
		[]string{"warning bucket.abort-rule"},
		"stay for ever", "DaysAfterInitiation",
	},
	{
		"the rule aborts what can be resumed", reading("lifecycle", lifecycleOf(strings.Replace(abortRule, "<DaysAfterInitiation>30", "<DaysAfterInitiation>7", 1))),
		[]string{"failure bucket.abort-rule"},
		"may still resume", "DaysAfterInitiation",
	},
	{
		"a rule deletes live files", reading("lifecycle", lifecycleOf(abortRule, `<Rule><ID>old</ID><Status>Enabled</Status><Filter><Prefix></Prefix></Filter><Expiration><Days>30</Days></Expiration></Rule>`)),
		[]string{"failure bucket.expiry-rule"},
		"deletes patients' files", "takes the rule away",
	},
	{
		"a rule deletes large live files", reading("lifecycle", lifecycleOf(abortRule, `<Rule><ID>big</ID><Status>Enabled</Status><Filter><ObjectSizeGreaterThan>1000000</ObjectSizeGreaterThan></Filter><Expiration><Date>2027-01-01T00:00:00.000Z</Date></Expiration></Rule>`)),
		[]string{"failure bucket.expiry-rule"},
		"deletes patients' files", "takes the rule away",
	},
	{
		"a rule locks files away", reading("lifecycle", lifecycleOf(abortRule, `<Rule><ID>cold</ID><Status>Enabled</Status><Filter></Filter><Transition><Days>90</Days><StorageClass>GLACIER</StorageClass></Transition></Rule>`)),
		[]string{"failure bucket.archive-rule"},
		"until somebody restores them", "GLACIER_IR",
	},
	{
		"a rule locks large files away at once", reading("lifecycle", lifecycleOf(abortRule, `<Rule><ID>cold</ID><Status>Enabled</Status><Filter><And><Prefix></Prefix><ObjectSizeGreaterThan>1000</ObjectSizeGreaterThan></And></Filter><Transition><Days>0</Days><StorageClass>DEEP_ARCHIVE</StorageClass></Transition></Rule>`)),
		[]string{"failure bucket.archive-rule"},
		"moves objects to DEEP_ARCHIVE after 0 days", "s3:PutLifecycleConfiguration",
	},
	{"a rule locks old versions away too early", func(d *deployment) {
		reading("lifecycle", lifecycleOf(abortRule, `<Rule><ID>cold</ID><Status>Enabled</Status><Filter></Filter><NoncurrentVersionTransition><NoncurrentDays>1</NoncurrentDays><StorageClass>GLACIER</StorageClass></NoncurrentVersionTransition></Rule>`))(d)
		d.o.Bucket.UndoWindow = 7 * 24 * time.Hour
	}, []string{"warning bucket.versions-rule"}, "cannot be read", "CASELOAD_UNDO_WINDOW"},
	{"the bucket encrypts with another key than the settings name", func(d *deployment) {
		reading("encryption", `<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>arn:aws:kms:us-east-1:111122223333:key/another</KMSMasterKeyID></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>`)(d)
		d.o.Bucket.KMSKey = keyARN
	}, []string{"warning bucket.encryption"}, "open a key that is not used", keyARN},
	{"versions are expected and not kept", func(d *deployment) {
		d.may(false)
		d.o.Bucket.Versioned = true
	}, []string{"warning bucket.versioning"}, "CASELOAD_UNDO_WINDOW", "has it keep versions"},
	{"a rule ends old versions too early", func(d *deployment) {
		reading("lifecycle", lifecycleOf(abortRule, `<Rule><ID>tidy</ID><Status>Enabled</Status><Filter></Filter><NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration></Rule>`))(d)
		d.o.Bucket.UndoWindow = 7 * 24 * time.Hour
	}, []string{"warning bucket.versions-rule"}, "deletes versions 1 days after", "CASELOAD_UNDO_WINDOW"},
}
