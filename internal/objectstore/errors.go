package objectstore

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	"github.com/versity/versitygw/s3err"

	"dcdentals.com/caseload/internal/caseload"
)

var errStalled = errors.New("the store stopped taking or giving bytes")

// codes are the S3 error codes that say more than their status
// (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html).
var codes = map[string]caseload.Kind{
	"NoSuchKey":                      caseload.NotFound,
	"NoSuchUpload":                   caseload.NotFound,
	"NoSuchVersion":                  caseload.NotFound,
	"NotFound":                       caseload.NotFound,
	"PreconditionFailed":             caseload.Conflict,
	"ConditionalRequestConflict":     caseload.Conflict,
	"BadDigest":                      caseload.Invalid,
	"InvalidDigest":                  caseload.Invalid,
	"XAmzContentChecksumMismatch":    caseload.Invalid,
	"InvalidPart":                    caseload.Invalid,
	"InvalidPartOrder":               caseload.Invalid,
	"EntityTooSmall":                 caseload.Invalid,
	"IncompleteBody":                 caseload.Invalid,
	"EntityTooLarge":                 caseload.TooLarge,
	"InsufficientStorage":            caseload.Full,
	"XMinioStorageFull":              caseload.Full,
	"QuotaExceeded":                  caseload.Full,
	"XMinioAdminBucketQuotaExceeded": caseload.Full,
	"InternalError":                  caseload.Unavailable,
	"SlowDown":                       caseload.Unavailable,
	"ServiceUnavailable":             caseload.Unavailable,
	"RequestTimeout":                 caseload.Unavailable,
	"OperationAborted":               caseload.Unavailable,
	"ExpiredToken":                   caseload.Unavailable,
	"InvalidToken":                   caseload.Unavailable,
	"AuthorizationHeaderMalformed":   caseload.Unavailable,
	"PermanentRedirect":              caseload.Unavailable,
}

// sorted turns what the SDK or the embedded store answered into a *caseload.Error, or nil. The cause it keeps names the operation, the
// store's code, the status and the store's request id; no URL, header or message of the store, which can hold
// credentials or signatures.
func (s *Store) sorted(operation string, err error) error {
	if err == nil {
		return nil
	}
	var own *caseload.Error
	if errors.As(err, &own) {
		return own
	}
	var api smithy.APIError
	var response *awshttp.ResponseError
	status, id, code := 0, "", ""
	if errors.As(err, &response) {
		status, id = response.HTTPStatusCode(), response.ServiceRequestID()
	}
	if errors.As(err, &api) {
		code = api.ErrorCode()
	}
	var inside s3err.S3Error // the embedded store's, asked in this process
	if errors.As(err, &inside) {
		status, code = inside.StatusCode(), inside.BaseError().Code
	}
	if status == 0 && code == "" {
		return unreachable(operation, err)
	}
	cause := fmt.Errorf("%s: %s (HTTP %d, request %s)", operation, code, status, id)
	if code == "NoSuchBucket" {
		return noSuchBucket(cause)
	}
	sorted := sortedKind(code, status)
	switch code {
	case "BadDigest", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch":
		sorted = sorted.WithField("crc64nvme") // changed on the way: whoever sends the same again is right to
	}
	return sorted.WithCause(cause)
}

func sortedKind(code string, status int) *caseload.Error {
	kind, known := codes[code]
	if !known {
		switch {
		case status == 404:
			kind = caseload.NotFound
		case status == 412 || status == 409:
			kind = caseload.Conflict
		case status == 413:
			kind = caseload.TooLarge
		case status == 507:
			kind = caseload.Full
		case status == 400 || status == 411 || status == 416:
			kind = caseload.Invalid
		case status == 401 || status == 403:
			return caseload.Errorf(caseload.Unavailable, "The object store refuses our credentials.").
				WithHint("The operator looks at the access key, the clock, and the permissions on the bucket: " +
					"s3:PutObject, s3:GetObject, s3:DeleteObject, s3:AbortMultipartUpload, s3:ListMultipartUploadParts, s3:ListBucket.")
		default:
			kind = caseload.Unavailable
		}
	}
	switch kind {
	case caseload.NotFound:
		return caseload.Errorf(kind, "The store does not hold this object or upload.")
	case caseload.Conflict:
		return caseload.Errorf(kind, "The store holds another object under this key.")
	case caseload.Invalid:
		return caseload.Errorf(kind, "The store refused the bytes: length, checksum or parts are not as announced.").
			WithHint("Send the file again.")
	case caseload.TooLarge:
		return caseload.Errorf(kind, "The store does not take an object of this size.")
	case caseload.Full:
		return caseload.Errorf(kind, "The object store has no room left.").
			WithHint("The operator frees or adds space; then send the file again.")
	default:
		return caseload.Errorf(kind, "The object store cannot answer now.").WithHint("Try again in a moment.")
	}
}

func unreachable(operation string, err error) *caseload.Error {
	e := caseload.Errorf(caseload.Unavailable, "The object store cannot be reached.").WithHint("Try again in a moment.")
	var address *url.Error
	if errors.As(err, &address) { // its text holds the whole URL
		err = address.Err
	}
	for _, known := range []error{errStalled, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, known) {
			return e.WithCause(fmt.Errorf("%s: %w", operation, known))
		}
	}
	return e.WithCause(fmt.Errorf("%s: %w", operation, err))
}

func noSuchBucket(cause error) *caseload.Error {
	return caseload.Errorf(caseload.Unavailable, "The bucket of the object store does not exist.").
		WithHint("The operator makes the bucket or mends AWS_STORAGE_BUCKET_NAME and the region.").WithCause(cause)
}
