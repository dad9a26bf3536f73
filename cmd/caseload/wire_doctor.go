package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"dcdentals.com/caseload/internal/doctor"
	"dcdentals.com/caseload/internal/jobs"
	"dcdentals.com/caseload/internal/objectstore"
	"dcdentals.com/caseload/internal/store"
)

// examination is what `caseload doctor` and a serving process try. close gives back what it opened.
type examination struct {
	checks  []doctor.Check
	secrets []string // that must not be said, whoever says them
	close   func()
}

// run tries everything and passes each finding on as it is made.
func (e examination) run(ctx context.Context, said func(doctor.Finding)) doctor.Report {
	return doctor.Run(ctx, doctor.Hide(e.checks, e.secrets...), said)
}

// opened is what an examination works with. A serving process hands in its own; the command opens what it needs.
type opened struct {
	config  *config
	log     *slog.Logger
	objects *objectstore.Store // nil: not opened yet
	serving bool
	fresh   bool // SQLite, and its file is not there yet; looking must not make it

	mu     sync.Mutex
	db     *store.Store
	queue  *jobs.Jobs
	closes []func()
}

// examination returns the checks of these settings, of which judged was said.
func (c *config) examination(judged []doctor.Finding) examination {
	return (&opened{config: c, log: slog.New(slog.DiscardHandler)}).examination(judged)
}

// examine is the examination of a running process, for the page Doctor. Each has trials of its own.
func (a *application) examine(c *config, objects *objectstore.Store) func(context.Context, func(doctor.Finding)) doctor.Report {
	return func(ctx context.Context, said func(doctor.Finding)) doctor.Report {
		with := &opened{config: c, log: slog.New(slog.DiscardHandler), objects: objects, serving: true, db: a.store, queue: a.jobs}
		return with.examination(c.judged).run(ctx, said)
	}
}

func (o *opened) examination(judged []doctor.Finding) examination {
	c := o.config
	e := examination{secrets: c.secrets(), close: o.close, checks: doctor.ConfigChecks(judged)}
	add := func(checks []doctor.Check) { e.checks = append(e.checks, checks...) }
	if c.examinedPrincipal == doctor.SetupPrincipal {
		if c.UseS3 && c.S3Bucket != "" {
			add(o.storeChecks())
		}
		return e
	}
	o.fresh = !o.serving && !c.postgres() && !isThere(c.sqlitePath())
	add(doctor.FolderChecks(doctor.FolderOptions{Folder: c.Data, SQLite: !c.postgres(), Store: !c.UseS3, Largest: c.MaxFileSize}))
	add(doctor.DatabaseChecks(doctor.DatabaseOptions{Open: o.records, Postgres: c.postgres(), Host: c.postgresHost(), Fresh: o.fresh}))
	if !o.fresh {
		add(doctor.Unless(o.empty, doctor.RunningChecks(doctor.RunningOptions{Records: o.records, Queue: o.work, Serving: o.serving})))
	}
	if !o.fresh && c.PublicURL != nil {
		add(doctor.Unless(o.empty, o.frontChecks()))
	}
	switch {
	case c.UseS3 && c.S3Bucket != "":
		add(o.storeChecks())
	case !c.UseS3 && o.objects != nil: // only the process that runs the embedded store reaches it
		add(o.bucketChecks(o.objects))
	}
	return e
}

// storeChecks are those of an external store: the way to it, its clock, whose credentials we have, and the bucket.
func (o *opened) storeChecks() []doctor.Check {
	c := o.config
	server, public := c.storeAddresses()
	checks := doctor.NetworkChecks(doctor.NetworkOptions{Address: server, Public: public, Page: c.PublicURL, Bucket: c.S3Bucket, Proxy: http.ProxyFromEnvironment})
	objects := o.objects
	if objects == nil {
		var err error
		if objects, err = objectstore.New(context.Background(), c.s3(o.log)); err != nil {
			return append(checks, doctor.Check{Name: "credentials.present", Run: func(context.Context) []doctor.Finding {
				return []doctor.Finding{{
					Check: "credentials.present", Level: doctor.Failure, Tried: "The store's client was set up from the settings.", Got: sentence(err),
					Means: "Nothing can be signed.", Fix: &doctor.Fix{Say: "Mend what is said of the settings."},
				}}
			}})
		}
	}
	checks = append(checks, doctor.CredentialChecks(doctor.CredentialOptions{
		Credentials: objects, AWS: doctor.OfAWS(server), Token: c.S3SessionToken != "", Chosen: c.S3AccessKey != "", Expiry: c.URLExpiry,
	})...)
	return append(checks, o.bucketChecks(objects)...)
}

