// Package miniotest runs a MinIO server for tests, with users and policies of its own: the only store to be had for tests
// that keeps IAM policies as AWS does. CASELOAD_TEST_MINIO names the binary (`make bin/minio` builds it); without it the
// test is left out loudly. It never runs in the product and MinIO is no dependency of it.
package miniotest

import (
	"crypto/rand"
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

const (
	region       = "us-east-1"
	startTimeout = 30 * time.Second
)

// Server is a running MinIO and its bucket.
type Server struct {
	Endpoint string // http://host:port
	Bucket   string
	root     login
}

// login is an access key with its secret.
type login struct{ access, secret string }

// Start runs a MinIO with a bucket until the test ends. Further settings of MinIO's own may be given ("NAME=value").
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	binary := os.Getenv("CASELOAD_TEST_MINIO")
	if binary == "" {
		mustrun.Skip(t, "minio", "CASELOAD_TEST_MINIO does not name a MinIO binary; `make bin/minio` builds one in some minutes")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	address := listener.Addr().String()
	must(t, listener.Close())
	s := &Server{Endpoint: "http://" + address, Bucket: "clinic-files", root: login{"root" + rand.Text()[:12], rand.Text()}}
	server := exec.Command(binary, "server", "--quiet", "--address", address, t.TempDir())
	server.Env = append(append(os.Environ(), "MINIO_ROOT_USER="+s.root.access, "MINIO_ROOT_PASSWORD="+s.root.secret, "MINIO_BROWSER=off"), settings...)
	must(t, server.Start())
	t.Cleanup(func() { _ = server.Process.Kill(); _ = server.Wait() })
	client := Client(s.Root())
	for tick, deadline := time.NewTicker(50*time.Millisecond), time.Now().Add(startTimeout); ; <-tick.C {
		_, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(s.Bucket)})
		if err == nil {
			tick.Stop()
			return s
		}
		if time.Now().After(deadline) {
			t.Fatal("MinIO did not start: ", err)
		}
	}
}

// Client speaks S3 to the server without anything of ours between.
func Client(c objectstore.Config) *s3.Client {
	return s3.New(s3.Options{
		Region: c.Region, BaseEndpoint: &c.Endpoint, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(c.AccessKey, c.SecretKey, ""),
	})
}

// Root is the store's configuration for whoever may do everything.
func (s *Server) Root() objectstore.Config { return s.config(s.root) }

func (s *Server) config(l login) objectstore.Config {
	return objectstore.Config{
		Endpoint: s.Endpoint, Region: region, Bucket: s.Bucket, PathStyle: true, AccessKey: l.access, SecretKey: l.secret,
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
