package objectstore_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/mustrun"
	"dcdentals.com/caseload/internal/objectstore"
)

func TestAFullDiskIsSaidAndLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=40m"); err != nil {
		mustrun.Skip(t, "disk-full", "a small file system cannot be mounted here: "+err.Error())
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	e, err := objectstore.StartEmbedded(t.Context(), dir, nil)
	must(t, err)
	server := httptest.NewServer(mounted(e))
	defer server.Close()
	defer func() { must(t, e.Close(t.Context())) }()
	w := world{store: e.Store(), origin: server.URL, dir: dir}
	data := randomBytes(24 * mib)
	first := put(t, w, data)
	key := caseload.NewObjectKey()
	wantKind(t, w.store.Put(t.Context(), key, bytes.NewReader(data), int64(len(data)), crc(data)), caseload.Full)
	_, err = w.store.Head(t.Context(), key, "")
	wantKind(t, err, caseload.NotFound)
	wantObject(t, w, first.Key, data)

	id, err := w.store.CreateMultipart(t.Context(), key)
	must(t, err)
	part := caseload.Part{Number: 1, Size: int64(len(data)), CRC64NVME: crc(data)}
	r, err := w.store.SignPart(t.Context(), w.origin, key, id, part, time.Minute)
	must(t, err)
	wantStatus(t, send(t, r, data), http.StatusInsufficientStorage)

	must(t, w.store.Delete(t.Context(), first.Key, "")) // room again
	wantStatus(t, send(t, r, data), http.StatusOK)
	parts, err := w.store.ListParts(t.Context(), key, id)
	must(t, err)
	err = w.store.CompleteMultipart(t.Context(), key, id, parts, int64(len(data)), crc(data))
	wantKind(t, err, caseload.Full) // completing copies: there must be room for the object twice
	put(t, w, []byte("small things still fit"))
}
