package objectstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/ingest"
	"dcdentals.com/caseload/internal/objectstore"
	"dcdentals.com/caseload/internal/objectstore/s3test"
	"dcdentals.com/caseload/internal/transfer"
)

var (
	_ transfer.Objects = (*objectstore.Store)(nil)
	_ ingest.Objects   = (*objectstore.Store)(nil)
)

// world is one store of the suite and the address browsers use for it.
type world struct {
	store  *objectstore.Store
	origin string // of our own server; the embedded store's URLs are signed for it
	dir    string // of the embedded store; "" for others
	minio  bool
}

// The one suite, on every store we have.
func TestStore(t *testing.T) {
	t.Run("embedded", func(t *testing.T) { suite(t, embeddedWorld(t)) })
	t.Run("separate", func(t *testing.T) {
		server := s3test.Start(t, "http://caseload.example")
		suite(t, world{store: open(t, server.Config())})
	})
	t.Run("minio", func(t *testing.T) { suite(t, minioWorld(t)) })
}

func open(t testing.TB, c objectstore.Config) *objectstore.Store {
	t.Helper()
	store, err := objectstore.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// embeddedWorld mounts the embedded store's handler on a server of our own, as cmd does.
func embeddedWorld(t testing.TB) world {
	t.Helper()
	dir := t.TempDir()
	e, err := objectstore.StartEmbedded(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(mounted(e))
	t.Cleanup(func() {
		server.Close()
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return world{store: e.Store(), origin: server.URL, dir: dir}
}

func mounted(e *objectstore.Embedded) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/"+e.Bucket()+"/", e.Handler())
	return mux
}

func suite(t *testing.T, w world) {
	for name, test := range map[string]func(*testing.T, world){
		"is reachable": isReachable,
		"the probe for an upload that never was is answered as such": probe,
		"a small file is kept with its size and checksum":            putIsKept,
		"a small file of another length or other bytes is refused":   putIsRefused,
		"a key is written once":                                      writeOnce,
		"two writers on one key: one wins":                           oneWriterWins,
		"a direct upload is kept whole":                              directUpload,
		"a part of another length is refused":                        partLength,
		"a part of other bytes is refused":                           partBytes,
		"a part under another number is refused":                     partNumber,
		"an expired address is refused":                              expired,
		"a part sent again after complete is refused":                replay,
		"complete twice gives one object":                            completeTwice,
		"complete at the same time gives one object":                 completeTogether,
		"complete with a part missing is refused":                    completeMissing,
		"complete with another checksum is refused":                  completeChecksum,
		"complete over an existing key is refused":                   completeWriteOnce,
		"a part after abort is refused":                              abortThenPart,
		"the bucket is listed in order, over pages":                  listedInOrder,
		"unfinished uploads are listed with their parts":             listedUploads,
		"parts are listed over pages":                                listPages,
		"a part can be relayed":                                      relayPart,
		"reads are ranged and end like a ReaderAt":                   ranged,
		"reads are pinned to the verified object":                    pinned,
		"deleting is done once and for all":                          deleting,
		"a download has its name whatever the name is":               named,
		"a signed address is good for one key, method and address":   bound,
		"what is not there is not found":                             notFound,
		"a link says when it ends, and never carries the secret":     linkShape,
		"an anonymous request is refused":                            anonymous,
		"a form is taken, of its key and size only":                  formBinds,
		"a form ends with its time":                                  formExpires,
		"parts of open length and checksum make an object":           looseUpload,
	} {
		t.Run(name, func(t *testing.T) { test(t, w) })
	}
}

const mib = 1 << 20

func crc(b []byte) string { return caseload.FormatCRC64NVME(caseload.UpdateCRC64NVME(0, b)) }

func randomBytes(n int) []byte {
	b := make([]byte, n)
	source := rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), byte(n >> 16)})
	_, _ = source.Read(b)
	return b
}

func wantKind(t *testing.T, err error, kind caseload.Kind) {
	t.Helper()
	if err == nil || caseload.KindOf(err) != kind {
		t.Fatalf("got error %v (kind %v), want kind %v", err, caseload.KindOf(err), kind)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// send does what a browser does with a signed request: exactly its method, address and headers.
func send(t testing.TB, r caseload.SignedRequest, body []byte) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), r.Method, r.URL, bytes.NewReader(body))
	must(t, err)
	for name, value := range r.Headers {
		request.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(request)
	must(t, err)
	t.Cleanup(func() { answer.Body.Close() })
	return answer
}

func wantStatus(t testing.TB, answer *http.Response, want ...int) {
	t.Helper()
	for _, status := range want {
		if answer.StatusCode == status {
			return
		}
	}
	body, _ := io.ReadAll(answer.Body)
	t.Fatalf("status %d, want %v: %s", answer.StatusCode, want, body)
}

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

