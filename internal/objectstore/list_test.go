package objectstore_test

import (
	"slices"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/ledger"
	"dcdentals.com/caseload/internal/objectstore"
)

var _ ledger.Objects = (*objectstore.Store)(nil)

// pages lists everything by so many at a time, going on from the last mark as the ledger does.
func pages(t *testing.T, w world, versions bool, limit int) (all []caseload.Listed) {
	t.Helper()
	for after := (caseload.Mark{}); ; {
		page, more, err := w.store.List(t.Context(), after, versions, limit)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page...)
		if !more {
			return all
		}
		if len(page) == 0 {
			t.Fatal("more is to come, and nothing came")
		}
		after = page[len(page)-1].Mark
	}
}

func listedInOrder(t *testing.T, w world) {
	if versions, err := w.store.KeepsVersions(t.Context()); err != nil || versions {
		t.Errorf("the bucket keeps versions: %v, %v", versions, err)
	}
	var mine []caseload.ObjectKey
	for n := range 7 {
		mine = append(mine, put(t, w, randomBytes(10+n)).Key)
	}
	slices.Sort(mine)
	for _, limit := range []int{2, 1000} {
		all := pages(t, w, false, limit)
		if !slices.IsSortedFunc(all, func(a, b caseload.Listed) int { return map[bool]int{true: -1, false: 1}[a.Key < b.Key] }) {
			t.Errorf("by %d at a time they are not in order: %v", limit, all)
		}
		var found []caseload.ObjectKey
		for _, o := range all {
			if slices.Contains(mine, o.Key) {
				found = append(found, o.Key)
				if head, err := w.store.Head(t.Context(), o.Key, ""); err != nil || head.Size != o.Size || !o.Current {
					t.Errorf("listed as %+v, held as %+v (%v)", o, head, err)
				}
			}
		}
		if !slices.Equal(found, mine) {
			t.Errorf("by %d at a time: %d of %d", limit, len(found), len(mine))
		}
	}
}

func listedUploads(t *testing.T, w world) {
	if w.minio {
		t.Skip("SKIPPED: MinIO lists uploads of a whole key only; the ledger asks for the known ones by their id")
	}
	want := map[caseload.Mark]bool{}
	for range 3 {
		key := caseload.NewObjectKey()
		id, err := w.store.CreateMultipart(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = w.store.AbortMultipart(t.Context(), key, id) })
		want[caseload.Mark{Key: key, ID: id}] = true
	}
	for after := (caseload.Mark{}); ; {
		page, more, err := w.store.ListUploads(t.Context(), after, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range page {
			if want[u.Mark] && (u.BegunAt.IsZero() || time.Since(u.BegunAt) > time.Hour) {
				t.Errorf("begun at %v", u.BegunAt)
			}
			delete(want, u.Mark)
		}
		if !more {
			break
		}
		after = page[len(page)-1].Mark
	}
	if len(want) != 0 {
		t.Errorf("not listed: %v", want)
	}
}
