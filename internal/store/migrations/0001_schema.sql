-- Caseload's first schema, one text for SQLite and PostgreSQL: text identifiers, BIGINT milliseconds UTC (0: never),
-- BIGINT sizes in bytes, hashes as lower-case hex. What only one engine can say is in 0001_schema.<engine>.sql.

CREATE TABLE organizations (
  id         TEXT   NOT NULL PRIMARY KEY CHECK (length(id) = 26),
  name       TEXT   NOT NULL CHECK (name <> ''),
  created_at BIGINT NOT NULL
);

CREATE TABLE users (
  id              TEXT   NOT NULL PRIMARY KEY CHECK (length(id) = 26),
  organization_id TEXT   NOT NULL REFERENCES organizations (id),
  email           TEXT   NOT NULL CHECK (email <> '' AND email = lower(email)),
  name            TEXT   NOT NULL,
  role            TEXT   NOT NULL CHECK (role IN ('admin', 'member', 'viewer')),
  password_hash   TEXT   NOT NULL,
  disabled_at     BIGINT NOT NULL DEFAULT 0,
  created_at      BIGINT NOT NULL,
  last_seen_at    BIGINT NOT NULL DEFAULT 0,
  UNIQUE (id, organization_id)
);
CREATE UNIQUE INDEX users_email ON users (email);
CREATE INDEX users_organization ON users (organization_id, created_at);

CREATE TABLE sessions (
  token_hash   TEXT   NOT NULL PRIMARY KEY,
  user_id      TEXT   NOT NULL REFERENCES users (id),
  created_at   BIGINT NOT NULL,
  last_seen_at BIGINT NOT NULL,
  ends_at      BIGINT NOT NULL CHECK (ends_at > 0)
);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_end ON sessions (ends_at);

CREATE TABLE sign_in_failures (
  key      TEXT   NOT NULL PRIMARY KEY,
  failures BIGINT NOT NULL CHECK (failures > 0),
  first_at BIGINT NOT NULL,
  last_at  BIGINT NOT NULL
);
CREATE INDEX sign_in_failures_age ON sign_in_failures (last_at);