func put(t testing.TB, w world, data []byte) caseload.Object {
	t.Helper()
	key := caseload.NewObjectKey()
	must(t, w.store.Put(t.Context(), key, io.MultiReader(bytes.NewReader(data)), int64(len(data)), crc(data)))
	o, err := w.store.Head(t.Context(), key, "")
	must(t, err)
	return o
}

func wantObject(t testing.TB, w world, key caseload.ObjectKey, data []byte) caseload.Object {
	t.Helper()
	o, err := w.store.Head(t.Context(), key, "")
	must(t, err)
	if o.Size != int64(len(data)) || o.CRC64NVME != crc(data) || o.ETag == "" || strings.Contains(o.ETag, `"`) {
		t.Fatalf("the store holds %+v, want size %d and checksum %s", o, len(data), crc(data))
	}
	must(t, w.store.Sync(t.Context(), key))
	body, err := w.store.Stream(t.Context(), o)
	must(t, err)
	defer body.Close()
	got, err := io.ReadAll(body)
	must(t, err)
	if !bytes.Equal(got, data) {
		t.Fatal("the bytes are not those that were sent")
	}
	return o
}

func isReachable(t *testing.T, w world) { must(t, w.store.Check(t.Context())) }

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

func expired(t *testing.T, w world) {
	u := begin(t, w)
	r, err := w.store.SignPart(t.Context(), w.origin, u.key, u.id, u.parts[1], time.Second)
	must(t, err)
	<-time.After(time.Until(r.ExpiresAt.Add(1100 * time.Millisecond))) // S3 counts whole seconds
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

func ranged(t *testing.T, w world) {
	data := randomBytes(100_000)
	o := put(t, w, data)
	for _, c := range []struct {
		off, length, want int
		err               error
	}{
		{0, 10, 10, nil},
		{99_990, 10, 10, nil},
		{99_991, 10, 9, io.EOF},
		{100_000, 1, 0, io.EOF},
		{200_000, 1, 0, io.EOF},
		{0, 100_000, 100_000, nil},
		{0, 100_001, 100_000, io.EOF},
		{50, 0, 0, nil},
	} {
		p := make([]byte, c.length)
		n, err := w.store.ReadRange(t.Context(), o, p, int64(c.off))
		if n != c.want || !errors.Is(err, c.err) {
			t.Fatalf("ReadRange(%d bytes at %d) = %d, %v; want %d, %v", c.length, c.off, n, err, c.want, c.err)
		}
		if n > 0 && !bytes.Equal(p[:n], data[c.off:c.off+n]) {
			t.Fatalf("ReadRange at %d gave other bytes", c.off)
		}
	}
	if _, err := w.store.ReadRange(t.Context(), o, make([]byte, 1), -1); err == nil {
		t.Fatal("a negative offset was read")
	}
}

func pinned(t *testing.T, w world) {
	o := put(t, w, randomBytes(5000))
	must(t, w.store.Delete(t.Context(), o.Key, "")) // behind the back
	other := append([]byte{1}, randomBytes(5000)[1:]...)
	must(t, w.store.Put(t.Context(), o.Key, bytes.NewReader(other), 5000, crc(other)))
	_, err := w.store.ReadRange(t.Context(), o, make([]byte, 10), 0)
	wantKind(t, err, caseload.Conflict)
	_, err = w.store.Stream(t.Context(), o)
	wantKind(t, err, caseload.Conflict)
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

func named(t *testing.T, w world) {
	data := randomBytes(100)
	o := put(t, w, data)
	for _, name := range []string{"김환자 상악.zip", `a "quoted" name.dcm`, "evil\r\nSet-Cookie: x=1\r\n\r\n<html>", "100%;a=b.stl", "plain.zip", "\u202egpj.exe"} {
		r, err := w.store.SignGet(t.Context(), w.origin, o.Key, o.VersionID, name, "text/html", time.Minute)
		must(t, err)
		answer := send(t, r, nil)
		wantStatus(t, answer, http.StatusOK)
		got, err := io.ReadAll(answer.Body)
		must(t, err)
		if !bytes.Equal(got, data) {
			t.Fatal("other bytes")
		}
		disposition := answer.Header.Get("Content-Disposition")
		_, encoded, found := strings.Cut(disposition, "filename*=UTF-8''")
		decoded, err := url.PathUnescape(encoded)
		if !strings.HasPrefix(disposition, "attachment; filename=\"") || !found || err != nil {
			t.Fatalf("%q: disposition %q", name, disposition)
		}
		if want := strings.Map(func(r rune) rune {
			if r < 32 || r == '\u202e' || r == '/' {
				return '_'
			}
			return r
		}, name); decoded != want {
			t.Errorf("%q is saved as %q, want %q", name, decoded, want)
		}
		if answer.Header.Get("Set-Cookie") != "" || answer.Header.Get("Content-Type") != "application/octet-stream" {
			t.Errorf("%q: headers %v", name, answer.Header)
		}
	}
	r, err := w.store.SignGet(t.Context(), w.origin, o.Key, "", "x.jpg", "image/jpeg", time.Minute)
	must(t, err)
	if got := send(t, r, nil).Header.Get("Content-Type"); got != "image/jpeg" {
		t.Errorf("a photo is sent as %q", got)
	}
}

func bound(t *testing.T, w world) {
	a, b := put(t, w, randomBytes(10)), put(t, w, randomBytes(11))
	r, err := w.store.SignGet(t.Context(), w.origin, a.Key, "", "x", "", time.Minute)
	must(t, err)
	for name, change := range map[string]func(*caseload.SignedRequest){
		"key":         func(r *caseload.SignedRequest) { r.URL = strings.Replace(r.URL, string(a.Key), string(b.Key), 1) },
		"method":      func(r *caseload.SignedRequest) { r.Method = http.MethodPut },
		"disposition": func(r *caseload.SignedRequest) { r.URL = strings.Replace(r.URL, "attachment", "inline", 1) },
		"host":        func(r *caseload.SignedRequest) { r.URL = strings.Replace(r.URL, "127.0.0.1", "localhost", 1) },
		"expiry": func(r *caseload.SignedRequest) {
			r.URL = strings.Replace(r.URL, "X-Amz-Expires=60", "X-Amz-Expires=600", 1)
		},
	} {
		changed := r
		change(&changed)
		if changed.URL == r.URL && changed.Method == r.Method {
			t.Fatalf("%s: nothing was changed in %s", name, r.URL)
		}
		answer := send(t, changed, nil)
		if answer.StatusCode != http.StatusForbidden {
			t.Errorf("another %s: status %d", name, answer.StatusCode)
		}
	}
}

func notFound(t *testing.T, w world) {
	_, err := w.store.Head(t.Context(), caseload.NewObjectKey(), "")
	wantKind(t, err, caseload.NotFound)
	_, err = w.store.Stream(t.Context(), caseload.Object{Key: caseload.NewObjectKey(), Size: 5, ETag: "x"})
	wantKind(t, err, caseload.NotFound)
	_, err = w.store.ListParts(t.Context(), caseload.NewObjectKey(), "01ARZ3NDEKTSV4RRFFQ69G5FAV")
	wantKind(t, err, caseload.NotFound)
}

func linkShape(t *testing.T, w world) {
	u := begin(t, w)
	before := time.Now()
	r, err := w.store.SignPart(t.Context(), w.origin, u.key, u.id, u.parts[0], 90*time.Second)
	must(t, err)
	if r.Part != 1 || r.Method != http.MethodPut || r.ExpiresAt.Sub(before).Round(time.Second) != 90*time.Second {
		t.Errorf("signed %+v", r)
	}
	if len(r.Headers) != 1 || r.Headers["X-Amz-Checksum-Crc64nvme"] != u.parts[0].CRC64NVME {
		t.Errorf("headers %v, want the checksum alone", r.Headers)
	}
	parsed, err := url.Parse(r.URL)
	must(t, err)
	if signed := parsed.Query().Get("X-Amz-SignedHeaders"); signed != "content-length;host;x-amz-checksum-crc64nvme" {
		t.Errorf("signed headers %q", signed)
	}
	if w.dir != "" {
		kept, err := os.ReadFile(w.dir + "/credentials.json")
		must(t, err)
		_, secret, _ := strings.Cut(string(kept), `"secret_key":"`)
		secret, _, _ = strings.Cut(secret, `"`)
		if len(secret) < 40 || strings.Contains(r.URL, secret) {
			t.Error("the secret is short, or shows in the address")
		}
	}
}

func anonymous(t *testing.T, w world) {
	o := put(t, w, randomBytes(10))
	r, err := w.store.SignGet(t.Context(), w.origin, o.Key, "", "x", "", time.Minute)
	must(t, err)
	bare, _, _ := strings.Cut(r.URL, "?")
	wantStatus(t, send(t, caseload.SignedRequest{Method: http.MethodGet, URL: bare}, nil), http.StatusForbidden)
	wantStatus(t, send(t, caseload.SignedRequest{Method: http.MethodPut, URL: bare + "2"}, []byte("x")), http.StatusForbidden)
	bucket := bare[:strings.LastIndexByte(bare, '/')]
	for _, listing := range []string{bucket, bucket + "/", bucket + "/?list-type=2", bucket + "/?uploads"} {
		wantStatus(t, send(t, caseload.SignedRequest{Method: http.MethodGet, URL: listing}, nil), http.StatusForbidden)
	}
}