// storeAddresses are the addresses of the bucket as this server and as browsers reach it.
func (c *config) storeAddresses() (server, public *url.URL) {
	if c.S3Endpoint == nil {
		domain := "amazonaws.com"
		if strings.HasPrefix(c.S3Region, "cn-") {
			domain += ".cn"
		}
		server = &url.URL{Scheme: "https", Host: "s3." + c.S3Region + "." + domain}
	} else {
		server = &url.URL{Scheme: c.S3Endpoint.Scheme, Host: c.S3Endpoint.Host}
	}
	public = server
	if c.S3PublicEndpoint != nil {
		public = &url.URL{Scheme: c.S3PublicEndpoint.Scheme, Host: c.S3PublicEndpoint.Host}
	}
	return c.ofBucket(server), c.ofBucket(public)
}

func (c *config) ofBucket(store *url.URL) *url.URL {
	if c.S3Addressing == "path" {
		return store.JoinPath(c.S3Bucket)
	}
	return &url.URL{Scheme: store.Scheme, Host: c.S3Bucket + "." + store.Host, Path: "/"}
}

// records opens the database, once.
func (o *opened) records(ctx context.Context) (doctor.Database, error) {
	db, err := o.open(ctx)
	if err != nil {
		return nil, err
	}
	return db, nil
}

func (o *opened) open(ctx context.Context) (*store.Store, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.db != nil {
		return o.db, nil
	}
	db, err := store.Open(ctx, store.Config{URL: o.config.DatabaseURL.Reveal(), Now: time.Now, Log: o.log})
	if err != nil {
		return nil, err
	}
	o.db = db
	o.closes = append(o.closes, func() { _ = db.Close() })
	return db, nil
}

// empty tells whether the database answers and has nothing of ours in it yet.
func (o *opened) empty(ctx context.Context) bool {
	db, err := o.open(ctx)
	if err != nil {
		return false
	}
	empty, err := db.Empty(ctx)
	return err == nil && empty
}

// work connects the queue, once; nothing is started.
func (o *opened) work(ctx context.Context) (doctor.Queue, error) {
	db, err := o.open(ctx)
	if err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.queue != nil {
		return o.queue, nil
	}
	queue, err := idleQueue(o.config, db, o.log)
	if err != nil {
		return nil, err
	}
	o.queue = queue
	o.closes = append(o.closes, func() { _ = queue.Stop(context.Background()) })
	return queue, nil
}

// close gives back what was opened, the last first.
func (o *opened) close() {
	for i := len(o.closes) - 1; i >= 0; i-- {
		o.closes[i]()
	}
	o.closes = nil
}

// postgresHost is the host of the database's address; "" when it names none.
func (c *config) postgresHost() string {
	u, err := url.Parse(c.DatabaseURL.Reveal())
	if err != nil || !c.postgres() {
		return ""
	}
	if host := u.Query().Get("host"); host != "" {
		return host
	}
	return u.Hostname()
}

func (c *config) sqlitePath() string { return strings.TrimPrefix(c.DatabaseURL.Reveal(), "sqlite:") }

func isThere(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// secrets returns the values of every setting that is one, and the password within the database's address.
func (c *config) secrets() []string {
	var all []string
	if u, err := url.Parse(c.DatabaseURL.Reveal()); err == nil && u.User != nil {
		password, _ := u.User.Password()
		all = append(all, password)
	}
	for _, s := range settings {
		if s.Secret {
			all = append(all, c.origins[s.Name].Raw)
		}
	}
	return all
}
