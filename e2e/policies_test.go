package e2e

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/e2e/phantom"
	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/objectstore"
	"dcdentals.com/caseload/internal/objectstore/miniotest"
	"dcdentals.com/caseload/internal/objectstore/s3test"
)

const policed = "caseload-scans" // the bucket that is made by the command

// TestWithThePrintedPoliciesEverythingWorks goes the whole way with no more rights than the program prints: a bucket made
// by whoever has the policy for setting up, then a server with exactly the server's policy, and everything it does to a
// file from its first byte until it is erased. On MinIO the policies are users' own; versitygw has no such policies,
// so there the owner makes the bucket and the server's policy is the bucket's.
func TestWithThePrintedPoliciesEverythingWorks(t *testing.T) {
	for name, versioned := range map[string]bool{"without versions": false, "with versions": true} {
		t.Run("minio "+name, func(t *testing.T) {
			server := miniotest.Start(t)
			s := policedSite(t, versioned, server.Root())
			s.as(server.User(t, []byte(s.run("", "bucket", "policy", "print", "--principal", "setup"))))
			s.run("", "bucket", "create", "--yes")
			s.as(server.User(t, []byte(s.run("", "bucket", "policy", "print", "--principal", "server"))))
			s.everythingWorks(t, versioned)
		})
		t.Run("versitygw "+name, func(t *testing.T) {
			server := s3test.StartWithUsers(t, 1)
			s := policedSite(t, versioned, server.Config())
			s.run("", "bucket", "create", "--yes")
			s.run("", "bucket", "cors", "apply", "--yes")
			account := server.Config()
			for account.AccessKey, account.SecretKey = range server.Users {
			}
			s.bucketPolicy(t, server.Config(), account.AccessKey, s.run("", "bucket", "policy", "print", "--principal", "server"))
			s.as(account)
			s.everythingWorks(t, versioned)
		})
	}
}

// policedSite is a site on another store, first with the rights of whoever owns it.
func policedSite(t *testing.T, versioned bool, owner objectstore.Config) *site {
	s := newSite(t, "CASELOAD_DIRECT_THRESHOLD=6MiB", "CASELOAD_PART_SIZE=5MiB", "CASELOAD_LOG_LEVEL=warn", "CASELOAD_TRASH_WINDOW=0s",
		"CASELOAD_CLEANUP_SHARE=100", "USE_S3=True", "AWS_S3_ENDPOINT_URL="+owner.Endpoint, "AWS_S3_REGION_NAME="+owner.Region,
		"AWS_S3_ADDRESSING_STYLE=path", "AWS_STORAGE_BUCKET_NAME="+policed)
	s.env = append(s.env, "CASELOAD_PUBLIC_URL="+s.url())
	if versioned {
		s.env = append(s.env, "CASELOAD_BUCKET_VERSIONING=True")
	}
	s.as(owner)
	return s
}

// as gives the site these credentials from now on.
func (s *site) as(c objectstore.Config) {
	s.env = append(s.env, "AWS_ACCESS_KEY_ID="+c.AccessKey, "AWS_SECRET_ACCESS_KEY="+c.SecretKey)
}

