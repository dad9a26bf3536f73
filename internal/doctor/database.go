package doctor

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// Database is what the checks ask of the records' database. None of it changes anything.
type Database interface {
	Ping(ctx context.Context) (time.Time, error)
	Version(ctx context.Context) (string, error)
	Schema(ctx context.Context) (missing, unknown []string, err error)
	Obstacles(ctx context.Context) ([]caseload.Obstacle, error)
	Connections(ctx context.Context) (now, most int, err error)
	Overdue(ctx context.Context) (files int64, since time.Time, err error)
	Empty(ctx context.Context) (bool, error)     // nothing of ours was ever made in it
	Pooled(ctx context.Context) (bool, error)    // one connection to the server is given to several of ours in turn
	Encrypted(ctx context.Context) (bool, error) // our connections to it are
}

// DatabaseOptions says which database is tried. The checks call Open once.
type DatabaseOptions struct {
	Open     func(ctx context.Context) (Database, error)
	Postgres bool
	Host     string // of PostgreSQL, as the settings name it: a name, an address or a folder; "": this machine
	Fresh    bool   // SQLite, and the file is not there yet: the first start makes it
}

// databases is one run of the database's checks.
type databases struct {
	o  DatabaseOptions
	db Database
}

// oldestPostgres is the least major version: the statements use what came with it.
const oldestPostgres = 15

// Round trips to the database, and the clocks' difference, beyond which something is said. The best of several round
// trips counts: one may always meet a busy moment.
const (
	slowDatabase     = 20 * time.Millisecond
	verySlowDatabase = 100 * time.Millisecond
	databaseSkew     = 30 * time.Second
	pings            = 5
)

// DatabaseChecks returns the group "database".
func DatabaseChecks(o DatabaseOptions) []Check {
	d := &databases{o: o}
	if o.Fresh {
		return []Check{{Name: "database.reachable", Run: func(context.Context) []Finding {
			return []Finding{{Check: "database.reachable", Level: Note, Tried: "The database file was looked for.", Got: "There is no database yet.", Means: "The first `caseload serve` makes it."}}
		}}}
	}
	stands := []string{"database.reachable", "database.pooling"}
	return []Check{
		{Name: "database.reachable", Run: d.reachable},
		{Name: "database.pooling", Needs: []string{"database.reachable"}, Run: d.pooling},
		{Name: "database.version", Needs: stands, Run: d.version},
		{Name: "database.rights", Needs: append([]string{"database.version"}, stands...), Run: d.rights},
		{Name: "database.schema", Needs: append([]string{"database.rights"}, stands...), Run: d.schema},
		{Name: "database.connections", Needs: stands, Run: d.connections},
		{Name: "database.tls", Needs: stands, Run: d.tls},
		{Name: "database.latency", Needs: stands, Run: d.latency}, // last: it tells of the clock too, which is another group
	}
}

func (d *databases) reachable(ctx context.Context) []Finding {
	f := Finding{Check: "database.reachable", Tried: "The database was opened and asked for its time."}
	db, err := d.o.Open(ctx)
	if err == nil {
		d.db = db
		f.Got = "The database answers."
		return []Finding{f}
	}
	f.Level, f.Got = Failure, sayCause(err)
	f.Means, f.Fix = "Nothing works without its records.", &Fix{Say: "Look at CASELOAD_DATABASE_URL and at the server it names."}
	if !d.o.Postgres {
		f.Means, f.Fix.Say = "The embedded database cannot be used.", "Look at CASELOAD_DATA: the folder, its owner and its disk."
		return []Finding{f}
	}
	return []Finding{refusedByPostgres(f, err.Error())}
}

