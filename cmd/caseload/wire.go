package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/cleanup"
	"dcdentals.com/caseload/internal/doctor"
	"dcdentals.com/caseload/internal/ingest"
	"dcdentals.com/caseload/internal/jobs"
	"dcdentals.com/caseload/internal/ledger"
	"dcdentals.com/caseload/internal/objectstore"
	"dcdentals.com/caseload/internal/pixels/child"
	"dcdentals.com/caseload/internal/preview"
	"dcdentals.com/caseload/internal/store"
	"dcdentals.com/caseload/internal/transfer"
	"dcdentals.com/caseload/internal/web"
)

// startWithin is how long a start may wait for a database and a store that do not answer.
const startWithin = time.Minute

// application is everything that runs in one process. start builds it, stop takes it down in the reverse order.
type application struct {
	log      *slog.Logger
	store    *store.Store
	embedded *objectstore.Embedded // nil with an external store
	cleaner  *cleanup.Service
	jobs     *jobs.Jobs
	working  bool         // jobs were started
	pages    *web.Server  // nil for a worker
	server   *http.Server // nil for a worker
	listener net.Listener
	admin    *http.Server // nil without CASELOAD_ADMIN_ADDR
	unlock   func()
	failed   chan error // a listener that died
	watching func()     // ends the watch for posted forms
	drawing  func()     // ends the making of previews
}

// newApplication is one with nothing opened yet: stop can be called at any moment from here on.
func newApplication(log *slog.Logger) *application {
	nothing := func() {}
	return &application{log: log, failed: make(chan error, 2), unlock: nothing, watching: nothing, drawing: nothing}
}

// start builds and starts what the role asks for. When it fails, nothing is left running.
func start(ctx context.Context, c *config, r role, log *slog.Logger) (a *application, err error) {
	a = newApplication(log)
	defer func() {
		if err != nil {
			_ = a.stop(context.WithoutCancel(ctx))
			a = nil
		}
	}()
	starting, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()

	if r.web() { // first, so that a port in use is known before anything else happens
		if a.listener, err = listen(c.Addr, "CASELOAD_ADDR"); err != nil {
			return a, err
		}
	}
	if !c.postgres() || !c.UseS3 {
		if err = makeDataFolder(c.Data); err != nil {
			return a, err
		}
		if a.unlock, err = lockData(c.Data); err != nil {
			return a, err
		}
	}
	if a.store, err = openStore(starting, c, log); err != nil {
		return a, err
	}
	if err = a.store.Migrate(starting); err != nil {
		return a, err
	}
	var objects *objectstore.Store
	if objects, err = a.openObjects(ctx, c); err != nil {
		return a, err
	}

	moving := &transfer.Service{Records: a.store, Objects: objects, Limits: c.limits(), Now: time.Now, Log: log}
	reading := &ingest.Service{
		Records: a.store, Objects: objects, Owner: ownerName(), Now: time.Now, Log: log,
		Lease: ingest.DefaultLease, Tries: ingest.DefaultTries, Kills: ingest.DefaultKills, Held: ingest.DefaultHeld,
	}
	a.cleaner = c.cleaner(a.store, objects, moving, log)
	if err = a.startJobs(ctx, c, r, moving, reading, objects); err != nil {
		return a, err
	}
	if r.worker() {
		a.drawing = inBackground(a.previews(objects).Run)
	}
	if r.web() {
		if err = a.startWeb(c, moving, reading, objects); err != nil {
			return a, err
		}
	}
	return a, a.startAdmin(c, objects)
}

// cleaner is the clean-up over them; trash is erased only with its leave.
func (c *config) cleaner(db *store.Store, objects *objectstore.Store, moving *transfer.Service, log *slog.Logger) *cleanup.Service {
	s := &cleanup.Service{
		Records: db, Objects: objects, Uploads: moving, Policy: cleanup.Policy(c.Cleanup), Now: time.Now, Log: log,
		Rules: cleanup.Rules{
			OlderThan: c.CleanupOlderThan, FinishedAfter: c.CleanupFinishedAfter, Share: caseload.Share(c.CleanupShare * 10), AbandonAfter: c.AbandonAfter,
			TrashWindow: c.limits().TrashWindow,
		},
	}
	moving.Release = s.Release
	return s
}

func openStore(ctx context.Context, c *config, log *slog.Logger) (*store.Store, error) {
	return store.Open(ctx, store.Config{URL: c.DatabaseURL.Reveal(), Now: time.Now, Log: log})
}

