package objectstore_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// upload is a direct upload of two parts in the making.
type upload struct {
	w     world
	key   caseload.ObjectKey
	id    string
	data  []byte
	parts []caseload.Part
}

func begin(t testing.TB, w world) *upload {
	t.Helper()
	u := &upload{w: w, key: caseload.NewObjectKey(), data: randomBytes(5*mib + 12345)}
	var err error
	u.id, err = w.store.CreateMultipart(t.Context(), u.key)
	must(t, err)
	u.parts = []caseload.Part{
		{Number: 1, Size: 5 * mib, CRC64NVME: crc(u.data[:5*mib])},
		{Number: 2, Size: int64(len(u.data) - 5*mib), CRC64NVME: crc(u.data[5*mib:])},
	}
	return u
}

func (u *upload) bytes(n int) []byte { return [][]byte{u.data[:5*mib], u.data[5*mib:]}[n-1] }

func (u *upload) sign(t testing.TB, n int) caseload.SignedRequest {
	t.Helper()
	r, err := u.w.store.SignPart(t.Context(), u.w.origin, u.key, u.id, u.parts[n-1], time.Minute)
	must(t, err)
	return r
}

func (u *upload) sendAll(t testing.TB) []caseload.Part {
	t.Helper()
	for n := 1; n <= 2; n++ {
		wantStatus(t, send(t, u.sign(t, n), u.bytes(n)), http.StatusOK)
	}
	listed, err := u.w.store.ListParts(t.Context(), u.key, u.id)
	must(t, err)
	return listed
}

func (u *upload) complete(ctx context.Context, parts []caseload.Part) error {
	return u.w.store.CompleteMultipart(ctx, u.key, u.id, parts, int64(len(u.data)), crc(u.data))
}

func directUpload(t *testing.T, w world) {
	u := begin(t, w)
	listed := u.sendAll(t)
	for i, p := range listed {
		if want := u.parts[i]; p.Number != want.Number || p.Size != want.Size || p.CRC64NVME != want.CRC64NVME || p.ETag == "" {
			t.Fatalf("part listed as %+v, want %+v", p, want)
		}
	}
	must(t, u.complete(t.Context(), listed))
	wantObject(t, w, u.key, u.data)
	_, err := w.store.ListParts(t.Context(), u.key, u.id)
	wantKind(t, err, caseload.NotFound)
}

func partLength(t *testing.T, w world) {
	u := begin(t, w)
	wantStatus(t, send(t, u.sign(t, 2), u.bytes(2)[1:]), http.StatusForbidden)
	wantStatus(t, send(t, u.sign(t, 2), append([]byte{0}, u.bytes(2)...)), http.StatusForbidden)
	if w.dir != "" { // through our port the refusal reaches even a client that is still sending; others may reset the line
		wantStatus(t, send(t, u.sign(t, 1), u.bytes(1)[1:]), http.StatusForbidden)
	}
	u.wantNothingListed(t)
}

func (u *upload) wantNothingListed(t *testing.T) {
	t.Helper()
	if listed, err := u.w.store.ListParts(t.Context(), u.key, u.id); err != nil || len(listed) != 0 {
		t.Fatalf("parts %v, error %v: want none", listed, err)
	}
}

func partBytes(t *testing.T, w world) {
	u := begin(t, w)
	wrong := bytes.Clone(u.bytes(2))
	wrong[77] ^= 1
	wantStatus(t, send(t, u.sign(t, 2), wrong), http.StatusBadRequest)
	u.wantNothingListed(t)
	r := u.sign(t, 2) // and the checksum cannot be left out or changed to fit
	r.Headers["X-Amz-Checksum-Crc64nvme"] = crc(wrong)
	wantStatus(t, send(t, r, wrong), http.StatusForbidden)
	delete(r.Headers, "X-Amz-Checksum-Crc64nvme")
	wantStatus(t, send(t, r, wrong), http.StatusForbidden, http.StatusBadRequest)
	u.wantNothingListed(t)
}

func partNumber(t *testing.T, w world) {
	u := begin(t, w)
	r := u.sign(t, 2)
	r.URL = strings.Replace(r.URL, "partNumber=2", "partNumber=1", 1)
	wantStatus(t, send(t, r, u.bytes(2)), http.StatusForbidden)
	u.wantNothingListed(t)
}

func replay(t *testing.T, w world) {
	u := begin(t, w)
	r := u.sign(t, 2)
	must(t, u.complete(t.Context(), u.sendAll(t)))
	wantStatus(t, send(t, r, u.bytes(2)), http.StatusNotFound)
	wantObject(t, w, u.key, u.data)
}

func completeTwice(t *testing.T, w world) {
	u := begin(t, w)
	parts := u.sendAll(t)
	must(t, u.complete(t.Context(), parts))
	if err := u.complete(t.Context(), parts); err != nil { // stores differ; Head decides
		if kind := caseload.KindOf(err); kind != caseload.NotFound && kind != caseload.Conflict {
			t.Fatalf("second complete: %v (%v)", err, kind)
		}
	}
	wantObject(t, w, u.key, u.data)
}

