package main

import (
	"context"
	"encoding/json"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dcdentals.com/caseload/internal/doctor"
	"dcdentals.com/caseload/internal/pgtest"
)

// examined runs the command's checks with these settings.
func examined(t *testing.T, env map[string]string) doctor.Report {
	t.Helper()
	c, judged := examine(nil, env, nil, "")
	e := c.examination(judged)
	defer e.close()
	return e.run(t.Context(), nil)
}

func alarms(r doctor.Report) (names []string) {
	for _, f := range r.Findings {
		if f.Level != doctor.Fine && f.Level != doctor.Note {
			names = append(names, f.Check+" "+f.Level.String()+": "+f.Got)
		}
	}
	return names
}

// The embedded store with PostgreSQL is sound, also before the first start; what keeps it from working is named by the real
// server's own words.
func TestDoctorOnPostgreSQL(t *testing.T) {
	env := map[string]string{"CASELOAD_DATABASE_URL": pgtest.URL(t), "CASELOAD_DATA": filepath.Join(t.TempDir(), "data")}
	if got := alarms(examined(t, env)); got != nil {
		t.Errorf("an empty database: %q", got)
	}
	c, judged := examine(nil, env, nil, "")
	if err := refusal(judged); err != nil {
		t.Fatal(err)
	}
	db, err := openMigrated(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := migrateQueue(t.Context(), c, db); err != nil {
		t.Fatal(err)
	}
	if got := alarms(examined(t, env)); got != nil {
		t.Errorf("a sound one: %q", got)
	}
	url := env["CASELOAD_DATABASE_URL"]
	with := func(option string) string {
		if strings.Contains(url, "?") {
			return url + "&" + option
		}
		return url + "?" + option
	}
	for address, want := range map[string]string{
		strings.Replace(url, "/test_", "/no_such_", 1): "database.reachable.name failure",
		"postgres:///caseload?host=/nowhere":           "database.reachable.refused failure",
		"postgres://caseload@127.0.0.1:1/none":         "database.reachable.refused failure",
		with("sslmode=require"):                        "database.reachable.tls failure",
		with("default_transaction_read_only=on"):       "database.rights failure",
	} {
		got := alarms(examined(t, map[string]string{"CASELOAD_DATABASE_URL": address, "CASELOAD_DATA": env["CASELOAD_DATA"]}))
		if len(got) == 0 || !strings.HasPrefix(got[0], want) || slices.ContainsFunc(got[1:], func(alarm string) bool { return !strings.Contains(alarm, " untried:") }) {
			t.Errorf("%s: %q", want, got)
		}
	}
	if _, err := db.DB().ExecContext(t.Context(), `DELETE FROM schema_migrations WHERE version = (SELECT max(version) FROM schema_migrations)`); err != nil {
		t.Fatal(err)
	}
	behind := examined(t, env)
	at := slices.IndexFunc(behind.Findings, func(f doctor.Finding) bool { return f.Check == "database.schema" })
	if f := behind.Findings[at]; f.Level != doctor.Failure || !strings.Contains(f.Fix.Command, "pg_dump") || !strings.HasSuffix(f.Fix.Command, "caseload migrate") {
		t.Errorf("a step is missing: %+v", f)
	}
}

// A store that is not there is told by the first thing that is missing; nothing secret is said on the way.
func TestDoctorSaysNoSecret(t *testing.T) {
	env := map[string]string{
		"CASELOAD_DATABASE_URL": "postgres://caseload:hush-database@127.0.0.1:1/none", "CASELOAD_DATA": t.TempDir(),
		"USE_S3": "True", "AWS_ACCESS_KEY_ID": "hush-key-id-of-store", "AWS_SECRET_ACCESS_KEY": "hush-secret", "AWS_SESSION_TOKEN": "hush-token",
		"AWS_STORAGE_BUCKET_NAME": "cases", "AWS_S3_ENDPOINT_URL": "http://127.0.0.1:1",
	}
	report := examined(t, env)
	said, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"hush-database", "hush-secret", "hush-token", "hush-key-id-of-store", "X-Amz-Signature"} {
		if strings.Contains(string(said), secret) {
			t.Errorf("%q is said: %s", secret, said)
		}
	}
	for _, want := range []string{"database.reachable.refused failure", "network.tcp failure"} {
		if !strings.Contains(strings.Join(alarms(report), "\n"), want) {
			t.Errorf("%s is not among %q", want, alarms(report))
		}
	}
}

// The exit code follows the worst finding.
func TestDoctorsExitCodes(t *testing.T) {
	for _, test := range []struct {
		found []doctor.Finding
		want  int
	}{
		{[]doctor.Finding{{Check: "a.b"}, {Check: "config.embedded", Level: doctor.Note}}, exitDone},
		{[]doctor.Finding{{Check: "config.use_s3", Level: doctor.Warning}}, exitWarned},
		{[]doctor.Finding{{Check: "cors.origin", Level: doctor.Warning}, {Check: "clock.skew", Level: doctor.Failure}}, exitFailed},
		{[]doctor.Finding{{Check: "cors.origin", Level: doctor.Untried}}, exitFailed},
		{[]doctor.Finding{{Check: "clock.skew", Level: doctor.Failure}, {Check: "config.bucket", Level: doctor.Failure}}, exitConfig},
	} {
		err := examinedAs(t.Context(), doctor.Report{Findings: test.found})
		if got := report(io.Discard, err); got != test.want {
			t.Errorf("%+v: exit code %d, want %d", test.found, got, test.want)
		}
	}
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	if got := report(io.Discard, examinedAs(stopped, doctor.Report{})); got != exitInterrupted {
		t.Errorf("interrupted: %d", got)
	}
}
