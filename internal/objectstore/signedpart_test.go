package objectstore

import (
	"bytes"
	"context"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/versity/versitygw/backend/posix"

	"dcdentals.com/caseload/internal/caseload"
)

// partsByURL is a store on a port, with one upload begun and a part for it.
type partsByURL struct {
	e      *Embedded
	origin string
	key    caseload.ObjectKey
	id     string
	part   caseload.Part
	data   []byte
}

func startPartsByURL(t *testing.T) *partsByURL {
	t.Helper()
	e := startInside(t)
	server := httptest.NewServer(e.Handler())
	t.Cleanup(server.Close)
	data := bytes.Repeat([]byte("caseload "), 100_000)
	u := &partsByURL{
		e: e, origin: server.URL, key: caseload.NewObjectKey(), data: data,
		part: caseload.Part{Number: 1, Size: int64(len(data)), CRC64NVME: caseload.FormatCRC64NVME(caseload.UpdateCRC64NVME(0, data))},
	}
	var err error
	if u.id, err = e.store.CreateMultipart(t.Context(), u.key); err != nil {
		t.Fatal(err)
	}
	return u
}

// request signs the part, as a browser sends it.
func (u *partsByURL) request(t *testing.T, p caseload.Part, data []byte) *http.Request {
	t.Helper()
	signed, err := u.e.store.SignPart(t.Context(), u.origin, u.key, u.id, p, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), signed.Method, signed.URL, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range signed.Headers {
		r.Header.Set(name, value)
	}
	return r
}

func (u *partsByURL) send(t *testing.T, r *http.Request) (*http.Response, string) {
	t.Helper()
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(body)
}

// accepted tells whether the request goes straight to the files, as it arrives.
func (u *partsByURL) accepted(r *http.Request, now time.Time) bool {
	arrived := r.Clone(r.Context())
	arrived.Host = r.URL.Host
	if r.Host != "" {
		arrived.Host = r.Host
	}
	_, ok := u.e.proxy.parts.accepts(arrived, now)
	return ok
}