CREATE TABLE tokens (
  id           TEXT   NOT NULL PRIMARY KEY CHECK (length(id) = 26),
  user_id      TEXT   NOT NULL REFERENCES users (id),
  name         TEXT   NOT NULL,
  role         TEXT   NOT NULL CHECK (role IN ('admin', 'member', 'viewer')),
  secret_hash  TEXT   NOT NULL UNIQUE,
  created_at   BIGINT NOT NULL,
  expires_at   BIGINT NOT NULL DEFAULT 0,
  last_used_at BIGINT NOT NULL DEFAULT 0,
  revoked_at   BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX tokens_user ON tokens (user_id);

CREATE TABLE cases (
  id              TEXT   NOT NULL PRIMARY KEY CHECK (length(id) = 26),
  organization_id TEXT   NOT NULL REFERENCES organizations (id),
  number          TEXT   NOT NULL CHECK (number <> ''),
  patient         TEXT   NOT NULL,
  note            TEXT   NOT NULL,
  created_by      TEXT   NOT NULL,
  created_at      BIGINT NOT NULL,
  changed_at      BIGINT NOT NULL,
  revision        BIGINT NOT NULL CHECK (revision > 0),
  deleted_at      BIGINT NOT NULL DEFAULT 0,
  UNIQUE (organization_id, number),
  UNIQUE (id, organization_id),
  FOREIGN KEY (created_by, organization_id) REFERENCES users (id, organization_id)
);
CREATE INDEX cases_list ON cases (organization_id, changed_at, id) WHERE deleted_at = 0;

-- The highest number of the form YEAR-N an organization has used, so that proposing the next one counts nothing.
CREATE TABLE case_numbers (
  organization_id TEXT   NOT NULL REFERENCES organizations (id),
  year            BIGINT NOT NULL,
  last            BIGINT NOT NULL CHECK (last > 0),
  PRIMARY KEY (organization_id, year)
);

-- Words a case can be found by, folded; see terms.go. Rows of deleted cases are removed.
CREATE TABLE case_terms (
  case_id         TEXT NOT NULL REFERENCES cases (id),
  term            TEXT NOT NULL CHECK (term <> ''),
  organization_id TEXT NOT NULL,
  PRIMARY KEY (case_id, term)
);
CREATE INDEX case_terms_find ON case_terms (organization_id, term, case_id);

CREATE TABLE files (
  id              TEXT   NOT NULL PRIMARY KEY CHECK (length(id) = 26),
  organization_id TEXT   NOT NULL,
  case_id         TEXT   NOT NULL,
  name            TEXT   NOT NULL CHECK (name <> ''),
  path            TEXT   NOT NULL,
  size            BIGINT NOT NULL CHECK (size > 0),
  content_type    TEXT   NOT NULL,
  modified_at     BIGINT NOT NULL,
  fingerprint     TEXT   NOT NULL,
  state           TEXT   NOT NULL CHECK (state IN
                    ('planned', 'sending', 'stored', 'reading', 'ready', 'rejected', 'abandoned', 'deleted')),
  reason          TEXT   NOT NULL DEFAULT '',
  route           TEXT   NOT NULL CHECK (route IN ('small', 'direct')),
  object          TEXT   NOT NULL CHECK (object <> ''),
  upload_id       TEXT   NOT NULL DEFAULT '',
  part_size       BIGINT NOT NULL,
  sent_bytes      BIGINT NOT NULL DEFAULT 0 CHECK (sent_bytes BETWEEN 0 AND size),
  deadline        BIGINT NOT NULL,
  crc64nvme       TEXT   NOT NULL DEFAULT '',
  etag            TEXT   NOT NULL DEFAULT '',
  version_id      TEXT   NOT NULL DEFAULT '',
  sha256          TEXT   NOT NULL DEFAULT '',
  kind            TEXT   NOT NULL DEFAULT '',
  warnings        TEXT   NOT NULL DEFAULT '[]', -- JSON
  warned          BIGINT NOT NULL DEFAULT 0 CHECK (warned IN (0, 1)),
  contents        TEXT   NOT NULL DEFAULT '{}', -- JSON
  images          BIGINT NOT NULL DEFAULT 0,    -- frames of all instances; these five repeat contents for the case list
  meshes          BIGINT NOT NULL DEFAULT 0,
  photos          BIGINT NOT NULL DEFAULT 0,
  documents       BIGINT NOT NULL DEFAULT 0,
  others          BIGINT NOT NULL DEFAULT 0,
  entries_done    BIGINT NOT NULL DEFAULT 0,
  entries_total   BIGINT NOT NULL DEFAULT 0,
  bytes_read      BIGINT NOT NULL DEFAULT 0,
  attempt         BIGINT NOT NULL DEFAULT 0 CHECK (attempt >= 0),
  tries           BIGINT NOT NULL DEFAULT 0 CHECK (tries BETWEEN 0 AND attempt),
  owner           TEXT   NOT NULL DEFAULT '',
  reading_until   BIGINT NOT NULL DEFAULT 0,
  created_by      TEXT   NOT NULL,
  created_at      BIGINT NOT NULL,
  changed_at      BIGINT NOT NULL,
  stored_at       BIGINT NOT NULL DEFAULT 0,
  metadata_at     BIGINT NOT NULL DEFAULT 0,
  ready_at        BIGINT NOT NULL DEFAULT 0,
  FOREIGN KEY (case_id, organization_id) REFERENCES cases (id, organization_id),
  FOREIGN KEY (created_by, organization_id) REFERENCES users (id, organization_id),
  CHECK ((route = 'small' AND part_size = 0 AND upload_id = '') OR (route = 'direct' AND part_size > 0)),
  -- I2: nothing is stored without what the server itself observed
  CHECK (state NOT IN ('stored', 'reading', 'ready', 'rejected')
         OR (crc64nvme <> '' AND (etag <> '' OR version_id <> '') AND stored_at > 0 AND sent_bytes = size)),
  -- I5: whatever is not at an end has a deadline
  CHECK (state IN ('ready', 'rejected', 'abandoned', 'deleted') OR deadline > 0),
  CHECK (state <> 'reading' OR (owner <> '' AND attempt > 0 AND reading_until > 0)),
  CHECK (state <> 'ready' OR (length(sha256) = 64 AND kind <> '' AND metadata_at > 0 AND ready_at > 0)),
  CHECK (state NOT IN ('rejected', 'abandoned') OR reason <> '')
);
CREATE UNIQUE INDEX files_object ON files (object);
CREATE INDEX files_case ON files
  (case_id, state, warned, size, images, meshes, photos, documents, others);
CREATE INDEX files_stats ON files (state, route, size); -- Stats reads it in order, without a sort
CREATE INDEX files_due ON files (deadline, id) WHERE state IN ('planned', 'sending');
CREATE INDEX files_lapsed ON files (deadline, id) WHERE state IN ('stored', 'reading');
CREATE INDEX files_arriving ON files (organization_id, case_id) WHERE state IN ('planned', 'sending');
CREATE INDEX files_in_work ON files (organization_id, case_id) WHERE state IN ('stored', 'reading');
CREATE INDEX files_attention ON files (organization_id, case_id)
  WHERE (state IN ('rejected', 'abandoned') OR (warned = 1 AND state <> 'deleted'));

CREATE TABLE parts (
  file_id   TEXT   NOT NULL REFERENCES files (id),
  number    BIGINT NOT NULL CHECK (number BETWEEN 1 AND 10000),
  size      BIGINT NOT NULL CHECK (size > 0),
  crc64nvme TEXT   NOT NULL CHECK (crc64nvme <> ''),
  PRIMARY KEY (file_id, number)
);

CREATE TABLE intents (
  id              TEXT   NOT NULL PRIMARY KEY CHECK (length(id) = 26),
  organization_id TEXT   NOT NULL REFERENCES organizations (id),
  file_id         TEXT   NOT NULL REFERENCES files (id),
  object          TEXT   NOT NULL CHECK (object <> ''),
  upload_id       TEXT   NOT NULL,
  version_id      TEXT   NOT NULL,
  reason          TEXT   NOT NULL,
  state           TEXT   NOT NULL CHECK (state IN ('open', 'done', 'cancelled')),
  due_at          BIGINT NOT NULL CHECK (due_at > 0),
  claimed_until   BIGINT NOT NULL DEFAULT 0,
  created_at      BIGINT NOT NULL,
  finished_at     BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX intents_due ON intents (due_at, id) WHERE state = 'open';
CREATE INDEX intents_file ON intents (file_id);

CREATE TABLE studies (
  id               TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 26),
  organization_id  TEXT NOT NULL,
  case_id          TEXT NOT NULL,
  study_uid        TEXT NOT NULL,
  patient_name     TEXT NOT NULL,
  patient_id       TEXT NOT NULL,
  birth_date       TEXT NOT NULL,
  sex              TEXT NOT NULL,
  study_date       TEXT NOT NULL,
  study_time       TEXT NOT NULL,
  description      TEXT NOT NULL,
  accession_number TEXT NOT NULL,
  UNIQUE (case_id, study_uid),
  FOREIGN KEY (case_id, organization_id) REFERENCES cases (id, organization_id)
);

CREATE TABLE series (
  id            TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 26),
  case_id       TEXT NOT NULL REFERENCES cases (id),
  study_id      TEXT NOT NULL REFERENCES studies (id),
  series_uid    TEXT NOT NULL,
  series_number TEXT NOT NULL,
  modality      TEXT NOT NULL,
  description   TEXT NOT NULL,
  manufacturer  TEXT NOT NULL,
  model         TEXT NOT NULL,
  UNIQUE (study_id, series_uid)
);
CREATE INDEX series_case ON series (case_id);

