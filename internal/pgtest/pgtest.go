// Package pgtest gives tests a PostgreSQL of their own: one throwaway cluster per test process, a fresh database per call
// of URL. It needs the server's binaries (Debian: postgresql) in PATH or below /usr/lib/postgresql, and no running
// service. The cluster listens on 127.0.0.1 and a socket in its own temporary folder, runs as user postgres or nobody
// when the test runs as root, and dies with the test process, even when that is killed. Linux only, like the tests that
// use it elsewhere skip.
package pgtest

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"dcdentals.com/caseload/internal/mustrun"
)

// Option changes which cluster a database is made in.
type Option int

// Durable asks for a cluster that syncs its writes to disk, for tests that kill the server or measure commits. The
// usual one does not, and is faster.
const Durable Option = 1

var (
	mu       sync.Mutex
	clusters = map[bool]*cluster{}
	failures = map[bool]error{}
	made     atomic.Int64
)

// URL returns the address of a fresh, empty database (UTF-8), dropped when the test ends. Without PostgreSQL on the
// machine it skips the test loudly, or fails it when CASELOAD_TEST_MUST_RUN names postgres.
func URL(t testing.TB, options ...Option) string {
	t.Helper()
	durable := false
	for _, o := range options {
		durable = durable || o == Durable
	}
	c, err := started(durable)
	if err != nil {
		mustrun.Skip(t, "postgres", "no PostgreSQL for tests: "+err.Error())
	}
	name := fmt.Sprintf("test_%d_%d", os.Getpid(), made.Add(1))
	if err := c.run(`CREATE DATABASE ` + name); err != nil {
		t.Fatalf("create a test database: %v\n%s", err, c.tail())
	}
	t.Cleanup(func() {
		if err := c.run(`DROP DATABASE IF EXISTS ` + name + ` WITH (FORCE)`); err != nil {
			t.Errorf("drop the test database: %v\n%s", err, c.tail())
		}
	})
	return c.url(name)
}

// Main runs a package's tests and then stops the clusters and removes their folders at once. Without it they stop when
// the process ends, and the next test process removes the folders:
//
//	func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }
func Main(m *testing.M) int {
	code := m.Run()
	mu.Lock()
	defer mu.Unlock()
	for durable, c := range clusters {
		c.stop()
		delete(clusters, durable)
	}
	return code
}

// started returns the process's cluster, starting it on first use. A failure is remembered: it would not go away.
func started(durable bool) (*cluster, error) {
	mu.Lock()
	defer mu.Unlock()
	if c := clusters[durable]; c != nil {
		return c, nil
	}
	if err := failures[durable]; err != nil {
		return nil, err
	}
	c, err := start(durable)
	if err != nil {
		failures[durable] = err
		return nil, err
	}
	clusters[durable] = c
	return c, nil
}

// run executes one statement in the maintenance database.
func (c *cluster) run(statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, c.url("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement)
	return err
}

func (c *cluster) url(database string) string {
	return fmt.Sprintf("postgres://caseload@127.0.0.1:%d/%s?sslmode=disable", c.port, database)
}