func TestASignedPartIsTakenOnlyAsItWasSigned(t *testing.T) {
	u := startPartsByURL(t)
	now := time.Now()
	for name, p := range map[string]caseload.Part{
		"length and checksum": u.part, "length": {Number: 2, Size: u.part.Size}, "nothing": {Number: 3},
		"the last number": {Number: 10_000, Size: u.part.Size, CRC64NVME: u.part.CRC64NVME},
	} {
		r := u.request(t, p, u.data)
		if !u.accepted(r, now) || !u.accepted(r, now.Add(58*time.Second)) {
			t.Errorf("signed with %s it is not taken", name)
		}
		r.Header.Set("Origin", u.origin)
		if answer, body := u.send(t, r); !u.accepted(r, now) || answer.StatusCode != http.StatusOK {
			t.Errorf("signed with %s, of a page of ours: %d %s", name, answer.StatusCode, body)
		}
	}

	query := func(change func(url.Values)) func(*http.Request) {
		return func(r *http.Request) {
			q := r.URL.Query()
			change(q)
			r.URL.RawQuery = q.Encode()
		}
	}
	set := func(name, value string) func(*http.Request) {
		return query(func(q url.Values) { q.Set(name, value) })
	}
	other := caseload.FormatCRC64NVME(1)
	changes := map[string]func(*http.Request){
		"another key": func(r *http.Request) { r.URL.Path = "/" + embeddedBucket + "/" + string(caseload.NewObjectKey()) },
		"a key in other signs": func(r *http.Request) {
			r.URL.RawPath = "/" + embeddedBucket + strings.Replace(r.URL.Path[1+len(embeddedBucket):], string(u.key), "%"+hex.EncodeToString([]byte(u.key[:1]))+string(u.key[1:]), 1)
		},
		"another method": func(r *http.Request) { r.Method = http.MethodGet },
		"another host":   func(r *http.Request) { r.Host = "caseload.example" },
		"another length": func(r *http.Request) {
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(u.data[1:])), u.part.Size-1
		},
		"another checksum":   func(r *http.Request) { r.Header.Set(checksumField, other) },
		"two checksums":      func(r *http.Request) { r.Header.Add(checksumField, other) },
		"no checksum":        func(r *http.Request) { r.Header.Del(checksumField) },
		"another number":     set("partNumber", "2"),
		"number 0":           set("partNumber", "0"),
		"number 10,001":      set("partNumber", "10001"),
		"two numbers":        query(func(q url.Values) { q.Add("partNumber", "2") }),
		"no number":          query(func(q url.Values) { q.Del("partNumber") }),
		"another upload":     set("uploadId", "0"),
		"no upload":          query(func(q url.Values) { q.Del("uploadId") }),
		"another operation":  set("x-id", "PutObject"),
		"one parameter more": set("versionId", "1"),
		"another date":       set("X-Amz-Date", now.UTC().Add(-time.Second).Format(signedDate)),
		"a date to come":     set("X-Amz-Date", now.UTC().Add(time.Hour).Format(signedDate)),
		"a longer time":      set("X-Amz-Expires", "61"),
		"no end":             query(func(q url.Values) { q.Del("X-Amz-Expires") }),
		"another algorithm":  set("X-Amz-Algorithm", "AWS4-HMAC-SHA512"),
		"another credential": set("X-Amz-Credential", "CASELOADX/20261126/us-east-1/s3/aws4_request"),
		"another region": query(func(q url.Values) {
			q.Set("X-Amz-Credential", strings.Replace(q.Get("X-Amz-Credential"), "us-east-1", "eu-west-1", 1))
		}),
		"fewer headers":              set("X-Amz-SignedHeaders", "host"),
		"more headers":               set("X-Amz-SignedHeaders", "content-length;content-type;host;x-amz-checksum-crc64nvme"),
		"no signature":               query(func(q url.Values) { q.Del("X-Amz-Signature") }),
		"an empty signature":         set("X-Amz-Signature", ""),
		"two signatures":             query(func(q url.Values) { q.Add("X-Amz-Signature", "0") }),
		"another digit of it":        query(func(q url.Values) { q.Set("X-Amz-Signature", turned(q.Get("X-Amz-Signature"))) }),
		"a checksum of another sort": func(r *http.Request) { r.Header.Del(checksumField); r.Header.Set("X-Amz-Checksum-Sha256", "AAAA") },
	}
	for name, change := range changes {
		r := u.request(t, u.part, u.data)
		change(r)
		if u.accepted(r, now) {
			t.Errorf("%s: it is taken", name)
		}
		switch name {
		case "another method", "two signatures", "more headers": // the gateway looks at the first, and at headers that are there
			continue
		}
		if answer, body := u.send(t, r); answer.StatusCode < 400 {
			t.Errorf("%s: the gateway answers %d %s", name, answer.StatusCode, body)
		}
	}
	unsigned := u.request(t, caseload.Part{Number: 1, Size: u.part.Size}, u.data)
	unsigned.Header.Set(checksumField, u.part.CRC64NVME)
	got := u.request(t, caseload.Part{Number: 1}, nil)
	got.Method, got.ContentLength = http.MethodGet, u.part.Size
	u.sign(t, got, now)
	for name, r := range map[string]*http.Request{
		"a checksum that is none":       u.request(t, caseload.Part{Number: 1, Size: u.part.Size, CRC64NVME: "none"}, u.data),
		"a checksum that is not signed": unsigned,
		"a number too high":             u.request(t, caseload.Part{Number: 10_001, Size: u.part.Size, CRC64NVME: u.part.CRC64NVME}, u.data),
		"another method, signed":        got,
	} {
		if u.accepted(r, now) {
			t.Errorf("with %s it is not left to the gateway", name)
		}
	}
	if r := u.request(t, u.part, u.data); u.accepted(r, now.Add(61*time.Second)) || u.accepted(r, now.Add(-2*time.Second)) {
		t.Error("it is taken outside its time")
	}
	for name, value := range map[string]string{
		"Origin": "https://elsewhere.example", "Content-Md5": "AAAA", "X-Amz-Acl": "public-read", "X-Amz-Copy-Source": "/a/b", "X-Amz-Security-Token": "x",
	} {
		r := u.request(t, u.part, u.data)
		r.Header.Set(name, value)
		if u.accepted(r, now) {
			t.Errorf("with %s it is not left to the gateway", name)
		}
	}
}

