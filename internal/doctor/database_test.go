package doctor

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// fakeDatabase answers what it is told to; only to cause what a real one does not do in a test.
type fakeDatabase struct {
	version          string
	missing, unknown []string
	obstacles        []caseload.Obstacle
	now, most        int
	skew             time.Duration
	overdue          int64
	since            time.Time
	empty            bool
	pooled           bool
	readable         bool
	err              error
}

func (f fakeDatabase) Ping(context.Context) (time.Time, error) { return time.Now().Add(f.skew), f.err }
func (f fakeDatabase) Version(context.Context) (string, error) { return f.version, f.err }
func (f fakeDatabase) Obstacles(context.Context) ([]caseload.Obstacle, error) {
	return f.obstacles, f.err
}
func (f fakeDatabase) Connections(context.Context) (int, int, error) { return f.now, f.most, f.err }
func (f fakeDatabase) Empty(context.Context) (bool, error)           { return f.empty, f.err }
func (f fakeDatabase) Pooled(context.Context) (bool, error)          { return f.pooled, f.err }
func (f fakeDatabase) Encrypted(context.Context) (bool, error)       { return !f.readable, f.err }
func (f fakeDatabase) Schema(context.Context) (missing, unknown []string, err error) {
	return f.missing, f.unknown, f.err
}

func (f fakeDatabase) Overdue(context.Context) (int64, time.Time, error) {
	return f.overdue, f.since, f.err
}

type fakeQueue struct {
	ready   int64
	oldest  time.Duration
	working bool
}

func (f fakeQueue) Backlog(context.Context) (int64, time.Duration, bool, error) {
	return f.ready, f.oldest, f.working, nil
}

func opens(db Database, err error) func(context.Context) (Database, error) {
	return func(context.Context) (Database, error) { return db, err }
}

