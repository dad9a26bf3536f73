package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/doctor"
	"dcdentals.com/caseload/internal/objectstore"
)

func bucketCommand() *cobra.Command {
	return group("bucket", "Set up the bucket: make it, its CORS rule, policies and lifecycle, and test it",
		bucketCreateCommand(),
		group("cors", "The CORS rule, by which browsers may send to the bucket", corsApplyCommand(), corsShowCommand(), corsPrintCommand()),
		group("policy", "The least permissions that Caseload needs", policyPrintCommand(), policyCheckCommand()),
		group("lifecycle", "The rule that throws incomplete uploads away", lifecycleApplyCommand(), lifecyclePrintCommand()),
		bucketTestCommand(),
	)
}

// loadBucket reads the settings and what of them describes the bucket. It returns a *settingsError that names, all at
// once, every wrong setting and every one that the documents (needsName, needsOrigin) lack.
func loadBucket(cmd *cobra.Command, needsName, needsOrigin bool) (*config, doctor.Bucket, error) {
	dotenv, err := readDotenv()
	if err != nil {
		return nil, doctor.Bucket{}, err
	}
	c, judged := examine(flagsOf(cmd), processEnvironment(), dotenv, "")
	var problems []string
	var wrong *settingsError
	if errors.As(refusal(judged), &wrong) {
		problems = wrong.problems
	}
	b := c.bucket()
	var lacking []string
	if needsName && !c.embeddedOnly() {
		lacking = b.Faults()
	}
	if needsOrigin && len(b.Origins) == 0 {
		lacking = append(lacking, "CASELOAD_PUBLIC_URL is empty; set the address that people's browsers use, such as https://caseload.example")
	}
	for _, fault := range lacking {
		name, _, _ := strings.Cut(fault, " ")
		if !slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, name) }) {
			problems = append(problems, fault)
		}
	}
	if problems != nil {
		return nil, doctor.Bucket{}, &settingsError{problems}
	}
	return c, b, nil
}

// bucket is what the documents of the bucket are made from.
func (c *config) bucket() doctor.Bucket {
	b := doctor.Bucket{
		Name: c.S3Bucket, Region: c.S3Region, KMSKey: c.BucketKMSKey, Versioned: c.BucketVersioning, AbandonAfter: c.AbandonAfter, UndoWindow: c.UndoWindow,
		Elsewhere: c.S3Endpoint != nil && !doctor.OfAWS(c.S3Endpoint), Plain: c.S3Endpoint != nil && c.S3Endpoint.Scheme == "http",
	}
	if b.Region == "" && c.S3Endpoint != nil {
		b.Region = "us-east-1"
	}
	if c.PublicURL != nil {
		b.Origins, _ = parseOrigins(c.PublicURL.String()) // an address that was taken is an origin
	}
	for _, origin := range c.CORSOrigins {
		if !slices.Contains(b.Origins, origin) {
			b.Origins = append(b.Origins, origin)
		}
	}
	return b
}

// embeddedOnly tells whether no bucket but the one inside this program is meant. One that is named can be set up before
// USE_S3 is switched on.
func (c *config) embeddedOnly() bool { return !c.UseS3 && c.S3Bucket == "" }

// nothingToSetUp is what is said where the store inside this program is used.
const nothingToSetUp = `USE_S3 is not True: files lie in the embedded store, inside this program, and nothing is to be set up.
Its bucket is made at the start. Only requests that this server signed reach it, through this server's own address: there
are no users, policies or ACLs to give. Its CORS rule is set at each start from CASELOAD_CORS_ORIGINS; Caseload's own pages
need none. Uploads that nobody finishes are given up after CASELOAD_ABANDON_AFTER. Data is as encrypted as the disk.
To set up a bucket elsewhere, set USE_S3=True, AWS_STORAGE_BUCKET_NAME and AWS_S3_REGION_NAME.`

// openBucket connects to the bucket of the settings with the credentials of whoever runs the command.
func openBucket(ctx context.Context, c *config) (*objectstore.Store, error) {
	if c.S3Addressing == "auto" { // USE_S3 is not on yet
		c.S3Addressing = "virtual"
		if c.S3Endpoint != nil {
			c.S3Addressing = "path"
		}
	}
	if c.S3Region == "" {
		c.S3Region = c.bucket().Region
	}
	return objectstore.New(ctx, c.s3(newLog(c)))
}

// noteIfUnused says on standard error that Caseload does not use the bucket yet.
func noteIfUnused(cmd *cobra.Command, c *config) {
	if !c.UseS3 {
		fmt.Fprintln(cmd.ErrOrStderr(), "caseload: note: USE_S3 is not True: Caseload does not use this bucket yet")
	}
}

// setUpBucket shows what is to be changed of the settings, asks unless --yes, and does it. must says that a store without
// one of them is a failure: it was asked for by name.
func setUpBucket(cmd *cobra.Command, needsOrigin, must bool, settings ...caseload.BucketSetting) error {
	c, b, err := loadBucket(cmd, true, needsOrigin)
	if err != nil {
		return err
	}
	if c.embeddedOnly() {
		fmt.Fprintln(cmd.OutOrStdout(), nothingToSetUp)
		return nil
	}
	noteIfUnused(cmd, c)
	ctx, cancel := untilInterrupted(cmd.Context())
	defer cancel()
	store, err := openBucket(ctx, c)
	if err != nil {
		return err
	}
	plan, err := b.Plan(ctx, store, settings)
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	if plan.Create && must {
		return caseload.Errorf(caseload.NotFound, "There is no bucket %s.", b.Name).WithHint("Make it with `caseload bucket create`.")
	}
	showPlan(out, b, plan)
	var left []doctor.Change
	if plan.Needed() {
		if err := agreedTo(cmd); err != nil {
			return err
		}
		left, err = b.Apply(ctx, store, plan, func(what string) { fmt.Fprintln(out, "done: "+what) })
		if err != nil {
			return err
		}
		for _, change := range left {
			showLacking(out, change)
		}
	} else {
		fmt.Fprintln(out, "Nothing is to be changed.")
	}
	if lacks := func(c doctor.Change) bool { return c.Lacking }; must && (len(left) > 0 || slices.ContainsFunc(plan.Changes, lacks)) {
		return caseload.Errorf(caseload.Invalid, "The store does not have this setting; nothing of it was changed.").
			WithHint("Do what is said above instead.")
	}
	return nil
}
