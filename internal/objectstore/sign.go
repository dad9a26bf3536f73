package objectstore

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"dcdentals.com/caseload/internal/caseload"
)

// opaqueType is the content type of every object: what the client claims is never stored.
const opaqueType = "application/octet-stream"

// SignPart signs the sending of one part. Its length and checksum are part of the signature, so the store itself
// refuses other bytes; a content type is not, because a Blob's slice has none. A length of 0 and a checksum of "" are
// left open. The embedded store's URL is made for origin, an external store's for its public endpoint.
func (s *Store) SignPart(ctx context.Context, origin string, key caseload.ObjectKey, uploadID string,
	p caseload.Part, expiry time.Duration,
) (caseload.SignedRequest, error) {
	address, err := s.signedAddress(origin)
	if err != nil {
		return caseload.SignedRequest{}, err
	}
	expiry, expires := s.lifetime(ctx, expiry)
	in := &s3.UploadPartInput{
		Bucket: &s.bucket, Key: aws.String(string(key)), UploadId: &uploadID, PartNumber: aws.Int32(int32(p.Number)),
	}
	if p.Size > 0 {
		in.ContentLength = &p.Size
	}
	if p.CRC64NVME != "" {
		in.ChecksumCRC64NVME = &p.CRC64NVME
	}
	request, err := s.presigner.PresignUploadPart(ctx, in, s3.WithPresignExpires(expiry), s3.WithPresignClientFromClientOptions(address))
	if err != nil {
		return caseload.SignedRequest{}, s.sorted("sign UploadPart", err)
	}
	signed := signedRequest(request, expires)
	signed.Part = p.Number
	return signed, nil
}

// SignGet signs a download, pinned to the version when there is one, as attachment under the given name. The content
// type is application/octet-stream unless contentType is one that no browser runs. With CloudFront configured, the URL
// is signed for the distribution.
func (s *Store) SignGet(ctx context.Context, origin string, key caseload.ObjectKey, versionID, name, contentType string,
	expiry time.Duration,
) (caseload.SignedRequest, error) {
	disposition, contentType := attachment(name), safeType(contentType)
	if s.cdn != nil {
		expires := time.Now().Add(expiry)
		address, err := s.cdn.sign(string(key), versionID, disposition, contentType, expires)
		if err != nil {
			return caseload.SignedRequest{}, err
		}
		return caseload.SignedRequest{Method: http.MethodGet, URL: address, Headers: map[string]string{}, ExpiresAt: expires.UTC()}, nil
	}
	address, err := s.signedAddress(origin)
	if err != nil {
		return caseload.SignedRequest{}, err
	}
	in := &s3.GetObjectInput{
		Bucket:                     &s.bucket,
		Key:                        aws.String(string(key)),
		ResponseContentDisposition: &disposition,
		ResponseContentType:        &contentType,
	}
	if versionID != "" {
		in.VersionId = &versionID
	}
	expiry, expires := s.lifetime(ctx, expiry)
	request, err := s.presigner.PresignGetObject(ctx, in, s3.WithPresignExpires(expiry), s3.WithPresignClientFromClientOptions(address))
	if err != nil {
		return caseload.SignedRequest{}, s.sorted("sign GetObject", err)
	}
	return signedRequest(request, expires), nil
}

// signedAddress is the option that signs for the address the browser will use.
func (s *Store) signedAddress(origin string) (func(*s3.Options), error) {
	endpoint := s.public
	if s.embedded != nil {
		endpoint = origin
		if !strings.HasPrefix(origin, "http://") && !strings.HasPrefix(origin, "https://") {
			return nil, caseload.Errorf(caseload.Internal, "No origin to sign the embedded store's address for.")
		}
	}
	return func(o *s3.Options) {
		if endpoint != "" {
			o.BaseEndpoint = &endpoint
		}
	}, nil
}

// lifetime returns how long a URL signed now is good for and until when: the wanted time, or less when the credentials
// themselves (an instance role's) end before.
func (s *Store) lifetime(ctx context.Context, wanted time.Duration) (time.Duration, time.Time) {
	now := time.Now()
	if c, err := s.client.Options().Credentials.Retrieve(ctx); err == nil && c.CanExpire {
		if left := c.Expires.Sub(now); left > 0 && left < wanted {
			wanted = left
		}
	}
	return wanted, now.Add(wanted).UTC()
}

func signedRequest(r *v4.PresignedHTTPRequest, expires time.Time) caseload.SignedRequest {
	headers := make(map[string]string, len(r.SignedHeader))
	for name, values := range r.SignedHeader {
		if name = http.CanonicalHeaderKey(name); name != "Host" && name != "Content-Length" {
			headers[name] = strings.Join(values, ",")
		}
	}
	return caseload.SignedRequest{Method: r.Method, URL: r.URL, Headers: headers, ExpiresAt: expires}
}
