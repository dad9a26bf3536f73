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
	"time"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/ingest"
	"dcdentals.com/caseload/internal/jobs"
	"dcdentals.com/caseload/internal/objectstore"
	"dcdentals.com/caseload/internal/store"
	"dcdentals.com/caseload/internal/transfer"
	"dcdentals.com/caseload/internal/web"
)

// application is everything that runs in one process. start builds it, stop takes it down in the reverse order.
type application struct {
	config   *config
	log      *slog.Logger
	store    *store.Store
	objects  *objectstore.Store
	embedded *objectstore.Embedded // nil with an external store
	jobs     *jobs.Jobs
	pages    *web.Server  // nil for a worker
	server   *http.Server // nil for a worker
	listener net.Listener
	admin    *http.Server // nil without CASELOAD_ADMIN_ADDR
	working  bool         // jobs were started
	unlock   func()
	failed   chan error
}
