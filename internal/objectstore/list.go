package objectstore

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"dcdentals.com/caseload/internal/caseload"
)

// KeepsVersions tells whether the bucket keeps, or once kept, versions of its objects. A store that has no versions at all
// says so with 501, and a server that may not ask (403) sees current objects only: both are no.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketVersioning.html
func (s *Store) KeepsVersions(ctx context.Context) (bool, error) {
	out, err := s.client.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &s.bucket})
	var response *awshttp.ResponseError
	if errors.As(err, &response) && slices.Contains([]int{http.StatusForbidden, http.StatusMethodNotAllowed, http.StatusNotImplemented}, response.HTTPStatusCode()) {
		return false, nil
	}
	if err != nil {
		return false, s.sorted("GetBucketVersioning", err)
	}
	return out.Status != "", nil
}

// List returns the bucket's objects behind the mark in the order of their keys, at most limit; with versions each version
// of them, delete markers too, those of one key from the newest to the oldest. more tells whether others follow; then there is at least one.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
func (s *Store) List(ctx context.Context, after caseload.Mark, versions bool, limit int) (page []caseload.Listed, more bool, err error) {
	if versions {
		return s.listVersions(ctx, after, limit)
	}
	in := &s3.ListObjectsV2Input{Bucket: &s.bucket, MaxKeys: aws.Int32(int32(limit))}
	if after.Key != "" {
		in.StartAfter = aws.String(string(after.Key))
	}
	for {
		out, err := s.client.ListObjectsV2(ctx, in)
		if err != nil {
			return nil, false, s.sorted("ListObjectsV2", err)
		}
		for _, o := range out.Contents {
			page = append(page, caseload.Listed{Mark: caseload.Mark{Key: caseload.ObjectKey(aws.ToString(o.Key))}, Size: aws.ToInt64(o.Size), Current: true})
		}
		more = aws.ToBool(out.IsTruncated) && aws.ToString(out.NextContinuationToken) != ""
		if len(page) > 0 || !more {
			return page, more, nil
		}
		in.ContinuationToken = out.NextContinuationToken
	}
}

// listVersions is List of every version, delete markers among them. A page ends with a whole key when it holds more than one
// (caseload.Behind). AWS and MinIO go on behind the mark; versitygw begins with it, and lists nothing at all when that version
// is gone. https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html
func (s *Store) listVersions(ctx context.Context, after caseload.Mark, limit int) (page []caseload.Listed, more bool, err error) {
	in := &s3.ListObjectVersionsInput{Bucket: &s.bucket, MaxKeys: aws.Int32(int32(max(limit, 2)))} // the mark itself, and one more
	in.KeyMarker, in.VersionIdMarker = markers(after)
	for {
		out, err := s.client.ListObjectVersions(ctx, in)
		if err != nil {
			return nil, false, s.sorted("ListObjectVersions", err)
		}
		all := versionsOf(out)
		if len(all) == 0 && after.ID != "" && in.VersionIdMarker != nil {
			after.ID, in.VersionIdMarker = "", nil
			continue
		}
		page = slices.DeleteFunc(all, func(o caseload.Listed) bool {
			return o.Key < after.Key || o.Key == after.Key && (after.ID == "" || after.ID == o.ID)
		})
		more = aws.ToBool(out.IsTruncated) && aws.ToString(out.NextKeyMarker) != ""
		if more && len(page) > 0 {
			page = wholeKeys(page)
		}
		if len(page) > 0 || !more {
			return page, more, nil
		}
		in.KeyMarker, in.VersionIdMarker = out.NextKeyMarker, out.NextVersionIdMarker
	}
}

// wholeKeys leaves the last key of a page out, which may have more versions, unless it is the only one.
func wholeKeys(page []caseload.Listed) []caseload.Listed {
	last := page[len(page)-1].Key
	if page[0].Key == last {
		return page
	}
	return slices.DeleteFunc(page, func(o caseload.Listed) bool { return o.Key == last })
}

// versionsOf puts the versions and the delete markers of a page, which the SDK hands over as two lists, into one again: by
// key, the newest first. Moments are of seconds, so they cannot always tell the last of a page; the store's own word does.
func versionsOf(out *s3.ListObjectVersionsOutput) []caseload.Listed {
	type dated struct {
		caseload.Listed
		at time.Time
	}
	var all []dated
	for _, v := range out.Versions {
		mark := caseload.Mark{Key: caseload.ObjectKey(aws.ToString(v.Key)), ID: aws.ToString(v.VersionId)}
		all = append(all, dated{caseload.Listed{Mark: mark, Size: aws.ToInt64(v.Size), Current: aws.ToBool(v.IsLatest)}, aws.ToTime(v.LastModified)})
	}
	for _, m := range out.DeleteMarkers {
		mark := caseload.Mark{Key: caseload.ObjectKey(aws.ToString(m.Key)), ID: aws.ToString(m.VersionId)}
		all = append(all, dated{caseload.Listed{Mark: mark, Current: aws.ToBool(m.IsLatest), Hides: true}, aws.ToTime(m.LastModified)})
	}
	end := caseload.Mark{Key: caseload.ObjectKey(aws.ToString(out.NextKeyMarker)), ID: aws.ToString(out.NextVersionIdMarker)}
	place := func(d dated) int {
		switch {
		case d.Current:
			return 0
		case d.Mark == end:
			return 2
		}
		return 1
	}
	slices.SortStableFunc(all, func(a, b dated) int {
		return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(place(a), place(b)), b.at.Compare(a.at))
	})
	page := make([]caseload.Listed, 0, len(all))
	for _, d := range all {
		page = append(page, d.Listed)
	}
	return page
}

// ListUploads returns the bucket's unfinished multipart uploads behind the mark, at most limit, as List does. MinIO lists
// none unless the whole key is named; versitygw refuses the mark of an upload, and then goes on behind its key.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html
func (s *Store) ListUploads(ctx context.Context, after caseload.Mark, limit int) (page []caseload.ListedUpload, more bool, err error) {
	in := &s3.ListMultipartUploadsInput{Bucket: &s.bucket, MaxUploads: aws.Int32(int32(limit))}
	in.KeyMarker, in.UploadIdMarker = markers(after)
	for {
		out, err := s.client.ListMultipartUploads(ctx, in)
		if in.UploadIdMarker != nil && caseload.KindOf(s.sorted("ListMultipartUploads", err)) == caseload.Invalid {
			in.UploadIdMarker = nil
			continue
		}
		if err != nil {
			return nil, false, s.sorted("ListMultipartUploads", err)
		}
		for _, u := range out.Uploads {
			page = append(page, caseload.ListedUpload{
				Mark: caseload.Mark{Key: caseload.ObjectKey(aws.ToString(u.Key)), ID: aws.ToString(u.UploadId)}, BegunAt: aws.ToTime(u.Initiated),
			})
		}
		more = aws.ToBool(out.IsTruncated) && aws.ToString(out.NextKeyMarker) != ""
		if len(page) > 0 || !more {
			return page, more, nil
		}
		in.KeyMarker, in.UploadIdMarker = out.NextKeyMarker, out.NextUploadIdMarker
	}
}

func markers(after caseload.Mark) (key, id *string) {
	if after.Key != "" {
		key = aws.String(string(after.Key))
	}
	if after.ID != "" {
		id = &after.ID
	}
	return key, id
}
