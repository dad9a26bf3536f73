package objectstore_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/doctor"
	"dcdentals.com/caseload/internal/ledger"
	"dcdentals.com/caseload/internal/objectstore"
	"dcdentals.com/caseload/internal/objectstore/miniotest"
	"dcdentals.com/caseload/internal/objectstore/s3test"
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
		if next := caseload.Behind(page); next != after {
			after = next
			continue
		}
		t.Fatalf("it does not go on behind %v", after)
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

// What was received before a bucket kept versions has none to name; erasing it leaves neither bytes nor marker all the same.
func TestErasingWithoutAVersionLeavesNothing(t *testing.T) {
	for name, start := range map[string]func(t *testing.T) objectstore.Config{
		"versitygw": func(t *testing.T) objectstore.Config { return s3test.StartWithUsers(t, 0).Config() },
		"minio":     func(t *testing.T) objectstore.Config { return miniotest.Start(t).Root() },
	} {
		t.Run(name, func(t *testing.T) {
			w := world{store: open(t, start(t))}
			before, other := put(t, w, []byte("before there were versions")), put(t, w, []byte("another"))
			must(t, w.store.SetSetting(t.Context(), caseload.BucketVersioning, doctor.Versioning()))
			for range 2 { // the second finds nothing
				must(t, w.store.Delete(t.Context(), before.Key, before.VersionID))
				left := pages(t, w, true, 1000)
				if len(left) != 1 || left[0].Key != other.Key {
					t.Fatalf("left are %+v", left)
				}
			}
		})
	}
}

// Every version and every delete marker is listed once, in one order, by however many at a time: the ledger goes on behind
// the last that it was given.
func TestVersionsAreListedInOrder(t *testing.T) {
	for name, start := range map[string]func(t *testing.T) objectstore.Config{
		"versitygw": func(t *testing.T) objectstore.Config { return s3test.StartWithUsers(t, 0).Config() },
		"minio":     func(t *testing.T) objectstore.Config { return miniotest.Start(t).Root() },
	} {
		t.Run(name, func(t *testing.T) {
			c := start(t)
			w := world{store: open(t, c)}
			before := put(t, w, []byte("before there were versions"))
			must(t, w.store.SetSetting(t.Context(), caseload.BucketVersioning, doctor.Versioning()))
			want := map[caseload.Mark]caseload.Listed{}
			note := func(o caseload.Listed) { want[o.Mark] = o }
			note(caseload.Listed{Mark: caseload.Mark{Key: before.Key, ID: caseload.NullVersion}, Size: before.Size, Current: true})
			client := miniotest.Client(c)
			for n := range 6 { // of key n: n versions, a marker among them from the third on, and one on top of every other
				key := aws.String(string(caseload.NewObjectKey()))
				var all []caseload.Listed
				hide := func() {
					out, err := client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &c.Bucket, Key: key})
					must(t, err)
					all = append(all, caseload.Listed{Mark: caseload.Mark{Key: caseload.ObjectKey(*key), ID: aws.ToString(out.VersionId)}, Hides: true})
				}
				for v := range n {
					out, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &c.Bucket, Key: key, Body: bytes.NewReader(make([]byte, v+1))})
					must(t, err)
					all = append(all, caseload.Listed{Mark: caseload.Mark{Key: caseload.ObjectKey(*key), ID: aws.ToString(out.VersionId)}, Size: int64(v + 1)})
					if v == 2 {
						hide()
					}
				}
				if n > 0 && n%2 == 0 {
					hide()
				}
				for i, o := range all {
					o.Current = i == len(all)-1
					note(o)
				}
			}
			whole := pages(t, w, true, 1000)
			if len(whole) != len(want) {
				t.Errorf("%d are listed, want %d", len(whole), len(want))
			}
			for _, o := range whole {
				if want[o.Mark] != o {
					t.Errorf("listed %+v, want %+v", o, want[o.Mark])
				}
			}
			for limit := 1; limit < 8; limit++ {
				seen := map[caseload.Mark]int{}
				last := caseload.ObjectKey("")
				for _, o := range pages(t, w, true, limit) {
					if seen[o.Mark]++; o.Key < last {
						t.Errorf("by %d at a time %s comes after %s", limit, o.Key, last)
					}
					last = o.Key
				}
				for mark := range want {
					if seen[mark] != 1 {
						t.Errorf("by %d at a time %v is listed %d times", limit, mark, seen[mark])
					}
				}
			}
		})
	}
}
