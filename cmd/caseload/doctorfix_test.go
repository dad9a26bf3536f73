package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/doctor"
)

// What --fix may not do it says with the right that lacks, hands over everything that somebody with rights needs, goes on
// with the next, and counts only what was done.
func TestFixHandsOverWhatItMayNotDo(t *testing.T) {
	refused := func(context.Context) error {
		return caseload.Errorf(caseload.Forbidden, "These credentials may not do PutBucketCors on the bucket cases: they lack s3:PutBucketCORS, or the bucket is somebody else's.")
	}
	done := false
	report := doctor.Report{Findings: []doctor.Finding{
		{Check: "cors.origin", Level: doctor.Failure, Fix: &doctor.Fix{
			Say: "Whoever may set the bucket up applies this rule.", Command: "caseload bucket cors apply", Document: `{"CORSRules": []}`,
			Needs: []string{"s3:GetBucketCORS", "s3:PutBucketCORS"}, Apply: refused,
		}},
		{Check: "database.folder", Level: doctor.Warning, Fix: &doctor.Fix{Say: "Close the folder to others.", Apply: func(context.Context) error {
			done = true
			return nil
		}}},
		{Check: "clock.skew", Level: doctor.Failure, Fix: &doctor.Fix{Say: "A person sets the clock."}},
	}}
	cmd, out := &cobra.Command{}, &bytes.Buffer{}
	cmd.SetOut(out)
	if changed := mend(t.Context(), cmd, report, true); changed != 1 || !done {
		t.Errorf("%d things are said to be changed", changed)
	}
	for _, want := range []string{
		"cors.origin could not be mended", "they lack s3:PutBucketCORS", "Hand this to whoever has the rights:", "Whoever may set the bucket up applies this rule.",
		"It needs s3:GetBucketCORS, s3:PutBucketCORS.", "caseload bucket cors apply", `{"CORSRules": []}`, "database.folder: done.",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not said:\n%s", want, out)
		}
	}
}
