-- Small pictures of series, meshes and photos, and the work of making them. BYTEA is PostgreSQL's word; SQLite keeps a
-- blob as it is under any type's name.
CREATE TABLE previews (
  id              TEXT   NOT NULL PRIMARY KEY CHECK (length(id) = 26),
  organization_id TEXT   NOT NULL,
  case_id         TEXT   NOT NULL,
  series_id       TEXT   NOT NULL DEFAULT '', -- of a series, or
  file_id         TEXT   NOT NULL DEFAULT '', -- of a file
  state           TEXT   NOT NULL CHECK (state IN ('waiting', 'made', 'none', 'browser')),
  reason          TEXT   NOT NULL DEFAULT '',
  facts           TEXT   NOT NULL DEFAULT '{}', -- JSON
  revision        BIGINT NOT NULL CHECK (revision > 0), -- grows with every change of what it shows
  due_at          BIGINT NOT NULL, -- 0: nothing is to be done
  attempt         BIGINT NOT NULL DEFAULT 0 CHECK (attempt >= 0),
  tries           BIGINT NOT NULL DEFAULT 0 CHECK (tries BETWEEN 0 AND attempt),
  owner           TEXT   NOT NULL DEFAULT '',
  working_until   BIGINT NOT NULL DEFAULT 0,
  FOREIGN KEY (case_id, organization_id) REFERENCES cases (id, organization_id),
  CHECK ((series_id = '') <> (file_id = '')),
  CHECK (state <> 'waiting' OR due_at > 0),
  CHECK (state <> 'none' OR reason <> '')
);
CREATE UNIQUE INDEX previews_series ON previews (series_id) WHERE series_id <> '';
CREATE UNIQUE INDEX previews_file ON previews (file_id) WHERE file_id <> '';
CREATE INDEX previews_case ON previews (case_id);
CREATE INDEX previews_due ON previews (due_at, id) WHERE due_at > 0;

CREATE TABLE preview_pictures (
  preview_id TEXT   NOT NULL REFERENCES previews (id) ON DELETE CASCADE,
  view       TEXT   NOT NULL CHECK (view IN ('image', 'axial', 'coronal', 'sagittal')),
  media      TEXT   NOT NULL CHECK (media IN ('image/png', 'image/jpeg')),
  width      BIGINT NOT NULL CHECK (width BETWEEN 1 AND 512),
  height     BIGINT NOT NULL CHECK (height BETWEEN 1 AND 512),
  sha256     TEXT   NOT NULL CHECK (length(sha256) = 64),
  bytes      BYTEA  NOT NULL CHECK (length(bytes) BETWEEN 1 AND 65536),
  PRIMARY KEY (preview_id, view)
);

-- What a browser handed in, as it came, until it has been drawn anew.
CREATE TABLE preview_offers (
  preview_id TEXT  NOT NULL REFERENCES previews (id) ON DELETE CASCADE,
  view       TEXT  NOT NULL CHECK (view IN ('image', 'axial', 'coronal', 'sagittal')),
  bytes      BYTEA NOT NULL CHECK (length(bytes) BETWEEN 1 AND 262144),
  PRIMARY KEY (preview_id, view)
);