func TestWhatIsWrongWithTheDatabaseIsNamed(t *testing.T) {
	sound := fakeDatabase{version: "17.2", now: 3, most: 97}
	unavailable := func(cause string) error {
		return caseload.Errorf(caseload.Unavailable, "The database cannot answer now.").WithCause(errors.New(cause))
	}
	for name, test := range map[string]struct {
		db   fakeDatabase
		open error
		want []string
		says string
	}{
		"all is well":                   {sound, nil, nil, ""},
		"a wrong password":              {open: unavailable("failed SASL auth: FATAL: password authentication failed (SQLSTATE 28P01)"), want: []string{"database.reachable.access failure"}, says: "pg_hba"},
		"no such database":              {open: unavailable(`FATAL: database "x" does not exist (SQLSTATE 3D000)`), want: []string{"database.reachable.name failure"}, says: "createdb"},
		"no host":                       {open: unavailable("hostname resolving error: lookup db: no such host"), want: []string{"database.reachable.host failure"}, says: "CASELOAD_DATABASE_URL"},
		"nothing listens":               {open: unavailable("dial tcp 127.0.0.1:1: connect: connection refused"), want: []string{"database.reachable.refused failure"}, says: "listen_addresses"},
		"too many":                      {open: unavailable("sorry, too many clients already (SQLSTATE 53300)"), want: []string{"database.reachable.full failure"}, says: "max_connections"},
		"PgBouncer refuses a parameter": {open: unavailable("FATAL: unsupported startup parameter: search_path (SQLSTATE 08P01)"), want: []string{"database.reachable.pooler failure"}, says: "pool_mode = session"},
		"PgBouncer loses a statement":   {open: errors.New(`ERROR: prepared statement "stmtcache_1" does not exist (SQLSTATE 26000)`), want: []string{"database.reachable.pooler failure"}, says: "connection of its own"},
		"TLS only":                      {open: unavailable(`FATAL: no pg_hba.conf entry for host "192.0.2.7", user "c", database "c", no encryption (SQLSTATE 28000)`), want: []string{"database.reachable.tls failure"}, says: "sslmode=verify-full"},
		"no TLS there":                  {open: unavailable("failed to connect: tls error: server refused TLS connection"), want: []string{"database.reachable.tls failure"}, says: "ssl = on"},
		"an authority nobody knows":     {open: unavailable("tls error: tls: failed to verify certificate: x509: certificate signed by unknown authority"), want: []string{"database.reachable.tls failure"}, says: "sslrootcert"},
		"it starts":                     {open: unavailable("FATAL: the database system is starting up (SQLSTATE 57P03)"), want: []string{"database.reachable.starting failure"}, says: "Wait"},
		"a firewall":                    {open: unavailable("dial tcp 192.0.2.7:5432: i/o timeout"), want: []string{"database.reachable.silent failure"}, says: "security group"},
		"no socket":                     {open: unavailable("dial unix /var/run/postgresql/.s.PGSQL.5432: connect: no such file or directory"), want: []string{"database.reachable.refused failure"}, says: "Start PostgreSQL on this machine"},
		"a pooler":                      {db: changedDatabase(sound, func(d *fakeDatabase) { d.pooled = true }), want: []string{"database.pooling failure"}, says: "pool_mode = session"},
		"records in the clear":          {db: changedDatabase(sound, func(d *fakeDatabase) { d.readable = true }), want: []string{"database.tls warning"}, says: "sslmode=verify-full"},
		"nothing in it yet":             {db: changedDatabase(sound, func(d *fakeDatabase) { d.missing, d.empty = []string{"0001_first"}, true }), want: nil},
		"nothing in it and no right": {db: changedDatabase(sound, func(d *fakeDatabase) {
			d.missing, d.empty, d.obstacles = []string{"0001_first"}, true, []caseload.Obstacle{{Says: "The role may not create tables in its schema, and the schema is not up to date.", Mend: "GRANT USAGE, CREATE ON SCHEMA public TO c;"}}
		}), want: []string{"database.rights failure"}, says: "GRANT USAGE, CREATE"},
		"anything else":     {open: errors.New("odd"), want: []string{"database.reachable failure"}, says: "odd"},
		"too old":           {db: changedDatabase(sound, func(d *fakeDatabase) { d.version = "14.9" }), want: []string{"database.version failure"}, says: "15"},
		"a step is missing": {db: changedDatabase(sound, func(d *fakeDatabase) { d.missing = []string{"0006_resumed"} }), want: []string{"database.schema failure"}, says: "pg_dump --format=custom"},
		"a newer one":       {db: changedDatabase(sound, func(d *fakeDatabase) { d.unknown = []string{"9001_more"} }), want: []string{"database.schema failure"}, says: "newer"},
		"a standby": {db: changedDatabase(sound, func(d *fakeDatabase) {
			d.obstacles = []caseload.Obstacle{{Says: "The server is a standby that only answers reads."}}
		}), want: []string{"database.rights failure"}, says: "standby"},
		"nearly full":   {db: changedDatabase(sound, func(d *fakeDatabase) { d.now = 95 }), want: []string{"database.connections warning"}, says: "max_connections"},
		"another clock": {db: changedDatabase(sound, func(d *fakeDatabase) { d.skew = time.Hour }), want: []string{"clock.database warning"}, says: "60 min"},
	} {
		t.Run(name, func(t *testing.T) {
			report := Run(t.Context(), DatabaseChecks(DatabaseOptions{Open: opens(test.db, test.open), Postgres: true, Host: "db.clinic.example"}), nil)
			if got := worstOf(report); !reflect.DeepEqual(got, test.want) {
				t.Fatalf("found %q, want %q: %+v", got, test.want, report.Findings)
			}
			saysHowItIsMended(t, report, test.says)
		})
	}
}

func saysHowItIsMended(t *testing.T, report Report, says string) {
	t.Helper()
	for _, f := range report.Findings {
		if f.Level != Warning && f.Level != Failure {
			continue
		}
		if f.Fix == nil || f.Means == "" {
			t.Fatalf("it does not say what it means or how it is mended: %+v", f)
		}
		if text := f.Got + f.Means + f.Fix.Say + f.Fix.Command; !strings.Contains(text, says) {
			t.Errorf("%q is not in %q", says, text)
		}
	}
}

