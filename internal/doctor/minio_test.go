package doctor_test

import (
	"slices"
	"strings"
	"testing"

	"dcdentals.com/caseload/internal/doctor"
	"dcdentals.com/caseload/internal/objectstore/miniotest"
)

// On a store with users and policies of its own: with exactly the printed server policy no right is missing, and with any
// one action taken out that action is named and no other.
func TestOnMinIOEachMissingActionIsNamed(t *testing.T) {
	server := miniotest.Start(t, "MINIO_API_CORS_ALLOW_ORIGIN="+ours+","+other)
	bucket := doctor.Bucket{Name: server.Bucket, Region: "us-east-1", Elsewhere: true}
	lacking := func(t *testing.T, without string) (actions []string) {
		policy := bucket.Policy(doctor.ServerPrincipal)
		for i, s := range policy.Statement {
			policy.Statement[i].Action = slices.DeleteFunc(slices.Clone(s.Action), func(a string) bool { return a == without })
		}
		c := server.User(t, policy.JSON())
		o := optionsFor(storeAt(t, c), c)
		o.Bucket.Elsewhere, o.Bucket.Plain = true, true
		r := run(t, o)
		for _, wrong := range wrongs(r) {
			if action, found := strings.CutPrefix(wrong, "failure store.permission."); found {
				actions = append(actions, action)
			} else if without == "" && strings.HasPrefix(wrong, "failure ") {
				t.Errorf("a false alarm: %s\n%s", wrong, shown(r))
			}
		}
		return actions
	}
	if missing := lacking(t, ""); len(missing) > 0 {
		t.Errorf("with the printed policy %v are missing", missing)
	}
	for _, p := range bucket.Permissions(doctor.ServerPrincipal) {
		t.Run(p.Action, func(t *testing.T) {
			if missing := lacking(t, p.Action); !slices.Equal(missing, []string{p.Action}) {
				t.Errorf("%v are said to be missing", missing)
			}
		})
	}
}
