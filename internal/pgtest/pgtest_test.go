package pgtest_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"dcdentals.com/caseload/internal/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

func TestURLGivesEmptyDatabasesOfTheirOwn(t *testing.T) {
	ctx := context.Background()
	first, second := pgtest.URL(t), pgtest.URL(t)
	if first == second {
		t.Fatal("two calls gave one database")
	}
	for _, url := range []string{first, second} { // the second CREATE would fail in a shared database
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(ctx, `CREATE TABLE mine (id text)`); err != nil {
			t.Error(err)
		}
		conn.Close(ctx)
	}
}

func TestDurableSyncs(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		url, want string
	}{{pgtest.URL(t), "off"}, {pgtest.URL(t, pgtest.Durable), "on"}} {
		conn, err := pgx.Connect(ctx, c.url)
		if err != nil {
			t.Fatal(err)
		}
		var fsync string
		if err := conn.QueryRow(ctx, `SHOW fsync`).Scan(&fsync); err != nil || fsync != c.want {
			t.Errorf("fsync is %q (%v), want %q", fsync, err, c.want)
		}
		conn.Close(ctx)
	}
}

// The test runs itself as a child that starts a cluster, kills the child and sees postgres go.
func TestPostgresDiesWithAKilledTestProcess(t *testing.T) {
	if os.Getenv("PGTEST_CHILD") == "1" {
		url := pgtest.URL(t)
		conn, err := pgx.Connect(context.Background(), url)
		if err != nil {
			t.Fatal(err)
		}
		var folder string
		if err := conn.QueryRow(context.Background(), `SHOW data_directory`).Scan(&folder); err != nil {
			t.Fatal(err)
		}
		pid, err := os.ReadFile(folder + "/postmaster.pid")
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println("\npostmaster " + strings.SplitN(string(pid), "\n", 2)[0])
		select {} // until killed
	}
	pgtest.URL(t) // skips here when there is no PostgreSQL
	child := exec.Command(os.Args[0], "-test.run=^TestPostgresDiesWithAKilledTestProcess$")
	child.Env = append(os.Environ(), "PGTEST_CHILD=1")
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	postmaster := 0
	for lines := bufio.NewScanner(out); postmaster == 0 && lines.Scan(); {
		if digits, ok := strings.CutPrefix(lines.Text(), "postmaster "); ok {
			postmaster, _ = strconv.Atoi(digits)
		}
	}
	_ = child.Process.Kill()
	_ = child.Wait()
	if postmaster == 0 {
		t.Fatal("the child started no postgres")
	}
	for deadline := time.Now().Add(15 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", postmaster))
		if errors.Is(err, os.ErrNotExist) || strings.Contains(string(stat), ") Z ") {
			return // gone, or dead and not yet collected by whoever inherited it
		}
		if time.Now().After(deadline) {
			t.Fatalf("postgres (pid %d) outlived the killed test", postmaster)
		}
	}
}
