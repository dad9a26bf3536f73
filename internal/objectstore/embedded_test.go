package objectstore_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/objectstore"
)

func TestTheFolderIsPrivateAndKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	data := randomBytes(100_000)
	var o caseload.Object
	var credentials []byte
	for run := range 2 {
		e, err := objectstore.StartEmbedded(t.Context(), dir, nil)
		must(t, err)
		if run == 0 {
			o = put(t, world{store: e.Store()}, data)
			must(t, e.Store().Sync(t.Context(), o.Key))
		}
		for path, mode := range map[string]os.FileMode{
			".": 0o700, "objects": 0o700, "credentials.json": 0o600, "s3.sock": 0o600, "lock": 0o600,
			"objects/" + e.Bucket(): 0o700, "objects/" + e.Bucket() + "/" + string(o.Key): 0o600,
		} {
			info, err := os.Stat(filepath.Join(dir, path))
			must(t, err)
			if info.Mode().Perm() != mode {
				t.Errorf("%s has mode %v, want %v", path, info.Mode().Perm(), mode)
			}
		}
		kept, err := os.ReadFile(filepath.Join(dir, "credentials.json"))
		must(t, err)
		if run == 1 && !bytes.Equal(kept, credentials) {
			t.Error("the second start made other credentials")
		}
		credentials = kept
		if got := wantObject(t, world{store: e.Store()}, o.Key, data); got != o {
			t.Errorf("the object is %+v, was %+v", got, o)
		}
		if origins := e.Store().Origins(); len(origins) != 0 {
			t.Errorf("origins %v", origins)
		}
		_, err = objectstore.StartEmbedded(t.Context(), t.TempDir(), nil)
		wantKind(t, err, caseload.Conflict)
		must(t, e.Close(t.Context()))
		must(t, e.Close(t.Context()))
		wantKind(t, e.Store().Check(t.Context()), caseload.Unavailable)
	}
}

func TestAFolderTooDeepForASocketWorks(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("deep", 30), strings.Repeat("deeper", 30))
	e, err := objectstore.StartEmbedded(t.Context(), dir, nil)
	must(t, err)
	put(t, world{store: e.Store()}, []byte("x"))
	must(t, e.Close(t.Context()))
}

func TestAFolderThatCannotBeUsedIsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	_, err := objectstore.StartEmbedded(t.Context(), filepath.Join(file, "store"), nil)
	wantKind(t, err, caseload.Unavailable)
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "credentials.json"), []byte("{"), 0o600))
	_, err = objectstore.StartEmbedded(t.Context(), dir, nil)
	wantKind(t, err, caseload.Internal)
	must(t, os.Remove(filepath.Join(dir, "credentials.json")))
	e, err := objectstore.StartEmbedded(t.Context(), dir, nil) // a failed start leaves nothing behind
	must(t, err)
	must(t, e.Close(t.Context()))
}

// get signs a download and returns its parsed address.
func get(t *testing.T, w world, o caseload.Object) (caseload.SignedRequest, *url.URL) {
	t.Helper()
	r, err := w.store.SignGet(t.Context(), w.origin, o.Key, "", "x", "", time.Minute)
	must(t, err)
	u, err := url.Parse(r.URL)
	must(t, err)
	return r, u
}

