package ledger

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"dcdentals.com/caseload/internal/caseload"
)

// bucket is a store in memory that lists in the order of the keys and can fail, or change, at any call.
type bucket struct {
	mu       sync.Mutex
	objects  []caseload.Listed // sorted by key; versions of one key from the newest to the oldest
	uploads  []upload          // sorted by key, then by id
	versions bool
	calls    int
	before   func(call int, b *bucket) error // called with the lock held
}

type upload struct {
	caseload.ListedUpload
	bytes int64
}

func (b *bucket) put(o caseload.Listed) {
	at, _ := slices.BinarySearchFunc(b.objects, o, func(a, b caseload.Listed) int { return cmp.Compare(a.Key, b.Key) })
	for !o.Current && at < len(b.objects) && b.objects[at].Key == o.Key {
		at++ // beneath the others
	}
	b.objects = slices.Insert(b.objects, at, o)
}

func (b *bucket) begin(u upload) {
	b.uploads = append(b.uploads, u)
	slices.SortFunc(b.uploads, func(a, b upload) int { return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.ID, b.ID)) })
}

func (b *bucket) call() (unlock func(), err error) {
	b.mu.Lock()
	b.calls++
	if b.before != nil {
		err = b.before(b.calls, b)
	}
	return b.mu.Unlock, err
}

func (b *bucket) KeepsVersions(context.Context) (bool, error) { return b.versions, nil }

func (b *bucket) List(_ context.Context, after caseload.Mark, versions bool, limit int) (page []caseload.Listed, more bool, err error) {
	unlock, err := b.call()
	defer unlock()
	if err != nil {
		return nil, false, err
	}
	from, _ := slices.BinarySearchFunc(b.objects, after.Key, func(o caseload.Listed, key caseload.ObjectKey) int { return cmp.Compare(o.Key, key) })
	passed := after.ID == ""
	for _, o := range b.objects[from:] {
		if o.Key == after.Key {
			if passed && after.ID != "" {
				page = append(page, o)
			} else {
				passed = passed || o.ID == after.ID
				continue
			}
		} else if versions || o.Current {
			page = append(page, o)
		}
		if len(page) > limit {
			cut := page[limit].Key
			if whole := slices.DeleteFunc(slices.Clone(page[:limit]), func(o caseload.Listed) bool { return o.Key == cut }); len(whole) > 0 {
				return whole, true, nil
			}
			return page[:limit], true, nil
		}
	}
	return page, false, nil
}

func (b *bucket) ListUploads(_ context.Context, after caseload.Mark, limit int) (page []caseload.ListedUpload, more bool, err error) {
	unlock, err := b.call()
	defer unlock()
	for _, u := range b.uploads {
		if err != nil || u.Key < after.Key || u.Key == after.Key && u.ID <= after.ID {
			continue
		}
		if len(page) == limit {
			return page, true, nil
		}
		page = append(page, u.ListedUpload)
	}
	return page, false, err
}

func (b *bucket) ListParts(_ context.Context, key caseload.ObjectKey, id string) ([]caseload.Part, error) {
	unlock, err := b.call()
	defer unlock()
	for _, u := range b.uploads {
		if err == nil && u.Key == key && u.ID == id {
			return []caseload.Part{{Number: 1, Size: u.bytes / 2}, {Number: 2, Size: u.bytes - u.bytes/2}}, nil
		}
	}
	return nil, orNotFound(err)
}

func (b *bucket) Head(_ context.Context, key caseload.ObjectKey, version string) (caseload.Object, error) {
	unlock, err := b.call()
	defer unlock()
	for _, o := range b.objects {
		if err == nil && o.Key == key && !o.Hides && (version == "" && o.Current || version != "" && o.ID == version) {
			return caseload.Object{Key: key, Size: o.Size, VersionID: o.ID}, nil
		}
	}
	return caseload.Object{}, orNotFound(err)
}

func orNotFound(err error) error {
	if err != nil {
		return err
	}
	return caseload.Errorf(caseload.NotFound, "The store does not hold this object or upload.")
}

// down is a store that does not answer.
func down(call int) error {
	return caseload.Errorf(caseload.Unavailable, "The object store cannot be reached.").WithCause(fmt.Errorf("call %d", call))
}
