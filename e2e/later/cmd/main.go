// Command later lets time go by in a SQLite database of the browser journeys: later FILE DURATION, such as 960h.
package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"time"

	_ "modernc.org/sqlite"

	"dcdentals.com/caseload/e2e/later"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "later:", err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 3 {
		return fmt.Errorf("usage: later FILE DURATION")
	}
	d, err := time.ParseDuration(os.Args[2])
	if err != nil {
		return err
	}
	db, err := sql.Open("sqlite", "file:"+os.Args[1]+"?_pragma=busy_timeout(10000)")
	if err != nil {
		return err
	}
	defer db.Close()
	return later.Pass(context.Background(), db, d)
}