// refusedByPostgres says why there is no connection. The codes are PostgreSQL's own, https://www.postgresql.org/docs/current/errcodes-appendix.html;
// 08P01 with these words and 26000 or 42P05 at the first statement are how PgBouncer shows itself.
func refusedByPostgres(f Finding, text string) Finding {
	has := func(any ...string) bool {
		return slices.ContainsFunc(any, func(each string) bool { return strings.Contains(text, each) })
	}
	switch {
	case has("unsupported startup parameter", "26000", "42P05"):
		f.Check, f.Means = "database.reachable.pooler", "A pooler such as PgBouncer stands before PostgreSQL and does not let all of it through: Caseload prepares statements and listens for work, which takes a connection of its own."
		f.Fix.Say = poolerFix
	case has("28000") && has("no encryption", "SSL off") && !has("SSL encryption", "SSL on"): // else it is let in by neither
		f.Check, f.Means, f.Fix.Say = "database.reachable.tls", "PostgreSQL lets this machine in by TLS only, and the address says otherwise.", "Put sslmode=verify-full into CASELOAD_DATABASE_URL, and sslrootcert with the file of its authority where that is your own."
	case has("28P01", "28000"):
		f.Check, f.Means, f.Fix.Say = "database.reachable.access", "PostgreSQL refuses the user or its password.", "Mend the user and password in CASELOAD_DATABASE_URL, or let this machine in by pg_hba.conf."
	case has("3D000"):
		f.Check, f.Means, f.Fix = "database.reachable.name", "The server answers, but has no database of that name.", &Fix{Say: "Make the database, or mend its name in CASELOAD_DATABASE_URL.", Command: "createdb --encoding=UTF8 --template=template0 caseload"}
	case has("53300"):
		f.Check, f.Means, f.Fix.Say = "database.reachable.full", "PostgreSQL has no connection left.", "Raise max_connections, or run fewer processes."
	case has("57P03"):
		f.Check, f.Means, f.Fix.Say = "database.reachable.starting", "PostgreSQL is starting, stopping or recovering, and takes nobody yet.", "Wait and run this again; if it stays, look into the log of PostgreSQL."
	// By default TLS is tried first, so that its refusal may stand beside the true reason, above.
	case has("server refused TLS connection"):
		f.Check, f.Means, f.Fix.Say = "database.reachable.tls", "CASELOAD_DATABASE_URL asks for TLS (sslmode), and the server has none.", "Switch TLS on at the server (ssl = on); within this machine sslmode=disable will do."
	case has("x509:", "tls:"):
		f.Check, f.Means, f.Fix.Say = "database.reachable.tls", "The server's certificate is not one that this machine trusts for that name.", "Name the file of its authority in CASELOAD_DATABASE_URL (sslrootcert=…), and the server by the name in its certificate."
	case has("no such host", "hostname resolving"):
		f.Check, f.Means, f.Fix.Say = "database.reachable.host", "The host in CASELOAD_DATABASE_URL has no address.", "Mend the host name, or the name service of this machine."
	case has("connection refused"):
		f.Check, f.Means, f.Fix.Say = "database.reachable.refused", "The host answers, but nothing listens on that port.", "Start PostgreSQL there, or mend the port in CASELOAD_DATABASE_URL; listen_addresses must name more than localhost."
	case has("connect: no such file or directory"):
		f.Check, f.Means, f.Fix.Say = "database.reachable.refused", "There is no socket of PostgreSQL where CASELOAD_DATABASE_URL says.", "Start PostgreSQL on this machine, or name its host in CASELOAD_DATABASE_URL."
	case has("i/o timeout", "deadline exceeded"):
		f.Check, f.Means, f.Fix.Say = "database.reachable.silent", "Nothing comes back: a firewall swallows the packets, or the machine is off.", "Whoever runs the firewall lets this machine reach the port in CASELOAD_DATABASE_URL; at a cloud, look at the database's security group."
	}
	return f
}

const poolerFix = "Point CASELOAD_DATABASE_URL at PostgreSQL itself, or have the pooler give each client a connection of its own (PgBouncer: pool_mode = session for this database). Caseload keeps a small pool already: at most 20 connections a process and CASELOAD_WORKERS more."

