package e2e

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dcdentals.com/caseload/e2e/faultproxy"
	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/objectstore/s3test"
)

// sourcesIn returns the sources of what scanFolder wrote.
func sourcesIn(t testing.TB, dir string, files map[string][]byte) (sources []api.Source) {
	t.Helper()
	for name := range files {
		s, err := api.FileSource(filepath.Join(dir, name), filepath.Dir(name))
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, s)
	}
	return sources
}

// TestUploaderThroughFaults sends through a store that fails on a third of the requests in every way it knows.
func TestUploaderThroughFaults(t *testing.T) {
	s := newSite(t, smallParts...)
	remote := s3test.Start(t, "http://"+s.address)
	faults, err := faultproxy.Start(t.Context(), remote.Endpoint, 7)
	if err != nil {
		t.Fatal(err)
	}
	through := *remote
	through.Endpoint = faults.URL
	s.env = append(s.env, through.Environment()...)
	s.serve([]string{"serve"})
	admin := s.newAdmin()
	caseID := admin.newCase(t, "2026-1", "Phantom")
	dir := t.TempDir()
	files := scanFolder(t, dir, 60*mib, 10)
	faults.SetShare(0.3)
	u := &api.Uploader{Client: &api.Client{Base: admin.base, Token: admin.token, Pause: time.Millisecond}, Case: caseID, Most: 4, Tell: func(n api.Notice) {
		if n.Stage == api.StageFailed {
			t.Logf("source %d failed: %v; its row: %+v", n.Index, n.Err, n.File)
		}
	}}
	outcome, err := u.Run(t.Context(), sourcesIn(t, dir, files))
	faults.SetShare(0)
	if err != nil || outcome.Stored != len(files) || outcome.Failed != 0 {
		t.Fatalf("%+v %v", outcome, err)
	}
	admin.arrived(t, caseID, files)
	t.Logf("faults: %v; sent again: %d bytes", faults.Faults(), outcome.ResentBytes)
}

// TestUploaderGoesThroughTheServer when nothing listens at the store's public address: it finds out, says the code, reports
// it, and goes on by the relay.
func TestUploaderGoesThroughTheServer(t *testing.T) {
	s := newSite(t, smallParts...)
	remote := s3test.Start(t, "http://"+s.address)
	s.env = append(s.env, remote.Environment()...)
	s.env = append(s.env, "AWS_S3_PUBLIC_ENDPOINT_URL=http://"+freeAddress(t))
	s.serve([]string{"serve"})
	admin := s.newAdmin()
	caseID := admin.newCase(t, "2026-1", "Phantom")
	dir := t.TempDir()
	files := scanFolder(t, dir, 20*mib, 1)
	var trouble *api.StoreTrouble
	told := 0
	u := &api.Uploader{Client: &api.Client{Base: admin.base, Token: admin.token, Pause: time.Millisecond}, Case: caseID, Tell: func(n api.Notice) {
		if n.Stage == api.StageRelaying {
			told++
			_ = errors.As(n.Err, &trouble)
		}
	}}
	outcome, err := u.Run(t.Context(), sourcesIn(t, dir, files))
	if err != nil || outcome.Stored != len(files) {
		t.Fatalf("%+v %v", outcome, err)
	}
	if told != 1 || trouble == nil || trouble.Code != api.StoreUnreachable {
		t.Errorf("told %d times: %v", told, trouble)
	}
	admin.arrived(t, caseID, files)
	events, err := u.Client.Events(t.Context(), caseID, 100, 0)
	if err != nil || !slices.ContainsFunc(events, func(e api.Event) bool { return e.Action == "store.unreached" }) {
		t.Errorf("the case's activity does not tell of it: %v", err)
	}
}

// oneFile is a site with a case, a line to it, and one large file.
type oneFile struct {
	admin  person
	caseID string
	line   *lineTo
	path   string
	files  map[string][]byte
	source api.Source
	up     *api.Uploader
}

