package e2e

import (
	"bytes"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"dcdentals.com/caseload/e2e/later"
	"dcdentals.com/caseload/e2e/phantom"
	"dcdentals.com/caseload/internal/api"
)

// claimsLapse is the time after which another process takes up what a killed one had claimed.
const claimsLapse = 11 * time.Minute

// doomed is everything a clean-up of one site meets, with what lives beside it.
type doomed struct {
	site  *site
	admin person
	db    *sql.DB

	live, trash, finished map[string][]byte // content by file id
	caseID, finishedCase  string
	uploads               int // that never arrived
}

// TestACleanUpThatIsKilledGoesOnToItsEnd kills `caseload cleanup` and then the server, by SIGKILL, again and again while they
// carry a clean-up out, on both engines, as soon as the database shows that more of it is done. Nothing live goes, the next run
// goes on to the end, and the audit log has each deletion once.
func TestACleanUpThatIsKilledGoesOnToItsEnd(t *testing.T) {
	for _, engine := range engines() {
		t.Run(engine.name, func(t *testing.T) {
			d := furnish(t, engine)
			kills := 0
			for range 2 {
				kills += d.killCommand(t)
			}
			kills += d.killServer(t)
			if kills < 3 {
				t.Errorf("only %d kills met a clean-up in its middle", kills)
			}
			d.pass(t, claimsLapse)
			d.site.serve([]string{"serve"})
			await(t, 60*time.Second, "the clean-up at its end", func() (bool, error) {
				n, err := number(t.Context(), d.db, `SELECT (SELECT count(*) FROM cleanup_plans WHERE state = 'approved')
					+ (SELECT count(*) FROM intents WHERE state = 'open' AND due_at < `+fmt.Sprint(time.Now().UnixMilli())+`)
					+ (SELECT count(*) FROM files WHERE state IN ('planned', 'sending'))`)
				return err == nil && n == 0, fmt.Errorf("%d left (%w)", n, err)
			})
			d.check(t)
			t.Logf("%s: %d kills in the middle", engine.name, kills)
		})
	}
}

