package main

import (
	"context"
	"slices"

	"dcdentals.com/caseload/internal/doctor"
	"dcdentals.com/caseload/internal/objectstore"
)

// bucketChecks are those of the bucket at the store that objects leads to.
func (c *config) bucketChecks(objects *objectstore.Store) []doctor.Check {
	account := func(ctx context.Context) string {
		id, _, _, _ := objects.Principal(ctx) // "" when STS does not say
		return id
	}
	aws := c.UseS3 && c.S3Endpoint == nil
	if !aws {
		account = nil
	}
	return doctor.StoreChecks(doctor.StoreOptions{
		Store: objects.Trial(), Setup: objects, Embedded: !c.UseS3, AWS: aws, Account: account,
		Bucket: doctor.Bucket{
			Name: objects.Bucket(), Region: c.S3Region, Origins: c.pageOrigins(), AbandonAfter: c.AbandonAfter,
			Plain: c.S3Endpoint != nil && c.S3Endpoint.Scheme == "http",
		},
	})
}

// pageOrigins are those whose pages send to the store: our own, when it is known, and those of other applications. With
// the embedded store our own needs no leave.
func (c *config) pageOrigins() []string {
	var all []string
	if c.examinedOrigin != "" {
		all = append(all, c.examinedOrigin)
	}
	if c.PublicURL != nil && c.UseS3 {
		all = append(all, c.PublicURL.Scheme+"://"+c.PublicURL.Host)
	}
	all = append(all, c.CORSOrigins...)
	slices.Sort(all)
	return slices.Compact(all)
}