func newOneFile(t *testing.T, env ...string) *oneFile {
	s := newSite(t, append(env, smallParts...)...)
	s.serve([]string{"serve"})
	o := &oneFile{admin: s.newAdmin(), line: newLine(t, s)}
	o.caseID = o.admin.newCase(t, "2026-1", "Phantom")
	dir := t.TempDir()
	o.path = filepath.Join(dir, "volume.dcm")
	content := noise(22*mib, 3)
	if err := os.WriteFile(o.path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	o.files = map[string][]byte{"/volume.dcm": content}
	var err error
	if o.source, err = api.FileSource(o.path, ""); err != nil {
		t.Fatal(err)
	}
	o.up = &api.Uploader{Client: &api.Client{Base: o.line.URL, Token: o.admin.token, Pause: time.Millisecond}, Case: o.caseID, Most: 2}
	return o
}

// run sends the file and returns the error it failed with.
func (o *oneFile) run(t *testing.T) (seen map[api.Stage]int, failure error) {
	t.Helper()
	seen = map[api.Stage]int{}
	o.up.Tell = func(n api.Notice) {
		seen[n.Stage]++
		if n.Stage == api.StageFailed {
			failure = n.Err
		}
	}
	if _, err := o.up.Run(t.Context(), []api.Source{o.source}); err != nil {
		t.Fatal(err)
	}
	return seen, failure
}

// TestUploaderBreaksOffWhatStalls: a part whose bytes are taken and then nothing more is sent again after the stall.
func TestUploaderBreaksOffWhatStalls(t *testing.T) {
	o := newOneFile(t)
	o.up.Stall = 200 * time.Millisecond
	var stalled atomic.Int32
	over := make(chan struct{})
	o.line.setHook(func(_ http.ResponseWriter, r *http.Request) bool {
		if !isPart(r) || stalled.Add(1) > 2 {
			return false
		}
		_, _ = io.CopyN(io.Discard, r.Body, 1000)
		<-over // the line takes nothing more
		panic(http.ErrAbortHandler)
	})
	seen, failure := o.run(t)
	close(over)
	if failure != nil || seen[api.StageRetrying] < 2 || seen[api.StageRelaying] != 0 {
		t.Fatalf("%v %v", failure, seen)
	}
	o.admin.arrived(t, o.caseID, o.files)
}

// TestUploaderSignsAgain: addresses that live for a second, on a line that brings the first of them when they have expired.
func TestUploaderSignsAgain(t *testing.T) {
	o := newOneFile(t, "CASELOAD_URL_EXPIRY=1s")
	var late, expired atomic.Int32
	o.line.setHook(func(_ http.ResponseWriter, r *http.Request) bool {
		if isPart(r) && late.Add(1) <= 2 {
			await(t, 30*time.Second, "the address expires", func() (bool, error) { return o.expired(r) })
			expired.Add(1)
		}
		return false
	})
	if seen, failure := o.run(t); failure != nil || seen[api.StageRetrying] < 1 || expired.Load() != 2 {
		t.Fatalf("%v %v; %d addresses expired", failure, seen, expired.Load())
	}
	o.admin.arrived(t, o.caseID, o.files)
}

// expired tells whether the store refuses a signed request because its time has passed. It is asked with GET, which the
// signature is not for: of an address that lives the signature is refused.
func (o *oneFile) expired(r *http.Request) (bool, error) {
	again, err := http.NewRequestWithContext(r.Context(), http.MethodGet, o.admin.base+r.URL.RequestURI(), nil)
	if err != nil {
		return false, err
	}
	answer, err := quick.Do(again)
	if err != nil {
		return false, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return bytes.Contains(text, []byte("expired")), err
}

// TestUploaderRefusesWhatChanges: a file that is written to while it is sent fails, leaves nothing unfinished, and can be
// sent anew.
func TestUploaderRefusesWhatChanges(t *testing.T) {
	o := newOneFile(t)
	once := sync.Once{}
	o.line.setHook(func(_ http.ResponseWriter, r *http.Request) bool {
		if isPart(r) {
			once.Do(func() {
				f, err := os.OpenFile(o.path, os.O_WRONLY, 0)
				if err == nil {
					_, err = f.WriteAt([]byte("other"), 20*mib)
				}
				if err == nil {
					err = f.Close()
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		return false
	})
	_, failure := o.run(t)
	if caseload.KindOf(failure) != caseload.Conflict || !strings.Contains(failure.Error(), "changed while it was being sent") {
		t.Fatalf("%v", failure)
	}
	held, err := o.admin.files(t.Context(), o.caseID)
	if err != nil || len(held) != 1 || held[0].State != string(caseload.Abandoned) {
		t.Errorf("%+v %v; want one abandoned upload", held, err)
	}
}

// TestUploaderSaysWhatIsGone: a file that vanishes fails, another one goes on.
func TestUploaderSaysWhatIsGone(t *testing.T) {
	o := newOneFile(t)
	other := filepath.Join(t.TempDir(), "small")
	if err := os.WriteFile(other, []byte("small"), 0o600); err != nil {
		t.Fatal(err)
	}
	small, err := api.FileSource(other, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(o.path); err != nil {
		t.Fatal(err)
	}
	var failure error
	o.up.Tell = func(n api.Notice) {
		if n.Stage == api.StageFailed {
			failure = n.Err
		}
	}
	outcome, err := o.up.Run(t.Context(), []api.Source{o.source, small})
	if err != nil || outcome.Stored != 1 || outcome.Failed != 1 || caseload.KindOf(failure) != caseload.NotFound {
		t.Fatalf("%+v %v %v", outcome, failure, err)
	}
}

// badDisk fails to read from an offset on.
type badDisk struct {
	api.Body
	from int64
}

var errDisk = errors.New("input/output error")

func (b badDisk) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > b.from {
		return 0, errDisk
	}
	return b.Body.ReadAt(p, off)
}

// TestUploaderSaysThatADiskFails: an error in the middle of the file ends that file at once.
func TestUploaderSaysThatADiskFails(t *testing.T) {
	o := newOneFile(t)
	open := o.source.Open
	o.source.Open = func() (api.Body, error) {
		body, err := open()
		return badDisk{body, 12 * mib}, err
	}
	if seen, failure := o.run(t); !errors.Is(failure, errDisk) || seen[api.StageRetrying] != 0 {
		t.Fatalf("%v %v", failure, seen)
	}
}

// TestUploaderEndsAtOnceWithoutRights: a token that is not valid ends everything, without a second try.
func TestUploaderEndsAtOnceWithoutRights(t *testing.T) {
	o := newOneFile(t)
	o.up.Client.Token = "cl_wrong"
	_, err := o.up.Run(t.Context(), []api.Source{o.source})
	if caseload.KindOf(err) != caseload.Unauthenticated {
		t.Fatal(err)
	}
}

// TestUploaderGivesUpAfterItsBudget: nothing succeeds for longer than the budget.
func TestUploaderGivesUpAfterItsBudget(t *testing.T) {
	o := newOneFile(t)
	o.up.Budget = 300 * time.Millisecond
	o.line.setHook(func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) })
	_, err := o.up.Run(t.Context(), []api.Source{o.source})
	var up *api.GivenUp
	if !errors.As(err, &up) || up.After < o.up.Budget {
		t.Fatal(err)
	}
}