func TestHandler(t *testing.T) {
	w := embeddedWorld(t)
	data := randomBytes(100_000)
	o := put(t, w, data)

	t.Run("every answer is sandboxed", func(t *testing.T) {
		r, u := get(t, w, o)
		for _, address := range []string{r.URL, r.URL + "x", w.origin + u.Path, w.origin + "/caseload-files/"} {
			for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete, http.MethodPost} {
				h := send(t, caseload.SignedRequest{Method: method, URL: address}, nil).Header
				if h.Get("Content-Security-Policy") != "sandbox; default-src 'none'" || h.Get("X-Content-Type-Options") != "nosniff" ||
					!strings.HasPrefix(h.Get("Content-Disposition"), "attachment") || h.Get("Cross-Origin-Resource-Policy") != "same-origin" ||
					h.Get("Server") != "" {
					t.Errorf("%s %s: headers %v", method, address, h)
				}
			}
		}
	})
	t.Run("ranges and conditions work", func(t *testing.T) {
		r, _ := get(t, w, o)
		r.Headers = map[string]string{"Range": "bytes=10-19"}
		answer := send(t, r, nil)
		wantStatus(t, answer, http.StatusPartialContent)
		if got, _ := io.ReadAll(answer.Body); !bytes.Equal(got, data[10:20]) {
			t.Error("other bytes")
		}
		r.Headers = map[string]string{"If-None-Match": `"` + o.ETag + `"`}
		wantStatus(t, send(t, r, nil), http.StatusNotModified)
	})
	t.Run("only objects, and only what browsers need", func(t *testing.T) {
		for _, method := range []string{http.MethodDelete, http.MethodPost, http.MethodPatch, "PROPFIND", "LIST-BUCKETS"} {
			_, u := get(t, w, o)
			wantStatus(t, send(t, caseload.SignedRequest{Method: method, URL: u.String()}, nil), http.StatusMethodNotAllowed)
		}
		for _, path := range []string{"", "a/b", "..%2f..%2fcredentials.json", ".sgwtmp", ".sgwtmp%2fmultipart", "%00", "a%20b", "a%0d%0aX:y"} {
			request, err := http.NewRequest(http.MethodGet, w.origin, nil)
			must(t, err)
			request.URL.Opaque = "/caseload-files/" + path
			answer, err := http.DefaultTransport.RoundTrip(request)
			must(t, err)
			_ = answer.Body.Close()
			if answer.StatusCode != http.StatusForbidden && answer.StatusCode != http.StatusBadRequest && answer.StatusCode != http.StatusMovedPermanently && answer.StatusCode != http.StatusTemporaryRedirect {
				t.Errorf("%q: status %d", path, answer.StatusCode)
			}
		}
	})
	t.Run("cookies, tokens and foreign headers do not reach the store", func(t *testing.T) {
		u := begin(t, w)
		r := u.sign(t, 2)
		for name, value := range map[string]string{
			"Cookie":        strings.Repeat("caseload=secret; ", 1000), // alone over versitygw's limit of 8 KiB of headers
			"Authorization": "Bearer cl_x", "X-Amz-Acl": "public-read", "X-Amz-Copy-Source": "/caseload-files/" + string(o.Key),
			"X-Amz-Meta-A": "b", "X-Amz-Tagging": "a=b", "X-Forwarded-For": "1.2.3.4",
		} {
			r.Headers[name] = value
		}
		wantStatus(t, send(t, r, u.bytes(2)), http.StatusOK)
	})
	t.Run("a body without a length is refused", func(t *testing.T) {
		u := begin(t, w)
		r := u.sign(t, 2)
		request, err := http.NewRequest(r.Method, r.URL, io.MultiReader(bytes.NewReader(u.bytes(2))))
		must(t, err)
		answer, err := http.DefaultClient.Do(request)
		must(t, err)
		defer answer.Body.Close()
		wantStatus(t, answer, http.StatusLengthRequired)
	})
	t.Run("Expect: 100-continue is answered", func(t *testing.T) {
		u := begin(t, w)
		r := u.sign(t, 2)
		conn, err := net.Dial("tcp", strings.TrimPrefix(w.origin, "http://"))
		must(t, err)
		defer conn.Close()
		target := strings.TrimPrefix(r.URL, w.origin)
		_, err = fmt.Fprintf(conn, "PUT %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\nX-Amz-Checksum-Crc64nvme: %s\r\nExpect: 100-continue\r\n\r\n",
			target, strings.TrimPrefix(w.origin, "http://"), u.parts[1].Size, u.parts[1].CRC64NVME)
		must(t, err)
		answers := bufio.NewReader(conn)
		line, err := answers.ReadString('\n')
		must(t, err)
		if !strings.Contains(line, "100 Continue") {
			t.Fatalf("answered %q before the body", line)
		}
		_, _ = answers.ReadString('\n')
		_, err = conn.Write(u.bytes(2))
		must(t, err)
		line, err = answers.ReadString('\n')
		must(t, err)
		if !strings.Contains(line, " 200 ") {
			t.Fatalf("answered %q after the body", line)
		}
	})
	t.Run("a client that goes away leaves nothing", func(t *testing.T) {
		u := begin(t, w)
		ctx, cancel := context.WithCancel(t.Context())
		r := u.sign(t, 1)
		reader, writer := io.Pipe()
		request, err := http.NewRequestWithContext(ctx, r.Method, r.URL, reader)
		must(t, err)
		request.ContentLength = u.parts[0].Size
		request.Header.Set("X-Amz-Checksum-Crc64nvme", u.parts[0].CRC64NVME)
		done := make(chan error, 1)
		go func() {
			answer, err := http.DefaultClient.Do(request)
			if err == nil {
				_ = answer.Body.Close()
			}
			done <- err
		}()
		_, err = writer.Write(u.bytes(1)[:mib])
		must(t, err)
		cancel()
		must(t, writer.CloseWithError(context.Canceled)) // Go's client waits for the body's reader before it gives up
		if err := <-done; err == nil {
			t.Fatal("an upload that was cut off succeeded")
		}
		u.wantNothingListed(t)
		wantStatus(t, send(t, u.sign(t, 1), u.bytes(1)), http.StatusOK) // and the next try is fine
	})
}

