package store_test

import (
	"dcdentals.com/caseload/internal/ingest"
	"dcdentals.com/caseload/internal/store"
	"dcdentals.com/caseload/internal/transfer"
)

var (
	_ transfer.Records  = (*store.Store)(nil)
	_ ingest.Records    = (*store.Store)(nil)
	_ ingest.Rereadings = (*store.Store)(nil)
)