// pooling tells a pooler that takes the connection away between transactions. What was prepared on it, listened for or locked
// is then another's (https://www.pgbouncer.org/features.html).
func (d *databases) pooling(ctx context.Context) []Finding {
	if !d.o.Postgres {
		return nil
	}
	f := Finding{Check: "database.pooling", Tried: "Two connections were held at once and asked which process of PostgreSQL serves them.", Got: "Each has one of its own."}
	pooled, err := d.db.Pooled(ctx)
	switch {
	case err != nil:
		f = failed(f, err)
	case pooled:
		f.Level, f.Got = Failure, "One process serves both in turn."
		f.Means = "A pooler stands between and gives the connection to somebody else after each transaction (transaction pooling): prepared statements are lost, and work is neither heard of nor locked."
		f.Fix = &Fix{Say: poolerFix}
	}
	return []Finding{f}
}

// tls looks whether records travel readable. Within a machine or a private network that is worth knowing, and no more.
func (d *databases) tls(ctx context.Context) []Finding {
	if !d.o.Postgres || d.o.Host == "" || strings.HasPrefix(d.o.Host, "/") || nearby(d.o.Host) {
		return nil
	}
	f := Finding{Check: "database.tls", Tried: "PostgreSQL was asked whether our connection is encrypted.", Got: "It is."}
	encrypted, err := d.db.Encrypted(ctx)
	switch {
	case err != nil:
		f = failed(f, err)
	case !encrypted && insideHost(d.o.Host):
		f.Level, f.Got, f.Means = Note, "It is not, within a private network.", "Whoever can listen in that network reads patients' records, and the password."
	case !encrypted:
		f.Level, f.Got, f.Means = Warning, "It is not.", "Patients' records, and perhaps the password, travel readable."
		f.Fix = &Fix{Say: "Put sslmode=verify-full into CASELOAD_DATABASE_URL; whoever runs the database switches TLS on (ssl = on)."}
	}
	return []Finding{f}
}

func (d *databases) version(ctx context.Context) []Finding {
	f := Finding{Check: "database.version", Tried: "The database was asked for its version."}
	version, err := d.db.Version(ctx)
	if err != nil {
		return []Finding{failed(f, err)}
	}
	f.Got = "SQLite " + version + "."
	if d.o.Postgres {
		f.Got = "PostgreSQL " + version + "."
		digits, _, _ := strings.Cut(version, ".")
		if major, err := strconv.Atoi(digits); err == nil && major < oldestPostgres {
			f.Level, f.Means = Failure, fmt.Sprintf("Caseload needs PostgreSQL %d or newer.", oldestPostgres)
			f.Fix = &Fix{Say: "Whoever runs the database upgrades it."}
		}
	}
	return []Finding{f}
}

func (d *databases) schema(ctx context.Context) []Finding {
	f := Finding{Check: "database.schema", Tried: "The schema's steps were compared with those of this program."}
	missing, unknown, err := d.db.Schema(ctx)
	switch {
	case err != nil:
		f = failed(f, err)
	case len(unknown) > 0:
		f.Level, f.Got = Failure, "The database has steps that this program does not know: "+strings.Join(unknown, ", ")+"."
		f.Means, f.Fix = "A newer Caseload has used it; this one refuses to start.", &Fix{Say: "Start the newer caseload, or restore the backup made before it was installed."}
	case len(missing) > 0 && d.empty(ctx):
		f.Level, f.Got, f.Means = Note, "There is nothing in it yet.", "The first `caseload serve` makes its tables."
	case len(missing) > 0:
		f.Level, f.Got = Failure, "The database lacks the steps: "+strings.Join(missing, ", ")+"."
		f.Means, f.Fix = "This program cannot work with it before they are applied; `caseload serve` applies them when it starts.",
			&Fix{Say: "Make a backup, with the caseload that ran until now (a schema only goes forward), then bring the schema up to date.", Command: "caseload backup /path/to/backups\ncaseload migrate"}
		if d.o.Postgres {
			f.Fix.Command = `pg_dump --format=custom --file=caseload.dump "$CASELOAD_DATABASE_URL"` + "\ncaseload migrate"
		}
	default:
		f.Got = "The schema is exactly this program's."
	}
	return []Finding{f}
}

func (d *databases) empty(ctx context.Context) bool {
	empty, err := d.db.Empty(ctx)
	return err == nil && empty
}

