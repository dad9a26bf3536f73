package main

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"dcdentals.com/caseload/e2e/later"
	"dcdentals.com/caseload/internal/dicom/dicomtest"
	"dcdentals.com/caseload/internal/objectstore/s3test"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"caseload": main})
}

// TestScripts runs the real commands as testdata/script tells, each in a folder and an environment of its own.
func TestScripts(t *testing.T) {
	store := s3test.Start(t) // for scripts that want one of another make than the embedded
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			for _, s := range slices.Concat(settings, clientSettings) { // none of the developer's own settings may reach a script
				e.Setenv(s.Name, "")
			}
			e.Setenv("CASELOAD_ADDR", "127.0.0.1:0")
			e.Setenv("S3TEST_ENDPOINT", store.Endpoint)
			e.Setenv("S3TEST_ACCESS_KEY", store.AccessKey)
			e.Setenv("S3TEST_SECRET_KEY", store.SecretKey)
			return twoPatients(filepath.Join(e.WorkDir, "patients"))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"waitfor": waitFor, "occupy": occupy, "touched": touched, "setenv": setEnv, "sql": change, "count": counted, "later": pass},
	})
}

// twoPatients puts a folder with a slice each of two patients where scripts can send it.
func twoPatients(dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "IM1"), dicomtest.CT(dicomtest.CTOptions{Patient: []byte("Kim^Minsu"), PatientID: "K-1"}), 0o644),
		os.WriteFile(filepath.Join(dir, "IM2"), dicomtest.CT(dicomtest.CTOptions{Patient: []byte("Lee^Sora"), PatientID: "L-2", Study: "2.25.11", Series: "2.25.21"}), 0o644),
	)
}

// occupy VARIABLE listens on a free port until the script ends and puts the address into the variable.
func occupy(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: occupy VARIABLE")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { _ = l.Close() })
	occupied.Store(l.Addr().String(), l)
	ts.Setenv(args[0], l.Addr().String())
}

// touched VARIABLE waits for whoever connects to the address that occupy put there, and hangs up on everybody from then on.
// ! touched VARIABLE is that nobody has: a connection of our own, made now, is the first in the queue.
func touched(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: [!] touched VARIABLE")
	}
	address := ts.Getenv(args[0])
	known, _ := occupied.Load(address)
	l, ok := known.(*net.TCPListener)
	if !ok {
		ts.Fatalf("%s is not occupied", address)
	}
	ours := ""
	if neg {
		c, err := net.Dial("tcp", address)
		ts.Check(err)
		defer c.Close()
		ours = c.LocalAddr().String()
	}
	ts.Check(l.SetDeadline(time.Now().Add(30 * time.Second)))
	first, err := l.Accept()
	ts.Check(err)
	ts.Check(first.Close())
	if neg && first.RemoteAddr().String() != ours {
		ts.Fatalf("%s was touched", address)
	}
	if !neg {
		ts.Check(l.Close())
	}
}

// occupied are the listeners of occupy by their address.
var occupied sync.Map

// setenv VARIABLE FILE puts the first line of the file into the variable.
func setEnv(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: setenv VARIABLE FILE")
	}
	line, _, _ := strings.Cut(ts.ReadFile(args[1]), "\n")
	ts.Setenv(args[0], line)
}

// sql STATEMENT changes the SQLite database of the data folder, to bring about what commands have to find.
func change(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: sql STATEMENT")
	}
	db := openData(ts, "caseload-data")
	defer db.Close()
	_, err := db.Exec(strings.Join(args, " "))
	ts.Check(err)
}

// counted: count FOLDER N QUERY asks the SQLite database of a data folder for a number, and wants that one.
func counted(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: count FOLDER N QUERY")
	}
	db := openData(ts, args[0])
	defer db.Close()
	var n string
	ts.Check(db.QueryRow(args[2]).Scan(&n))
	if n != args[1] {
		ts.Fatalf("%s: %s, want %s", args[2], n, args[1])
	}
}

// later DURATION lets time go by for the database of the data folder.
func pass(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: later DURATION")
	}
	d, err := time.ParseDuration(args[0])
	ts.Check(err)
	db := openData(ts, "caseload-data")
	defer db.Close()
	ts.Check(later.Pass(context.Background(), db, d))
}

func openData(ts *testscript.TestScript, folder string) *sql.DB {
	db, err := sql.Open("sqlite", "file:"+ts.MkAbs(folder+"/caseload.db")+"?_pragma=busy_timeout(10000)")
	ts.Check(err)
	return db
}

// waitfor FILE TEXT waits until the file is there and holds the text.
func waitFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: waitfor FILE TEXT")
	}
	for tick, deadline := time.NewTicker(10*time.Millisecond), time.Now().Add(30*time.Second); ; <-tick.C {
		if b, err := os.ReadFile(ts.MkAbs(args[0])); err == nil && strings.Contains(string(b), args[1]) {
			tick.Stop()
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s does not hold %q after 30 s", args[0], args[1])
		}
	}
}