// bucketPolicy gives an account of the gateway what a printed policy gives, as the bucket's policy.
func (s *site) bucketPolicy(t *testing.T, owner objectstore.Config, account, printed string) {
	t.Helper()
	var policy map[string]any
	mustDecode(t, printed, &policy)
	for _, statement := range policy["Statement"].([]any) {
		statement.(map[string]any)["Principal"] = map[string]any{"AWS": []string{account}}
	}
	document, err := json.Marshal(policy)
	if err != nil {
		t.Fatal(err)
	}
	owner.Bucket = policed
	store, err := objectstore.New(t.Context(), owner)
	if err == nil {
		err = store.SetSetting(t.Context(), caseload.BucketPolicy, document)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// everythingWorks takes files through their whole life: each call of the store that the server makes is made.
func (s *site) everythingWorks(t *testing.T, versioned bool) {
	t.Helper()
	admin := s.newAdmin()
	server := s.serve([]string{"serve"})
	c := admin.newCase(t, "2026-0001", "Policies")
	whole, volume := scanOf(t), phantom.Noise(7, 12<<20)
	sent := map[string][]byte{}
	for name, content := range map[string][]byte{"scan.zip": whole, "volume.bin": volume} { // the small route, and parts from the browser
		f, err := admin.upload(t.Context(), c, name, content)
		if err != nil {
			t.Fatal(err)
		}
		sent[f.ID] = content
	}
	relayed := phantom.Noise(8, 11<<20)
	f, err := admin.client().UploadFile(t.Context(), c, "relayed.bin", bytes.NewReader(relayed), int64(len(relayed)), api.Upload{Relay: true})
	if err != nil {
		t.Fatal(err)
	}
	sent[f.ID] = relayed
	for id, content := range sent {
		if f := admin.ready(t, id, time.Minute); f.SHA256 != sha256hex(content) {
			t.Errorf("%s was read as %s", f.Name, f.SHA256)
		}
		if got, _, err := admin.download(t.Context(), id); err != nil || !bytes.Equal(got, content) {
			t.Errorf("downloaded %d bytes of %d (%v)", len(got), len(content), err)
		}
	}
	for _, v := range admin.previews(t, c, 1) {
		if v.Series != "" && v.State != "made" {
			t.Errorf("a preview: %+v", v)
		}
	}
	half, err := admin.plan(t.Context(), c, "half.bin", 12<<20)
	if err != nil {
		t.Fatal(err)
	}
	if err := admin.sendPart(t.Context(), half.ID, 1, volume[:5<<20]); err != nil {
		t.Fatal(err)
	}
	if code, u, said := s.usage(t); code != 0 || u.Bucket.Uploads != 1 || u.Bucket.UploadBytes != 5<<20 {
		t.Errorf("the ledger with a half upload: exit %d, %+v, %s", code, u.Bucket, said)
	}
	if err := admin.call(t.Context(), "POST", "/files/"+half.ID+"/abort", nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := admin.call(t.Context(), "DELETE", "/files/"+f.ID, nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := server.stop(); err != nil {
		t.Fatal(err)
	}
	s.intentsAreDue(t)
	erased := "2 objects erased"
	if versioned { // the parts went when they were given up; the object is hidden for the undo window, and only then erased
		if out := s.run("", "cleanup", "--yes"); !strings.Contains(out, "1 objects erased") {
			t.Errorf("the clean-up said %q", out)
		}
		s.intentsAreDue(t)
		erased = "1 objects erased"
	}
	if out := s.run("", "cleanup", "--yes"); !strings.Contains(out, erased) {
		t.Errorf("the clean-up said %q", out)
	}
	code, u, said := s.usage(t)
	if code != 0 || u.Bucket.Objects != 3 || u.Bucket.Uploads != 0 { // two files and the marker of the database
		t.Errorf("the ledger afterwards: exit %d, %+v, %s", code, u.Bucket, said)
	}
	for _, class := range u.Bucket.Classes { // the marker is written again and again: with versions, each one is kept
		if class.Source == string(caseload.SourceVersion) && (!versioned || class.Name != string(caseload.ClassTrial)) {
			t.Errorf("of what was erased, %+v is left", class)
		}
	}
	if out := s.run("", "fsck"); !strings.Contains(out, "nothing is wrong") {
		t.Errorf("fsck: %s", out)
	}
	if out := s.run("", "bucket", "test"); strings.Count(out, "\nok ")+1 != strings.Count(out, "\n") {
		t.Errorf("bucket test: %s", out)
	}
	if log := s.logged(); strings.Contains(log, "level=ERROR") || strings.Contains(log, "AccessDenied") {
		t.Errorf("the log: %s", log)
	}
}

// intentsAreDue lets the time pass after which what was deleted is erased.
func (s *site) intentsAreDue(t *testing.T) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(s.data(), "caseload.db")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), `UPDATE intents SET due_at = created_at`); err != nil {
		t.Fatal(err)
	}
}
