-- The ledger compares the database with the bucket, key by key; see ledger.go. Of a ledger that is under way `step` fences
-- who writes: each step adds to the sums and moves the continuation in one transaction, so that a killed one goes on
-- where it was. LedgerSum, LedgerLine and UsageDay of package caseload say what the columns mean.
CREATE TABLE ledgers (
  id          TEXT   NOT NULL PRIMARY KEY CHECK (length(id) = 26),
  phase       TEXT   NOT NULL CHECK (phase IN ('objects', 'uploads', 'strangers', 'done')),
  step        BIGINT NOT NULL CHECK (step >= 0),
  versions    BIGINT NOT NULL CHECK (versions IN (0, 1)), -- 1: every version of an object is listed
  after_key   TEXT   NOT NULL,
  after_id    TEXT   NOT NULL,
  keys        BIGINT NOT NULL DEFAULT 0,
  started_at  BIGINT NOT NULL,
  changed_at  BIGINT NOT NULL,
  finished_at BIGINT NOT NULL DEFAULT 0,
  CHECK ((phase = 'done') = (finished_at > 0))
);
CREATE UNIQUE INDEX ledgers_open ON ledgers ((1)) WHERE finished_at = 0; -- one at a time
CREATE INDEX ledgers_finished ON ledgers (finished_at) WHERE finished_at > 0;

CREATE TABLE ledger_sums (
  ledger_id       TEXT   NOT NULL REFERENCES ledgers (id) ON DELETE CASCADE,
  organization_id TEXT   NOT NULL, -- '': nobody's
  class           TEXT   NOT NULL CHECK (class <> ''),
  source          TEXT   NOT NULL CHECK (source IN ('object', 'version', 'upload', 'row')),
  objects         BIGINT NOT NULL,
  bytes           BIGINT NOT NULL,
  PRIMARY KEY (ledger_id, organization_id, class, source)
);

CREATE TABLE ledger_lines (
  ledger_id       TEXT   NOT NULL REFERENCES ledgers (id) ON DELETE CASCADE,
  class           TEXT   NOT NULL CHECK (class IN ('unexplained', 'missing')),
  object          TEXT   NOT NULL,
  version_id      TEXT   NOT NULL,
  upload_id       TEXT   NOT NULL,
  organization_id TEXT   NOT NULL,
  file_id         TEXT   NOT NULL,
  bytes           BIGINT NOT NULL,
  why             TEXT   NOT NULL CHECK (why <> ''),
  PRIMARY KEY (ledger_id, class, object, version_id, upload_id)
);

-- What was kept on each day, in few rows.
CREATE TABLE usage_days (
  organization_id TEXT   NOT NULL REFERENCES organizations (id),
  day             TEXT   NOT NULL CHECK (length(day) = 10), -- YYYY-MM-DD, UTC
  class           TEXT   NOT NULL CHECK (class <> ''),
  objects         BIGINT NOT NULL,
  bytes           BIGINT NOT NULL,
  PRIMARY KEY (organization_id, day, class)
);

-- The most an organization may keep, in bytes; 0: no limit.
ALTER TABLE organizations ADD COLUMN quota_bytes BIGINT NOT NULL DEFAULT 0 CHECK (quota_bytes >= 0);

-- What counts towards the quota is summed from this index alone.
CREATE INDEX files_kept ON files (organization_id, size)
  WHERE state IN ('planned', 'sending', 'stored', 'reading', 'ready', 'rejected');
CREATE INDEX files_uploading ON files (object) WHERE upload_id <> '' AND state IN ('planned', 'sending');
