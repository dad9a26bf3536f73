package doctor

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"

	"dcdentals.com/caseload/internal/caseload"
)

// setupChecks are those of StoreChecks for whoever sets the bucket up, who has no business with files: each right of the
// printed set-up policy is tried, how the bucket is set up is read and tried as browsers and strangers, and nothing is put
// into it.
func setupChecks(o StoreOptions) []Check {
	t := newTrials(o)
	return []Check{
		{Name: "bucket.contact", Needs: grounds, Run: t.contact},
		{Name: "bucket.owner", Run: t.whenReached(t.owner)},
		{Name: "bucket.keeping", Needs: reachedBucket, Run: t.keeping},
		{Name: "setup.permission", Needs: reachedBucket, Run: t.setupPermissions},
		{Name: "store.public", Needs: reachedBucket, Run: t.public},
		{Name: "cors", Needs: append([]string{"store.public"}, reachedBucket...), Run: t.crossOrigin},
		{Name: "exposure", Needs: reachedBucket, Run: t.exposure},
		{Name: "store.tidy", Run: t.whenReached(t.tidy)},
	}
}

// setupPermissions tries each right of setting up by the call that takes it. What sets something is sent what is no
// document: a store that looks at it, and refuses it for its form, gave the right.
func (t *trials) setupPermissions(ctx context.Context) []Finding {
	found := t.looking(ctx)
	for _, p := range t.o.Bucket.Permissions(SetupPrincipal) {
		if slices.ContainsFunc(found, func(f Finding) bool { return f.Check == "store.permission."+p.Action }) {
			continue // tried by looking
		}
		got, tried := t.settingUp(ctx, p.Action)
		if t.takesDocuments(got) || strings.HasPrefix(got.code, "NoSuch") || strings.HasSuffix(got.code, "NotFoundError") || strings.HasPrefix(got.code, "BucketAlready") {
			found = append(found, Finding{Check: "store.permission." + p.Action, Tried: tried, Got: "The right is there (" + got.said() + ")."})
			continue
		}
		found = append(found, t.permission(p, got, tried))
	}
	for i := range found {
		found[i].Check = strings.Replace(found[i].Check, "store.", "setup.", 1)
	}
	return found
}

// settingUp makes the call that takes the action.
func (t *trials) settingUp(ctx context.Context, action string) (got answer, tried string) {
	if action == "s3:CreateBucket" {
		const tried = "Asking for the bucket to be made that is there already, which changes nothing."
		if t.kind == caseload.StoreAWS { // asked well, us-east-1 makes its ACL anew; MinIO looks at the form before the right
			return t.sendNoDocument(ctx, ""), tried
		}
		return t.send(ctx, ask{as: asServer, method: http.MethodPut}), tried
	}
	if action == "s3:GetBucketAcl" {
		return t.send(ctx, ask{as: asServer, method: http.MethodGet, query: "acl"}), "Reading the bucket's ACL."
	}
	for _, each := range settingTrials {
		switch rights := settingActions[each.setting]; action {
		case rights.get:
			return t.send(ctx, ask{as: asServer, method: http.MethodGet, query: each.query}), "Reading the setting " + string(each.setting) + "."
		case rights.put:
			return t.sendNoDocument(ctx, each.query), "Setting " + string(each.setting) + " to what is no document, which changes nothing."
		}
	}
	panic("doctor: no call is known that takes " + action) // the names are in the code
}

// sendNoDocument asks for something of the bucket to be set to what is no document.
func (t *trials) sendNoDocument(ctx context.Context, query string) answer {
	sum := md5.Sum(noDocument) // S3 wants it with these calls; it protects nothing here
	return t.send(ctx, ask{as: asServer, method: http.MethodPut, query: query, body: noDocument, header: map[string]string{
		"Content-Type": opaque, "Content-Md5": base64.StdEncoding.EncodeToString(sum[:]),
	}})
}
