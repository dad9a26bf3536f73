package objectstore_test

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/doctor"
	"dcdentals.com/caseload/internal/objectstore"
	"dcdentals.com/caseload/internal/objectstore/miniotest"
)

// With exactly the printed server policy everything the product asks of a store works: TestStore's MinIO has no other rights.
// Here is what it does besides, with and without versions.
func TestThePrintedServerPolicyIsComplete(t *testing.T) {
	for name, versioned := range map[string]bool{"without versions": false, "with versions": true} {
		t.Run(name, func(t *testing.T) {
			server := miniotest.Start(t)
			bucket := doctor.Bucket{Name: server.Bucket, Region: "us-east-1", Versioned: versioned, Elsewhere: true}
			if versioned {
				must(t, open(t, server.Root()).SetSetting(t.Context(), caseload.BucketVersioning, doctor.Versioning()))
			}
			w := world{minio: true, store: open(t, server.User(t, bucket.Policy(doctor.ServerPrincipal).JSON()))}
			look, err := w.store.LookAtBucket(t.Context())
			if must(t, err); !look.Exists {
				t.Error("the bucket is not seen")
			}
			data := []byte("scan")
			o := put(t, w, data)
			if (o.VersionID != "") != versioned {
				t.Errorf("the object's version is %q", o.VersionID)
			}
			wantObject(t, w, o.Key, data)
			listed, _, err := w.store.List(t.Context(), caseload.Mark{}, versioned, 10)
			if must(t, err); len(listed) != 1 {
				t.Errorf("listed %v", listed)
			}
			must(t, w.store.Delete(t.Context(), o.Key, o.VersionID))
			kept, err := w.store.KeepsVersions(t.Context())
			if must(t, err); kept != versioned {
				t.Errorf("it keeps versions: %v", kept)
			}
			if !doctor.RoundTrip(t.Context(), w.store, "", http.DefaultClient, func(s doctor.Step) { t.Log(s.Name, s.Err) }) {
				t.Error("`caseload bucket test` fails")
			}
			if listed, _, err := w.store.List(t.Context(), caseload.Mark{}, versioned, 10); err != nil || len(listed) > 0 {
				t.Errorf("left behind: %v, %v", listed, err)
			}
		})
	}
}

// Each action of the printed server policy is needed: without it the calls that name it are refused, and no others.
func TestWithoutOneActionItsCallsAreRefusedAndNoOthers(t *testing.T) {
	server := miniotest.Start(t)
	root := miniotest.Client(server.Root())
	bucket := doctor.Bucket{Name: server.Bucket, Region: "us-east-1", Elsewhere: true}
	permissions := bucket.Permissions(doctor.ServerPrincipal)
	asked := calls(t, root, server.Bucket)
	for _, p := range permissions {
		t.Run(p.Action, func(t *testing.T) {
			policy := bucket.Policy(doctor.ServerPrincipal)
			for i, s := range policy.Statement {
				policy.Statement[i].Action = slices.DeleteFunc(slices.Clone(s.Action), func(a string) bool { return a == p.Action })
			}
			client := miniotest.Client(server.User(t, policy.JSON()))
			var refused []string
			for name, call := range asked {
				err := call(client)
				var answer *awshttp.ResponseError
				switch {
				case errors.As(err, &answer) && answer.HTTPStatusCode() == http.StatusForbidden:
					refused = append(refused, name)
				case err != nil:
					t.Errorf("%s: %v", name, err)
				}
			}
			want := slices.DeleteFunc(slices.Clone(p.Calls), func(name string) bool { return asked[name] == nil })
			slices.Sort(refused)
			slices.Sort(want)
			if !slices.Equal(refused, want) {
				t.Errorf("refused: %v; the list says %v", refused, want)
			}
		})
	}
	for _, p := range permissions {
		for _, name := range p.Calls {
			if asked[name] == nil && name != "PostObject" { // a form: the store's suite posts them
				t.Errorf("nobody tries %s", name)
			}
		}
	}
}

