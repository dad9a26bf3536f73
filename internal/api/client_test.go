package api_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/caseload"
)

// shaky is a server and a store in one that fails as it is told. It keeps the parts it was sent.
type shaky struct {
	mu     sync.Mutex
	faults map[string][]int // per "METHOD path": statuses to answer first; 0 cuts the connection, lost does so once the request was carried out
	calls  map[string]int
	parts  map[string][]byte
	slow   bool // the first addresses have expired when they arrive
	url    string
}

func newShaky(t *testing.T) (*shaky, *api.Client) {
	s := &shaky{faults: map[string][]int{}, calls: map[string]int{}, parts: map[string][]byte{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s, &api.Client{Base: server.URL, Token: "cl_x", Pause: time.Millisecond}
}

func (s *shaky) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	at := r.Method + " " + r.URL.Path
	s.mu.Lock()
	s.calls[at]++
	fault := -1
	if f := s.faults[at]; len(f) > 0 {
		fault, s.faults[at] = f[0], f[1:]
	}
	s.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	switch {
	case err != nil || fault == 0:
		panic(http.ErrAbortHandler)
	case fault > lost:
		w.Header().Set("Content-Type", api.ProblemType)
		w.WriteHeader(fault)
		_ = json.NewEncoder(w).Encode(api.Problem{Kind: "unavailable", Detail: "not now"})
		return
	}
	if fault == lost {
		defer panic(http.ErrAbortHandler)
		w = httptest.NewRecorder()
	}
	var out any
	switch at {
	case "GET /api/v1/files/f/parts":
		out = s.held()
	case "POST /api/v1/cases/c/files":
		out = api.Planned{Files: []api.PlannedFile{{File: &api.File{ID: "f", Route: "direct", Size: 1000, PartSize: 400, Parts: 3}}}}
	case "POST /api/v1/files/f/parts":
		var in api.SignParts
		_ = json.Unmarshal(body, &in)
		signed := api.SignedParts{}
		for _, p := range in.Parts {
			signed.Requests = append(signed.Requests, api.SignedRequest{
				Part: p.Number, Method: "PUT", URL: fmt.Sprintf("%s/store/%d", s.url, p.Number), ExpiresAt: s.expiry(),
			})
		}
		out = signed
	case "PUT /store/1", "PUT /store/2", "PUT /store/3":
		s.mu.Lock()
		s.parts[r.URL.Path] = body
		s.mu.Unlock()
		return
	case "GET /api/v1/store-test":
		out = api.StoreTest{Request: api.SignedRequest{Method: "PUT", URL: s.url + "/store/none"}}
	case "PUT /store/none":
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte("<Error><Code>NoSuchUpload</Code></Error>"))
		return
	default:
		out = api.File{ID: "f", State: "stored"}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(out)
}

// lost is the fault of an answer that nobody hears.
const lost = 1

func (s *shaky) held() (out api.Parts) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := 1; n <= 3; n++ {
		if body, held := s.parts[fmt.Sprintf("/store/%d", n)]; held {
			sum, _ := api.Checksum(bytes.NewReader(body))
			out.Parts = append(out.Parts, api.Part{Number: n, Size: int64(len(body)), CRC64NVME: sum})
		}
	}
	return out
}

// expiry is past for the addresses of the first request of a server that is told so.
func (s *shaky) expiry() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.slow && s.calls["POST /api/v1/files/f/parts"] == 1 {
		return time.Now().Add(-time.Minute)
	}
	return time.Now().Add(time.Minute)
}