// sign gives the request the signature of its own method.
func (u *partsByURL) sign(t *testing.T, r *http.Request, now time.Time) {
	t.Helper()
	q := r.URL.Query()
	for _, name := range []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Signature"} {
		q.Del(name)
	}
	bare := &http.Request{Method: r.Method, Host: r.URL.Host, Header: http.Header{}, URL: &url.URL{Scheme: "http", Host: r.URL.Host, Path: r.URL.Path, RawQuery: q.Encode()}}
	parts := u.e.proxy.parts
	address, _, err := parts.signer.PresignHTTP(t.Context(), parts.credentials, bare, "UNSIGNED-PAYLOAD", "s3", embeddedRegion, now.Add(-time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if r.URL, err = url.Parse(address); err != nil {
		t.Fatal(err)
	}
}

// Whoever leaves after the last byte has sent the part.
func TestASignedPartIsKeptOfAClientWhoLeavesAfterItsLastByte(t *testing.T) {
	u := startPartsByURL(t)
	r := u.request(t, u.part, nil)
	ctx, leave := context.WithCancel(t.Context())
	r = r.WithContext(ctx)
	r.Host, r.ContentLength, r.Body = r.URL.Host, u.part.Size, io.NopCloser(&leaving{bytes.NewReader(u.data), leave})
	part, ok := u.e.proxy.parts.accepts(r, time.Now())
	if !ok {
		t.Fatal("it is not taken")
	}
	func() {
		defer func() { _ = recover() }() // there is nobody to be answered
		u.e.proxy.parts.take(httptest.NewRecorder(), r, part)
	}()
	held, err := u.e.store.ListParts(t.Context(), u.key, u.id)
	if err != nil || len(held) != 1 || held[0].CRC64NVME != u.part.CRC64NVME {
		t.Errorf("held: %v, %v", held, err)
	}
}

// leaving is a body whose sender leaves with its last byte.
type leaving struct {
	*bytes.Reader
	leave func()
}

func (l *leaving) Read(p []byte) (int, error) {
	n, err := l.Reader.Read(p)
	if l.Len() == 0 {
		l.leave()
	}
	return n, err
}

func turned(signature string) string {
	if strings.HasPrefix(signature, "0") {
		return "1" + signature[1:]
	}
	return "0" + signature[1:]
}

// What comes of a signed part does not depend on the way it takes.
func TestBothWaysOfASignedPartAreOne(t *testing.T) {
	u := startPartsByURL(t)
	const elsewhere = "https://elsewhere.example" // those answers need headers that the gateway gives
	kinds := map[string]func() *http.Request{
		"stored":           func() *http.Request { return u.request(t, u.part, u.data) },
		"without checksum": func() *http.Request { return u.request(t, caseload.Part{Number: 2, Size: u.part.Size}, u.data) },
		"other bytes": func() *http.Request {
			spoilt := bytes.Clone(u.data)
			spoilt[1000] ^= 1
			return u.request(t, caseload.Part{Number: 3, Size: u.part.Size, CRC64NVME: u.part.CRC64NVME}, spoilt)
		},
		"no such upload": func() *http.Request {
			id := u.id
			defer func() { u.id = id }()
			u.id = "00000000-0000-4000-8000-000000000000"
			return u.request(t, u.part, u.data)
		},
	}
	said := regexp.MustCompile(`<(Code|Message)>[^<]*`)
	for name, make := range kinds {
		var seen []string
		for _, origin := range []string{u.origin, elsewhere} {
			r := make()
			r.Header.Set("Origin", origin)
			if straight := u.accepted(r, time.Now()); straight != (origin == u.origin) {
				t.Fatalf("%s, of a page of %s: straight to the files %t", name, origin, straight)
			}
			answer, body := u.send(t, r)
			number := r.URL.Query().Get("partNumber")
			told := strings.Join(append(said.FindAllString(body, -1), answer.Status, answer.Header.Get("ETag"), answer.Header.Get(checksumField),
				answer.Header.Get("Content-Type"), answer.Header.Get("Content-Security-Policy")), "\n")
			found, err := filepath.Glob(filepath.Join(u.e.objects, embeddedBucket, posix.MetaTmpMultipartDir, "*", u.id, number))
			if err != nil {
				t.Fatal(err)
			}
			for _, path := range found {
				told += "\n" + kept(t, u.e, strings.TrimPrefix(path, filepath.Join(u.e.objects, embeddedBucket)+"/"))
			}
			seen = append(seen, told)
		}
		if seen[0] != seen[1] {
			t.Errorf("%s: straight to the files\n%s\nby the gateway\n%s", name, seen[0], seen[1])
		}
		t.Logf("%s:\n%s", name, seen[0])
	}
	if err := u.e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if answer, _ := u.send(t, u.request(t, u.part, u.data)); answer.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a closed store answers %d", answer.StatusCode)
	}
}
