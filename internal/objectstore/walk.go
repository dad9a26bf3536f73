package objectstore

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"dcdentals.com/caseload/internal/caseload"
)

// Walk visits every object whose key is after the given one, in the byte order of the keys, with the moment it was
// written. Of an object it knows size and ETag; Head knows the checksum. It needs s3:ListBucket.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
func (s *Store) Walk(ctx context.Context, after caseload.ObjectKey, visit func(o caseload.Object, at time.Time) error) error {
	in := &s3.ListObjectsV2Input{Bucket: &s.bucket}
	for {
		if after != "" {
			in.StartAfter = aws.String(string(after)) // not the token: a store may forget it while we look at a page
		}
		page, err := s.client.ListObjectsV2(ctx, in)
		if err != nil {
			return s.sorted("ListObjectsV2", err)
		}
		for _, o := range page.Contents {
			after = caseload.ObjectKey(aws.ToString(o.Key))
			found := caseload.Object{Key: after, Size: aws.ToInt64(o.Size), ETag: unquote(o.ETag)}
			if err := visit(found, aws.ToTime(o.LastModified)); err != nil {
				return err
			}
		}
		if !aws.ToBool(page.IsTruncated) || len(page.Contents) == 0 {
			return nil
		}
	}
}
