package objectstore

import (
	"context"
	"errors"
	"net/http"
	"slices"

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
// of them, those of one key from the newest to the oldest. more tells whether others follow; then there is at least one.
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

// listVersions is List of every version. Delete markers hold no bytes and are passed over.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html
func (s *Store) listVersions(ctx context.Context, after caseload.Mark, limit int) (page []caseload.Listed, more bool, err error) {
	in := &s3.ListObjectVersionsInput{Bucket: &s.bucket, MaxKeys: aws.Int32(int32(limit))}
	in.KeyMarker, in.VersionIdMarker = markers(after)
	for {
		out, err := s.client.ListObjectVersions(ctx, in)
		if err != nil {
			return nil, false, s.sorted("ListObjectVersions", err)
		}
		for _, v := range out.Versions {
			page = append(page, caseload.Listed{
				Mark: caseload.Mark{Key: caseload.ObjectKey(aws.ToString(v.Key)), ID: aws.ToString(v.VersionId)},
				Size: aws.ToInt64(v.Size), Current: aws.ToBool(v.IsLatest),
			})
		}
		more = aws.ToBool(out.IsTruncated) && aws.ToString(out.NextKeyMarker) != ""
		if len(page) > 0 || !more {
			return page, more, nil
		}
		in.KeyMarker, in.VersionIdMarker = out.NextKeyMarker, out.NextVersionIdMarker
	}
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
