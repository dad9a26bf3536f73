package store

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"path/filepath"
	"strconv"
	"testing"
)

func keepingDB(t *testing.T) *sql.DB {
	t.Helper()
	db := sql.OpenDB(sqliteConnector{sqliteDSN(filepath.Join(t.TempDir(), "a.db"), url.Values{})})
	db.SetMaxOpenConns(1)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, statement := range []string{`CREATE TABLE n (i INTEGER PRIMARY KEY)`, `INSERT INTO n VALUES (1), (2), (3)`} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

// The same text again while its rows are still being read must not disturb them.
func TestAKeptStatementServesOneReaderAtATime(t *testing.T) {
	tx, err := keepingDB(t).BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	const query = `SELECT i FROM n WHERE i >= $1 ORDER BY i`
	outer, err := tx.QueryContext(t.Context(), query, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer outer.Close()
	pairs := ""
	for outer.Next() {
		var i, first int
		if err := outer.Scan(&i); err != nil {
			t.Fatal(err)
		}
		if err := tx.QueryRowContext(t.Context(), query, i).Scan(&first); err != nil {
			t.Fatal(err)
		}
		pairs += strconv.Itoa(i) + strconv.Itoa(first) + " "
	}
	if err := outer.Err(); err != nil || pairs != "11 22 33 " {
		t.Errorf("read %q: %v", pairs, err)
	}
}

// A statement that failed, was interrupted or was left half read is as good as new.
func TestAKeptStatementSurvivesItsFailures(t *testing.T) {
	db := keepingDB(t)
	const insert = `INSERT INTO n VALUES ($1)`
	for round := range 3 {
		if _, err := db.ExecContext(t.Context(), insert, 1); err == nil {
			t.Fatal("the same key twice")
		}
		if _, err := db.ExecContext(t.Context(), insert, 10+round); err != nil {
			t.Fatal(err)
		}
	}
	const query = `SELECT i FROM n WHERE i > $1`
	ended, end := context.WithCancel(t.Context())
	end()
	var i int
	if err := db.QueryRowContext(ended, query, 0).Scan(&i); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	for range 3 {
		if err := db.QueryRowContext(t.Context(), query, 9).Scan(&i); err != nil || i != 10 {
			t.Fatalf("%d, %v", i, err)
		}
	}
	if _, err := db.ExecContext(t.Context(), `ALTER TABLE n ADD COLUMN j INTEGER`); err != nil {
		t.Fatal(err)
	}
	var all, j sql.NullInt64
	if err := db.QueryRowContext(t.Context(), `SELECT i, j FROM n WHERE i > $1`, 9).Scan(&all, &j); err != nil {
		t.Fatal(err)
	}
	if err := db.QueryRowContext(t.Context(), query, 9).Scan(&i); err != nil || i != 10 {
		t.Fatalf("after a change of the schema: %d, %v", i, err)
	}
}

func TestAConnectionKeepsOnlySoManyStatements(t *testing.T) {
	db := keepingDB(t)
	for k := range 2 * keepStatements {
		var got int
		if err := db.QueryRowContext(t.Context(), `SELECT i + `+strconv.Itoa(k)+` FROM n WHERE i = $1`, 1).Scan(&got); err != nil || got != k+1 {
			t.Fatalf("%d: %d, %v", k, got, err)
		}
	}
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.Raw(func(raw any) error {
		if n := len(raw.(*keepingConn).kept); n > keepStatements {
			t.Errorf("%d statements are kept", n)
		}
		return nil
	})
}
