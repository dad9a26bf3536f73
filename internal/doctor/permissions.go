package doctor

import (
	"context"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"dcdentals.com/caseload/internal/caseload"
)

// PermissionNamed returns the permission of that action. It panics for an action that is not one of ours: the names are in
// the code.
func PermissionNamed(action string) Permission {
	at := slices.IndexFunc(permissions, func(p Permission) bool { return p.Action == action })
	if at < 0 {
		panic("doctor: no permission is called " + action)
	}
	return permissions[at]
}

var trialBody = []byte("Caseload tries its store. This object is deleted again.\n")

// putHeader is what the program itself sends with every object: write-once, with its checksum.
func putHeader(body []byte) map[string]string {
	return map[string]string{
		"Content-Type": "application/octet-stream", "If-None-Match": "*",
		"X-Amz-Checksum-Crc64nvme": caseload.FormatCRC64NVME(caseload.UpdateCRC64NVME(0, body)),
	}
}

// permission tells what an answer says about one permission: the action itself, or a key of KMS behind it.
func (t *trials) permission(p Permission, got answer, tried string) Finding {
	f := Finding{Check: "store.permission." + p.Action, Level: Fine, Tried: tried, Got: got.taken()}
	said := got.denied()
	switch {
	case got.ok() || got.code == "NoSuchUpload":
		return f
	case strings.HasPrefix(said.action, "kms:"):
		return t.keyDenied(said, got, tried)
	case strings.HasPrefix(got.code, "KMS."):
		return t.keyUnusable(got, tried)
	case got.isFull():
		return full(got, tried)
	case got.isLocked():
		return locked(got, tried)
	case strings.Contains(got.message, "Mfa Authentication"):
		return wantsMFA(got, tried)
	case got.absent():
		f.Level, f.Got, f.Means = Note, "The store does not have this call ("+got.said()+").", "What it is for cannot be done there."
		return f
	}
	f.Level, f.Got = Failure, got.saidWhole()
	if got.isBusy() {
		f.Level, f.Means = Untried, "The store gave no answer to this call, so that nothing is known of the right to it. Run it again."
		return f
	}
	if got.isAltered() { // the contact was taken, so that the secret is right
		f.Means = "The store takes other calls of these credentials: something on the way changes this one, its path or a header that is signed."
		f.Fix = &Fix{Say: "Whoever runs the proxy before the store has it pass every method, path and header on unchanged; or AWS_S3_ENDPOINT_URL is the store's own address."}
		return f
	}
	if got.strange {
		if t.barred != "" {
			return untried(f.Check, t.barred)
		}
		t.barred = f.Check
		f.Means = "Something between this server and the store answers this call in its place."
		f.Fix = &Fix{Say: "Whoever runs the proxy, CDN or virus scanner before the store has it pass every method on unchanged (GET, HEAD, PUT, POST, DELETE); or AWS_S3_ENDPOINT_URL is the store's own address."}
		return f
	}
	if !got.isDenied() {
		f.Means = "The call failed, but not for a missing permission."
		f.Fix = &Fix{Say: "Look up the code in the store's documentation, then run this again."}
		return f
	}
	t.denied[p.Action] = true
	f.Means = fmt.Sprintf("The credentials lack %s, which Caseload needs %s.", p.Action, p.Why)
	f.Fix = &Fix{
		Say:      "Whoever manages the credentials adds " + p.Action + " to their policy; this is the whole of it.",
		Command:  t.printPolicy(),
		Document: t.policy(""),
	}
	if said.by != "" {
		f.Means = fmt.Sprintf("An explicit deny in a %s forbids %s, which Caseload needs %s; no other policy can outdo it.", said.by, p.Action, p.Why)
		f.Fix.Say = "Whoever manages the " + said.by + " takes the Deny of " + p.Action + " out, or excepts these credentials from it."
		if p.Action == "s3:PutObject" {
			f.Fix.Say += " Often it asks for a header that Caseload does not send, such as a customer's key (SSE-C) or a storage class."
		}
		f.Fix.Command, f.Fix.Document = "", ""
	} else if said.missing != "" && said.missing != "identity-based policy" {
		f.Means = fmt.Sprintf("%s, which Caseload needs %s, is not allowed by the %s.", p.Action, p.Why, said.missing)
		f.Fix.Say = "Whoever manages the " + said.missing + " allows " + p.Action + " there too; the credentials' own policy is not enough."
	}
	return f
}

