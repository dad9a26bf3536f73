package store

import (
	"os"
	"testing"

	"dcdentals.com/caseload/internal/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// engines are the two databases every test of the suite runs on.
var engines = []struct {
	name string
	url  func(t testing.TB) string
}{
	{SQLite, sqliteURL},
	{Postgres, func(t testing.TB) string { return pgtest.URL(t) }},
}

// onBoth runs the test on a fresh database of each engine.
func onBoth(t *testing.T, test func(t *testing.T, b *bench)) {
	t.Helper()
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) { test(t, newBench(t, e.url(t))) })
	}
}