func (d *databases) rights(ctx context.Context) []Finding {
	f := Finding{Check: "database.rights", Tried: "It was looked for what keeps this program from writing."}
	obstacles, err := d.db.Obstacles(ctx)
	switch {
	case err != nil:
		f = failed(f, err)
	case len(obstacles) > 0:
		var says, mends []string
		for _, o := range obstacles {
			says = append(says, o.Says)
			if o.Mend != "" {
				mends = append(mends, o.Mend)
			}
		}
		f.Level, f.Got = Failure, strings.Join(says, " ")
		f.Means = "Uploads cannot be recorded."
		f.Fix = &Fix{Command: strings.Join(mends, "\n"), Say: "Whoever runs the database mends it: CASELOAD_DATABASE_URL must name a writable server, a UTF8 database, and a role that owns its schema."}
	default:
		f.Got = "Nothing keeps this program from writing."
	}
	return []Finding{f}
}

// latency asks a few times and takes the best; the same answers tell of the two clocks.
func (d *databases) latency(ctx context.Context) []Finding {
	f := Finding{Check: "database.latency", Tried: fmt.Sprintf("The database was asked %d times; the quickest answer counts.", pings)}
	best, skew := time.Duration(math.MaxInt64), time.Duration(0)
	for range pings {
		began := time.Now()
		theirs, err := d.db.Ping(ctx)
		if err != nil {
			return []Finding{failed(f, err)}
		}
		if took := time.Since(began); took < best {
			best, skew = took, theirs.Sub(began.Add(took/2))
		}
	}
	f.Got = fmt.Sprintf("The database answers in %s.", shortly(best))
	if best > slowDatabase {
		f.Level, f.Means = Note, "Each page asks several times; people will notice."
	}
	if best > verySlowDatabase {
		f.Level, f.Fix = Warning, &Fix{Say: "Run the database and Caseload in one data center, and look at what else keeps the database busy."}
	}
	found := []Finding{f}
	clock := Finding{Check: "clock.database", Tried: "The database's clock was compared with this machine's.", Got: "Our clock and the database's differ by " + shortly(skew.Abs()) + "."}
	if skew.Abs() > databaseSkew {
		clock.Level, clock.Means = Warning, "Deadlines and sessions go by this machine's clock; with two clocks something ends too early or too late."
		clock.Fix = &Fix{Say: "Set both machines' clocks by time synchronization.", Command: syncClock}
	}
	return append(found, clock)
}

func (d *databases) connections(ctx context.Context) []Finding {
	if !d.o.Postgres {
		return nil
	}
	f := Finding{Check: "database.connections", Tried: "PostgreSQL was asked how many connections are in use."}
	now, most, err := d.db.Connections(ctx)
	if err != nil {
		return []Finding{failed(f, err)}
	}
	f.Got = fmt.Sprintf("%d of %d connections are in use.", now, most)
	if most > 0 && now*10 >= most*9 {
		f.Level, f.Means = Warning, "When none is left, people get errors."
		f.Fix = &Fix{Say: "Raise max_connections, run fewer processes, or lower CASELOAD_WORKERS: each process opens at most 20 and CASELOAD_WORKERS more."}
	}
	return []Finding{f}
}

// failed is the finding of a call that did not answer.
func failed(f Finding, err error) Finding {
	f.Level, f.Got, f.Means = Failure, sayCause(err), "It could not be found out."
	if errors.Is(err, context.DeadlineExceeded) {
		f.Means = "It took too long."
	}
	f.Fix = &Fix{Say: "Look at the server's own log, then run this again."}
	var known *caseload.Error
	if errors.As(err, &known) && known.Hint != "" {
		f.Fix.Say = known.Hint
	}
	return f
}

// sayCause is an error in plain words: what people may read of it, and the cause behind it, which holds no secret.
func sayCause(err error) string {
	var known *caseload.Error
	if errors.As(err, &known) {
		text := known.Message
		if known.Err != nil {
			text = strings.TrimSuffix(text, ".") + ": " + strings.TrimSuffix(known.Err.Error(), ".") + "."
		}
		return text
	}
	return strings.TrimSuffix(err.Error(), ".") + "."
}

// shortly writes a duration with two digits or so.
func shortly(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()+0.5))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()+0.5))
	case d < 72*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()+0.5))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}
