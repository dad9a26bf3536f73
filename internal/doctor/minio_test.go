package doctor_test

import (
	"slices"
	"testing"

	"dcdentals.com/caseload/internal/doctor"
	"dcdentals.com/caseload/internal/objectstore"
	"dcdentals.com/caseload/internal/objectstore/miniotest"
)

// onMinIO is a deployment on a real MinIO, with the credentials that c holds.
func onMinIO(t *testing.T, server *miniotest.Server, c objectstore.Config) *deployment {
	t.Helper()
	s := storeAt(t, c)
	d := &deployment{c: c, o: optionsFor(s, c), root: storeAt(t, server.Root()), t: t}
	d.o.Bucket.Plain = true
	return d
}

func policyWithout(b doctor.Bucket, action string) []byte {
	policy := b.Policy(doctor.ServerPrincipal)
	for i, s := range policy.Statement {
		policy.Statement[i].Action = slices.DeleteFunc(slices.Clone(s.Action), func(a string) bool { return a == action })
	}
	return policy.JSON()
}

// With exactly the printed server policy a user of MinIO has nothing to mend, and any one action that is taken away is named.
func TestThePrintedPolicyOnMinIO(t *testing.T) {
	server := miniotest.Start(t, "MINIO_API_CORS_ALLOW_ORIGIN="+ours+","+other)
	b := doctor.Bucket{Name: server.Bucket, Region: "us-east-1"}
	t.Run("whole", func(t *testing.T) {
		onMinIO(t, server, server.User(t, b.Policy(doctor.ServerPrincipal).JSON())).diagnose(t, broken{}, true)
	})
	for _, p := range b.Permissions(doctor.ServerPrincipal) {
		t.Run("without "+p.Action, func(t *testing.T) {
			d := onMinIO(t, server, server.User(t, policyWithout(b, p.Action)))
			removes := p.Action != "s3:DeleteObject" && p.Action != "s3:AbortMultipartUpload"
			d.diagnose(t, broken{finds: []string{"failure store.permission." + p.Action}, says: p.Action, fix: p.Action}, removes)
		})
	}
	t.Run("the administrator's own credentials", func(t *testing.T) {
		onMinIO(t, server, server.Root()).diagnose(t, broken{finds: []string{"warning store.wide"}, says: "may do more", fix: "a user of its own"}, true)
	})
	t.Run("a user who may do everything with the bucket", func(t *testing.T) {
		all := doctor.Policy{Version: "2012-10-17", Statement: []doctor.Statement{{Effect: "Allow", Action: []string{"s3:*"}, Resource: []string{"arn:aws:s3:::" + server.Bucket, "arn:aws:s3:::" + server.Bucket + "/*"}}}}
		onMinIO(t, server, server.User(t, all.JSON())).diagnose(t, broken{finds: []string{"warning store.wide"}, says: "may do more", fix: "policy"}, true)
	})
	t.Run("no policy at all", func(t *testing.T) {
		nothing := doctor.Policy{Version: "2012-10-17", Statement: []doctor.Statement{{Effect: "Allow", Action: []string{"s3:GetObject"}, Resource: []string{"arn:aws:s3:::elsewhere/*"}}}}
		onMinIO(t, server, server.User(t, nothing.JSON())).diagnose(t, broken{finds: []string{"failure bucket.access"}, says: "may do nothing", fix: "caseload bucket policy print"}, true)
	})
}

// MinIO as it comes lets pages of every origin in.
func TestMinIOAsItComes(t *testing.T) {
	server := miniotest.Start(t)
	b := doctor.Bucket{Name: server.Bucket, Region: "us-east-1"}
	onMinIO(t, server, server.User(t, b.Policy(doctor.ServerPrincipal).JSON())).
		diagnose(t, broken{finds: []string{"warning cors.credentials"}, says: "every origin", fix: "MINIO_API_CORS_ALLOW_ORIGIN=" + ours}, true)
}
