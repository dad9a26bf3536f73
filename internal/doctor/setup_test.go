package doctor_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"dcdentals.com/caseload/internal/doctor"
	"dcdentals.com/caseload/internal/objectstore/miniotest"
	"dcdentals.com/caseload/internal/objectstore/s3test"
)

// asSetUp gives the deployment's credentials exactly the printed set-up policy, without one action.
func (d *deployment) asSetUp(without string) {
	clear(d.allowed)
	d.may(true)
	delete(d.allowed, without)
	d.o.Principal = doctor.SetupPrincipal
}

// With the printed set-up policy nothing is to be mended and nothing is changed; with any one right taken away, that right
// is named and no other.
func TestEachMissingRightOfSettingUpIsNamed(t *testing.T) {
	server := s3test.StartWithUsers(t, 0)
	diagnose := func(t *testing.T, d *deployment, b broken) {
		before := fmt.Sprint(d.settings)
		d.diagnose(t, b, true)
		if after := fmt.Sprint(d.settings); after != before {
			t.Errorf("the settings were changed: %s, before %s", after, before)
		}
	}
	t.Run("none is missing", func(t *testing.T) {
		d := newDeployment(t, server, "setup-whole")
		d.asSetUp("")
		diagnose(t, d, broken{})
		r := run(t, d.o)
		for _, p := range d.o.Bucket.Permissions(doctor.SetupPrincipal) {
			if f, found := find(r, "setup.permission."+p.Action); !found || f.Level != doctor.Fine {
				t.Errorf("%s: %+v", p.Action, f)
			}
		}
	})
	for i, p := range (doctor.Bucket{Name: "b"}).Permissions(doctor.SetupPrincipal) {
		t.Run(p.Action, func(t *testing.T) {
			d := newDeployment(t, server, fmt.Sprintf("setup-%d", i))
			d.asSetUp(p.Action)
			diagnose(t, d, broken{finds: []string{"failure setup.permission." + p.Action}, says: "lack " + p.Action, fix: "--principal setup"})
		})
	}
	t.Run("the bucket is open", func(t *testing.T) {
		d := newDeployment(t, server, "setup-open")
		d.asSetUp("")
		d.settings["publicAccessBlock"] = ""
		diagnose(t, d, broken{finds: []string{"warning exposure.block"}, says: "careless policy", fix: "put-public-access-block"})
	})
	t.Run("no policy is attached", func(t *testing.T) {
		d := newDeployment(t, server, "setup-none")
		d.asSetUp("")
		clear(d.allowed)
		diagnose(t, d, broken{finds: []string{"failure bucket.access"}, says: "may do nothing", fix: "s3:PutBucketPublicAccessBlock"})
	})
}

// The same with real policies of a real store.
func TestOnMinIOEachMissingRightOfSettingUpIsNamed(t *testing.T) {
	server := miniotest.Start(t, "MINIO_API_CORS_ALLOW_ORIGIN="+ours+","+other)
	bucket := doctor.Bucket{Name: server.Bucket, Region: "us-east-1", Elsewhere: true, Versioned: true}
	lacking := func(t *testing.T, without string) (actions []string) {
		policy := bucket.Policy(doctor.SetupPrincipal)
		for i, s := range policy.Statement {
			policy.Statement[i].Action = slices.DeleteFunc(slices.Clone(s.Action), func(a string) bool { return a == without })
		}
		c := server.User(t, policy.JSON())
		o := optionsFor(storeAt(t, c), c)
		o.Principal = doctor.SetupPrincipal
		o.Bucket.Elsewhere, o.Bucket.Plain, o.Bucket.Versioned = true, true, true
		r := run(t, o)
		for _, wrong := range wrongs(r) {
			if action, found := strings.CutPrefix(wrong, "failure setup.permission."); found {
				actions = append(actions, action)
			} else if strings.HasPrefix(wrong, "failure ") {
				t.Errorf("a false alarm: %s\n%s", wrong, shown(r))
			}
		}
		return actions
	}
	if missing := lacking(t, ""); len(missing) > 0 {
		t.Errorf("with the printed policy %v are missing", missing)
	}
	for _, p := range bucket.Permissions(doctor.SetupPrincipal) {
		t.Run(p.Action, func(t *testing.T) {
			if missing := lacking(t, p.Action); !slices.Equal(missing, []string{p.Action}) {
				t.Errorf("%v are said to be missing", missing)
			}
		})
	}
}
