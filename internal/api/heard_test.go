package api_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/api"
)

// forgetful takes small files, but the first time only two of a batch, and nobody hears of it.
type forgetful struct {
	mu      sync.Mutex
	planned map[string]api.FileSpec // by id
	stored  map[string]string       // checksums by id
	came    map[string]int          // how often the bytes of each id came
	asked   int
}

func (s *forgetful) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out any
	switch r.Method + " " + r.URL.Path {
	case "GET /api/v1/me":
		out = api.Me{Limits: api.Limits{MaxFileSize: 8 << 20, MaxBatch: 10, MaxBatchFiles: 10, MaxBatchBytes: 8 << 20}}
	case "POST /api/v1/cases/c/match":
		var in api.Match
		_ = json.NewDecoder(r.Body).Decode(&in)
		matched := api.Matched{}
		for _, id := range in.Files {
			s.asked++
			if sum, stored := s.stored[id]; stored {
				matched.Received = append(matched.Received, api.MatchedFile{ID: id, Size: s.planned[id].Size, CRC64NVME: sum})
			}
		}
		out = matched
	case "POST /api/v1/cases/c/files":
		var in api.Plan
		_ = json.NewDecoder(r.Body).Decode(&in)
		answer := api.Planned{Drop: "d"}
		for i, f := range in.Files {
			id := fmt.Sprint("f", i)
			s.planned[id] = f
			answer.Files = append(answer.Files, api.PlannedFile{File: &api.File{ID: id, Case: "c", Name: f.Name, Size: f.Size, Route: "small", State: "planned"}})
		}
		out = answer
	case "PUT /api/v1/cases/c/contents":
		out = s.take(r)
	default:
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(out)
}

func (s *forgetful) take(r *http.Request) (answer api.Received) {
	_, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	first := len(s.came) == 0
	parts := multipart.NewReader(r.Body, params["boundary"])
	for part, err := parts.NextPart(); err == nil; part, err = parts.NextPart() {
		id := strings.Trim(part.Header.Get("Content-Id"), "<>")
		_, _ = io.Copy(io.Discard, part)
		s.came[id]++
		if first && len(s.stored) == 2 {
			continue
		}
		s.stored[id] = part.Header.Get("X-Amz-Checksum-Crc64nvme")
		answer.Files = append(answer.Files, api.ReceivedFile{ID: id, File: &api.File{ID: id, State: "stored"}})
	}
	if first {
		panic(http.ErrAbortHandler)
	}
	return answer
}

// memory is a file that is not on a disk.
type memory struct{ *bytes.Reader }

func (memory) Unchanged() error { return nil }
func (memory) Close() error     { return nil }

// Of a batch whose answer was lost, what arrived does not travel twice.
func TestSmallFilesWhoseAnswerWasLostAreAskedFor(t *testing.T) {
	s := &forgetful{planned: map[string]api.FileSpec{}, stored: map[string]string{}, came: map[string]int{}}
	server := httptest.NewServer(s)
	defer server.Close()
	var sources []api.Source
	for i := range 4 {
		body := bytes.Repeat([]byte{byte(i)}, 1000+i)
		sources = append(sources, api.Source{
			Name: fmt.Sprint("slice", i), Size: int64(len(body)), Open: func() (api.Body, error) { return memory{bytes.NewReader(body)}, nil },
		})
	}
	stored := map[string]string{}
	u := &api.Uploader{Client: &api.Client{Base: server.URL, Token: "cl_x", Pause: time.Millisecond}, Case: "c", Tell: func(n api.Notice) {
		if n.Stage == api.StageStored {
			stored[n.File.ID] = n.File.State
		}
	}}
	outcome, err := u.Run(t.Context(), sources)
	if err != nil || outcome.Stored != 4 || outcome.Failed != 0 {
		t.Fatalf("%+v %v", outcome, err)
	}
	if want := map[string]int{"f0": 1, "f1": 1, "f2": 2, "f3": 2}; fmt.Sprint(s.came) != fmt.Sprint(want) || s.asked != 4 {
		t.Errorf("the bytes of each came %v times, want %v; %d files were asked for", s.came, want, s.asked)
	}
	if outcome.ResentBytes != 1002+1003 {
		t.Errorf("%d bytes were told as sent in vain", outcome.ResentBytes)
	}
	if len(stored) != 4 || stored["f0"] != "stored" {
		t.Errorf("told as stored: %v", stored)
	}
}

// closed lets the first batch find nobody there, before any of it is read.
type closed struct{ met atomic.Bool }

func (c *closed) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, "/contents") && !c.met.Swap(true) {
		return nil, errors.New("connection refused")
	}
	return http.DefaultTransport.RoundTrip(r)
}

// What could not be read has no checksum, and no file of the case is it.
func TestAFileThatCannotBeReadIsNeverTakenForArrived(t *testing.T) {
	s := &forgetful{planned: map[string]api.FileSpec{}, stored: map[string]string{}, came: map[string]int{}}
	server := httptest.NewServer(s)
	defer server.Close()
	var opened atomic.Int64
	sources := []api.Source{
		{Name: "whole", Size: 5, Open: func() (api.Body, error) { return memory{bytes.NewReader([]byte("12345"))}, nil }},
		{Name: "gone", Size: 2 << 20, Open: func() (api.Body, error) {
			if opened.Add(1) == 1 {
				return memory{bytes.NewReader(make([]byte, 2<<20))}, nil
			}
			return nil, errors.New("the medium was taken out")
		}},
	}
	u := &api.Uploader{Client: &api.Client{Base: server.URL, Token: "cl_x", Pause: time.Millisecond, HTTP: &http.Client{Transport: &closed{}}}, Case: "c"}
	outcome, err := u.Run(t.Context(), sources)
	if err != nil || outcome.Stored != 1 || outcome.Failed != 1 {
		t.Fatalf("%+v %v", outcome, err)
	}
}
