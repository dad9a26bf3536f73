package objectstore

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"dcdentals.com/caseload/internal/caseload"
)

func FuzzAttachment(f *testing.F) {
	for _, name := range []string{"a.zip", "김환자.zip", "a\"b", "a\r\nX: y", "%22", "", "\xff\xfe", "..", "a\u202eb", "'", "a;b=c", "a\\b"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		value := attachment(name)
		for i := range len(value) {
			if value[i] < 0x20 || value[i] > 0x7e {
				t.Fatalf("%q gives byte %#x in %q", name, value[i], value)
			}
		}
		if name == "" {
			return
		}
		kind, parameters, err := mime.ParseMediaType(value)
		if err != nil || kind != "attachment" || len(parameters) != 1 {
			t.Fatalf("%q gives %q: %v %v", name, value, parameters, err)
		}
		saved := parameters["filename"]
		if strings.ContainsAny(saved, "/\\\r\n\x00") || !utf8.ValidString(saved) {
			t.Fatalf("%q is saved as %q", name, saved)
		}
	})
}

// fakeStore is an S3 server that only causes failures.
func fakeStore(t *testing.T, handler http.HandlerFunc) *Store {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	s, err := New(t.Context(), Config{Endpoint: server.URL, Region: "us-east-1", Bucket: "b", PathStyle: true, AccessKey: "AKIDVISIBLE", SecretKey: "topsecret"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestErrorsHaveTheirKindAndKeepSecrets(t *testing.T) {
	for _, c := range []struct {
		status int
		code   string
		kind   caseload.Kind
	}{
		{404, "NoSuchKey", caseload.NotFound},
		{404, "NoSuchUpload", caseload.NotFound},
		{404, "", caseload.NotFound},
		{404, "NoSuchBucket", caseload.Unavailable},
		{412, "PreconditionFailed", caseload.Conflict},
		{409, "ConditionalRequestConflict", caseload.Conflict},
		{400, "BadDigest", caseload.Invalid},
		{400, "XAmzContentChecksumMismatch", caseload.Invalid},
		{400, "EntityTooSmall", caseload.Invalid},
		{400, "InvalidPart", caseload.Invalid},
		{400, "EntityTooLarge", caseload.TooLarge},
		{400, "ExpiredToken", caseload.Unavailable},
		{411, "MissingContentLength", caseload.Invalid},
		{403, "AccessDenied", caseload.Unavailable},
		{403, "SignatureDoesNotMatch", caseload.Unavailable},
		{403, "QuotaExceeded", caseload.Full},
		{503, "SlowDown", caseload.Unavailable},
		{500, "InternalError", caseload.Unavailable},
		{507, "InsufficientStorage", caseload.Full},
		{507, "XMinioStorageFull", caseload.Full},
		{200, "InternalError", caseload.Unavailable}, // Complete may say 200 first and fail after
	} {
		t.Run(fmt.Sprint(c.status, c.code), func(t *testing.T) {
			var asked atomic.Int32
			s := fakeStore(t, func(w http.ResponseWriter, _ *http.Request) {
				asked.Add(1)
				w.Header().Set("Content-Type", "application/xml")
				w.WriteHeader(c.status)
				if c.code != "" {
					fmt.Fprintf(w, "<?xml version=\"1.0\"?><Error><Code>%s</Code><Message>AKIDVISIBLE topsecret</Message></Error>", c.code)
				}
			})
			err := s.CompleteMultipart(t.Context(), "key", "upload", []caseload.Part{{Number: 1, ETag: "e", CRC64NVME: "AAAAAAAAAAA="}}, 1, "AAAAAAAAAAA=")
			if caseload.KindOf(err) != c.kind {
				t.Fatalf("%v has kind %v, want %v", err, caseload.KindOf(err), c.kind)
			}
			var e *caseload.Error
			if !errors.As(err, &e) || strings.Contains(err.Error()+e.Hint, "topsecret") || strings.Contains(err.Error(), "AKID") || strings.Contains(err.Error(), "http://") {
				t.Errorf("the error tells too much: %v", err)
			}
			if c.status == 403 && c.kind == caseload.Unavailable && !strings.Contains(e.Hint, "s3:PutObject") {
				t.Errorf("hint %q does not name the permissions", e.Hint)
			}
			want := int32(1)
			if c.status == 503 || c.status == 500 || (c.status == 200 && c.code != "") || c.code == "ExpiredToken" {
				want = attempts
			}
			if n := asked.Load(); n > want || (c.status == 503 && n != attempts) {
				t.Errorf("asked %d times, want %d", n, want)
			}
		})
	}
}

func TestAStoreThatIsNotThereIsUnavailable(t *testing.T) {
	server := httptest.NewServer(nil)
	address := server.URL
	server.Close()
	s, err := New(t.Context(), Config{Endpoint: address, Region: "us-east-1", Bucket: "b", PathStyle: true, AccessKey: "a", SecretKey: "s"})
	if err != nil {
		t.Fatal(err)
	}
	checks := map[string]error{
		"check": s.Check(t.Context()),
		"put":   s.Put(t.Context(), "k", strings.NewReader("x"), 1, "AAAAAAAAAAA="),
	}
	_, checks["head"] = s.Head(t.Context(), "k", "")
	for name, err := range checks {
		if caseload.KindOf(err) != caseload.Unavailable || strings.Contains(err.Error(), "http://") {
			t.Errorf("%s: %v (%v)", name, err, caseload.KindOf(err))
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Head(ctx, "k", ""); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled call says %v", err)
	}
}

// serveBytes answers ranged reads of data, cutting each answer after cut bytes (0: never), at most times.
func serveBytes(data []byte, cut int, times *atomic.Int32) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var first, last int
		fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &first, &last)
		body := data[first : last+1]
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, last, len(data)))
		w.WriteHeader(http.StatusPartialContent)
		if cut > 0 && len(body) > cut && times.Add(-1) >= 0 {
			_, _ = w.Write(body[:cut])
			panic(http.ErrAbortHandler)
		}
		_, _ = w.Write(body)
	}
}