// openObjects starts the embedded store, or connects to the external one.
func (a *application) openObjects(ctx context.Context, c *config) (*objectstore.Store, error) {
	if c.UseS3 {
		return objectstore.New(ctx, c.s3(a.log))
	}
	var err error
	if a.embedded, err = objectstore.StartEmbedded(ctx, filepath.Join(c.Data, "store"), a.log); err != nil {
		return nil, fmt.Errorf("start the embedded store: %w", err)
	}
	rules := doctor.CORS(c.CORSOrigins, doctor.CLIForm)
	if err = a.embedded.Store().SetSetting(ctx, caseload.BucketCORS, rules); err != nil {
		return nil, fmt.Errorf("let other origins send to the embedded store: %w", err)
	}
	return a.embedded.Store(), nil
}

func (a *application) startJobs(ctx context.Context, c *config, r role, moving *transfer.Service, reading *ingest.Service, objects *objectstore.Store) error {
	cfg := jobs.Config{
		Engine: a.store.Engine(), Workers: c.Workers, Log: a.log,
		Sweep: func(ctx context.Context) error {
			_, err := moving.Sweep(ctx)
			return errors.Join(err, a.cleaner.Tend(ctx))
		},
	}
	if r.worker() {
		keeping := a.ledger(objects)
		keeping.Rest = ledgerRest
		cfg.Ledger = func(ctx context.Context) error { return keeping.Keep(ctx, c.LedgerEvery) }
		cfg.Read = reading
		cfg.Reread = func(ctx context.Context) (bool, error) { return reading.Reread(ctx, a.store) }
	}
	if c.postgres() {
		cfg.PostgresURL = c.DatabaseURL.Reveal()
	} else {
		cfg.DB = a.store.DB()
		cfg.EndLeases = func(ctx context.Context) error { return a.store.EndLeases(ctx, time.Now()) }
	}
	var err error
	if a.jobs, err = jobs.New(cfg); err != nil {
		return fmt.Errorf("set up the queue: %w", err)
	}
	if err := a.jobs.Migrate(ctx); err != nil {
		return fmt.Errorf("set up the queue: %w", err)
	}
	a.store.SetEnqueue(a.jobs.Enqueue)
	a.store.SetRequeue(a.jobs.Requeue)
	if err := a.jobs.Start(ctx); err != nil {
		return fmt.Errorf("start the queue: %w", err)
	}
	a.working = true
	return nil
}

// ledgerRest is the pause between two pages of a worker's ledger: at most 20,000 keys a second, beside people's work.
const ledgerRest = 50 * time.Millisecond

// ledger compares the database with the bucket.
func (a *application) ledger(objects *objectstore.Store) *ledger.Service {
	return &ledger.Service{Records: a.store, Objects: objects, Now: time.Now, Log: a.log}
}

// startWeb opens the door to people. Before it answers anything, everything behind it is there.
func (a *application) startWeb(c *config, moving *transfer.Service, reading *ingest.Service, objects *objectstore.Store) error {
	cfg := web.Config{
		Store: a.store, Transfer: moving, Reading: reading, Frames: a.previews(objects), Cleanup: a.cleaner, Limits: moving.Limits,
		StoreOrigins: objects.Origins(), AllowedHosts: append(c.AllowedHosts, a.listener.Addr().String()), TrustProxy: len(c.TrustedProxies) > 0,
		SessionIdle: c.SessionIdle, SessionAbsolute: c.SessionAbsolute,
		Ready: func(ctx context.Context) []web.Check { return a.checks(ctx, objects) }, Collectors: []prometheus.Collector{queueMetrics{a.jobs}}, Version: version(),
		Log: a.log, Now: time.Now, Examine: a.examine(c, objects),
	}
	if c.PublicURL != nil {
		cfg.PublicURL = c.PublicURL.String()
	}
	if a.embedded != nil {
		cfg.Gateway, cfg.Bucket = a.embedded.Handler(), a.embedded.Bucket()
	}
	a.watching = inBackground(moving.WatchForms)
	a.pages = web.New(cfg)
	a.server = newServer(trustOnly(c.TrustedProxies, a.pages.Handler()), a.log)
	a.server.RegisterOnShutdown(a.pages.Close) // live streams would never end by themselves
	go serveOn(a.server, a.listener, a.failed)
	return nil
}

// inBackground runs until the returned function is called, which waits for its end.
func inBackground(run func(ctx context.Context)) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		run(ctx)
	}()
	return func() {
		cancel()
		<-ended
	}
}

// previews makes the pictures of what was read; the decoders run in children of this binary.
func (a *application) previews(objects *objectstore.Store) *preview.Service {
	return &preview.Service{
		Records: a.store, Objects: objects, Decoder: child.Runner{Path: ownBinary()}, Owner: ownerName(),
		Claim: preview.DefaultClaim, Pause: preview.DefaultPause, Now: time.Now, Log: a.log,
	}
}

