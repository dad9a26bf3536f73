package objectstore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"dcdentals.com/caseload/internal/caseload"
)

// mostMarker bounds what is read of the bucket's marker, in bytes.
const mostMarker = 64 << 10

// Marker reads the bucket's marker (caseload.MarkerKey); nil when there is none. at is the store's own clock, from the Date
// of its answer, in whole seconds; zero when it gives none. Invalid when the marker cannot be understood.
func (s *Store) Marker(ctx context.Context) (m *caseload.Marker, at time.Time, err error) {
	bucket, err := s.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &s.bucket})
	if err != nil {
		return nil, at, s.sorted("HeadBucket", err)
	}
	at, _ = middleware.GetServerTime(bucket.ResultMetadata)
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: aws.String(string(caseload.MarkerKey))})
	if err != nil {
		if err = s.sorted("GetObject", err); caseload.KindOf(err) == caseload.NotFound {
			return nil, at, nil
		}
		return nil, at, err
	}
	defer out.Body.Close()
	body, err := io.ReadAll(io.LimitReader(out.Body, mostMarker))
	if err != nil {
		return nil, at, s.sorted("GetObject", err)
	}
	m = &caseload.Marker{}
	if err := json.Unmarshal(body, m); err != nil || m.Database == "" {
		return nil, at, caseload.Errorf(caseload.Invalid, "The bucket's marker cannot be understood.").WithCause(err)
	}
	return m, at, nil
}

// WriteMarker replaces the bucket's marker: the only object that is ever written over.
func (s *Store) WriteMarker(ctx context.Context, m caseload.Marker) error {
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	_, err = s.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &s.bucket, Key: aws.String(string(caseload.MarkerKey)), Body: bytes.NewReader(body), ContentLength: aws.Int64(int64(len(body))),
		ContentType: aws.String("application/json"),
	})
	return s.sorted("PutObject", err)
}

// OldestObject returns when the oldest of our objects among the first thousand keys was written; zero when there is none.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
func (s *Store) OldestObject(ctx context.Context) (oldest time.Time, err error) {
	page, err := s.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &s.bucket, MaxKeys: aws.Int32(1000)})
	if err != nil {
		return oldest, s.sorted("ListObjectsV2", err)
	}
	for _, o := range page.Contents {
		at := aws.ToTime(o.LastModified)
		if caseload.OwnKey(caseload.ObjectKey(aws.ToString(o.Key))) && !at.IsZero() && (oldest.IsZero() || at.Before(oldest)) {
			oldest = at
		}
	}
	return oldest, nil
}

// OpenUploads calls each for every unfinished multipart upload of the bucket. Unsupported when the store does not list them,
// or not for us. https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html
func (s *Store) OpenUploads(ctx context.Context, each func(caseload.OpenUpload) error) error {
	pages := s3.NewListMultipartUploadsPaginator(s.client, &s3.ListMultipartUploadsInput{Bucket: &s.bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			if response, ok := errors.AsType[*awshttp.ResponseError](err); ok {
				switch response.HTTPStatusCode() {
				case 403, 405, 501:
					return caseload.Errorf(caseload.Unsupported, "The store does not list unfinished uploads.").WithCause(s.sorted("ListMultipartUploads", err))
				}
			}
			return s.sorted("ListMultipartUploads", err)
		}
		for _, u := range page.Uploads {
			if err := each(caseload.OpenUpload{Key: caseload.ObjectKey(aws.ToString(u.Key)), UploadID: aws.ToString(u.UploadId), Begun: aws.ToTime(u.Initiated)}); err != nil {
				return err
			}
		}
	}
	return nil
}
