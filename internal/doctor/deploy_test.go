package doctor_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/doctor"
	"dcdentals.com/caseload/internal/objectstore"
	"dcdentals.com/caseload/internal/objectstore/s3test"
)

const (
	ours  = "https://caseload.example"
	other = "https://app.example"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// storeAt opens the store; root opens it with the server's first account.
func storeAt(t testing.TB, c objectstore.Config) *objectstore.Store {
	t.Helper()
	s, err := objectstore.New(t.Context(), c)
	must(t, err)
	return s
}

// newBucket makes a bucket of its own for one deployment, with the right CORS rule, and returns how its owner reaches it.
func newBucket(t testing.TB, server *s3test.Server, name string) objectstore.Config {
	t.Helper()
	c := server.Config()
	c.Bucket = name
	s := storeAt(t, c)
	must(t, s.CreateBucket(t.Context()))
	must(t, s.SetSetting(t.Context(), caseload.BucketCORS, doctor.CORS([]string{ours, other}, doctor.CLIForm)))
	return c
}

// settings are what setting up is asked through: it answers as the store does.
func optionsFor(s *objectstore.Store, c objectstore.Config) doctor.StoreOptions {
	return doctor.StoreOptions{
		Store: s.Trial(), Setup: s,
		Bucket: doctor.Bucket{Name: c.Bucket, Region: c.Region, Origins: []string{ours, other}, AbandonAfter: 7 * 24 * time.Hour},
	}
}

// wrongs are the findings of a report that say something is to be mended: "failure store.permission.s3:PutObject".
func wrongs(r doctor.Report) (out []string) {
	for _, f := range r.Findings {
		if f.Level == doctor.Warning || f.Level == doctor.Failure {
			out = append(out, f.Level.String()+" "+f.Check)
		}
	}
	return out
}

func find(r doctor.Report, check string) (doctor.Finding, bool) {
	for _, f := range r.Findings {
		if f.Check == check {
			return f, true
		}
	}
	return doctor.Finding{}, false
}

// shown is a report as text, for a test's failure.
func shown(r doctor.Report) string {
	var b strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%-8s %-45s %s | %s | %s\n", f.Level, f.Check, f.Tried, f.Got, f.Means)
	}
	return b.String()
}

func run(t testing.TB, o doctor.StoreOptions) doctor.Report {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // on a slow machine some calls are repeated
	defer cancel()
	return doctor.Run(ctx, doctor.StoreChecks(o), nil)
}
