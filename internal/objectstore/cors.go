package objectstore

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// EnsureCORS replaces the bucket's CORS rules by the one that browsers on the origins ("https://caseload.example")
// need to send parts and forms and to download: nothing wider; without origins it takes the rules away. Stores without
// that API (MinIO, R2 by S3) answer Unavailable.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketCors.html
func (s *Store) EnsureCORS(ctx context.Context, origins []string) error {
	if len(origins) == 0 {
		_, err := s.client.DeleteBucketCors(ctx, &s3.DeleteBucketCorsInput{Bucket: &s.bucket})
		return s.sorted("DeleteBucketCors", err)
	}
	_, err := s.client.PutBucketCors(ctx, &s3.PutBucketCorsInput{
		Bucket:            &s.bucket,
		CORSConfiguration: &types.CORSConfiguration{CORSRules: []types.CORSRule{corsRule(origins)}},
	})
	return s.sorted("PutBucketCors", err)
}

// corsRule is the rule; docs/operate.md shows the same to operators.
func corsRule(origins []string) types.CORSRule {
	return types.CORSRule{
		AllowedOrigins: origins,
		AllowedMethods: []string{"PUT", "POST", "GET"},
		AllowedHeaders: []string{"content-type", "x-amz-checksum-crc64nvme"},
		ExposeHeaders:  []string{"ETag", "Location", "x-amz-checksum-crc64nvme"},
		MaxAgeSeconds:  aws.Int32(3600),
	}
}