// keyDenied is a call that S3 allows and the key of its encryption does not.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
func (t *trials) keyDenied(said denial, got answer, tried string) Finding {
	t.denied[said.action] = true
	p := Permission{Action: said.action, Why: "to use the bucket's encryption key"}
	if at := slices.IndexFunc(permissions, func(p Permission) bool { return p.Action == said.action }); at >= 0 {
		p = permissions[at]
	}
	f := Finding{
		Check: "store.permission." + p.Action, Level: Failure, Tried: tried, Got: got.saidWhole(),
		Means: fmt.Sprintf("S3 allows the call, but the bucket's encryption key does not: the credentials lack %s on it, which Caseload needs %s.", p.Action, p.Why),
		Fix: &Fix{
			Say:      "Whoever manages the KMS key allows kms:GenerateDataKey and kms:Decrypt on it, in the credentials' policy and, where the key's own policy is stricter, there too.",
			Command:  t.printPolicy(),
			Document: t.policy(keyNamed(got.message)),
		},
	}
	if ours, theirs := accountIn(got.message, "User: "), accountIn(got.message, "resource: "); ours != "" && theirs != "" && ours != theirs {
		f.Means = fmt.Sprintf("The bucket's encryption key is another account's (%s), which does not let these credentials use it: they lack %s, which Caseload needs %s.", theirs, p.Action, p.Why)
		f.Fix.Say = "Whoever manages the key there lets the account " + ours + " in by the key's own policy, and whoever manages the credentials attaches this one; or the bucket gets a key of its own account."
	}
	return f
}

// accountIn returns the account of the ARN that follows the word in a refusal, or "".
func accountIn(message, word string) string {
	_, after, _ := strings.Cut(message, word)
	part := strings.SplitN(after, ":", 6)
	if len(part) < 6 || part[0] != "arn" {
		return ""
	}
	return part[4]
}

// keyNamed returns the ARN of the key that a refusal names, or "".
func keyNamed(message string) string {
	if _, after, found := strings.Cut(message, "resource: "); found {
		if arn, _, _ := strings.Cut(after, " "); strings.HasPrefix(arn, "arn:") && strings.Contains(arn, ":key/") {
			return arn
		}
	}
	return ""
}

// keyUnusable is a key that nobody can use now. https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html
func (t *trials) keyUnusable(got answer, tried string) Finding {
	f := Finding{
		Check: "store.key", Level: Failure, Tried: tried, Got: got.saidWhole(),
		Means: "The key that encrypts the bucket cannot be used now: it is not about permissions.",
		Fix:   &Fix{Say: "Whoever manages the KMS key looks at its state in the console."},
	}
	t.denied["key"] = true
	id := "KEY-ID"
	if _, after, found := strings.Cut(got.message, ":key/"); found {
		id, _, _ = strings.Cut(after, " ")
	}
	switch got.code {
	case "KMS.DisabledException":
		f.Means = "The key that encrypts the bucket is disabled: nothing can be stored or read until it is enabled again."
		f.Fix = &Fix{Say: "Whoever manages the KMS key enables it.", Command: "aws kms enable-key --key-id " + id}
	case "KMS.KMSInvalidStateException":
		f.Means = "The key that encrypts the bucket is waiting to be deleted or not usable yet. When it is deleted, every file is lost for good."
		f.Fix = &Fix{Say: "Whoever manages the KMS key cancels its deletion, now, and enables it.", Command: "aws kms cancel-key-deletion --key-id " + id + " && aws kms enable-key --key-id " + id}
	case "KMS.NotFoundException":
		f.Means = "The key that the bucket's encryption names does not exist, or lies in another region."
		f.Fix = &Fix{Say: "Whoever manages the bucket sets its default encryption to a key that exists.", Command: "caseload bucket create"}
	}
	return f
}

// permissions tries each permission of the server by the call that takes it.
func (t *trials) permissions(ctx context.Context) []Finding {
	found := append(append(t.looking(ctx), t.objects(ctx)...), t.uploads(ctx)...)
	if t.versioned || t.o.Bucket.Versioned {
		found = append(found, t.versionsSeen(ctx)...)
	}
	return found
}

// versionsSeen tries what accounting for the versions of a bucket takes.
func (t *trials) versionsSeen(ctx context.Context) []Finding {
	return []Finding{
		t.permission(PermissionNamed("s3:GetBucketVersioning"), t.send(ctx, ask{as: asServer, method: http.MethodGet, query: "versioning"}), "Asking whether the bucket keeps versions."),
		t.permission(PermissionNamed("s3:ListBucketVersions"), t.send(ctx, ask{as: asServer, method: http.MethodGet, query: "versions&max-keys=1&prefix=" + trialPrefix}), "Listing the versions that the bucket keeps."),
	}
}