func changedDatabase(d fakeDatabase, change func(*fakeDatabase)) fakeDatabase {
	change(&d)
	return d
}

func TestADatabaseThatIsNotMadeYetIsNoFault(t *testing.T) {
	report := Run(t.Context(), DatabaseChecks(DatabaseOptions{Fresh: true}), nil)
	if report.Worst() != Note || len(report.Findings) != 1 {
		t.Errorf("%+v", report.Findings)
	}
}

func TestWhatIsWrongWhileRunningIsNamed(t *testing.T) {
	long := time.Now().Add(-time.Hour)
	for name, test := range map[string]struct {
		queue   fakeQueue
		db      fakeDatabase
		serving bool
		want    []string
	}{
		"at work":                        {fakeQueue{3, time.Second, true}, fakeDatabase{}, true, nil},
		"nothing runs, nothing waits":    {fakeQueue{}, fakeDatabase{}, false, nil},
		"a web process without a worker": {fakeQueue{}, fakeDatabase{}, true, []string{"running.workers warning"}},
		"files wait for nobody":          {fakeQueue{1, time.Minute, false}, fakeDatabase{}, false, []string{"running.workers failure"}},
		"a long queue":                   {fakeQueue{5000, time.Hour, true}, fakeDatabase{}, true, []string{"running.queue warning"}},
		"a sweep that fails":             {fakeQueue{0, 0, true}, fakeDatabase{overdue: 7, since: long}, true, []string{"running.sweep warning"}},
		"overdue while nothing runs":     {fakeQueue{}, fakeDatabase{overdue: 7, since: long}, false, nil},
		"overdue for a moment":           {fakeQueue{0, 0, true}, fakeDatabase{overdue: 7, since: time.Now()}, true, nil},
	} {
		o := RunningOptions{
			Queue: func(context.Context) (Queue, error) { return test.queue, nil }, Records: opens(test.db, nil), Serving: test.serving,
		}
		report := Run(t.Context(), RunningChecks(o), nil)
		if got := worstOf(report); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: found %q, want %q", name, got, test.want)
		}
		saysHowItIsMended(t, report, "")
	}
}

func TestWhatIsWrongWithTheDiskIsNamed(t *testing.T) {
	const gib = 1 << 30
	roomy := Disk{Free: 500 * gib, Size: 1000 * gib, FreeFiles: 60e6, Files: 61e6, Kind: "ext4"}
	for name, test := range map[string]struct {
		change func(*Disk)
		sqlite bool
		want   []string
	}{
		"room enough":                   {func(*Disk) {}, true, nil},
		"a large disk, well used":       {func(d *Disk) { d.Free, d.Size = 400*gib, 20000*gib }, true, nil},
		"no fixed number of inodes":     {func(d *Disk) { d.FreeFiles, d.Files = 0, 0 }, true, nil},
		"a container's layer":           {func(d *Disk) { d.Kind, d.PerhapsOverlaying = "overlayfs", true }, true, nil},
		"nearly full":                   {func(d *Disk) { d.Free = 10 * gib }, true, []string{"database.disk warning"}},
		"full":                          {func(d *Disk) { d.Free = 1 << 20 }, true, []string{"database.disk failure"}},
		"too little for one file":       {func(d *Disk) { d.Free, d.Size = 3*gib, 4*gib }, true, []string{"database.disk warning"}},
		"few inodes":                    {func(d *Disk) { d.FreeFiles = 1000 }, true, []string{"database.inodes warning"}},
		"SQLite on SMB":                 {func(d *Disk) { d.Kind, d.Network = "CIFS", true }, true, []string{"database.filesystem failure"}},
		"SQLite on NFS":                 {func(d *Disk) { d.Kind, d.Network = "NFS", true }, true, []string{"database.filesystem failure"}},
		"only the embedded store on it": {func(d *Disk) { d.Kind, d.Network = "NFS", true }, false, []string{"database.filesystem warning"}},
		"in memory":                     {func(d *Disk) { d.Kind, d.Temporary = "tmpfs", true }, true, []string{"database.filesystem warning"}},
		"FUSE":                          {func(d *Disk) { d.Kind = "FUSE" }, true, nil},
	} {
		disk := roomy
		test.change(&disk)
		o := FolderOptions{Folder: filepath.Join(t.TempDir(), "data"), SQLite: test.sqlite, Store: true, Largest: 2 * gib, LookDisk: func(string) (Disk, error) { return disk, nil }}
		report := Run(t.Context(), FolderChecks(o), nil)
		if got := worstOf(report); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: found %q, want %q: %+v", name, got, test.want, report.Findings)
		}
		saysHowItIsMended(t, report, "")
	}
	if checks := FolderChecks(FolderOptions{Folder: t.TempDir()}); checks != nil {
		t.Error("a folder that keeps nothing is looked at")
	}
}

