package doctor

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"dcdentals.com/caseload/internal/caseload"
)

// noDocument is neither JSON nor XML: no store can set anything by it.
var noDocument = []byte("caseload doctor tries whether this would be looked at at all")

// settingTrials are the settings of a bucket that can do harm in a thief's hands, each with the name under which S3 takes
// it. The last two are tried at AWS alone: MinIO, which has neither, takes the calls for CreateBucket.
var settingTrials = []struct {
	setting  caseload.BucketSetting
	query    string
	awsAlone bool
}{
	{caseload.BucketPolicy, "policy", false},
	{caseload.BucketLifecycle, "lifecycle", false},
	{caseload.BucketCORS, "cors", false},
	{caseload.BucketEncryption, "encryption", false},
	{caseload.BucketVersioning, "versioning", false},
	{caseload.BucketPublicAccess, "publicAccessBlock", true},
	{caseload.BucketOwnership, "ownershipControls", true},
}

// wide tries rights that the server does not need and that could do harm in a thief's hands. Nothing is tried that a store
// could carry out: what is sent to be set is no document at all, and a bucket is only asked to be deleted while an object
// lies in it, of a store that then refuses.
func (t *trials) wide(ctx context.Context) []Finding {
	f := Finding{Check: "store.wide", Level: Fine, Tried: "Trying rights that the server does not need: to change how the bucket is set up, to delete it, to see other buckets.", Got: "All were refused, as they must be."}
	var held []string
	for _, each := range settingTrials {
		if (t.o.AWS || !each.awsAlone) && t.maySet(ctx, each.query) {
			held = append(held, settingActions[each.setting].put)
		}
	}
	tried, may := t.mayDeleteBucket(ctx)
	if !tried {
		f.Tried = "Trying rights that the server does not need: to change how the bucket is set up, to see other buckets."
	}
	if may {
		held = append(held, "s3:DeleteBucket")
	}
	if t.otherBuckets(ctx) {
		held = append(held, "s3:ListAllMyBuckets")
	}
	if len(held) == 0 {
		return []Finding{f}
	}
	f.Level, f.Got = Warning, "Allowed: "+strings.Join(held, ", ")+"."
	f.Means = "The server's credentials may do more than Caseload needs: whoever steals them could open the bucket, or have it emptied, and not only read it."
	f.Fix = &Fix{
		Say:      "Whoever manages the credentials replaces their policy by this one, or makes a user of its own for Caseload; the administrator's credentials stay with the administrator.",
		Command:  t.printPolicy(),
		Document: t.policy(""),
	}
	return []Finding{f}
}

// maySet tells whether something that is no document would be looked at: the store refuses it for its form, or for the
// right. A call that it does not have is no right.
func (t *trials) maySet(ctx context.Context, query string) bool {
	return t.takesDocuments(t.sendNoDocument(ctx, query))
}

// takesDocuments tells whether the answer to no document is one of a store that looked at it.
func (t *trials) takesDocuments(got answer) bool {
	unread := t.kind == caseload.StoreMinIO && got.code == "InternalError" // MinIO's word for a lifecycle that it cannot read
	return got.ok() || strings.HasPrefix(got.code, "Malformed") || unread
}

// keepsFullBuckets are the stores that are known to refuse to delete a bucket in which something lies, whoever asks.
// AWS: https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucket.html; MinIO does unless it is told to by a header of
// its own. SeaweedFS as it comes deletes what lies in it; what stands behind a gateway is not known.
var keepsFullBuckets = []caseload.StoreKind{caseload.StoreAWS, caseload.StoreMinIO}

// mayDeleteBucket asks for the bucket to be deleted while an object of ours lies in it, which was seen a moment before. It
// tells whether that was tried, and whether the store refused only because of the object.
func (t *trials) mayDeleteBucket(ctx context.Context) (tried, may bool) {
	if !slices.Contains(keepsFullBuckets, t.kind) || t.kind == caseload.StoreAWS && !t.o.AWS || t.kept == "" {
		return false, false
	}
	if there := t.send(ctx, ask{as: asServer, method: http.MethodHead, key: t.kept}); !there.ok() {
		return false, false
	}
	got := t.send(ctx, ask{as: asServer, method: http.MethodDelete})
	return true, got.code == "BucketNotEmpty"
}

// otherBuckets tells whether the credentials see buckets besides ours.
func (t *trials) otherBuckets(ctx context.Context) bool {
	address, err := t.o.Store.Service(ctx)
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), http.NoBody)
	if err != nil || t.o.Store.Sign(ctx, r) != nil {
		return false
	}
	got := t.do(r)
	return got.ok() && strings.Count(string(got.body), "<Bucket>") > 1
}
