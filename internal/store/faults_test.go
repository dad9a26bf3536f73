package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"dcdentals.com/caseload/internal/caseload"
)

func TestAddressesThatCannotBeAreRefused(t *testing.T) {
	for url, kind := range map[string]caseload.Kind{
		"":                            caseload.Invalid,
		"mysql://x":                   caseload.Invalid,
		"sqlite:relative.db":          caseload.Invalid,
		"sqlite:/nowhere/at/all/x.db": caseload.Unavailable,
		"postgres://127.0.0.1:1/x?sslmode=disable&connect_timeout=2": caseload.Unavailable,
		"postgres://127.0.0.1:port/x":                                caseload.Invalid,
	} {
		_, err := Open(t.Context(), Config{URL: url})
		if caseload.KindOf(err) != kind || err == nil {
			t.Errorf("%q: %v, want %v", url, err, kind)
		}
	}
	_, err := Open(t.Context(), Config{URL: "postgres://u:secretword@127.0.0.1:port/x"})
	if strings.Contains(err.Error(), "secretword") {
		t.Errorf("the password is shown: %v", err)
	}
}

func TestTheDatabaseFileIsItsOwnersOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "odd # name %41?.db")
	b := newBench(t, "sqlite:"+path)
	b.newCase("1", "")
	for _, end := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + end)
		must(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o", end, info.Mode().Perm())
		}
	}
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1"} {
		var got string
		must(t, b.s.db.QueryRowContext(t.Context(), `PRAGMA `+pragma).Scan(&got))
		if got != want {
			t.Errorf("%s is %s, want %s", pragma, got, want)
		}
	}
	if _, err := b.s.reader.ExecContext(t.Context(), `DELETE FROM users`); err == nil {
		t.Error("the reading pool can write")
	}
}

func TestALockedDatabaseIsUnavailableAndRecovers(t *testing.T) {
	b := newBench(t, sqliteURL(t))
	other, err := Open(t.Context(), Config{URL: b.url})
	must(t, err)
	t.Cleanup(func() { _ = other.Close() })
	_, err = b.s.db.ExecContext(t.Context(), `PRAGMA busy_timeout = 50`)
	must(t, err)
	err = other.write(t.Context(), func(*tx) error {
		_, err := b.s.CreateCase(t.Context(), b.admin, caseload.Case{Number: "1"})
		wantKind(t, err, caseload.Unavailable)
		_, err = b.s.Cases(t.Context(), b.admin, CaseQuery{}) // reads go on
		return err
	})
	must(t, err)
	b.newCase("1", "")
}

func TestAFullDatabaseIsFullAndRecovers(t *testing.T) {
	b := newBench(t, sqliteURL(t))
	c := b.newCase("1", "")
	var pages int
	must(t, b.s.db.QueryRowContext(t.Context(), `PRAGMA page_count`).Scan(&pages))
	_, err := b.s.db.ExecContext(t.Context(), `PRAGMA max_page_count = `+strconv.Itoa(pages))
	must(t, err)
	c.Note = strings.Repeat("note ", 3000)
	for range 2 {
		if err = b.s.ChangeCase(t.Context(), b.admin, c); err != nil {
			break
		}
		c.Note += "x"
	}
	wantKind(t, err, caseload.Full)
	_, err = b.s.db.ExecContext(t.Context(), `PRAGMA max_page_count = 1000000`)
	must(t, err)
	must(t, b.s.ChangeCase(t.Context(), b.admin, c))
}

func TestPostgresFaultsAreSorted(t *testing.T) {
	for code, kind := range map[string]caseload.Kind{
		"53100": caseload.Full, "53300": caseload.Unavailable, "57P01": caseload.Unavailable, "08006": caseload.Unavailable,
		"40P01": caseload.Unavailable, "40001": caseload.Unavailable, "42601": caseload.Internal, "23514": caseload.Internal,
	} {
		err := error(&pgconn.PgError{Code: code})
		explain("test", &err)
		if caseload.KindOf(err) != kind {
			t.Errorf("%s is %v, want %v", code, caseload.KindOf(err), kind)
		}
	}
}

func TestAContextsEndPassesThrough(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := b.s.CreateCase(ctx, b.admin, caseload.Case{Number: "1"})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("writing: %v", err)
		}
		if _, err = b.s.Cases(ctx, b.admin, CaseQuery{}); !errors.Is(err, context.Canceled) {
			t.Errorf("reading: %v", err)
		}
		b.newCase("1", "") // and the connection still works
	})
}

func TestAConnectionPostgresEndsIsReplaced(t *testing.T) {
	b := newBench(t, engines[1].url(t))
	other, err := Open(t.Context(), Config{URL: b.url})
	must(t, err)
	t.Cleanup(func() { _ = other.Close() })
	err = b.s.write(t.Context(), func(t *tx) error {
		var pid int
		if err := t.QueryRowContext(context.Background(), `SELECT pg_backend_pid()`).Scan(&pid); err != nil {
			return err
		}
		if _, err := other.db.ExecContext(context.Background(), `SELECT pg_terminate_backend($1)`, pid); err != nil {
			return err
		}
		_, err := t.ExecContext(context.Background(), `SELECT 1`)
		return err
	})
	explain("test", &err)
	wantKind(t, err, caseload.Unavailable)
	b.newCase("1", "")
}
