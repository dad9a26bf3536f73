package objectstore_test

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

func expired(t *testing.T, w world) {
	u := begin(t, w)
	r, err := w.store.SignPart(t.Context(), w.origin, u.key, u.id, u.parts[1], time.Second)
	must(t, err)
	<-time.After(time.Until(r.ExpiresAt.Add(1100 * time.Millisecond))) // S3 counts whole seconds
	wantStatus(t, send(t, r, u.bytes(2)), http.StatusForbidden)
	u.wantNothingListed(t)
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
