package doctor

import (
	"context"
	"errors"
	"slices"
	"strings"

	"dcdentals.com/caseload/internal/caseload"
)

// settingActions are the rights by which each setting is read and set.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
var settingActions = map[caseload.BucketSetting]struct{ get, put string }{
	caseload.BucketPublicAccess: {"s3:GetBucketPublicAccessBlock", "s3:PutBucketPublicAccessBlock"},
	caseload.BucketOwnership:    {"s3:GetBucketOwnershipControls", "s3:PutBucketOwnershipControls"},
	caseload.BucketEncryption:   {"s3:GetEncryptionConfiguration", "s3:PutEncryptionConfiguration"},
	caseload.BucketVersioning:   {"s3:GetBucketVersioning", "s3:PutBucketVersioning"},
	caseload.BucketPolicy:       {"s3:GetBucketPolicy", "s3:PutBucketPolicy"},
	caseload.BucketLifecycle:    {"s3:GetLifecycleConfiguration", "s3:PutLifecycleConfiguration"},
	caseload.BucketCORS:         {"s3:GetBucketCORS", "s3:PutBucketCORS"},
}

// BucketStore is what setting up a bucket asks of its store. A setting is nil when it is not set; an error wraps
// errors.ErrUnsupported when the store has no such setting, and is Forbidden when these credentials may not do it.
type BucketStore interface {
	LookAtBucket(ctx context.Context) (caseload.BucketLook, error)
	CreateBucket(ctx context.Context) error
	Setting(ctx context.Context, which caseload.BucketSetting) ([]byte, error)
	SetSetting(ctx context.Context, which caseload.BucketSetting, document []byte) error
}

// Plan is what setting up would do.
type Plan struct {
	Look    caseload.BucketLook
	Create  bool // the bucket is not there and would be made
	Changes []Change
}

// Needed tells whether there is anything to do.
func (p Plan) Needed() bool { return p.Create || slices.ContainsFunc(p.Changes, Change.Needed) }

// Plan looks at the bucket and returns what has to be done for the settings, in that order; nothing is changed. It answers
// Forbidden with every action that is missing for looking, not only the first.
func (b Bucket) Plan(ctx context.Context, store BucketStore, settings []caseload.BucketSetting) (Plan, error) {
	look, err := store.LookAtBucket(ctx)
	if err != nil {
		return Plan{}, err
	}
	p := Plan{Look: look, Create: !look.Exists}
	var refused []error
	for _, setting := range settings {
		change, err := b.changeOn(ctx, store, look, setting)
		if caseload.KindOf(err) == caseload.Forbidden {
			refused = append(refused, err)
			continue
		}
		if err != nil {
			return Plan{}, err
		}
		p.Changes = append(p.Changes, change)
	}
	return p, together(refused)
}

// changeOn is Change, asked of the store; a bucket that is not there has nothing set.
func (b Bucket) changeOn(ctx context.Context, store BucketStore, look caseload.BucketLook, setting caseload.BucketSetting) (Change, error) {
	if knownToLack(look.Store, setting) {
		return b.lacks(look, setting), nil
	}
	if !look.Exists {
		return b.Change(setting, nil)
	}
	have, err := store.Setting(ctx, setting)
	if errors.Is(err, errors.ErrUnsupported) {
		return b.lacks(look, setting), nil
	}
	if err != nil {
		return Change{}, err
	}
	return b.Change(setting, have)
}

func (b Bucket) lacks(look caseload.BucketLook, setting caseload.BucketSetting) Change {
	return Change{Setting: setting, Lacking: true, Notes: []string{b.Instead(look.Store, setting)}}
}

// Apply does what was planned and says each thing that was done. What the store turns out to lack is left out and returned;
// the first other error ends it: what was done stays, and doing it again goes on from there.
func (b Bucket) Apply(ctx context.Context, store BucketStore, p Plan, done func(what string)) (left []Change, err error) {
	if p.Create {
		if err := store.CreateBucket(ctx); err != nil {
			return nil, err
		}
		p.Look.Exists = true
		done("bucket")
	}
	for _, change := range p.Changes {
		if p.Create && !change.Lacking { // a new bucket has settings of its own: AWS encrypts and blocks by itself
			if change, err = b.changeOn(ctx, store, p.Look, change.Setting); err != nil {
				return left, err
			}
		}
		if !change.Needed() {
			continue
		}
		err := store.SetSetting(ctx, change.Setting, change.Want)
		if errors.Is(err, errors.ErrUnsupported) {
			left = append(left, b.lacks(p.Look, change.Setting))
			continue
		}
		if err != nil {
			return left, err
		}
		done(string(change.Setting))
	}
	return left, nil
}

// together is one Forbidden that names what each of them names.
func together(refused []error) error {
	if len(refused) == 0 {
		return nil
	}
	var first *caseload.Error
	var said []string
	for _, err := range refused {
		var e *caseload.Error
		if errors.As(err, &e) {
			said = append(said, e.Message)
			if first == nil {
				first = e
			}
		}
	}
	return caseload.Errorf(caseload.Forbidden, "%s", strings.Join(said, "\n  ")).WithHint(first.Hint)
}
