package objectstore_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/objectstore"
)

// post does what a browser does with a signed form. What is changed comes last.
func post(t testing.TB, form caseload.SignedForm, body []byte, change ...[2]string) *http.Response {
	t.Helper()
	if form.Method != http.MethodPost {
		return send(t, caseload.SignedRequest{Method: form.Method, URL: form.URL, Headers: form.Headers}, body)
	}
	fields := maps.Clone(form.Fields)
	for _, c := range change {
		delete(fields, c[0])
	}
	var content bytes.Buffer
	w := multipart.NewWriter(&content)
	for name, value := range fields {
		must(t, w.WriteField(name, value))
	}
	for _, c := range change {
		must(t, w.WriteField(c[0], c[1]))
	}
	file, err := w.CreateFormFile("file", "blob")
	must(t, err)
	_, err = file.Write(body)
	must(t, err)
	must(t, w.Close())
	return send(t, caseload.SignedRequest{
		Method: http.MethodPost, URL: form.URL, Headers: map[string]string{"Content-Type": w.FormDataContentType()},
	}, content.Bytes())
}

func signForm(t testing.TB, w world, least, most int64, expiry time.Duration) (caseload.ObjectKey, caseload.SignedForm) {
	t.Helper()
	key := caseload.NewObjectKey()
	form, err := w.store.SignForm(t.Context(), w.origin, key, least, most, expiry)
	must(t, err)
	if form.Method != http.MethodPost || form.Fields["key"] != string(key) {
		t.Fatalf("signed a %s with the fields %v", form.Method, form.Fields)
	}
	return key, form
}

func formBinds(t *testing.T, w world) {
	data := randomBytes(70_000)
	key, form := signForm(t, w, int64(len(data)), int64(len(data)), time.Minute)
	for name, refused := range map[string]*http.Response{
		"a byte more":       post(t, form, append(slices.Clone(data), 'x')),
		"a byte less":       post(t, form, data[1:]),
		"another key":       post(t, form, data, [2]string{"key", string(key) + "2"}),
		"another type":      post(t, form, data, [2]string{"Content-Type", "text/html"}),
		"a redirect":        post(t, form, data, [2]string{"success_action_redirect", "https://evil.example/"}),
		"an ACL":            post(t, form, data, [2]string{"acl", "public-read"}),
		"a note":            post(t, form, data, [2]string{"x-amz-meta-note", "x"}),
		"tags":              post(t, form, data, [2]string{"tagging", "<Tagging/>"}),
		"a class":           post(t, form, data, [2]string{"x-amz-storage-class", "GLACIER"}),
		"a key by the name": post(t, form, data, [2]string{"key", "${filename}"}),
		"another policy":    post(t, form, data, [2]string{"policy", otherPolicy(form.Fields["policy"], string(key))}),
		"no policy":         post(t, form, data, [2]string{"policy", ""}),
		"another signature": post(t, form, data, [2]string{"X-Amz-Signature", strings.Repeat("0", 64)}),
	} {
		if refused.StatusCode < 400 || refused.StatusCode >= 500 {
			t.Errorf("%s: status %d", name, refused.StatusCode)
		}
	}
	_, err := w.store.Head(t.Context(), key, "")
	wantKind(t, err, caseload.NotFound)
	secondKey(t, w, data)
	answer := post(t, form, data)
	wantStatus(t, answer, http.StatusCreated)
	if answer.Header.Get("ETag") == "" {
		t.Error("no ETag")
	}
	o, err := w.store.Head(t.Context(), key, "")
	must(t, err)
	if o.Size != int64(len(data)) || o.CRC64NVME != "" && o.CRC64NVME != crc(data) {
		t.Fatalf("the store holds %+v", o)
	}
	t.Logf("checksum shown: %q", o.CRC64NVME)
	body, err := w.store.Stream(t.Context(), o)
	must(t, err)
	defer body.Close()
	if got, err := io.ReadAll(body); err != nil || !bytes.Equal(got, data) {
		t.Fatalf("other bytes (%v)", err)
	}
	_, form = signForm(t, w, 1, 10, time.Minute)
	second := caseload.NewObjectKey()
	post(t, form, []byte("x"), [2]string{"KEY", string(second)}) // whichever of the two it goes by, the policy knows one only
	_, err = w.store.Head(t.Context(), second, "")
	wantKind(t, err, caseload.NotFound)
	open, form := signForm(t, w, 1, 1000, time.Minute) // the size is not known: anything up to the limit
	if refused := post(t, form, randomBytes(1001)); refused.StatusCode < 400 {
		t.Errorf("over the limit: status %d", refused.StatusCode)
	}
	if refused := post(t, form, nil); refused.StatusCode < 400 {
		t.Errorf("an empty file: status %d", refused.StatusCode)
	}
	wantStatus(t, post(t, form, randomBytes(1000)), http.StatusCreated)
	if o, err = w.store.Head(t.Context(), open, ""); err != nil || o.Size != 1000 {
		t.Fatalf("holds %+v, %v", o, err)
	}
}

