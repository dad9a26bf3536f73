package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"dcdentals.com/caseload/internal/api"
)

// trip is a server in a function.
type trip func(*http.Request) (*http.Response, error)

func (f trip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// slowServer takes every file as a small one, and is never done with taking its bytes.
func slowServer(puts *atomic.Int32) trip {
	return func(r *http.Request) (*http.Response, error) {
		var out any
		switch r.Method + " " + r.URL.Path {
		case "GET /api/v1/me":
			out = api.Me{Limits: api.Limits{MaxFileSize: 1 << 30, MaxBatch: 1000}}
		case "GET /api/v1/cases":
			out = api.Cases{Cases: []api.CaseSummary{{Case: api.Case{ID: "c", Number: "scan"}}}}
		case "POST /api/v1/cases/c/match":
			out = api.Matched{}
		case "POST /api/v1/cases/c/files":
			out = api.Planned{Drop: "d", Files: []api.PlannedFile{{File: &api.File{ID: "f", Route: "small", Size: 5000}}}}
		case "PUT /api/v1/files/f/content", "PUT /api/v1/cases/c/contents":
			puts.Add(1)
			<-r.Context().Done()
			return nil, r.Context().Err()
		default:
			out = struct{}{}
		}
		body, err := json.Marshal(out)
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(string(body))), Request: r}, err
	}
}

// TestTheHoursEndWhatIsUnderWay: an upload that runs into the end of the hours is broken off then, and is ready to go on
// when they begin again.
func TestTheHoursEndWhatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var puts atomic.Int32
		w := &watcher{
			folder: &folder{path: t.TempDir(), entries: map[string]*entry{}}, from: caseFromName,
			client: &api.Client{Base: "http://server", Token: "cl_x", HTTP: &http.Client{Transport: slowServer(&puts)}},
			sender: &api.Uploader{}, now: func() time.Time { return time.Now().UTC() },
		}
		w.log = newWatchLog(io.Discard, io.Discard, false, w.now)
		files := &watched{t, w.folder, w.now()}
		files.write("scan.bin", 5000)
		files.want(files.after(0), "scan.bin")
		var err error
		if w.hours, err = parseHours(w.now().Format("15:04") + "-" + w.now().Add(time.Hour).Format("15:04")); err != nil {
			t.Fatal(err)
		}
		_, until := w.hours.at(w.now())
		if err := w.sendReady(t.Context()); err != nil {
			t.Fatal(err)
		}
		if puts.Load() == 0 || !time.Now().Equal(until) {
			t.Errorf("%d tries; it ended at %s, the hours at %s", puts.Load(), w.now(), until)
		}
		if len(w.folder.ready(w.now())) != 1 {
			t.Error("what was broken off is not sent in the next hours")
		}
	})
}