// An orderly stop waits for the bytes under way: the context of the process's life is not theirs.
func TestCloseLetsUploadsFinish(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	e, err := objectstore.StartEmbedded(ctx, t.TempDir(), nil)
	must(t, err)
	begun := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = &announcedBody{ReadCloser: r.Body, begun: begun}
		e.Handler().ServeHTTP(w, r)
	}))
	defer server.Close()
	u := begin(t, world{store: e.Store(), origin: server.URL})
	r := u.sign(t, 1)
	reader, writer := io.Pipe()
	request, err := http.NewRequest(r.Method, r.URL, reader)
	must(t, err)
	request.ContentLength = u.parts[0].Size
	request.Header.Set("X-Amz-Checksum-Crc64nvme", u.parts[0].CRC64NVME)
	status := make(chan int, 1)
	go func() {
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Error(err)
			status <- 0
			return
		}
		_ = answer.Body.Close()
		status <- answer.StatusCode
	}()
	_, err = writer.Write(u.bytes(1)[:mib])
	must(t, err)
	<-begun
	cancel() // SIGTERM
	closed := make(chan error, 1)
	go func() { closed <- e.Close(context.Background()) }()
	_, err = writer.Write(u.bytes(1)[mib:])
	must(t, err)
	if got := <-status; got != http.StatusOK {
		t.Errorf("the upload under way ended with status %d", got)
	}
	must(t, <-closed)
}

// Even when the time for an orderly stop has run out, what is being written is written to its end: by the process's own
// calls, and by the gateway for others.
func TestAnEndDoesNotCutAWrite(t *testing.T) {
	for way, send := range map[string]func(e *objectstore.Embedded, body io.Reader, data []byte) error{
		"by the process itself": func(e *objectstore.Embedded, body io.Reader, data []byte) error {
			return e.Store().Put(context.Background(), caseload.NewObjectKey(), body, int64(len(data)), crc(data))
		},
		"by a signed request": func(e *objectstore.Embedded, body io.Reader, data []byte) error {
			key := caseload.NewObjectKey()
			id, err := e.Store().CreateMultipart(context.Background(), key)
			if err != nil {
				return err
			}
			part := caseload.Part{Number: 1, Size: int64(len(data)), CRC64NVME: crc(data)}
			signed, err := e.Store().SignPart(context.Background(), "http://caseload.example", key, id, part, time.Minute)
			if err != nil {
				return err
			}
			request := httptest.NewRequest(signed.Method, signed.URL, body)
			request.ContentLength = part.Size
			for name, value := range signed.Headers {
				request.Header.Set(name, value)
			}
			answer := httptest.NewRecorder()
			e.Handler().ServeHTTP(answer, request)
			if answer.Code != http.StatusOK {
				return fmt.Errorf("HTTP %d: %s", answer.Code, answer.Body.String())
			}
			return nil
		},
	} {
		t.Run(way, func(t *testing.T) {
			e, err := objectstore.StartEmbedded(t.Context(), t.TempDir(), nil)
			must(t, err)
			data := randomBytes(4 * mib)
			reader, writer := io.Pipe()
			kept := make(chan error, 1)
			go func() { kept <- send(e, reader, data) }()
			_, err = writer.Write(data[:2*mib]) // more than a socket holds: it is being written
			must(t, err)
			over, cancel := context.WithCancel(t.Context())
			cancel()
			if err := e.Close(over); err == nil && way == "by a signed request" {
				t.Error("the gateway ended at once though it was writing")
			}
			go func() {
				_, _ = writer.Write(data[2*mib:])
				_ = writer.Close()
			}()
			must(t, <-kept)
		})
	}
}

// announcedBody tells when its first byte is read.
type announcedBody struct {
	io.ReadCloser
	begun chan struct{}
	once  sync.Once
}

func (b *announcedBody) Read(p []byte) (int, error) {
	b.once.Do(func() { close(b.begun) })
	return b.ReadCloser.Read(p)
}
