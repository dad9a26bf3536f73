package objectstore

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"dcdentals.com/caseload/internal/caseload"
)

// mostMarkers bounds how many delete markers are taken off one key, and how often its versions are listed.
const mostMarkers = 16

// Hide puts a delete marker over an object of a bucket that keeps versions: its bytes stay, as a version that is no longer
// the current one. It returns the marker's own version; of an object that is hidden already, the one on top.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeleteMarker.html
func (s *Store) Hide(ctx context.Context, key caseload.ObjectKey) (marker string, err error) {
	if marker, err = s.markerOver(ctx, key); err != nil || marker != "" {
		return marker, err
	}
	out, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: aws.String(string(key))})
	if err != nil {
		return "", s.sorted("DeleteObject", err)
	}
	return aws.ToString(out.VersionId), nil
}

// Unhide takes every delete marker off the key, so that its latest version is the current one again. Where there is none it
// does nothing.
func (s *Store) Unhide(ctx context.Context, key caseload.ObjectKey) error {
	for range mostMarkers {
		marker, err := s.markerOver(ctx, key)
		if err != nil || marker == "" {
			return err
		}
		if err := s.Delete(ctx, key, marker); err != nil {
			return err
		}
	}
	return caseload.Errorf(caseload.Conflict, "The object lies under too many delete markers.")
}

// markerOver returns the version of the delete marker that hides the key; "" when none does. Not every store tells it with the
// answer that there is no object, so the versions are listed.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html
func (s *Store) markerOver(ctx context.Context, key caseload.ObjectKey) (string, error) {
	out, err := s.client.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: &s.bucket, Prefix: aws.String(string(key))})
	if err != nil {
		return "", s.sorted("ListObjectVersions", err)
	}
	for _, m := range out.DeleteMarkers {
		if aws.ToString(m.Key) == string(key) && aws.ToBool(m.IsLatest) {
			return aws.ToString(m.VersionId), nil
		}
	}
	return "", nil
}

// deleteVersions removes every version of the key and then its delete markers, so that no version comes into sight meanwhile.
func (s *Store) deleteVersions(ctx context.Context, key caseload.ObjectKey) error {
	for range mostMarkers {
		out, err := s.client.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: &s.bucket, Prefix: aws.String(string(key))})
		if err != nil {
			return s.sorted("ListObjectVersions", err)
		}
		var all []string
		for _, v := range out.Versions {
			if aws.ToString(v.Key) == string(key) {
				all = append(all, aws.ToString(v.VersionId))
			}
		}
		for _, m := range out.DeleteMarkers {
			if aws.ToString(m.Key) == string(key) {
				all = append(all, aws.ToString(m.VersionId))
			}
		}
		if len(all) == 0 {
			return nil
		}
		for _, version := range all {
			if err := s.Delete(ctx, key, version); err != nil {
				return err
			}
		}
	}
	return caseload.Errorf(caseload.Conflict, "The object has too many versions.")
}
