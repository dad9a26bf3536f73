package doctor

import (
	"context"
	"strings"

	"dcdentals.com/caseload/internal/caseload"
)

// keeping looks at what the bucket does with what lies in it: encryption, versions, and what its lifecycle rules end.
func (t *trials) keeping(ctx context.Context) []Finding {
	var found []Finding
	for _, look := range []func(context.Context) *Finding{t.encryption, t.versions} {
		if f := look(ctx); f != nil {
			found = append(found, *f)
		}
	}
	return append(found, t.lifecycle(ctx)...)
}

// encryption: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-encryption.html
func (t *trials) encryption(ctx context.Context) *Finding {
	document, f := t.setting(ctx, "bucket.encryption", caseload.BucketEncryption, "its default encryption")
	if f == nil || f.Level != Fine {
		return f
	}
	if len(document) > 0 {
		f.Got = "Default encryption is set."
		if strings.Contains(string(document), "aws:kms") {
			f.Got = "Default encryption is set, with a key of KMS."
		}
		if ours := t.o.Bucket.KMSKey; ours != "" && !strings.Contains(string(document), ours) {
			f.Level, f.Got = Warning, "The bucket does not encrypt with the key of CASELOAD_BUCKET_KMS_KEY."
			f.Means = "The printed policies open a key that is not used; with the key that is used, storing and reading may be refused."
			f.Fix = t.setUp(caseload.BucketEncryption, "Whoever may set the bucket up sets this key, or CASELOAD_BUCKET_KMS_KEY becomes the ARN of the key that the bucket has.", "caseload bucket create", t.o.Bucket.Encryption())
		}
		return f
	}
	if !t.o.AWS {
		f.Level, f.Got = Note, "No default encryption is set."
		f.Means = "What is stored is as encrypted as the store's disks are."
		if _, known := stores[t.kind]; known {
			f.Means += " " + t.o.Bucket.Instead(t.kind, caseload.BucketEncryption)
		}
		return f
	}
	f.Level, f.Got = Warning, "No default encryption is set."
	f.Means = "What is stored may lie readable on the store's disks."
	f.Fix = t.setUp(caseload.BucketEncryption, "Whoever may set the bucket up switches it on.", "caseload bucket create", t.o.Bucket.Encryption())
	return f
}

func (t *trials) versions(ctx context.Context) *Finding {
	document, f := t.setting(ctx, "bucket.versioning", caseload.BucketVersioning, "whether it keeps versions")
	if f == nil || f.Level != Fine {
		return f
	}
	switch text := string(document); {
	case t.o.Bucket.Versioned && !strings.Contains(text, "Enabled"):
		f.Level, f.Got = Warning, "It keeps no versions, and CASELOAD_BUCKET_VERSIONING is True."
		f.Means = "What is erased is gone at once: nothing can be restored within CASELOAD_UNDO_WINDOW, as whoever set that expects."
		f.Fix = t.setUp(caseload.BucketVersioning, "Whoever may set the bucket up has it keep versions, or CASELOAD_BUCKET_VERSIONING becomes False.", "caseload bucket create", Versioning())
	case strings.Contains(text, "Enabled"):
		f.Got = "It keeps versions: what is overwritten or deleted by mistake can be had back."
	case strings.Contains(text, "Suspended"):
		f.Level, f.Got, f.Means = Note, "It kept versions once, and does no longer.", "Old versions go on being stored and billed, and new ones are not kept."
	default:
		f.Level, f.Got, f.Means = Note, "It keeps no versions.", "What is erased is gone; Caseload's own trash is what there is. That is a choice, not a fault."
	}
	return f
}