// looking tries the permissions to look at the bucket.
func (t *trials) looking(ctx context.Context) []Finding {
	return []Finding{
		t.permission(PermissionNamed("s3:ListBucket"), t.list(ctx, asServer), "Listing the bucket."),
		t.permission(PermissionNamed("s3:GetBucketLocation"), t.send(ctx, ask{as: asServer, method: http.MethodGet, query: "location"}), "Asking where the bucket lies."),
	}
}

// objects puts, reads and deletes one object, and tells each permission it takes.
func (t *trials) objects(ctx context.Context) []Finding {
	key := t.key("object")
	put := t.send(ctx, ask{as: asServer, method: http.MethodPut, key: key, body: trialBody, header: putHeader(trialBody)})
	found := append(t.unknownHeaders(ctx, key, put), t.encryptionHeader(ctx, put)...)
	if len(found) == 0 {
		found = append(found, t.permission(PermissionNamed("s3:PutObject"), put, "Putting a small object."))
	}
	if put.ok() {
		t.kept, t.version = key, put.header.Get("x-amz-version-id")
		t.versioned = t.version != "" && t.version != "null"
		found = append(found, t.readBack(ctx, key)...)
	} else if !t.denied["key"] {
		found = append(found, untried("store.permission.s3:GetObject", found[0].Check))
	}
	found = append(found, t.deletes(ctx)...)
	return slices.CompactFunc(found, func(a, b Finding) bool { return a.Check == b.Check }) // one key behind several calls
}

// guarding are the headers that guard an object, and what it means when a store does not know them.
var guarding = []struct {
	check, guard string
	headers      []string
	means        string
}{
	{"store.guard.once", "write once", []string{"If-None-Match"}, "The store does not know If-None-Match: whoever has a link can overwrite a file that was verified."},
	{"store.guard.checksum", "signed checksum", []string{"X-Amz-Checksum-Crc64nvme"}, "The store does not know CRC-64/NVME checksums: a scan damaged on its way would be taken for whole."},
	{"store.guard.once", "write once", []string{"If-None-Match", "X-Amz-Checksum-Crc64nvme"}, "The store knows neither If-None-Match nor CRC-64/NVME checksums: verified files can be overwritten, and damaged ones would be taken for whole."},
}

// unknownHeaders looks whether objects that are not taken are taken without the headers that guard them. Then the store is
// none for Caseload, however well the rest works; or, when it is the signature that no longer fits, something on the way
// takes the header away.
func (t *trials) unknownHeaders(ctx context.Context, key caseload.ObjectKey, put answer) []Finding {
	altered := put.isAltered()
	unknown := put.status == http.StatusNotImplemented || put.status == http.StatusBadRequest
	if put.ok() || put.isDenied() && !altered || !altered && !unknown || strings.HasPrefix(put.code, "KMS.") {
		return nil
	}
	for _, each := range guarding {
		header := putHeader(trialBody)
		for _, name := range each.headers {
			delete(header, name)
		}
		got := t.send(ctx, ask{as: asServer, method: http.MethodPut, key: key, body: trialBody, header: header})
		names := strings.Join(each.headers, " and ")
		switch {
		case !got.ok():
		case altered:
			return []Finding{takenAway(names, "Putting a small object with the header "+names+", and without.", put.said()+", and without: "+got.said()+".")}
		default:
			return []Finding{{
				Check: each.check, Level: Failure, Tried: "Putting a small object with the header " + names + ", and without.", Got: put.saidWhole(), Means: each.means,
				Fix:   &Fix{Say: "Ask the store's operator for a version that knows " + names + " (AWS, MinIO and versitygw do), or use another store."},
				Guard: &Guard{Name: each.guard, Says: put.said()},
			}}
		}
	}
	return nil
}

// takenAway is a header that does not arrive as it was signed.
func takenAway(names, tried, got string) Finding {
	return Finding{
		Check: "store.header", Level: Failure, Tried: tried, Got: got,
		Means: "Something on the way takes " + names + " away or changes it: it is signed, and the store refuses what then arrives.",
		Fix:   &Fix{Say: "Whoever runs the proxy or CDN before the store has it pass this header on (nginx takes it away where proxy_cache is on: proxy_cache off); or AWS_S3_ENDPOINT_URL is the store's own address."},
	}
}

