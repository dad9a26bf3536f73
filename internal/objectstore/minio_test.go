package objectstore_test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"dcdentals.com/caseload/internal/mustrun"
	"dcdentals.com/caseload/internal/objectstore"
)

// minioWorld runs a MinIO of its own, when CASELOAD_TEST_MINIO names its binary.
func minioWorld(t *testing.T) world {
	t.Helper()
	binary := os.Getenv("CASELOAD_TEST_MINIO")
	if binary == "" {
		mustrun.Skip(t, "minio", "CASELOAD_TEST_MINIO does not name a MinIO binary")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	address := listener.Addr().String()
	must(t, listener.Close())
	const access, secret, bucket = "minio-test-access", "minio-test-secret", "separate-bucket"
	server := exec.Command(binary, "server", "--quiet", "--address", address, t.TempDir())
	server.Env = append(os.Environ(), "MINIO_ROOT_USER="+access, "MINIO_ROOT_PASSWORD="+secret, "MINIO_BROWSER=off")
	must(t, server.Start())
	t.Cleanup(func() { _ = server.Process.Kill(); _ = server.Wait() })
	client := s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: aws.String("http://" + address), UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(access, secret, ""),
	})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		_, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(bucket)})
		if err == nil {
			break
		}
		select {
		case <-ctx.Done():
			t.Fatal("MinIO did not start: ", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
	return world{minio: true, store: open(t, objectstore.Config{
		Endpoint: "http://" + address, Region: "us-east-1", Bucket: bucket, PathStyle: true, AccessKey: access, SecretKey: secret,
	})}
}