// secondKey posts a form that names two keys, which a store may take for the right one or refuse, but never for the other:
// fields' names have no case.
func secondKey(t *testing.T, w world, data []byte) {
	key, form := signForm(t, w, 1, int64(len(data)), time.Minute)
	other := key + "2"
	post(t, form, data, [2]string{"KEY", string(other)})
	_, err := w.store.Head(t.Context(), other, "")
	wantKind(t, err, caseload.NotFound)
}

// otherPolicy is the policy for another key of the same length.
func otherPolicy(policy, key string) string {
	text, err := base64.StdEncoding.DecodeString(policy)
	if err != nil {
		panic(err)
	}
	return base64.StdEncoding.EncodeToString(bytes.ReplaceAll(text, []byte(key), []byte(caseload.NewObjectKey())))
}

func formExpires(t *testing.T, w world) {
	key, form := signForm(t, w, 1, 10, time.Second)
	time.Sleep(time.Until(form.ExpiresAt) + 1100*time.Millisecond) // the policy's own time, of the store's clock
	wantStatus(t, post(t, form, []byte("late")), http.StatusForbidden, http.StatusBadRequest)
	_, err := w.store.Head(t.Context(), key, "")
	wantKind(t, err, caseload.NotFound)
}

func looseUpload(t *testing.T, w world) {
	u := begin(t, w)
	for n := 1; n <= 2; n++ {
		r, err := w.store.SignPart(t.Context(), w.origin, u.key, u.id, caseload.Part{Number: n}, time.Minute)
		must(t, err)
		if len(r.Headers) != 0 {
			t.Fatalf("headers to send: %v", r.Headers)
		}
		if w.minio { // it takes no part without the checksum that was announced: stock Uppy cannot send parts there
			wantStatus(t, send(t, r, u.bytes(n)), http.StatusBadRequest)
			return
		}
		wantStatus(t, send(t, r, u.bytes(n)), http.StatusOK)
	}
	held, err := w.store.ListParts(t.Context(), u.key, u.id)
	must(t, err)
	if len(held) != 2 || held[0].Size != u.parts[0].Size || held[1].Size != u.parts[1].Size {
		t.Fatalf("held: %+v", held)
	}
	must(t, w.store.CompleteMultipart(t.Context(), u.key, u.id, held, int64(len(u.data)), ""))
	o, err := w.store.Head(t.Context(), u.key, "")
	must(t, err)
	if o.Size != int64(len(u.data)) || o.CRC64NVME != "" && o.CRC64NVME != crc(u.data) {
		t.Fatalf("the store holds %+v, want the checksum %s or none", o, crc(u.data))
	}
	t.Logf("checksum shown: of the parts %q, of the whole %q", held[0].CRC64NVME, o.CRC64NVME)
}

