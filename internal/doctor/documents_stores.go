package doctor

import (
	"fmt"
	"strconv"
	"strings"

	"dcdentals.com/caseload/internal/caseload"
)

// lacking is what is done in place of a setting that a kind of store does not have.
type lacking struct {
	never  bool // there is no use in asking the store: it is known to refuse
	advice string
}

// stores says what is done instead on stores that are not AWS; seen on MinIO of 2026-02-12 and versitygw 1.8.0.
var stores = map[caseload.StoreKind]map[caseload.BucketSetting]lacking{
	caseload.StoreMinIO: {
		caseload.BucketPublicAccess: {true, "MinIO has no Block Public Access. A bucket there is private until somebody opens it: `mc anonymous get ALIAS/{bucket}` must say private."},
		caseload.BucketOwnership:    {true, "MinIO knows no ACLs, so none are to be switched off."},
		caseload.BucketEncryption:   {false, "MinIO encrypts only when it was given a key service (MINIO_KMS_…). Set that up and run `mc encrypt set sse-s3 ALIAS/{bucket}`, or encrypt its disks."},
		caseload.BucketLifecycle:    {true, "MinIO takes no such rule; it throws incomplete uploads away by itself, after 24 hours unless told otherwise, and would end uploads that can still be resumed. Run `mc admin config set ALIAS api stale_uploads_expiry={hours}h`, or start MinIO with MINIO_API_STALE_UPLOADS_EXPIRY={hours}h."},
		caseload.BucketCORS:         {true, "MinIO has one CORS setting for the whole server, and lets every origin in until it is set. Run `mc admin config set ALIAS api cors_allow_origin={origins}`, or start MinIO with MINIO_API_CORS_ALLOW_ORIGIN={origins}."},
	},
	caseload.StoreVersity: {
		caseload.BucketPublicAccess: {true, "versitygw has no Block Public Access. A bucket there is private until an ACL or a bucket policy opens it."},
		caseload.BucketEncryption:   {true, "versitygw keeps objects as plain files. Encrypt the file system under it."},
		caseload.BucketVersioning:   {false, "versitygw keeps versions only when it was started with --versioning-dir."},
		caseload.BucketLifecycle:    {true, "versitygw has no lifecycle. Caseload itself gives up what is past CASELOAD_ABANDON_AFTER; what others leave stays."},
	},
	caseload.StoreR2: {
		caseload.BucketPublicAccess: {false, "R2 has no Block Public Access. Leave the bucket's public development URL and custom domains off."},
		caseload.BucketOwnership:    {false, "R2 knows no ACLs, so none are to be switched off."},
		caseload.BucketEncryption:   {false, "R2 always encrypts; there is nothing to set."},
		caseload.BucketVersioning:   {false, "R2 keeps no versions. Set CASELOAD_BUCKET_VERSIONING=False."},
		caseload.BucketPolicy:       {false, "R2 has no bucket policies and answers by TLS only; there is nothing to set."},
		caseload.BucketLifecycle:    {false, "Set it in the dashboard: R2, the bucket, Settings, Object lifecycle rules: abort incomplete uploads after {days} days."},
		caseload.BucketCORS:         {false, "Set it in the dashboard: R2, the bucket, Settings, CORS policy: paste `caseload bucket cors print --form console`."},
	},
}

// Instead says what is done where a store of this kind does not have the setting, ready to paste.
func (b Bucket) Instead(kind caseload.StoreKind, setting caseload.BucketSetting) string {
	advice := stores[kind][setting].advice
	if advice == "" {
		return fmt.Sprintf("This store cannot be told its %s by S3's own calls. Look for it in the store's own administration.", setting)
	}
	origins := strings.Join(b.Origins, ",")
	if origins == "" {
		origins = "ORIGIN"
	}
	days := b.AbortDays()
	return strings.NewReplacer("{bucket}", b.Name, "{hours}", strconv.Itoa(days*24), "{days}", strconv.Itoa(days), "{origins}", origins).Replace(advice)
}

// knownToLack tells whether asking a store of this kind for the setting is of no use.
func knownToLack(kind caseload.StoreKind, setting caseload.BucketSetting) bool {
	return stores[kind][setting].never
}