func content(t *testing.T) []byte {
	b := make([]byte, 1000)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestUploadSurvivesWhatPasses(t *testing.T) {
	s, client := newShaky(t)
	s.faults["POST /api/v1/cases/c/files"] = []int{429}
	s.faults["POST /api/v1/files/f/parts"] = []int{503, 0}
	s.faults["PUT /store/1"] = []int{403}                                              // the address expired
	s.faults["PUT /store/2"] = []int{0, 500}                                           // the line, then the store
	s.faults["PUT /store/3"] = []int{503, 503, 507, 507, 507, 507, 507, 507, 507, 507} // the store, then no room for longer than it may refuse
	s.faults["POST /api/v1/files/f/complete"] = []int{0, 503}
	want := content(t)
	var sent atomic.Int64
	f, err := client.UploadFile(t.Context(), "c", "a.bin", bytes.NewReader(want), 1000, api.Upload{Sent: func(n int64) { sent.Store(n) }})
	if err != nil || f.State != "stored" {
		t.Fatalf("%+v %v", f, err)
	}
	got := bytes.Join([][]byte{s.parts["/store/1"], s.parts["/store/2"], s.parts["/store/3"]}, nil)
	if !bytes.Equal(got, want) {
		t.Fatalf("the store holds %d other bytes", len(got))
	}
	if s.calls["POST /api/v1/files/f/parts"] < 3+2+5 {
		t.Errorf("addresses were asked for %d times: not anew for every try", s.calls["POST /api/v1/files/f/parts"])
	}
	if sent.Load() < 1000-10 || sent.Load() > 1000 {
		t.Errorf("%d bytes were told as sent", sent.Load())
	}
}

// What arrived though its answer was lost does not travel twice; what did not arrive does, and so does what nobody can tell of.
func TestPartsWhoseAnswersWereLostAreAskedFor(t *testing.T) {
	s, client := newShaky(t)
	s.faults["PUT /store/1"] = []int{lost}
	s.faults["PUT /store/2"] = []int{0, lost}
	s.faults["GET /api/v1/files/f/parts"] = []int{0}
	want := content(t)
	var sent atomic.Int64
	if _, err := client.UploadFile(t.Context(), "c", "a.bin", bytes.NewReader(want), 1000, api.Upload{Sent: func(n int64) { sent.Store(n) }}); err != nil {
		t.Fatal(err)
	}
	if s.calls["PUT /store/1"] != 1 || s.calls["PUT /store/2"] != 2 || s.calls["PUT /store/3"] != 1 {
		t.Errorf("the parts went %d, %d and %d times", s.calls["PUT /store/1"], s.calls["PUT /store/2"], s.calls["PUT /store/3"])
	}
	if sent.Load() > 1000 {
		t.Errorf("%d bytes were told as sent", sent.Load())
	}

	s, client = newShaky(t)
	s.faults["PUT /store/1"] = []int{lost}
	s.faults["GET /api/v1/files/f/parts"] = slices.Repeat([]int{0}, 20) // net/http itself asks again on a connection that was used
	if _, err := client.UploadFile(t.Context(), "c", "a.bin", bytes.NewReader(want), 1000, api.Upload{}); err != nil || s.calls["PUT /store/1"] != 2 {
		t.Errorf("%v; without an answer it went %d times", err, s.calls["PUT /store/1"])
	}
}

// TestAnAddressOfThePastIsNotUsed: it was signed ahead, and the line came to it too late. Sending there would be in vain.
func TestAnAddressOfThePastIsNotUsed(t *testing.T) {
	s, client := newShaky(t)
	s.slow = true
	if _, err := client.UploadFile(t.Context(), "c", "a.bin", bytes.NewReader(content(t)), 1000, api.Upload{}); err != nil {
		t.Fatal(err)
	}
	signs, puts := s.calls["POST /api/v1/files/f/parts"], s.calls["PUT /store/1"]+s.calls["PUT /store/2"]+s.calls["PUT /store/3"]
	if signs < 2 || puts != 3 {
		t.Errorf("%d requests for addresses, %d parts sent; want several, and each part once", signs, puts)
	}
}

func TestUploadGivesUpOnWhatStays(t *testing.T) {
	for at, kind := range map[string]int{
		"POST /api/v1/cases/c/files":    409,
		"POST /api/v1/files/f/parts":    410,
		"POST /api/v1/files/f/complete": 409,
	} {
		s, client := newShaky(t)
		s.faults[at] = []int{kind, kind}
		_, err := client.UploadFile(t.Context(), "c", "a.bin", bytes.NewReader(content(t)), 1000, api.Upload{Parallel: 1})
		if err == nil || s.calls[at] != 1 {
			t.Errorf("%s: %v after %d calls; want an error after one", at, err, s.calls[at])
		}
	}
}

func TestWhatMightHappenTwiceIsNotRepeated(t *testing.T) {
	s, client := newShaky(t)
	s.faults["POST /api/v1/cases"] = []int{503}
	_, err := client.CreateCase(t.Context(), api.NewCase{})
	if caseload.KindOf(err) != caseload.Unavailable || s.calls["POST /api/v1/cases"] != 1 {
		t.Fatalf("%v after %d calls", err, s.calls["POST /api/v1/cases"])
	}
}

func TestCallsEndWithTheirContext(t *testing.T) {
	s, client := newShaky(t)
	client.Pause = time.Hour
	s.faults["GET /api/v1/me"] = []int{503, 503}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begun := time.Now()
	if _, err := client.Me(ctx); err == nil || time.Since(begun) > 10*time.Second {
		t.Fatalf("%v after %s", err, time.Since(begun))
	}
}

// The check value of CRC-64/NVME over "123456789" (NVM Command Set, and the catalogue of CRC algorithms).
func TestChecksumIsCRC64NVME(t *testing.T) {
	sum, err := api.Checksum(bytes.NewReader([]byte("123456789")))
	if err != nil || sum != "rosUhgp5mIg=" { // ae8b14860a799888
		t.Fatalf("%q %v", sum, err)
	}
}

// A report says why the store was not reached, and not the signed address at which.
func TestAReportHoldsNoSignedAddress(t *testing.T) {
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(api.StoreTest{Endpoint: closed.URL, Request: api.SignedRequest{
			Method: http.MethodPut, URL: closed.URL + "/bucket/key?X-Amz-Credential=AKIA&X-Amz-Signature=secret",
		}})
	}))
	defer server.Close()
	trouble, err := (&api.Client{Base: server.URL, Token: "cl_x"}).TestStore(t.Context())
	if err != nil || trouble == nil {
		t.Fatal(trouble, err)
	}
	if trouble.Code != api.StoreUnreachable || strings.Contains(trouble.Detail, "X-Amz") || !strings.Contains(trouble.Detail, "refused") {
		t.Errorf("reported %q", trouble)
	}
}