// furnish sends and deletes files, finishes a case and leaves uploads lying, and then makes all of that long ago.
func furnish(t *testing.T, engine engine) *doomed {
	t.Helper()
	d := &doomed{live: map[string][]byte{}, trash: map[string][]byte{}, finished: map[string][]byte{}}
	d.site = newSite(t, append(engine.settings(t), "CASELOAD_CLEANUP_SHARE=100", "CASELOAD_CLEANUP_FINISHED_AFTER=24h", "CASELOAD_LOG_LEVEL=warn")...)
	s := d.site
	d.admin = s.newAdmin()
	p := s.serve([]string{"serve"})
	d.db = s.database()
	client, ctx := d.admin.client(), t.Context()
	d.caseID, d.finishedCase = d.admin.newCase(t, "2026-0001", "Kill"), d.admin.newCase(t, "2026-0002", "Finished")
	send := func(into map[string][]byte, caseID, name string, n int) {
		for i := range n {
			content := phantom.Noise(uint64(len(name)*1000+i), 2000)
			f, err := client.UploadFile(ctx, caseID, fmt.Sprintf("%s-%d.bin", name, i), bytes.NewReader(content), int64(len(content)), api.Upload{})
			if err != nil {
				t.Fatal(err)
			}
			into[f.ID] = content
		}
	}
	send(d.live, d.caseID, "live", 6)
	send(d.trash, d.caseID, "deleted", 20)
	send(d.finished, d.finishedCase, "finished", 4)
	for _, files := range []map[string][]byte{d.live, d.trash, d.finished} {
		for id := range files {
			d.admin.ready(t, id, 30*time.Second)
		}
	}
	for id := range d.trash {
		if err := client.DeleteFile(ctx, id); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 8 {
		f, err := d.admin.plan(ctx, d.caseID, fmt.Sprintf("upload-%d.bin", i), 3000)
		if err != nil {
			t.Fatal(err)
		}
		if d.uploads++; i%2 == 0 {
			if _, err := client.Abort(ctx, f.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := client.FinishCase(ctx, d.finishedCase, true); err != nil {
		t.Fatal(err)
	}
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	d.pass(t, 40*24*time.Hour)
	return d
}

// pass lets time go by while no process runs.
func (d *doomed) pass(t *testing.T, by time.Duration) {
	t.Helper()
	driver, address := "sqlite", "file:"+filepath.Join(d.site.data(), "caseload.db")+"?_pragma=busy_timeout(5000)"
	for _, setting := range d.site.env {
		if url, ok := strings.CutPrefix(setting, "CASELOAD_DATABASE_URL="); ok {
			driver, address = "pgx", url
		}
	}
	db, err := sql.Open(driver, address)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := later.Pass(t.Context(), db, by); err != nil {
		t.Fatal(err)
	}
}

// done counts what of the clean-up is carried out.
func (d *doomed) done(t *testing.T) int64 {
	t.Helper()
	n, err := number(t.Context(), d.db, `SELECT (SELECT count(*) FROM cleanup_items WHERE state IN ('done', 'fell')) + (SELECT count(*) FROM intents WHERE state = 'done')`)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// killWhenMoreIsDone kills the process once more is done than before, and tells whether it was killed in the middle of it.
func (d *doomed) killWhenMoreIsDone(t *testing.T, process *os.Process, ended <-chan struct{}) (killed int) {
	t.Helper()
	before := d.done(t)
	tick, late := time.NewTicker(2*time.Millisecond), time.After(30*time.Second)
	defer tick.Stop()
	for d.done(t) < before+3 {
		select {
		case <-ended:
			return 0 // nothing was left to do
		case <-late:
			t.Fatal("nothing of the clean-up was done within 30 s")
		case <-tick.C:
		}
	}
	_ = process.Signal(syscall.SIGKILL)
	<-ended
	d.alive(t)
	return 1
}

// killCommand runs the command over the data that no server has.
func (d *doomed) killCommand(t *testing.T) int {
	t.Helper()
	d.pass(t, claimsLapse)
	cmd := d.site.command("cleanup", "--yes", "--json")
	cmd.Stderr = d.site
	if err := begin(cmd); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	return d.killWhenMoreIsDone(t, cmd.Process, ended)
}

// killServer lets a server go on with what was approved and is due.
func (d *doomed) killServer(t *testing.T) (killed int) {
	t.Helper()
	if left, err := number(t.Context(), d.db, `SELECT count(*) FROM intents WHERE state = 'open' AND due_at < `+fmt.Sprint(time.Now().UnixMilli())); err != nil || left < 4 {
		return 0
	}
	d.pass(t, claimsLapse)
	p := d.site.serve([]string{"serve"})
	killed = d.killWhenMoreIsDone(t, p.cmd.Process, p.ended)
	return killed
}

// alive looks between two runs: no object of a live file has gone.
func (d *doomed) alive(t *testing.T) {
	t.Helper()
	missing := d.objectsOf(t, `state NOT IN ('deleted', 'abandoned', 'planned', 'sending')`, false)
	if len(missing) > 0 {
		t.Fatalf("after a kill %d live files have no object: %v", len(missing), missing)
	}
}

// objectsOf returns the objects of files that the store holds, or does not hold.
func (d *doomed) objectsOf(t *testing.T, where string, held bool) (keys []string) {
	t.Helper()
	rows, err := d.db.QueryContext(t.Context(), `SELECT object FROM files WHERE `+where)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var key string
		if err := rows.Scan(&key); err != nil {
			t.Fatal(err)
		}
		_, err := os.Stat(filepath.Join(d.site.data(), "store", "objects", "caseload-files", key))
		if (err == nil) == held {
			keys = append(keys, key)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return keys
}

// check looks at everything after the end.
func (d *doomed) check(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	d.alive(t)
	if left := d.objectsOf(t, `state = 'deleted' AND id IN (SELECT file_id FROM intents WHERE state = 'done')`, true); len(left) > 0 {
		t.Errorf("%d objects were not erased", len(left))
	}
	once := func(action, about string, want int) {
		t.Helper()
		for _, column := range []string{"count(*)", "count(DISTINCT " + about + ")"} {
			n, err := number(ctx, d.db, `SELECT `+column+` FROM events WHERE action = '`+action+`'`)
			if err != nil || n != int64(want) {
				t.Errorf("%s: %s is %d (%v), want %d", action, column, n, err, want)
			}
		}
	}
	once("file.deleted", "file_id", len(d.trash)+len(d.finished)+d.uploads/2) // by hand, with their case, abandoned uploads
	once("file.abandoned", "file_id", d.uploads)
	once("case.deleted", "case_id", 1)
	for id := range d.trash {
		if n, err := number(ctx, d.db, `SELECT count(*) FROM events WHERE action = 'object.erased' AND file_id = '`+id+`'`); err != nil || n != 1 {
			t.Errorf("the erasing of %s is %d times in the audit log (%v)", id, n, err)
		}
	}
	if n, err := number(ctx, d.db, `SELECT count(*) FROM events e JOIN files f ON f.id = e.file_id
		WHERE e.action = 'object.erased' AND f.state <> 'deleted' AND f.state <> 'abandoned'`); err != nil || n != 0 {
		t.Errorf("%d live files were erased by the audit log (%v)", n, err)
	}
	if _, err := d.admin.client().RestoreCase(ctx, d.finishedCase); err != nil {
		t.Errorf("the finished case does not come back: %v", err)
	}
	for _, files := range []map[string][]byte{d.live, d.finished} {
		for id, want := range files {
			d.admin.ready(t, id, 30*time.Second)
			if got, _, err := d.admin.download(ctx, id); err != nil || !bytes.Equal(got, want) {
				t.Errorf("file %s gives other bytes or none (%v)", id, err)
			}
		}
	}
	d.site.run("", "audit", "verify")
}