// encryptionHeader looks whether a refused object is taken when it names its encryption: many buckets have a policy of the
// time before default encryption, which wants the header (https://docs.aws.amazon.com/AmazonS3/latest/userguide/specifying-s3-encryption.html).
func (t *trials) encryptionHeader(ctx context.Context, put answer) []Finding {
	if !put.isDenied() {
		return nil
	}
	for _, algorithm := range []string{"AES256", "aws:kms"} {
		header := putHeader(trialBody)
		header["X-Amz-Server-Side-Encryption"] = algorithm
		if got := t.send(ctx, ask{as: asServer, method: http.MethodPut, key: t.key("encrypted"), body: trialBody, header: header}); got.ok() {
			return []Finding{{
				Check: "store.encryption-header", Level: Failure, Tried: "Putting a small object, and again with the header x-amz-server-side-encryption.", Got: put.saidWhole(),
				Means: "The bucket's policy refuses what does not say with every request how it is encrypted (" + algorithm + "). Default encryption makes that needless, and browsers' requests do not say it.",
				Fix: &Fix{
					Say:     "Whoever may set the bucket up takes the Deny with the condition s3:x-amz-server-side-encryption out of its policy, and sees that default encryption is set: then everything is encrypted, said or not.",
					Command: "aws s3api get-bucket-policy --bucket " + t.o.Store.Bucket() + " --query Policy --output text",
					Needs:   []string{settingActions[caseload.BucketPolicy].put, settingActions[caseload.BucketEncryption].put},
				},
			}}
		}
	}
	return nil
}

// isFull tells a store without room from one that refuses.
func (a answer) isFull() bool {
	return a.err == nil && (a.status == http.StatusInsufficientStorage ||
		slices.Contains([]string{"XMinioStorageFull", "QuotaExceeded", "XMinioAdminBucketQuotaExceeded", "InsufficientStorage"}, a.code))
}

func full(got answer, tried string) Finding {
	return Finding{
		Check: "store.full", Level: Failure, Tried: tried, Got: got.saidWhole(),
		Means: "The store has no room left, or the bucket's quota is used up: nothing can be stored. What is there is not in danger.",
		Fix:   &Fix{Say: "Whoever runs the store gives it more room or raises the bucket's quota; `caseload cleanup` erases what is past its window."},
	}
}

// isLocked tells an object that may not be deleted yet from a right that lacks.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
func (a answer) isLocked() bool {
	text := strings.ToLower(a.message)
	return a.err == nil && a.status/100 == 4 && (a.code == "ObjectLocked" || strings.Contains(text, "object lock") || strings.Contains(text, "worm protected") || strings.Contains(text, "object is locked"))
}

func locked(got answer, tried string) Finding {
	return Finding{
		Check: "store.lock", Level: Warning, Tried: tried, Got: got.saidWhole(),
		Means: "The bucket's Object Lock keeps every object until its time is over: what people delete, and what expires, cannot be erased before, and is billed until then.",
		Fix:   &Fix{Say: "If the law wants files kept, nothing is to be mended. Else whoever may set the bucket up takes the default retention away, or Caseload gets a bucket without Object Lock.", Needs: []string{"s3:PutBucketObjectLockConfiguration"}},
	}
}

// wantsMFA is a version that only the account's owner can delete, with a code in hand.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/MultiFactorAuthenticationDelete.html
func wantsMFA(got answer, tried string) Finding {
	return Finding{
		Check: "store.mfa-delete", Level: Warning, Tried: tried, Got: got.saidWhole(),
		Means: "The bucket has MFA Delete: no program can erase a version, so what people delete, and what expires, stays and is billed for ever.",
		Fix: &Fix{
			Say:     "If nothing may ever be erased, nothing is to be mended. Else the owner of the AWS account (root), and nobody else can, switches it off with a code of the device.",
			Command: "aws s3api put-bucket-versioning --bucket BUCKET --versioning-configuration Status=Enabled,MFADelete=Disabled --mfa 'DEVICE-ARN CODE'",
		},
	}
}

func untried(name, first string) Finding {
	return Finding{Check: name, Level: Untried, Tried: "This was not tried.", Got: "It stands on " + first + ", which failed.", Means: "Mend " + first + " first."}
}