func TestABrokenReadGoesOnWhereItStood(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789"), 100_000)
	object := caseload.Object{Key: "k", Size: int64(len(data)), ETag: "e"}
	for _, c := range []struct {
		name  string
		cut   int
		times int32
		fails bool
	}{{"twice", 300_000, 2, false}, {"for ever, but each time a little further", 300_000, 1000, false}} {
		t.Run(c.name, func(t *testing.T) {
			var times atomic.Int32
			times.Store(c.times)
			s := fakeStore(t, serveBytes(data, c.cut, &times))
			body, err := s.Stream(t.Context(), object)
			if err != nil {
				t.Fatal(err)
			}
			defer body.Close()
			got, err := io.ReadAll(body)
			if err != nil || !bytes.Equal(got, data) {
				t.Fatalf("%d bytes, %v", len(got), err)
			}
			p := make([]byte, 500_000)
			times.Store(1)
			if n, err := s.ReadRange(t.Context(), object, p, 1000); n != len(p) || err != nil || !bytes.Equal(p, data[1000:501_000]) {
				t.Fatalf("ReadRange: %d bytes, %v", n, err)
			}
		})
	}
	t.Run("without progress it ends", func(t *testing.T) {
		var asked atomic.Int32
		s := fakeStore(t, func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			w.Header().Set("Content-Length", fmt.Sprint(len(data)))
			w.WriteHeader(http.StatusPartialContent)
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		})
		body, err := s.Stream(t.Context(), object)
		if err != nil {
			t.Fatal(err)
		}
		defer body.Close()
		if _, err := io.ReadAll(body); caseload.KindOf(err) != caseload.Unavailable {
			t.Errorf("stream: %v", err)
		}
		if _, err := s.ReadRange(t.Context(), object, make([]byte, len(data)), 0); caseload.KindOf(err) != caseload.Unavailable {
			t.Errorf("range: %v", err)
		}
		if n := asked.Load(); n != 2*attempts {
			t.Errorf("asked %d times", n)
		}
	})
}

