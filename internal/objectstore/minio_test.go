package objectstore_test

import (
	"testing"

	"dcdentals.com/caseload/internal/doctor"
	"dcdentals.com/caseload/internal/objectstore/miniotest"
)

// minioWorld runs a MinIO of its own, when CASELOAD_TEST_MINIO names its binary. The store is reached with exactly the
// printed server policy, so that the whole suite proves it.
func minioWorld(t *testing.T) world {
	t.Helper()
	server := miniotest.Start(t)
	bucket := doctor.Bucket{Name: server.Bucket, Region: "us-east-1", Elsewhere: true}
	return world{minio: true, store: open(t, server.User(t, bucket.Policy(doctor.ServerPrincipal).JSON()))}
}
