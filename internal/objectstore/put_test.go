package objectstore_test

import (
	"bytes"
	"io"
	"sync"
	"testing"

	"dcdentals.com/caseload/internal/caseload"
)

func putIsKept(t *testing.T, w world) {
	for _, size := range []int{1, 4096, 3*mib + 1} {
		data := randomBytes(size)
		wantObject(t, w, put(t, w, data).Key, data)
	}
}

func putIsRefused(t *testing.T, w world) {
	data := randomBytes(3 * mib)
	for name, c := range map[string]struct {
		body []byte
		size int64
		sum  string
	}{
		"one byte short":  {data[1:], int64(len(data)), crc(data)},
		"one byte long":   {append([]byte{0}, data...), int64(len(data)), crc(data)},
		"wrong bytes":     {append([]byte{data[0] ^ 1}, data[1:]...), int64(len(data)), crc(data)},
		"wrong checksum":  {data, int64(len(data)), crc(data[1:])},
		"a torn checksum": {data, int64(len(data)), "AAAA"},
	} {
		t.Run(name, func(t *testing.T) {
			key := caseload.NewObjectKey()
			wantKind(t, w.store.Put(t.Context(), key, io.MultiReader(bytes.NewReader(c.body)), c.size, c.sum), caseload.Invalid)
			_, err := w.store.Head(t.Context(), key, "")
			wantKind(t, err, caseload.NotFound)
		})
	}
}

func writeOnce(t *testing.T, w world) {
	data := randomBytes(1000)
	o := put(t, w, data)
	other := randomBytes(1001)
	wantKind(t, w.store.Put(t.Context(), o.Key, bytes.NewReader(other), 1001, crc(other)), caseload.Conflict)
	wantObject(t, w, o.Key, data)
}

func oneWriterWins(t *testing.T, w world) {
	for range 5 {
		key := caseload.NewObjectKey()
		const writers = 8
		errs := make([]error, writers)
		var all sync.WaitGroup
		for i := range writers {
			all.Go(func() {
				data := randomBytes(200_000 + i)
				errs[i] = w.store.Put(t.Context(), key, bytes.NewReader(data), int64(len(data)), crc(data))
			})
		}
		all.Wait()
		won := -1
		for i, err := range errs {
			switch {
			case err == nil && won < 0:
				won = i
			case err == nil:
				t.Fatalf("writers %d and %d both won", won, i)
			default:
				wantKind(t, err, caseload.Conflict)
			}
		}
		if won < 0 {
			t.Fatal("nobody won")
		}
		wantObject(t, w, key, randomBytes(200_000+won))
	}
}

func deleting(t *testing.T, w world) {
	o := put(t, w, randomBytes(10))
	must(t, w.store.Delete(t.Context(), o.Key, o.VersionID))
	must(t, w.store.Delete(t.Context(), o.Key, o.VersionID))
	_, err := w.store.Head(t.Context(), o.Key, "")
	wantKind(t, err, caseload.NotFound)
	_, err = w.store.ReadRange(t.Context(), o, make([]byte, 1), 0)
	wantKind(t, err, caseload.NotFound)
}
