package objectstore_test

import (
	"testing"

	"dcdentals.com/caseload/internal/objectstore/miniotest"
)

// minioWorld runs a MinIO of its own, when CASELOAD_TEST_MINIO names its binary.
func minioWorld(t *testing.T) world {
	t.Helper()
	return world{minio: true, store: open(t, miniotest.Start(t).Root())}
}
