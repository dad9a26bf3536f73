package doctor_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"dcdentals.com/caseload/internal/doctor"
	"dcdentals.com/caseload/internal/objectstore/miniotest"
	"dcdentals.com/caseload/internal/objectstore/s3test"
)

// tooWide are the rights that the server's credentials should not have, as far as they are tried.
var tooWide = []string{
	"s3:PutBucketPolicy", "s3:PutLifecycleConfiguration", "s3:PutBucketCORS", "s3:PutEncryptionConfiguration", "s3:PutBucketVersioning",
	"s3:PutBucketPublicAccessBlock", "s3:PutBucketOwnershipControls", "s3:DeleteBucket", "s3:ListAllMyBuckets",
}

// Each right that is too wide is named, it alone, and trying it changes nothing.
func TestEachRightThatIsTooWideIsNamed(t *testing.T) {
	server := s3test.StartWithUsers(t, 0)
	newBucket(t, server, "another-bucket") // to be seen by s3:ListAllMyBuckets
	for i, action := range tooWide {
		t.Run(action, func(t *testing.T) {
			d := newDeployment(t, server, fmt.Sprintf("wide-%d", i))
			d.allowed[action] = true
			before := fmt.Sprint(d.settings)
			d.diagnose(t, broken{finds: []string{"warning store.wide"}, says: "Allowed: " + action + ".", fix: "a user of its own"}, true)
			if after := fmt.Sprint(d.settings); after != before {
				t.Errorf("the bucket's settings were changed: %s, before %s", after, before)
			}
		})
	}
}

// watched counts the requests that would delete the bucket.
type watched struct {
	doctor.Store
	deletes *atomic.Int64
}

func (w watched) Do(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodDelete && strings.Count(strings.Trim(r.URL.Path, "/"), "/") == 0 {
		w.deletes.Add(1)
	}
	return w.Store.Do(r)
}

// A bucket is asked to be deleted only while an object of ours lies in it, and only of a store that is known to refuse then.
func TestABucketIsNeverAskedToGoWhereItCould(t *testing.T) {
	server := s3test.StartWithUsers(t, 1)
	for _, c := range []struct {
		name string
		make func(t *testing.T) *deployment
		want int64
	}{
		{"AWS", func(t *testing.T) *deployment { return newDeployment(t, server, "gone-aws") }, 1},
		{"AWS, and nothing could be put", func(t *testing.T) *deployment {
			d := newDeployment(t, server, "gone-empty")
			delete(d.allowed, "s3:PutObject")
			return d
		}, 0},
		{"AWS, and what was put is not seen", func(t *testing.T) *deployment {
			d := newDeployment(t, server, "gone-unseen")
			d.answers = func(r request) *said {
				if r.Method == http.MethodHead {
					return &said{status: 404, code: "NoSuchKey"}
				}
				return nil
			}
			return d
		}, 0},
		{"a store that only says it is AWS", func(t *testing.T) *deployment {
			d := newDeployment(t, server, "gone-says")
			d.o.AWS = false
			return d
		}, 0},
		{"a gateway, and nobody knows what stands behind", func(t *testing.T) *deployment {
			return onGateway(t, server, "gone-gateway", false, whole)
		}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, deletes := c.make(t), &atomic.Int64{}
			d.o.Store = watched{d.o.Store, deletes}
			run(t, d.o)
			if deletes.Load() != c.want {
				t.Errorf("asked %d times, want %d", deletes.Load(), c.want)
			}
			left(t, d.root) // fails when the bucket is gone
		})
	}
}

// MinIO refuses to delete a bucket in which something lies, so the right is told there without harm.
func TestOnMinIOTheRightToDeleteTheBucketIsNamed(t *testing.T) {
	server := miniotest.Start(t, "MINIO_API_CORS_ALLOW_ORIGIN="+ours+","+other)
	policy := doctor.Bucket{Name: server.Bucket, Region: "us-east-1", Elsewhere: true}.Policy(doctor.ServerPrincipal)
	for i := range policy.Statement {
		if policy.Statement[i].Sid == "CaseloadBucket" {
			policy.Statement[i].Action = append(policy.Statement[i].Action, "s3:DeleteBucket", "s3:PutBucketPolicy", "s3:PutLifecycleConfiguration")
		}
	}
	c := server.User(t, policy.JSON())
	o := optionsFor(storeAt(t, c), c)
	o.Bucket.Elsewhere, o.Bucket.Plain = true, true
	f, _ := find(run(t, o), "store.wide")
	if f.Level != doctor.Warning || f.Got != "Allowed: s3:PutBucketPolicy, s3:PutLifecycleConfiguration, s3:DeleteBucket." {
		t.Errorf("it says %s: %s", f.Level, f.Got)
	}
	if r := run(t, o); len(r.Findings) < 20 {
		t.Errorf("the bucket is gone:\n%s", shown(r))
	}
}