func TestAnOpenDataFolderIsClosedByTheFix(t *testing.T) {
	folder := t.TempDir()
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	look := func() Finding {
		return Run(t.Context(), FolderChecks(FolderOptions{Folder: folder, SQLite: true}), nil).Findings[0]
	}
	f := look()
	if f.Check != "database.folder" || f.Level != Warning || f.Fix.Apply == nil {
		t.Fatalf("%+v", f)
	}
	if err := f.Fix.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	if f := look(); f.Level != Fine {
		t.Errorf("after the fix: %+v", f)
	}
	if got := quoted("/srv/it's here"); got != `'/srv/it'\''s here'` {
		t.Errorf("as a shell takes it: %s", got)
	}
}

// A folder that cannot be written to is named with the cause; one that can is left as it was.
func TestAFolderThatCannotBeWrittenToIsNamed(t *testing.T) {
	const gib = 1 << 30
	roomy := func(string) (Disk, error) { return Disk{Free: 500 * gib, Size: 1000 * gib, Kind: "ext4"}, nil }
	for name, test := range map[string]struct {
		err  error
		says string
	}{
		"another user's":     {syscall.EACCES, "sudo -u caseload"},
		"read-only":          {syscall.EROFS, "mounted for reading only"},
		"a quota is used up": {syscall.EDQUOT, "quota"},
		"anything else":      {syscall.EIO, "input/output error"},
	} {
		o := FolderOptions{Folder: closedFolder(t), SQLite: true, LookDisk: roomy, Write: func(folder string) error {
			return &fs.PathError{Op: "open", Path: folder, Err: test.err}
		}}
		report := Run(t.Context(), FolderChecks(o), nil)
		if got := worstOf(report); !reflect.DeepEqual(got, []string{"database.folder.write failure"}) {
			t.Errorf("%s: found %q", name, got)
		}
		saysHowItIsMended(t, report, test.says)
	}
	folder := closedFolder(t)
	report := Run(t.Context(), FolderChecks(FolderOptions{Folder: folder, SQLite: true, LookDisk: roomy}), nil)
	if got := worstOf(report); got != nil {
		t.Errorf("a sound folder: %q", got)
	}
	if err := os.Chmod(folder, 0o500); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() != 0 { // whom nothing stops
		report = Run(t.Context(), FolderChecks(FolderOptions{Folder: folder, SQLite: true, LookDisk: roomy}), nil)
		if got := worstOf(report); !reflect.DeepEqual(got, []string{"database.folder.write failure"}) {
			t.Errorf("a real folder that is closed: %q", got)
		}
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// closedFolder is an empty data folder as a start makes it.
func closedFolder(t *testing.T) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	return folder
}

// The real file system below the test answers, with a kind that is known.
func TestTheRealDiskAnswers(t *testing.T) {
	disk, err := lookDisk(t.TempDir())
	if err != nil || disk.Size == 0 || disk.Free > disk.Size {
		t.Errorf("%+v, %v", disk, err)
	}
}