func TestAStoreThatStallsIsGivenUp(t *testing.T) {
	release := make(chan struct{})
	s := fakeStore(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			w.Header().Set("Content-Length", "1000000")
			w.WriteHeader(http.StatusPartialContent)
			for { // one byte now and then is not life
				select {
				case <-release:
					return
				case <-r.Context().Done():
					return
				case <-time.After(20 * time.Millisecond):
					_, _ = w.Write([]byte{0})
					w.(http.Flusher).Flush()
				}
			}
		}
		<-release
	})
	defer close(release)
	s.pace = pace{Stall: 200 * time.Millisecond, Least: 1 << 10}
	begun := time.Now()
	body, err := s.Stream(t.Context(), caseload.Object{Key: "k", Size: 1_000_000, ETag: "e"})
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if _, err := io.Copy(io.Discard, body); caseload.KindOf(err) != caseload.Unavailable || !errors.Is(err, errStalled) {
		t.Errorf("stream: %v", err)
	}
	err = s.Put(t.Context(), "k", endless{}, 1<<30, "AAAAAAAAAAA=")
	if caseload.KindOf(err) != caseload.Unavailable {
		t.Errorf("put: %v", err)
	}
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("given up only after %v", took)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// A slow body is its sender's business: the stall guard watches the store only.
func TestASlowBodyIsNotAStall(t *testing.T) {
	s := fakeStore(t, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	s.pace.Stall = 50 * time.Millisecond
	reader, writer := io.Pipe()
	go func() {
		for range 4 {
			time.Sleep(120 * time.Millisecond) // the slowness is what is tested
			_, _ = writer.Write([]byte("12345"))
		}
		_ = writer.Close()
	}()
	if err := s.Put(t.Context(), "k", reader, 20, "AAAAAAAAAAA="); err != nil {
		t.Error(err)
	}
}

func TestABodyThatBreaksOffIsItsSendersFault(t *testing.T) {
	s := fakeStore(t, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	gone := errors.New("connection reset by the browser")
	err := s.Put(t.Context(), "k", io.MultiReader(strings.NewReader("abc"), errorReader{gone}), 10, "AAAAAAAAAAA=")
	if caseload.KindOf(err) != caseload.Invalid || !errors.Is(err, gone) {
		t.Errorf("%v (%v)", err, caseload.KindOf(err))
	}
}

func TestCloudFront(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name string, block *pem.Block) string {
		path := filepath.Join(dir, name)
		data := []byte("not a key")
		if block != nil {
			data = pem.EncodeToMemory(block)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	one := write("pkcs1.pem", &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	eight := write("pkcs8.pem", &pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
	broken := write("broken.pem", nil)
	base := Config{Region: "eu-west-1", Bucket: "bucket", AccessKey: "a", SecretKey: "s", CustomDomain: "cdn.example.com"}

	for name, c := range map[string]struct{ domain, id, file string }{
		"no key id":       {"cdn.example.com", "", one},
		"no key file":     {"cdn.example.com", "K1", ""},
		"no such file":    {"cdn.example.com", "K1", filepath.Join(dir, "absent.pem")},
		"not a key":       {"cdn.example.com", "K1", broken},
		"not a host name": {"cdn.example.com/path", "K1", one},
	} {
		t.Run("refused: "+name, func(t *testing.T) {
			config := base
			config.CustomDomain, config.CloudFrontKeyID, config.CloudFrontKeyFile = c.domain, c.id, c.file
			_, err := New(t.Context(), config)
			var e *caseload.Error
			if !errors.As(err, &e) || e.Kind != caseload.Invalid || !strings.Contains(e.Hint, "AWS_CLOUDFRONT_KEY_FILE") {
				t.Errorf("%v", err)
			}
		})
	}
	for _, file := range []string{one, eight} {
		config := base
		config.CloudFrontKeyID, config.CloudFrontKeyFile = "K1", file
		s, err := New(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.SignGet(t.Context(), "", "fkey", "v 1", "김 \"a\"+b.zip", "application/zip", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(r.URL)
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		if u.Host != "cdn.example.com" || u.Path != "/fkey" || q.Get("versionId") != "v 1" || q.Get("Key-Pair-Id") != "K1" ||
			q.Get("response-content-type") != "application/zip" || q.Get("response-content-disposition") != attachment("김 \"a\"+b.zip") ||
			strings.Contains(u.RawQuery, "+") {
			t.Fatalf("signed %s", r.URL)
		}
		// The signature is over the canned policy for exactly this URL, as CloudFront verifies it.
		resource, _, _ := strings.Cut(r.URL, "&Expires=")
		policy := fmt.Sprintf(`{"Statement":[{"Resource":"%s","Condition":{"DateLessThan":{"AWS:EpochTime":%s}}}]}`, resource, q.Get("Expires"))
		signature, err := base64.StdEncoding.DecodeString(strings.NewReplacer("-", "+", "_", "=", "~", "/").Replace(q.Get("Signature")))
		if err != nil {
			t.Fatal(err)
		}
		sum := sha1.Sum([]byte(policy))
		if err := rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA1, sum[:], signature); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if until := time.Until(r.ExpiresAt).Round(time.Second); until != time.Minute || fmt.Sprint(r.ExpiresAt.Unix()) != q.Get("Expires") {
			t.Errorf("ends in %v, says %s", until, q.Get("Expires"))
		}
		if got := s.Origins(); len(got) != 2 || got[0] != "https://cdn.example.com" || !strings.HasPrefix(got[1], "https://bucket.s3.eu-west-1.") {
			t.Errorf("origins %v", got)
		}
	}
}

func TestAddressesOfExternalStores(t *testing.T) {
	for _, c := range []struct {
		config Config
		want   string
	}{
		{Config{}, "https://bucket.s3.eu-central-1.amazonaws.com/k?"},
		{Config{PathStyle: true}, "https://s3.eu-central-1.amazonaws.com/bucket/k?"},
		{Config{Endpoint: "http://minio:9000", PathStyle: true}, "http://minio:9000/bucket/k?"},
		{Config{Endpoint: "http://minio:9000", PublicEndpoint: "https://files.example.com", PathStyle: true}, "https://files.example.com/bucket/k?"},
		{Config{Endpoint: "https://s3.example.com"}, "https://bucket.s3.example.com/k?"},
	} {
		c.config.Region, c.config.Bucket, c.config.AccessKey, c.config.SecretKey, c.config.SessionToken = "eu-central-1", "bucket", "a", "s", "token"
		s, err := New(t.Context(), c.config)
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.SignPart(t.Context(), "https://ours.example", "k", "u", caseload.Part{Number: 1, Size: 5, CRC64NVME: "AAAAAAAAAAA="}, time.Minute)
		if err != nil || !strings.HasPrefix(r.URL, c.want) || !strings.Contains(r.URL, "X-Amz-Security-Token=token") {
			t.Errorf("%+v: %s %v", c.config, r.URL, err)
		}
	}
	for _, c := range []Config{{}, {Bucket: "b"}, {Region: "r"}, {Bucket: "b", Region: "r", Endpoint: "minio:9000"}, {Bucket: "b", Region: "r", PublicEndpoint: "ftp://x"}} {
		if _, err := New(t.Context(), c); caseload.KindOf(err) != caseload.Invalid {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// A store is known by more than Server, where a proxy puts its own name.
func TestAStoreBehindAProxyIsKnown(t *testing.T) {
	const node = "470a0afc0f6fdbebb6a8e14ece29122784c0656e19563387135a7c8e02feb163"
	for _, c := range []struct {
		header map[string]string
		want   caseload.StoreKind
	}{
		{map[string]string{"Server": "MinIO"}, caseload.StoreMinIO},
		{map[string]string{"Server": "nginx/1.22.1", "X-Amz-Id-2": node, "X-Ratelimit-Limit": "6755"}, caseload.StoreMinIO},
		{map[string]string{"Server": "cloudflare", "X-Minio-Error-Code": "AccessDenied"}, caseload.StoreMinIO},
		{map[string]string{"Server": "cloudflare"}, caseload.StoreR2},
		{map[string]string{"Server": "AmazonS3", "X-Amz-Id-2": "eftixk72aD6Ap51TnqcoF8eFidJG9Z/2mkiDFu8yU9AS1ed4OpIszj7UDNEHGran"}, caseload.StoreAWS},
		{map[string]string{"Server": "nginx/1.22.1", "X-Amz-Request-Id": "tx0000"}, caseload.StoreOther},
	} {
		h := http.Header{}
		for name, value := range c.header {
			h.Set(name, value)
		}
		if got := storeKind(h); got != c.want {
			t.Errorf("%v is taken for %q, want %q", c.header, got, c.want)
		}
	}
}
