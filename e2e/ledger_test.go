package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/mustrun"
	"dcdentals.com/caseload/internal/objectstore/s3test"
)

// aws runs the AWS command line against the separate store.
func aws(t *testing.T, remote *s3test.Server, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.Command("aws", append([]string{"--endpoint-url", remote.Endpoint, "--region", remote.Region, "--output", "json"}, args...)...)
	cmd.Env = append(cmd.Environ(), "AWS_ACCESS_KEY_ID="+remote.AccessKey, "AWS_SECRET_ACCESS_KEY="+remote.SecretKey,
		"AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null", "AWS_EC2_METADATA_DISABLED=true", "AWS_REQUEST_CHECKSUM_CALCULATION=when_required")
	cmd.Stdin = strings.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("aws %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out)
}

// usage runs `caseload usage --refresh --json` and returns the exit code with what it said.
func (s *site) usage(t *testing.T) (code int, u api.Usage, stderr string) {
	t.Helper()
	cmd := s.command("usage", "--refresh", "--json")
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if len(out) > 0 {
		if err := json.Unmarshal(out, &u); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	return cmd.ProcessState.ExitCode(), u, said.String()
}

// TestUsageAgreesWithTheAWSCommandLine compares the ledger with what `aws s3 ls` and `aws s3api` count in the same bucket:
// files, a half upload with its parts, and something that nobody put there. Then the store goes down and comes back.
func TestUsageAgreesWithTheAWSCommandLine(t *testing.T) {
	if _, err := exec.LookPath("aws"); err != nil {
		mustrun.Skip(t, "aws", "the AWS command line is not installed")
	}
	s := newSite(t)
	remote := s3test.Start(t, "http://"+s.address)
	s.env = append(remote.Environment(), "CASELOAD_DIRECT_THRESHOLD=6MiB", "CASELOAD_PART_SIZE=5MiB", "CASELOAD_LOG_LEVEL=warn")
	admin := s.newAdmin()
	server := s.serve([]string{"serve"})
	c := admin.newCase(t, "2026-0001", "Ledger")
	for name, size := range map[string]int{"a.bin": 1000, "b.bin": 70_000, "c.bin": 12 << 20} {
		f, err := admin.upload(t.Context(), c, name, noise(size, name[0]))
		if err != nil {
			t.Fatal(err)
		}
		admin.ready(t, f.ID, 60e9)
	}
	half, err := admin.plan(t.Context(), c, "half.bin", 12<<20)
	if err != nil {
		t.Fatal(err)
	}
	if err := admin.sendPart(t.Context(), half.ID, 1, noise(12<<20, 'h')[:5<<20]); err != nil {
		t.Fatal(err)
	}
	aws(t, remote, strings.Repeat("x", 321), "s3", "cp", "-", "s3://"+remote.Bucket+"/fstranger")
	if err := server.stop(); err != nil { // so that nobody but the command keeps the ledger
		t.Fatal(err)
	}

	code, u, _ := s.usage(t)
	if code != 1 || len(u.Unexplained) != 1 || u.Unexplained[0].Object != "fstranger" || len(u.Missing) != 0 || u.Bucket == nil {
		t.Fatalf("exit %d: %+v", code, u)
	}
	var objects struct {
		Contents []struct {
			Key  string
			Size int64
		}
	}
	mustDecode(t, aws(t, remote, "", "s3api", "list-objects-v2", "--bucket", remote.Bucket), &objects)
	var bytes, ours int64
	for _, o := range objects.Contents {
		bytes += o.Size
		if o.Key != string(caseload.MarkerKey) {
			ours++
		}
	}
	if u.Bucket.Objects != int64(len(objects.Contents)) || u.Bucket.Bytes != bytes || ours != 4 {
		t.Errorf("usage says %+v; aws s3api %d objects, %d bytes", u.Bucket, len(objects.Contents), bytes)
	}
	summary := strings.Fields(aws(t, remote, "", "s3", "ls", "--recursive", "--summarize", "s3://"+remote.Bucket))
	told := strings.Join(summary, " ")
	if !strings.Contains(told, "Total Objects: "+strconv.FormatInt(u.Bucket.Objects, 10)+" ") || !strings.HasSuffix(told, "Total Size: "+strconv.FormatInt(u.Bucket.Bytes, 10)) {
		t.Errorf("usage says %d bytes; aws s3 ls: %s", u.Bucket.Bytes, told)
	}
	var uploads struct {
		Uploads []struct{ Key, UploadId string }
	}
	mustDecode(t, aws(t, remote, "", "s3api", "list-multipart-uploads", "--bucket", remote.Bucket), &uploads)
	var parts int64
	for _, each := range uploads.Uploads {
		var listed struct{ Parts []struct{ Size int64 } }
		mustDecode(t, aws(t, remote, "", "s3api", "list-parts", "--bucket", remote.Bucket, "--key", each.Key, "--upload-id", each.UploadId), &listed)
		for _, part := range listed.Parts {
			parts += part.Size
		}
	}
	if u.Bucket.Uploads != int64(len(uploads.Uploads)) || u.Bucket.UploadBytes != parts || parts != 5<<20 {
		t.Errorf("usage says %d uploads of %d bytes; aws s3api %d of %d", u.Bucket.Uploads, u.Bucket.UploadBytes, len(uploads.Uploads), parts)
	}

	remote.Kill(t)
	if code, _, said := s.usage(t); code != 69 {
		t.Errorf("with the store down: exit %d, %s", code, said)
	}
	remote.Run(t)
	if code, again, _ := s.usage(t); code != 1 || again.Bucket == nil || again.Bucket.Bytes != u.Bucket.Bytes || again.Ledger.ID == u.Ledger.ID {
		t.Errorf("with the store back: exit %d, %+v", code, again.Bucket)
	}
}

func mustDecode(t *testing.T, text string, into any) {
	t.Helper()
	if text == "" {
		return // the command line says nothing of nothing
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
}

// TestUsageAgreesWithTheAWSCommandLineOnVersions compares the ledger with `aws s3api list-object-versions` where the bucket
// keeps versions: replaced versions and delete markers beside what is current.
func TestUsageAgreesWithTheAWSCommandLineOnVersions(t *testing.T) {
	if _, err := exec.LookPath("aws"); err != nil {
		mustrun.Skip(t, "aws", "the AWS command line is not installed")
	}
	s := newSite(t)
	remote := s3test.StartWith(t, s3test.Options{Versions: t.TempDir()})
	aws(t, remote, "", "s3api", "put-bucket-versioning", "--bucket", remote.Bucket, "--versioning-configuration", "Status=Enabled")
	s.env = append(remote.Environment(), "CASELOAD_LOG_LEVEL=warn")
	admin := s.newAdmin()
	server := s.serve([]string{"serve"})
	c := admin.newCase(t, "2026-0001", "Ledger")
	for _, size := range []int{1000, 70_000} {
		f, err := admin.upload(t.Context(), c, strconv.Itoa(size), noise(size, 'v'))
		if err != nil {
			t.Fatal(err)
		}
		admin.ready(t, f.ID, 60e9)
	}
	if err := server.stop(); err != nil {
		t.Fatal(err)
	}
	for _, content := range []string{"first", "second one"} {
		aws(t, remote, content, "s3", "cp", "-", "s3://"+remote.Bucket+"/fstranger")
	}
	aws(t, remote, "gone", "s3", "cp", "-", "s3://"+remote.Bucket+"/fremoved")
	aws(t, remote, "", "s3", "rm", "s3://"+remote.Bucket+"/fremoved")

	_, u, said := s.usage(t)
	if u.Bucket == nil {
		t.Fatalf("no ledger: %s", said)
	}
	type entry struct {
		Key      string
		Size     int64
		IsLatest bool
	}
	var listed struct{ Versions, DeleteMarkers []entry }
	mustDecode(t, aws(t, remote, "", "s3api", "list-object-versions", "--bucket", remote.Bucket), &listed)
	var current, older, currentBytes, olderBytes int64
	for _, v := range listed.Versions {
		if v.IsLatest {
			current, currentBytes = current+1, currentBytes+v.Size
		} else {
			older, olderBytes = older+1, olderBytes+v.Size
		}
	}
	b := *u.Bucket
	if b.Objects != current || b.Bytes != currentBytes || b.Versions != older || b.VersionBytes != olderBytes || b.Markers != int64(len(listed.DeleteMarkers)) {
		t.Errorf("usage says %+v; aws s3api %d and %d older versions of %d and %d bytes, %d delete markers", b, current, older, currentBytes, olderBytes, len(listed.DeleteMarkers))
	}
	if older < 2 || b.Markers != 1 {
		t.Errorf("%d older versions and %d delete markers were to be compared", older, b.Markers)
	}
}
