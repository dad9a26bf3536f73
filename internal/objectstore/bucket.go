package objectstore

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"dcdentals.com/caseload/internal/caseload"
)

// LookAtBucket tells whether the bucket is there and which kind of store keeps it. It answers Conflict when the bucket lies
// in another region than the configuration says, Forbidden when it is somebody else's or these credentials may not see it.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html
func (s *Store) LookAtBucket(ctx context.Context) (caseload.BucketLook, error) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	var look caseload.BucketLook
	out, err := s.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &s.bucket})
	if err == nil {
		if raw, ok := awsmiddleware.GetRawResponse(out.ResultMetadata).(*smithyhttp.Response); ok {
			look.Store = storeKind(raw.Header)
		}
		look.Exists, look.Region = true, aws.ToString(out.BucketRegion)
		return look, nil
	}
	var answer *awshttp.ResponseError
	if !errors.As(err, &answer) {
		return look, s.sorted("HeadBucket", err)
	}
	look.Store = storeKind(answer.Response.Header)
	look.Region = answer.Response.Header.Get("X-Amz-Bucket-Region")
	switch status := answer.HTTPStatusCode(); {
	case status == http.StatusNotFound:
		return look, nil
	case status == http.StatusMovedPermanently, status == http.StatusBadRequest && look.Region != "":
		look.Exists = true
		return look, caseload.Errorf(caseload.Conflict, "The bucket %s lies in the region %s.", s.bucket, look.Region).
			WithHint("Set AWS_S3_REGION_NAME=" + look.Region + ".").WithCause(fmt.Errorf("HeadBucket: HTTP %d", status))
	}
	return look, s.setUpError("HeadBucket", "s3:ListBucket", err)
}

// hashOfNode is MinIO's X-Amz-Id-2, which no other store has in this form.
var hashOfNode = regexp.MustCompile(`^[0-9a-f]{64}$`)

// storeKind reads from an answer which software gave it. A proxy puts its own name into Server, so that MinIO is known by its
// other headers too.
func storeKind(h http.Header) caseload.StoreKind {
	if hashOfNode.MatchString(h.Get("X-Amz-Id-2")) && h.Get("X-Ratelimit-Limit") != "" || h.Get("X-Minio-Error-Code") != "" {
		return caseload.StoreMinIO
	}
	server := strings.ToLower(h.Get("Server"))
	for _, known := range []struct {
		word string
		kind caseload.StoreKind
	}{{"amazons3", caseload.StoreAWS}, {"minio", caseload.StoreMinIO}, {"versitygw", caseload.StoreVersity}, {"cloudflare", caseload.StoreR2}} {
		if strings.Contains(server, known.word) {
			return known.kind
		}
	}
	return caseload.StoreOther
}

// CreateBucket makes the bucket in the configured region; one of ours that is there already is fine. It answers Conflict
// when the name is taken by somebody else. https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
func (s *Store) CreateBucket(ctx context.Context) error {
	in := &s3.CreateBucketInput{Bucket: &s.bucket}
	if region := s.client.Options().Region; region != "us-east-1" { // which may not be named
		in.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(region)}
	}
	_, err := s.client.CreateBucket(ctx, in)
	var api smithy.APIError
	if errors.As(err, &api) {
		switch api.ErrorCode() {
		case "BucketAlreadyOwnedByYou":
			return nil
		case "BucketAlreadyExists":
			return caseload.Errorf(caseload.Conflict, "The name %s is taken: a bucket of this name belongs to somebody else.", s.bucket).
				WithHint("Names are shared by all of AWS. Choose another AWS_STORAGE_BUCKET_NAME.")
		}
	}
	return s.setUpError("CreateBucket", "s3:CreateBucket", err)
}

// setUpError sorts the error of a call that looks at or sets something of the bucket as a whole. It wraps
// errors.ErrUnsupported when the store has no such call, and is Forbidden, with the action that is missing, when these
// credentials may not make it.
func (s *Store) setUpError(call, action string, err error) error {
	if err == nil {
		return nil
	}
	var api smithy.APIError
	var answer *awshttp.ResponseError
	status, code := 0, ""
	if errors.As(err, &answer) {
		status = answer.HTTPStatusCode()
	}
	if errors.As(err, &api) {
		code = api.ErrorCode()
	}
	switch {
	case status == http.StatusNotImplemented, status == http.StatusMethodNotAllowed, code == "NotImplemented", code == "MethodNotAllowed":
		return caseload.Errorf(caseload.Invalid, "This store has no %s.", call).
			WithCause(fmt.Errorf("%w: %s (HTTP %d)", errors.ErrUnsupported, code, status))
	case status == http.StatusForbidden && (code == "AccessDenied" || code == "Forbidden" || code == "AllAccessDisabled"):
		return caseload.Errorf(caseload.Forbidden, "These credentials may not do %s on the bucket %s: they lack %s, or the bucket is somebody else's.", call, s.bucket, action).
			WithHint("Give them what `caseload bucket policy print --principal setup` prints, or let somebody run this who has it.").
			WithCause(fmt.Errorf("%s: %s (HTTP %d)", call, code, status))
	case code == "NoSuchBucket":
		return caseload.Errorf(caseload.NotFound, "There is no bucket %s.", s.bucket).WithHint("Make it with `caseload bucket create`.")
	case status == http.StatusBadRequest || status == http.StatusConflict:
		return caseload.Errorf(caseload.Invalid, "The store does not take this: %s answered %s (HTTP %d).", call, code, status)
	}
	return s.sorted(call, err)
}
