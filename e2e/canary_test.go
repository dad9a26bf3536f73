package e2e

import (
	"bytes"
	"context"
	"database/sql"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/e2e/phantom"
	"dcdentals.com/caseload/internal/api"
)

// TestNoPatientTextLeaks sends a patient and file names that occur nowhere else through everything, then looks for them
// where they must not be: logs, metrics, job arguments, object keys, signed URLs, the audit log's details.
func TestNoPatientTextLeaks(t *testing.T) {
	for _, engine := range engines() {
		t.Run(engine.name, func(t *testing.T) {
			canaries := []string{"Zwitschervogel", "임대석", "canaryfilename", "canaryfolder", "CANARY-ID-77", "canarynote"}
			admin := freeAddress(t)
			s := newSite(t, append(engine.settings(t),
				"CASELOAD_DIRECT_THRESHOLD=6MiB", "CASELOAD_PART_SIZE=5MiB", "CASELOAD_LOG_LEVEL=debug", "CASELOAD_ADMIN_ADDR="+admin)...)
			p := s.newAdmin()
			running := s.serve([]string{"serve"})
			urls := sendCanaries(t, p)
			_, metrics, err := get(t.Context(), "http://"+admin+"/metrics")
			if err != nil || !bytes.Contains(metrics, []byte("caseload_")) {
				t.Fatalf("metrics: %v", err)
			}
			if err := running.stop(); err != nil {
				t.Fatalf("stop: %v", err)
			}
			look := func(where, text string) {
				t.Helper()
				decoded, _ := url.QueryUnescape(text)
				for _, c := range canaries {
					if strings.Contains(text, c) || strings.Contains(decoded, c) {
						t.Errorf("%s holds %q", where, c)
					}
				}
			}
			log := s.logged()
			if len(log) < 1000 {
				t.Errorf("only %d bytes of log at debug level: it proves nothing", len(log))
			}
			look("the log", log)
			look("the metrics", string(metrics))
			for _, u := range urls {
				address, err := url.Parse(u)
				if err != nil {
					t.Fatal(err)
				}
				q := address.Query()
				q.Del("response-content-disposition") // a download's name must reach the person; the link is pinned and short-lived
				address.RawQuery = q.Encode()
				look("a signed URL", address.String())
			}
			db := s.database()
			look("the queue's jobs", column(t, db, `SELECT CAST(args AS TEXT) FROM river_job`))
			look("the object keys", column(t, db, `SELECT object FROM files`))
			look("the audit log", column(t, db, `SELECT detail FROM events`))
			err = filepath.WalkDir(filepath.Join(s.data(), "store"), func(path string, _ os.DirEntry, err error) error {
				look("the store's folder", path)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

// sendCanaries walks through the API with canaries everywhere, through right and wrong requests, and returns every URL
// that was signed.
func sendCanaries(t *testing.T, p person) (urls []string) {
	ctx := t.Context()
	var c api.Case
	err := p.call(ctx, "POST", "/cases", map[string]string{"number": "2026-0001", "patient": "Zwitschervogel", "note": "canarynote"}, &c)
	if err != nil {
		t.Fatal(err)
	}
	scan := phantom.Scan{Seed: 99, Patient: "Zwitschervogel^Anna=임대석", ID: "CANARY-ID-77", Slices: 60, Size: 256}
	var z bytes.Buffer
	if err := scan.WriteZIP(&z); err != nil {
		t.Fatal(err)
	}
	spec := func(name string, size int) api.Plan {
		return api.Plan{Files: []api.FileSpec{{Name: name, Path: "canaryfolder/임대석", Size: int64(size), ContentType: "application/zip"}}}
	}
	for name, content := range map[string][]byte{
		"canaryfilename-임대석.zip": z.Bytes(), "canaryfilename.dcm": scan.Slice(1), "canaryfilename broken.dcm": append(scan.Slice(2)[:900:900], 1, 2, 3),
	} {
		var planned api.Planned
		if err := p.call(ctx, "POST", "/cases/"+c.ID+"/files", spec(name, len(content)), &planned); err != nil || planned.Files[0].File == nil {
			t.Fatalf("plan: %v %+v", err, planned)
		}
		f := *planned.Files[0].File
		if f.Route == "small" {
			if _, err := p.put(ctx, f.ID, append(content[:len(content)-1:len(content)-1], '!')); err != nil { // a liar's bytes are another file; both are fine here
				t.Logf("first put: %v", err)
			} else {
				continue
			}
			if _, err := p.put(ctx, f.ID, content); err != nil {
				t.Fatal(err)
			}
		} else {
			var signed api.SignedParts
			in := api.SignParts{Parts: []api.PartSpec{{Number: 1, CRC64NVME: crc64nvme(content[:f.PartSize])}}}
			if err := p.call(ctx, "POST", "/files/"+f.ID+"/parts", in, &signed); err != nil {
				t.Fatal(err)
			}
			urls = append(urls, signed.Requests[0].URL)
			if err := p.sendParts(ctx, f, content); err != nil {
				t.Fatal(err)
			}
			if _, err := p.complete(ctx, f.ID); err != nil {
				t.Fatal(err)
			}
		}
		await(t, 90*time.Second, "the canary read", func() (bool, error) {
			f, err := p.file(ctx, f.ID)
			return f.State == "ready" || f.State == "rejected", err
		})
		var link api.Link
		if err := p.call(ctx, "GET", "/files/"+f.ID+"/link", nil, &link); err != nil {
			t.Fatal(err)
		}
		urls = append(urls, link.URL)
		if _, _, err := p.download(ctx, f.ID); err != nil {
			t.Fatal(err)
		}
	}
	wrong(ctx, t, p, c.ID, spec)
	return urls
}

// wrong sends requests that fail, for errors like to quote what they were given.
func wrong(ctx context.Context, t *testing.T, p person, caseID string, spec func(string, int) api.Plan) {
	for _, plan := range []api.Plan{spec("canaryfilename\x00임대석", 10), spec("canaryfilename"+strings.Repeat("임대석", 100), 10), spec("canaryfilename", -1)} {
		var planned api.Planned
		if err := p.call(ctx, "POST", "/cases/"+caseID+"/files", plan, &planned); err == nil && planned.Files[0].Error == nil {
			t.Error("a wrong plan was taken")
		}
	}
	companion, api := "/companion/cases/"+caseID+"/s3", "/api/v1/cases/"+caseID
	for _, ask := range []struct{ method, address, kind, body string }{
		{"GET", "/cases?q=Zwitschervogel", "", ""},
		{"GET", "/api/v1/cases?q=Zwitschervogel", "", ""},
		{"GET", "/files/canaryfilename", "", ""},
		{"GET", "/drops/canaryfilename/receipt", "", ""},
		{"GET", "/api/v1/cases?Zwitschervogel=1", "", ""},
		{"GET", companion + "/params?filename=canaryfilename&metadata[relativePath]=canaryfolder/canaryfilename", "", ""},
		{"GET", companion + "/params?filename=canaryfilename&metadata[size]=canarynote", "", ""},
		{"GET", companion + "/multipart/canaryfilename?key=canaryfilename", "", ""},
		{"POST", companion + "/multipart", "application/json", `{"filename":"canaryfilename","metadata":{"name":"canaryfilename","relativePath":"canaryfolder/canaryfilename"}}`},
		{"PUT", api + "/contents", "multipart/mixed; boundary=B", "--B\r\nContent-ID: canaryfilename\r\nContent-Length: 1\r\n\r\nx\r\n--B\r\nContent-Disposition: attachment; filename=canaryfilename\r\n"},
		{"POST", api + "/match", "application/json", `{"sizes":["canarynote"]}`},
		{"POST", "/api/v1/store-reports", "application/json", `{"code":"canarynote","detail":"canarynote"}`},
	} {
		r, err := http.NewRequestWithContext(ctx, ask.method, p.base+ask.address, strings.NewReader(ask.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+p.token)
		if ask.kind != "" {
			r.Header.Set("Content-Type", ask.kind)
		}
		answer, err := quick.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
	}
}

// column returns all values of a query's one column, a line each.
func column(t *testing.T, db *sql.DB, query string) string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all strings.Builder
	for rows.Next() {
		var value string
		if err := rows.Scan(&value); err != nil {
			t.Fatal(err)
		}
		all.WriteString(value + "\n")
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if all.Len() == 0 {
		t.Errorf("%s gave nothing: it proves nothing", query)
	}
	return all.String()
}