// calls are those of the S3 API that the server makes, by name. What each needs is made by root, so that one can be refused
// without the other.
func calls(t *testing.T, root *s3.Client, bucket string) map[string]func(c *s3.Client) error {
	t.Helper()
	ctx := t.Context()
	key := func() *string { return aws.String(string(caseload.NewObjectKey())) }
	there := func() *string {
		k := key()
		_, err := root.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: k, Body: strings.NewReader("x")})
		must(t, err)
		return k
	}
	begun := func() (k, id *string) {
		k = key()
		out, err := root.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &bucket, Key: k})
		must(t, err)
		return k, out.UploadId
	}
	return map[string]func(c *s3.Client) error{
		"PutObject": func(c *s3.Client) error {
			_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: key(), Body: strings.NewReader("x")})
			return err
		},
		"CreateMultipartUpload": func(c *s3.Client) error {
			_, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &bucket, Key: key()})
			return err
		},
		"UploadPart": func(c *s3.Client) error {
			k, id := begun()
			_, err := c.UploadPart(ctx, &s3.UploadPartInput{Bucket: &bucket, Key: k, UploadId: id, PartNumber: aws.Int32(1), Body: strings.NewReader("x")})
			return err
		},
		"CompleteMultipartUpload": func(c *s3.Client) error {
			k, id := begun()
			part, err := root.UploadPart(ctx, &s3.UploadPartInput{Bucket: &bucket, Key: k, UploadId: id, PartNumber: aws.Int32(1), Body: strings.NewReader("x")})
			must(t, err)
			_, err = c.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: &bucket, Key: k, UploadId: id, MultipartUpload: &types.CompletedMultipartUpload{
				Parts: []types.CompletedPart{{PartNumber: aws.Int32(1), ETag: part.ETag}},
			}})
			return err
		},
		"ListParts": func(c *s3.Client) error {
			k, id := begun()
			_, err := c.ListParts(ctx, &s3.ListPartsInput{Bucket: &bucket, Key: k, UploadId: id})
			return err
		},
		"AbortMultipartUpload": func(c *s3.Client) error {
			k, id := begun()
			_, err := c.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &bucket, Key: k, UploadId: id})
			return err
		},
		"GetObject": func(c *s3.Client) error {
			out, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: there()})
			if err == nil {
				_ = out.Body.Close()
			}
			return err
		},
		"HeadObject": func(c *s3.Client) error {
			_, err := c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: there()})
			return err
		},
		"DeleteObject": func(c *s3.Client) error {
			_, err := c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &bucket, Key: there()})
			return err
		},
		"HeadBucket": func(c *s3.Client) error {
			_, err := c.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &bucket})
			return err
		},
		"ListObjectsV2": func(c *s3.Client) error {
			_, err := c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &bucket})
			return err
		},
		"ListMultipartUploads": func(c *s3.Client) error {
			_, err := c.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: &bucket})
			return err
		},
		"GetBucketLocation": func(c *s3.Client) error {
			_, err := c.GetBucketLocation(ctx, &s3.GetBucketLocationInput{Bucket: &bucket})
			return err
		},
	}
}

// The signer's policy is what signed requests need and nothing else.
func TestWithTheSignersPolicyOnlySignedRequestsWork(t *testing.T) {
	server := miniotest.Start(t)
	bucket := doctor.Bucket{Name: server.Bucket, Region: "us-east-1", Elsewhere: true}
	user := server.User(t, bucket.Policy(doctor.SignerPrincipal).JSON())
	signer, whole := open(t, user), world{minio: true, store: open(t, server.Root())}
	u := begin(t, whole)
	part, err := signer.SignPart(t.Context(), "", u.key, u.id, u.parts[0], time.Minute)
	must(t, err)
	if status := carryOut(t, part, u.bytes(1)); status != http.StatusOK {
		t.Errorf("a signed part is answered %d", status)
	}
	o := put(t, whole, []byte("scan"))
	get, err := signer.SignGet(t.Context(), "", o.Key, "", "x", "", time.Minute)
	must(t, err)
	if status := carryOut(t, get, nil); status != http.StatusOK {
		t.Errorf("a signed download is answered %d", status)
	}
	asked := calls(t, miniotest.Client(server.Root()), server.Bucket)
	client := miniotest.Client(user)
	for _, name := range []string{"DeleteObject", "AbortMultipartUpload", "ListParts", "ListObjectsV2", "ListMultipartUploads"} {
		if asked[name](client) == nil {
			t.Errorf("the signer may do %s", name)
		}
	}
}

func carryOut(t *testing.T, signed caseload.SignedRequest, body []byte) (status int) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), signed.Method, signed.URL, bytes.NewReader(body))
	must(t, err)
	for name, value := range signed.Headers {
		r.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(r)
	must(t, err)
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode
}

// Whoever has the set-up policy can make a bucket and set it up, twice with one result, and has no way to the files.
func TestWithTheSetUpPolicyABucketIsSetUp(t *testing.T) {
	server := miniotest.Start(t)
	bucket := doctor.Bucket{Name: "made-by-setup", Region: "us-east-1", Versioned: true, Elsewhere: true, Plain: true, Origins: []string{"https://caseload.example"}}
	config := server.User(t, bucket.Policy(doctor.SetupPrincipal).JSON())
	config.Bucket = bucket.Name
	store := open(t, config)
	var did []string
	for range 2 {
		plan, err := bucket.Plan(t.Context(), store, caseload.BucketSettings())
		must(t, err)
		left, err := bucket.Apply(t.Context(), store, plan, func(what string) { did = append(did, what) })
		must(t, err)
		for _, change := range left {
			if change.Setting != caseload.BucketEncryption || !strings.Contains(change.Notes[0], "MINIO_KMS") {
				t.Errorf("left out: %+v", change)
			}
		}
	}
	if !slices.Equal(did, []string{"bucket", "versioning"}) {
		t.Errorf("was done: %v", did)
	}
	for _, name := range slices.Sorted(maps.Keys(calls(t, miniotest.Client(server.Root()), bucket.Name))) {
		if slices.Contains([]string{"GetObject", "PutObject", "DeleteObject", "ListMultipartUploads"}, name) {
			if calls(t, miniotest.Client(server.Root()), bucket.Name)[name](miniotest.Client(config)) == nil {
				t.Errorf("whoever sets up may do %s", name)
			}
		}
	}
}

var (
	_ doctor.BucketStore = (*objectstore.Store)(nil)
	_ doctor.Files       = (*objectstore.Store)(nil)
)