CREATE TABLE instances (
  id                 TEXT   NOT NULL PRIMARY KEY CHECK (length(id) = 26),
  series_id          TEXT   NOT NULL REFERENCES series (id),
  file_id            TEXT   NOT NULL REFERENCES files (id),
  sop_instance_uid   TEXT   NOT NULL,
  sop_class_uid      TEXT   NOT NULL,
  transfer_syntax    TEXT   NOT NULL,
  number             BIGINT NOT NULL,
  image_rows         BIGINT NOT NULL,
  image_columns      BIGINT NOT NULL,
  frames             BIGINT NOT NULL,
  bits_allocated     BIGINT NOT NULL,
  position           TEXT   NOT NULL, -- numbers separated by spaces; '': absent
  orientation        TEXT   NOT NULL,
  pixel_spacing      TEXT   NOT NULL,
  slice_thickness    DOUBLE PRECISION NOT NULL,
  spacing_between    DOUBLE PRECISION NOT NULL,
  entry_index        BIGINT NOT NULL CHECK (entry_index >= -1),
  entry_name         TEXT   NOT NULL,
  entry_method       BIGINT NOT NULL,
  entry_offset       BIGINT NOT NULL,
  entry_compressed   BIGINT NOT NULL,
  entry_size         BIGINT NOT NULL,
  entry_crc32        BIGINT NOT NULL,
  pixel_offset       BIGINT NOT NULL CHECK (pixel_offset >= -1),
  pixel_length       BIGINT NOT NULL CHECK (pixel_length >= -1),
  pixel_encapsulated BIGINT NOT NULL CHECK (pixel_encapsulated IN (0, 1)),
  warnings           TEXT   NOT NULL -- JSON
);
CREATE INDEX instances_series ON instances (series_id);
CREATE INDEX instances_file ON instances (file_id);

-- The audit log: one gapless, hash-chained line of events per organization; see audit.go.
CREATE TABLE audit_heads (
  organization_id TEXT   NOT NULL PRIMARY KEY REFERENCES organizations (id),
  seq             BIGINT NOT NULL CHECK (seq >= 0),
  hash            TEXT   NOT NULL
);

CREATE TABLE events (
  organization_id TEXT   NOT NULL REFERENCES organizations (id),
  seq             BIGINT NOT NULL CHECK (seq > 0),
  at              BIGINT NOT NULL,
  actor           TEXT   NOT NULL CHECK (actor <> ''),
  action          TEXT   NOT NULL CHECK (action <> ''),
  case_id         TEXT   NOT NULL,
  file_id         TEXT   NOT NULL,
  detail          TEXT   NOT NULL,
  hash            TEXT   NOT NULL CHECK (length(hash) = 64),
  PRIMARY KEY (organization_id, seq)
);
CREATE INDEX events_case ON events (organization_id, case_id, seq) WHERE case_id <> '';
CREATE INDEX events_file ON events (organization_id, file_id, seq) WHERE file_id <> '';