// Whatever is posted to the bucket's address is a short form with a file, or does not reach the gateway.
func TestOnlyFormsArePosted(t *testing.T) {
	w := embeddedWorld(t)
	bucket := w.origin + "/caseload-files"
	long := strings.Repeat("x", 20<<10)
	typed := map[string]string{"Content-Type": "multipart/form-data; boundary=B"}
	field := func(name, value string) string {
		return fmt.Sprintf("--B\r\nContent-Disposition: form-data; name=%q\r\n\r\n%s\r\n", name, value)
	}
	for name, c := range map[string]struct {
		address, body string
		headers       map[string]string
		want          int
	}{
		"no form":               {bucket, "<Delete/>", map[string]string{"Content-Type": "text/xml"}, http.StatusBadRequest},
		"delete":                {bucket + "?delete", field("file", "x") + "--B--\r\n", typed, http.StatusForbidden},
		"uploads":               {bucket + "/?uploads", field("file", "x") + "--B--\r\n", typed, http.StatusForbidden},
		"an empty query":        {bucket + "/?", field("file", "x") + "--B--\r\n", typed, http.StatusForbidden},
		"no file":               {bucket, field("key", "x") + "--B--\r\n", typed, http.StatusBadRequest},
		"a long line":           {bucket, field("key", long) + field("file", "x") + "--B--\r\n", typed, http.StatusBadRequest},
		"a file inside a value": {bucket, field("key", "Content-Disposition: form-data; name=\"file\" "+long) + "--B--\r\n", typed, http.StatusBadRequest},
		"another line end":      {bucket, "--B\nContent-Disposition: form-data; name=\"file\"\n\nx\n--B--\n" + long, typed, http.StatusBadRequest},
		"nobody's":              {bucket, field("key", "x") + field("file", "x") + "--B--\r\n", typed, http.StatusForbidden},
		"an object's address":   {bucket + "/" + string(caseload.NewObjectKey()), field("key", "x") + field("file", "x") + "--B--\r\n", typed, http.StatusMethodNotAllowed},
	} {
		answer := send(t, caseload.SignedRequest{Method: http.MethodPost, URL: c.address, Headers: c.headers}, []byte(c.body))
		if answer.StatusCode != c.want {
			body, _ := io.ReadAll(answer.Body)
			t.Errorf("%s: status %d, want %d: %s", name, answer.StatusCode, c.want, body)
		}
		if answer.Header.Get("Content-Security-Policy") != "sandbox; default-src 'none'" {
			t.Errorf("%s: the answer is not sandboxed", name)
		}
	}
}

// The gateway sees a form's fields in the order they were sent in, not taken apart and written anew on the way: only what
// comes before the file counts.
func TestAFormReachesTheGatewayAsItWasSent(t *testing.T) {
	w := embeddedWorld(t)
	var form strings.Builder
	for _, name := range []string{"a", "b", "c", "d", "e", "key", "file"} {
		fmt.Fprintf(&form, "--B\r\nContent-Disposition: form-data; name=%q\r\n\r\nx\r\n", name)
	}
	form.WriteString("--B--\r\n")
	for range 200 {
		wantStatus(t, send(t, caseload.SignedRequest{
			Method: http.MethodPost, URL: w.origin + "/caseload-files", Headers: map[string]string{"Content-Type": "multipart/form-data; boundary=B"},
		}, []byte(form.String())), http.StatusForbidden)
	}
}

// A store that takes no forms is asked once, and gets single files by PUT.
func TestAStoreWithoutFormsGetsAPut(t *testing.T) {
	asked := 0
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked++; r.Method != http.MethodPost {
			t.Errorf("asked with %s", r.Method)
		}
		w.WriteHeader(http.StatusNotImplemented)
	}))
	defer refusing.Close()
	store := open(t, objectstore.Config{Endpoint: refusing.URL, Region: "auto", Bucket: "b", PathStyle: true, AccessKey: "a", SecretKey: "s"})
	for range 2 {
		form, err := store.SignForm(t.Context(), "", "k", 5, 5, time.Minute)
		must(t, err)
		if form.Method != http.MethodPut || len(form.Fields) != 0 || !strings.HasPrefix(form.URL, refusing.URL+"/b/k?") ||
			!strings.Contains(form.URL, "content-length") {
			t.Fatalf("signed %+v", form)
		}
	}
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
}
