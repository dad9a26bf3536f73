package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"time"

	"dcdentals.com/caseload/internal/doctor"
)

// trialLasts bounds what a killed run of the doctor leaves behind.
const trialLasts = 5 * time.Minute

// frontChecks are those of what stands between people's browsers and the server.
func (o *opened) frontChecks() []doctor.Check {
	c := o.config
	f := doctor.FrontOptions{Public: c.PublicURL, Addr: c.Addr, Trusted: c.TrustedProxies, Largest: c.DirectThreshold, Begin: o.beginTrial}
	if !o.serving {
		f.Alive = func(ctx context.Context) error { return askHealth(ctx, c) }
	}
	return doctor.FrontChecks(f)
}

// beginTrial leaves the hash of a new word in the database.
func (o *opened) beginTrial(ctx context.Context) (word string, end func(), err error) {
	db, err := o.open(ctx)
	if err != nil {
		return "", nil, err
	}
	word, now := rand.Text(), time.Now()
	hash := sha256.Sum256([]byte(word))
	if err := db.BeginTrial(ctx, hash[:], now, now.Add(trialLasts)); err != nil {
		return "", nil, err
	}
	return word, func() { _ = db.EndTrial(context.WithoutCancel(ctx), hash[:]) }, nil // it ends by itself
}
