package objectstore

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"dcdentals.com/caseload/internal/caseload"
)

// CreateMultipart begins a direct upload whose checksum will be CRC-64/NVME over the whole object.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html
func (s *Store) CreateMultipart(ctx context.Context, key caseload.ObjectKey) (string, error) {
	out, err := s.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket:            &s.bucket,
		Key:               aws.String(string(key)),
		ContentType:       aws.String(opaqueType),
		ChecksumAlgorithm: types.ChecksumAlgorithmCrc64nvme,
		ChecksumType:      types.ChecksumTypeFullObject,
	}, once) // a repeated create would leave a second upload behind
	if err != nil {
		return "", s.sorted("CreateMultipartUpload", err)
	}
	return aws.ToString(out.UploadId), nil
}

// ListParts returns every part the store holds of the upload, in order. NotFound when there is no such upload.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html
func (s *Store) ListParts(ctx context.Context, key caseload.ObjectKey, uploadID string) ([]caseload.Part, error) {
	pages := s3.NewListPartsPaginator(s.client, &s3.ListPartsInput{
		Bucket: &s.bucket, Key: aws.String(string(key)), UploadId: &uploadID,
	})
	var parts []caseload.Part
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, s.sorted("ListParts", err)
		}
		for _, p := range page.Parts {
			parts = append(parts, caseload.Part{
				Number:    int(aws.ToInt32(p.PartNumber)),
				Size:      aws.ToInt64(p.Size),
				CRC64NVME: aws.ToString(p.ChecksumCRC64NVME),
				ETag:      unquote(p.ETag),
			})
		}
	}
	return parts, nil
}

// CompleteMultipart makes the object of its parts: write-once, of exactly size bytes and with exactly that checksum; ""
// leaves the checksum to the store.
// It answers Conflict when the key exists, NotFound when the upload is not there (it may have been completed: look with
// Head), Invalid when a part is missing or other than said. Even after success Head is the truth: under concurrent
// completes the embedded store can answer before the object is visible.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
func (s *Store) CompleteMultipart(ctx context.Context, key caseload.ObjectKey, uploadID string,
	parts []caseload.Part, size int64, crc64nvme string,
) error {
	completed := make([]types.CompletedPart, len(parts))
	for i, p := range parts {
		completed[i] = types.CompletedPart{PartNumber: aws.Int32(int32(p.Number)), ETag: aws.String(`"` + p.ETag + `"`)}
		if p.CRC64NVME != "" {
			completed[i].ChecksumCRC64NVME = &p.CRC64NVME
		}
	}
	in := &s3.CompleteMultipartUploadInput{
		Bucket:          &s.bucket,
		Key:             aws.String(string(key)),
		UploadId:        &uploadID,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: completed},
		MpuObjectSize:   &size,
		IfNoneMatch:     aws.String("*"),
	}
	if crc64nvme != "" {
		in.ChecksumCRC64NVME, in.ChecksumType = &crc64nvme, types.ChecksumTypeFullObject
	}
	_, err := s.client.CompleteMultipartUpload(ctx, in, func(o *s3.Options) { o.HTTPClient = s.slow })
	return s.sorted("CompleteMultipartUpload", err)
}

// AbortMultipart throws the upload and its parts away; an absent upload is no error.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html
func (s *Store) AbortMultipart(ctx context.Context, key caseload.ObjectKey, uploadID string) error {
	_, err := s.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{
		Bucket: &s.bucket, Key: aws.String(string(key)), UploadId: &uploadID,
	})
	return absentIsFine(s.sorted("AbortMultipartUpload", err))
}

// Delete removes one object: that version when given, else all there are of the key, so that nothing is left behind a delete
// marker where the bucket keeps versions. An absent key is no error.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html
func (s *Store) Delete(ctx context.Context, key caseload.ObjectKey, versionID string) error {
	in := &s3.DeleteObjectInput{Bucket: &s.bucket, Key: aws.String(string(key))}
	if versionID != "" {
		in.VersionId = &versionID
	}
	out, err := s.client.DeleteObject(ctx, in)
	if err != nil {
		return absentIsFine(s.sorted("DeleteObject", err))
	}
	if versionID == "" && aws.ToBool(out.DeleteMarker) {
		return s.deleteVersions(ctx, key)
	}
	return nil
}

// Sync returns when the objects would survive a power cut: it forces the embedded store's files to the disk. External
// stores acknowledge only what they keep. NotFound when one of the objects is not there.
func (s *Store) Sync(ctx context.Context, keys ...caseload.ObjectKey) error {
	if s.embedded == nil || len(keys) == 0 {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.embedded.sync(keys)
}

func absentIsFine(err error) error {
	if caseload.KindOf(err) == caseload.NotFound {
		return nil
	}
	return err
}

func unquote(etag *string) string { return strings.Trim(aws.ToString(etag), `"`) }
