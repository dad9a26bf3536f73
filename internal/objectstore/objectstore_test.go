package objectstore_test

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

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
