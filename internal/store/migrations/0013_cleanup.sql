-- Trash is the delete-intents of files that had been received: kept 1. Such an object goes only once it is released, by
-- the end of its window or by a person, and until somebody has claimed it, its file can be restored.
ALTER TABLE intents ADD COLUMN kept BIGINT NOT NULL DEFAULT 0 CHECK (kept IN (0, 1));
ALTER TABLE intents ADD COLUMN with_case BIGINT NOT NULL DEFAULT 0 CHECK (with_case IN (0, 1)); -- deleted with its whole case
ALTER TABLE intents ADD COLUMN actor TEXT NOT NULL DEFAULT ''; -- who deleted it; '': from before this was kept
ALTER TABLE intents ADD COLUMN released_at BIGINT NOT NULL DEFAULT 0;

UPDATE intents SET kept = 1 WHERE state = 'open' AND EXISTS (
  SELECT 1 FROM files f WHERE f.id = intents.file_id AND f.object = intents.object AND f.state = 'deleted' AND f.stored_at > 0);
UPDATE intents SET with_case = 1 WHERE kept = 1 AND reason = 'the case was deleted';

CREATE INDEX intents_trash ON intents (organization_id, due_at) WHERE state = 'open' AND kept = 1;

-- When somebody said that the work on a case is finished; 0: it is open.
ALTER TABLE cases ADD COLUMN finished_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX cases_finished ON cases (organization_id, finished_at) WHERE finished_at > 0 AND deleted_at = 0;
CREATE INDEX files_abandoned ON files (organization_id, changed_at) WHERE state = 'abandoned';

-- What a clean-up would do, one plan an organization, and what became of it.
CREATE TABLE cleanup_plans (
  id              TEXT   NOT NULL PRIMARY KEY CHECK (length(id) = 26),
  organization_id TEXT   NOT NULL REFERENCES organizations (id),
  state           TEXT   NOT NULL CHECK (state IN ('waiting', 'approved', 'done', 'refused', 'dismissed')),
  made_at         BIGINT NOT NULL CHECK (made_at > 0),
  made_by         TEXT   NOT NULL CHECK (made_by <> ''),
  quiet_since     BIGINT NOT NULL, -- uploads: no sign of life after this moment
  finished_since  BIGINT NOT NULL, -- cases: finished and unchanged after this moment; 0: cases stay
  total_objects   BIGINT NOT NULL, -- the organization's when the plan was made, trash included
  total_bytes     BIGINT NOT NULL,
  goes_objects    BIGINT NOT NULL,
  goes_bytes      BIGINT NOT NULL,
  allowed         BIGINT NOT NULL DEFAULT 0, -- tenths of a percent that a person typed
  approved_by     TEXT   NOT NULL DEFAULT '',
  approved_at     BIGINT NOT NULL DEFAULT 0,
  ended_at        BIGINT NOT NULL DEFAULT 0,
  doubts          TEXT   NOT NULL DEFAULT '[]', -- JSON: codes, why it was refused
  CHECK (state NOT IN ('approved', 'done') OR (approved_by <> '' AND approved_at > 0)),
  CHECK (state IN ('waiting', 'approved') OR ended_at > 0)
);
CREATE INDEX cleanup_plans_list ON cleanup_plans (organization_id, made_at);
CREATE INDEX cleanup_plans_open ON cleanup_plans (approved_at) WHERE state = 'approved';

CREATE TABLE cleanup_items (
  plan_id         TEXT   NOT NULL REFERENCES cleanup_plans (id),
  n               BIGINT NOT NULL CHECK (n > 0),
  kind            TEXT   NOT NULL CHECK (kind IN ('unfinished', 'abandoned', 'trash', 'case', 'stray')),
  case_id         TEXT   NOT NULL DEFAULT '',
  file_id         TEXT   NOT NULL DEFAULT '',
  object          TEXT   NOT NULL DEFAULT '',
  upload_id       TEXT   NOT NULL DEFAULT '',
  objects         BIGINT NOT NULL CHECK (objects >= 0),
  bytes           BIGINT NOT NULL CHECK (bytes >= 0),
  since           BIGINT NOT NULL,
  state           TEXT   NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'claimed', 'done', 'fell')),
  why             TEXT   NOT NULL DEFAULT '' CHECK (state <> 'fell' OR why <> ''),
  PRIMARY KEY (plan_id, n),
  CHECK (kind <> 'stray' OR (object <> '' AND upload_id <> ''))
);

-- One row: which database this is, and since when it has been looked after without a gap.
CREATE TABLE database_watch (
  one         BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
  database_id TEXT   NOT NULL CHECK (length(database_id) = 26),
  seen_at     BIGINT NOT NULL,
  awake_since BIGINT NOT NULL
);
