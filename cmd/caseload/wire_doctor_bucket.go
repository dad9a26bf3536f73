package main

import (
	"context"
	"slices"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/doctor"
	"dcdentals.com/caseload/internal/objectstore"
)

// bucketChecks are those of the bucket at the store that objects leads to.
func (o *opened) bucketChecks(objects *objectstore.Store) []doctor.Check {
	c := o.config
	account := func(ctx context.Context) string {
		id, _, _, _ := objects.Principal(ctx) // "" when STS does not say
		return id
	}
	aws := c.UseS3 && c.S3Endpoint == nil
	if !aws {
		account = nil
	}
	var downloads *doctor.Downloads
	if c.UseS3 && c.S3CustomDomain != "" {
		downloads = &doctor.Downloads{Sign: func(ctx context.Context, key caseload.ObjectKey, version string) (string, error) {
			signed, err := objects.SignGet(ctx, "", key, version, "trial", "application/octet-stream", c.URLExpiry)
			return signed.URL, err
		}}
	}
	var belongs func(ctx context.Context) (marked, ours string, err error)
	if !o.fresh {
		belongs = func(ctx context.Context) (marked, ours string, err error) { return o.belongs(ctx, objects) }
	}
	return doctor.StoreChecks(doctor.StoreOptions{
		Downloads: downloads, Belongs: belongs, Expiry: c.URLExpiry,
		Store: objects.Trial(), Setup: objects, Embedded: !c.UseS3, AWS: aws, Account: account, Bucket: c.examinedBucket(objects), Principal: c.examinedPrincipal,
	})
}

// examinedBucket is the bucket as the settings describe it, with the origins whose pages are to reach it: ours, --origin's,
// and those of other applications. With the embedded store our own page needs no leave.
func (c *config) examinedBucket(objects *objectstore.Store) doctor.Bucket {
	b := c.bucket()
	if !c.UseS3 {
		b.Origins = slices.Clone(c.CORSOrigins)
	}
	if c.examinedOrigin != "" && !slices.Contains(b.Origins, c.examinedOrigin) {
		b.Origins = append(b.Origins, c.examinedOrigin)
	}
	b.Name = objects.Bucket()
	return b
}

// belongs returns by which database the bucket is marked, and the id of ours.
func (o *opened) belongs(ctx context.Context, objects *objectstore.Store) (marked, ours string, err error) {
	db, err := o.open(ctx)
	if err != nil {
		return "", "", err
	}
	marker, _, err := objects.Marker(ctx)
	if err != nil || marker == nil {
		return "", "", err
	}
	ours, err = db.DatabaseID(ctx)
	return marker.Database, ours, err
}
