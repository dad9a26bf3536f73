package main

import (
	"context"
	"log/slog"

	"dcdentals.com/caseload/internal/doctor"
	"dcdentals.com/caseload/internal/objectstore"
)

// examination is what `caseload doctor` and a serving process try.
type examination struct {
	checks  []doctor.Check
	secrets []string // that must not be said, whoever says them
}

// run tries everything and passes each finding on as it is made.
func (e examination) run(ctx context.Context, said func(doctor.Finding)) doctor.Report {
	return doctor.Run(ctx, doctor.Hide(e.checks, e.secrets...), said)
}

// examination returns the checks of these settings, of which judged was said.
func (c *config) examination(judged []doctor.Finding) examination {
	e := examination{secrets: c.secrets()}
	e.checks = append(e.checks, doctor.ConfigChecks(judged)...)
	if c.UseS3 && c.S3Bucket != "" {
		if objects, err := objectstore.New(context.Background(), c.s3(slog.New(slog.DiscardHandler))); err == nil { // else the settings' checks say why
			e.checks = append(e.checks, c.bucketChecks(objects)...)
		}
	}
	return e
}

// secrets returns the values of every setting that is one.
func (c *config) secrets() []string {
	var all []string
	for _, s := range settings {
		if s.Secret {
			all = append(all, c.origins[s.Name].Raw)
		}
	}
	return all
}