func (t *trials) readBack(ctx context.Context, key caseload.ObjectKey) []Finding {
	get := t.send(ctx, ask{as: asServer, method: http.MethodGet, key: key})
	found := []Finding{t.permission(PermissionNamed("s3:GetObject"), get, "Reading it back.")}
	if get.ok() && string(get.body) != string(trialBody) {
		found = append(found, Finding{
			Check: "store.bytes", Level: Failure, Tried: "Comparing what was read with what was put.", Got: fmt.Sprintf("%d bytes that differ", len(get.body)),
			Means: "The store, or something between, gives back other bytes than it was given.",
			Fix:   &Fix{Say: "Do not use this store; ask its operator what rewrites the objects."},
		})
	}
	if get.ok() && get.header.Get("ETag") == "" {
		found = append(found, Finding{
			Check: "store.etag", Level: Failure, Tried: "Looking for the ETag of what was read.", Got: "The answer has none.",
			Means: "Something between strips the ETag header: stock Uppy cannot finish an upload, and reads cannot be pinned to the verified object.",
			Fix:   &Fix{Say: "Whoever runs the proxy before the store has it pass ETag on unchanged."},
		})
	}
	if t.versioned {
		get := t.send(ctx, ask{as: asServer, method: http.MethodGet, key: key, query: url.Values{"versionId": {t.version}}.Encode()})
		found = append(found, t.permission(PermissionNamed("s3:GetObjectVersion"), get, "Reading exactly that version of it."))
	}
	return found
}

// deletes tries the deleting of a key that nothing lies under; where versions are kept, of an object and of its version,
// so that no marker stays.
func (t *trials) deletes(ctx context.Context) []Finding {
	key, version := t.key("delete"), ""
	if t.versioned {
		got := t.send(ctx, ask{as: asServer, method: http.MethodPut, key: key, body: trialBody, header: putHeader(trialBody)})
		version = got.header.Get("x-amz-version-id")
	}
	got := t.send(ctx, ask{as: asServer, method: http.MethodDelete, key: key})
	found := []Finding{t.permission(PermissionNamed("s3:DeleteObject"), got, "Deleting an object.")}
	if version == "" {
		return found
	}
	if marker := got.header.Get("x-amz-version-id"); marker != "" {
		t.made = append(t.made, made{key: key, version: marker})
	}
	gone := t.send(ctx, ask{as: asServer, method: http.MethodDelete, key: key, query: url.Values{"versionId": {version}}.Encode()})
	return append(found, t.permission(PermissionNamed("s3:DeleteObjectVersion"), gone, "Deleting exactly one version of it."))
}

// uploads tries what a multipart upload takes besides s3:PutObject.
func (t *trials) uploads(ctx context.Context) []Finding {
	listed := t.send(ctx, ask{as: asServer, method: http.MethodGet, query: "uploads&max-uploads=1&prefix=" + trialPrefix})
	found := []Finding{t.permission(PermissionNamed("s3:ListBucketMultipartUploads"), listed, "Listing the uploads that nobody finished.")}
	key := t.key("upload")
	id := t.begin(ctx, key)
	if id == "" { // s3:PutObject says why; an upload that never was is refused in the same way
		id = "none"
	}
	parts := t.send(ctx, ask{as: asServer, method: http.MethodGet, key: key, query: uploadQuery(id)})
	found = append(found, t.permission(PermissionNamed("s3:ListMultipartUploadParts"), parts, "Listing the parts of an upload."))
	aborted := t.send(ctx, ask{as: asServer, method: http.MethodDelete, key: key, query: uploadQuery(id)})
	return append(found, t.permission(PermissionNamed("s3:AbortMultipartUpload"), aborted, "Throwing an upload away."))
}

func uploadQuery(id string) string { return url.Values{"uploadId": {id}}.Encode() }

// begin begins a multipart upload as the program does and returns its id, or "".
func (t *trials) begin(ctx context.Context, key caseload.ObjectKey) string {
	got := t.send(ctx, ask{as: asServer, method: http.MethodPost, key: key, query: "uploads", header: map[string]string{
		"Content-Type": "application/octet-stream", "X-Amz-Checksum-Algorithm": "CRC64NVME", "X-Amz-Checksum-Type": "FULL_OBJECT",
	}})
	var said struct{ UploadId string }
	if !got.ok() || xml.Unmarshal(got.body, &said) != nil {
		return ""
	}
	return said.UploadId
}

// etagOf returns the ETag of an upload's one part, as the server's own listing gives it; "" when it cannot be had.
func (t *trials) etagOf(ctx context.Context, key caseload.ObjectKey, id string) string {
	got := t.send(ctx, ask{as: asServer, method: http.MethodGet, key: key, query: uploadQuery(id)})
	var said struct{ Part []struct{ ETag string } }
	if !got.ok() || xml.Unmarshal(got.body, &said) != nil || len(said.Part) != 1 {
		return ""
	}
	return said.Part[0].ETag
}