// ownBinary is the path of the running program. On Linux it is the very file that runs, even when another version has
// been put in its place.
func ownBinary() string {
	if runtime.GOOS == "linux" {
		return "/proc/self/exe"
	}
	path, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return path
}

// checks answers /readyz: what the server needs besides the database, which it asks itself.
func (a *application) checks(ctx context.Context, objects *objectstore.Store) []web.Check {
	return []web.Check{{Name: "store", Err: objects.Check(ctx)}, {Name: "queue", Err: a.jobs.Check(ctx)}}
}

// startAdmin opens the listener of the monitoring, when there is to be one.
func (a *application) startAdmin(c *config, objects *objectstore.Store) error {
	if c.AdminAddr == "" {
		return nil
	}
	monitor := a.monitor(objects)
	l, err := listen(c.AdminAddr, "CASELOAD_ADMIN_ADDR")
	if err != nil {
		return err
	}
	a.log.Info("monitoring", "address", l.Addr().String())
	a.admin = newServer(monitor.Handler(), a.log)
	go serveOn(a.admin, l, a.failed)
	return nil
}

// monitor returns that of the web server, which counts requests besides; a worker's stands alone.
func (a *application) monitor(objects *objectstore.Store) *web.Monitor {
	if a.pages != nil {
		return a.pages.Monitor()
	}
	return web.NewMonitor(web.MonitorConfig{
		Store: a.store, Ready: func(ctx context.Context) []web.Check { return a.checks(ctx, objects) },
		Collectors: []prometheus.Collector{queueMetrics{a.jobs}}, Version: version(), Log: a.log,
	})
}

// ownerName names this process in leases.
func ownerName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	var random [4]byte
	_, _ = rand.Read(random[:]) // never fails
	return fmt.Sprintf("%s-%d-%s", host, os.Getpid(), hex.EncodeToString(random[:]))
}

func (c *config) limits() caseload.Limits {
	l := caseload.DefaultLimits()
	l.DirectThreshold, l.MaxFileSize, l.URLExpiry = c.DirectThreshold, c.MaxFileSize, c.URLExpiry
	l.PartSize, l.AbandonAfter, l.TrashWindow, l.UndoWindow = c.PartSize, c.AbandonAfter, c.TrashWindow, c.UndoWindow
	return l
}

// s3 is the external store the settings describe.
func (c *config) s3(log *slog.Logger) objectstore.Config {
	s := objectstore.Config{
		Region: c.S3Region, Bucket: c.S3Bucket, PathStyle: c.S3Addressing == "path",
		AccessKey: c.S3AccessKey, SecretKey: c.S3SecretKey.Reveal(), SessionToken: c.S3SessionToken.Reveal(),
		CustomDomain: c.S3CustomDomain, CloudFrontKeyID: c.CloudFrontKeyID, CloudFrontKeyFile: c.CloudFrontKeyFile, Log: log,
	}
	if c.S3Endpoint != nil {
		s.Endpoint = c.S3Endpoint.String()
	}
	if c.S3PublicEndpoint != nil {
		s.PublicEndpoint = c.S3PublicEndpoint.String()
	}
	return s
}

// address is where people open Caseload.
// address is where a person can open it: the listener's own or, when it listens on every address of the machine, one
// that other computers can reach.
func (a *application) address() string {
	at := a.listener.Addr().(*net.TCPAddr)
	if !at.IP.IsUnspecified() {
		return "http://" + at.String()
	}
	host := net.IPv4(127, 0, 0, 1)
	if addresses, err := net.InterfaceAddrs(); err == nil {
		for _, each := range addresses {
			if n, ok := each.(*net.IPNet); ok && n.IP.To4() != nil && n.IP.IsGlobalUnicast() {
				host = n.IP
				break
			}
		}
	}
	return "http://" + net.JoinHostPort(host.String(), strconv.Itoa(at.Port))
}

// stop takes everything down in order: no new requests while small uploads finish, then the workers hand back what
// they read, then the store and the database close. It goes on after a failure and returns all of them.
func (a *application) stop(ctx context.Context) error {
	var failures []error
	handedBack := make(chan error, 1) // beside the server: uploads may take all the time there is
	go func() {
		if a.working {
			handedBack <- a.jobs.Stop(ctx)
		}
		close(handedBack)
	}()
	if a.server != nil {
		failures = append(failures, a.server.Shutdown(ctx))
	} else if a.listener != nil {
		failures = append(failures, a.listener.Close())
	}
	a.watching()
	a.drawing()
	failures = append(failures, <-handedBack)
	if a.admin != nil {
		failures = append(failures, a.admin.Shutdown(ctx))
	}
	if a.embedded != nil {
		failures = append(failures, a.embedded.Close(ctx))
	}
	if a.store != nil {
		failures = append(failures, a.store.Close())
	}
	a.unlock()
	return errors.Join(failures...)
}
