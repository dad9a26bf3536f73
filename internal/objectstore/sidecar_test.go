package objectstore

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"dcdentals.com/caseload/internal/caseload"
)

// On a file system without extended attributes they lie in a folder beside; everything else is as usual, the cut-off
// completion included.
func TestWithoutExtendedAttributes(t *testing.T) {
	t.Chdir(".") // the store lives in the working directory; this brings it back
	dir := t.TempDir()
	e := &Embedded{dir: dir, objects: filepath.Join(dir, "objects"), sidecar: filepath.Join(dir, "attributes"), log: slog.Default()}
	for _, folder := range []string{e.objects, e.sidecar} {
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	start := func() {
		var err error
		if e.gateway, err = startGateway(t.Context(), e.objects, e.sidecar, socketPath(dir), "access", "secret", e.log); err != nil {
			t.Fatal(err)
		}
		e.store = newStore(embeddedBucket, e.log,
			aws.Config{Region: embeddedRegion, Credentials: credentials.NewStaticCredentialsProvider("access", "secret", "")},
			func(ctx context.Context, _, _ string) (net.Conn, error) { return e.gateway.dial(ctx) },
			func(o *s3.Options) { o.UsePathStyle, o.BaseEndpoint = true, aws.String("http://store.internal") })
		e.store.embedded = e
		if err := e.store.ensureBucket(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	end := func() {
		e.store.closeIdle()
		if err := e.gateway.close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	start()
	const key, sum = caseload.ObjectKey("fkey"), "rosUhgp5mIg=" // CRC-64/NVME check value, of "123456789"
	uploadID, err := e.store.CreateMultipart(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	part := caseload.Part{Number: 1, Size: 9, CRC64NVME: sum}
	if err := e.store.PutPart(t.Context(), key, uploadID, part, bytes.NewReader([]byte("123456789"))); err != nil {
		t.Fatal(err)
	}
	end()
	// What a kill inside Complete leaves.
	renamed := 0
	for _, root := range []string{e.objects, e.sidecar} {
		found, _ := filepath.Glob(filepath.Join(root, embeddedBucket, ".sgwtmp/multipart/*", uploadID))
		for _, path := range found {
			renamed++
			if err := os.Rename(path, path+".token-1.inprogress"); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := renameBack(root); n != 1 || err != nil {
			t.Fatalf("%s: renamed %d back, %v", root, n, err)
		}
	}
	if renamed != 2 {
		t.Fatalf("found the upload in %d folders, want 2", renamed)
	}
	start()
	defer end()
	parts, err := e.store.ListParts(t.Context(), key, uploadID)
	if err != nil || len(parts) != 1 || parts[0].CRC64NVME != sum {
		t.Fatalf("parts %+v, %v", parts, err)
	}
	if err := e.store.CompleteMultipart(t.Context(), key, uploadID, parts, 9, sum); err != nil {
		t.Fatal(err)
	}
	if err := e.store.Sync(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if o, err := e.store.Head(t.Context(), key, ""); err != nil || o.Size != 9 || o.CRC64NVME != sum {
		t.Fatalf("%+v %v", o, err)
	}
	if err := e.store.Sync(t.Context(), "absent"); caseload.KindOf(err) != caseload.NotFound {
		t.Errorf("sync of nothing: %v", err)
	}
	for _, key := range []caseload.ObjectKey{"", "../lock", ".sgwtmp", "a/b"} {
		if err := e.store.Sync(t.Context(), key); caseload.KindOf(err) != caseload.Internal {
			t.Errorf("sync of %q: %v", key, err)
		}
	}
}
