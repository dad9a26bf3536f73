package caseload

// BucketSetting is one thing that is set on a bucket as a whole. Each is said as one JSON document, in the form in which
// the store's command line takes and shows it, so that what is printed, compared, set and pasted by hand is the same text.
type BucketSetting string

const (
	BucketPublicAccess BucketSetting = "public-access-block" // PublicAccessBlockConfiguration
	BucketOwnership    BucketSetting = "ownership"           // OwnershipControls
	BucketEncryption   BucketSetting = "encryption"          // ServerSideEncryptionConfiguration
	BucketVersioning   BucketSetting = "versioning"          // VersioningConfiguration
	BucketPolicy       BucketSetting = "policy"              // the bucket's own policy
	BucketLifecycle    BucketSetting = "lifecycle"           // BucketLifecycleConfiguration
	BucketCORS         BucketSetting = "cors"                // CORSConfiguration
)

// BucketSettings returns all of them in the order in which they are set on a new bucket: what keeps others out comes first.
func BucketSettings() []BucketSetting {
	return []BucketSetting{
		BucketPublicAccess, BucketOwnership, BucketEncryption, BucketVersioning, BucketPolicy, BucketLifecycle, BucketCORS,
	}
}

// StoreKind is the software that keeps a bucket, as far as its answers tell.
type StoreKind string

const (
	StoreAWS     StoreKind = "AWS S3"
	StoreMinIO   StoreKind = "MinIO"
	StoreVersity StoreKind = "versitygw"
	StoreR2      StoreKind = "Cloudflare R2"
	StoreOther   StoreKind = "" // it does not say
)

// BucketLook is what a first look at a bucket tells.
type BucketLook struct {
	Exists bool
	Region string // where it lies; "" when the store does not say
	Store  StoreKind
}