func completeTogether(t *testing.T, w world) {
	u := begin(t, w)
	parts := u.sendAll(t)
	const callers = 8
	errs := make([]error, callers)
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			errs[i] = u.complete(t.Context(), parts)
			if errs[i] == nil && w.dir != "" { // ours never says "done" before the object is there
				if _, err := w.store.Head(t.Context(), u.key, ""); err != nil {
					t.Errorf("completed, but: %v", err)
				}
			}
		})
	}
	all.Wait()
	won := 0
	for _, err := range errs {
		switch kind := caseload.KindOf(err); {
		case err == nil:
			won++
		case kind != caseload.NotFound && kind != caseload.Conflict && kind != caseload.Unavailable:
			t.Errorf("complete: %v (%v)", err, kind)
		}
	}
	if won == 0 {
		t.Fatalf("nobody completed: %v", errs)
	}
	wantObject(t, w, u.key, u.data)
}

func completeMissing(t *testing.T, w world) {
	u := begin(t, w)
	wantStatus(t, send(t, u.sign(t, 1), u.bytes(1)), http.StatusOK)
	listed, err := w.store.ListParts(t.Context(), u.key, u.id)
	must(t, err)
	invented := caseload.Part{Number: 2, Size: u.parts[1].Size, CRC64NVME: u.parts[1].CRC64NVME, ETag: listed[0].ETag}
	wantKind(t, u.complete(t.Context(), append(listed, invented)), caseload.Invalid)
	if !w.minio { // MinIO does not look at x-amz-mp-object-size, but at the checksum
		err = w.store.CompleteMultipart(t.Context(), u.key, u.id, listed, int64(len(u.data)), u.parts[0].CRC64NVME)
		wantKind(t, err, caseload.Invalid)
	}
	wantKind(t, u.complete(t.Context(), listed), caseload.Invalid)
	_, err = w.store.Head(t.Context(), u.key, "")
	wantKind(t, err, caseload.NotFound)
}

func completeChecksum(t *testing.T, w world) {
	u := begin(t, w)
	parts := u.sendAll(t)
	err := w.store.CompleteMultipart(t.Context(), u.key, u.id, parts, int64(len(u.data)), crc(u.data[1:]))
	wantKind(t, err, caseload.Invalid)
	_, err = w.store.Head(t.Context(), u.key, "")
	wantKind(t, err, caseload.NotFound)
	must(t, u.complete(t.Context(), parts)) // the refusal cost nothing
	wantObject(t, w, u.key, u.data)
}

func completeWriteOnce(t *testing.T, w world) {
	u := begin(t, w)
	parts := u.sendAll(t)
	first := randomBytes(10)
	must(t, w.store.Put(t.Context(), u.key, bytes.NewReader(first), 10, crc(first)))
	wantKind(t, u.complete(t.Context(), parts), caseload.Conflict)
	wantObject(t, w, u.key, first)
}

func abortThenPart(t *testing.T, w world) {
	u := begin(t, w)
	r := u.sign(t, 2)
	u.sendAll(t)
	must(t, w.store.AbortMultipart(t.Context(), u.key, u.id))
	wantStatus(t, send(t, r, u.bytes(2)), http.StatusNotFound)
	must(t, w.store.AbortMultipart(t.Context(), u.key, u.id))
	wantKind(t, u.complete(t.Context(), u.parts), caseload.NotFound)
}

func listPages(t *testing.T, w world) {
	key := caseload.NewObjectKey()
	id, err := w.store.CreateMultipart(t.Context(), key)
	must(t, err)
	const parts = 1003 // a page holds 1,000 (API_ListParts)
	numbers := make(chan int)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for n := range numbers {
				data := []byte(fmt.Sprint(n))
				if err := w.store.PutPart(t.Context(), key, id, caseload.Part{Number: n, Size: int64(len(data)), CRC64NVME: crc(data)}, bytes.NewReader(data)); err != nil {
					t.Errorf("part %d: %v", n, err)
				}
			}
		})
	}
	for n := 1; n <= parts; n++ {
		numbers <- n
	}
	close(numbers)
	all.Wait()
	listed, err := w.store.ListParts(t.Context(), key, id)
	must(t, err)
	if len(listed) != parts || listed[parts-1].Number != parts || listed[0].Number != 1 {
		t.Fatalf("%d parts listed, want %d in order", len(listed), parts)
	}
	must(t, w.store.AbortMultipart(t.Context(), key, id))
}

func relayPart(t *testing.T, w world) {
	u := begin(t, w)
	wantKind(t, w.store.PutPart(t.Context(), u.key, u.id, u.parts[0], bytes.NewReader(u.bytes(1)[1:])), caseload.Invalid)
	for n := 1; n <= 2; n++ {
		must(t, w.store.PutPart(t.Context(), u.key, u.id, u.parts[n-1], io.MultiReader(bytes.NewReader(u.bytes(n)))))
	}
	listed, err := w.store.ListParts(t.Context(), u.key, u.id)
	must(t, err)
	must(t, u.complete(t.Context(), listed))
	wantObject(t, w, u.key, u.data)
	wantKind(t, w.store.PutPart(t.Context(), u.key, u.id, u.parts[1], bytes.NewReader(u.bytes(2))), caseload.NotFound)
}
