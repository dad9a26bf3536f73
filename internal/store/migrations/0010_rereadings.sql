-- Which reader read a file (caseload.ReaderVersion); 0: from before this was kept, or not read yet.
ALTER TABLE files ADD COLUMN reader BIGINT NOT NULL DEFAULT 0 CHECK (reader >= 0);

-- Files to be read again while what was read before stands. A row goes when the new results replace the old ones; one
-- that failed stays, with the reason, until it is asked for again. No foreign key: its check would lock the file's row,
-- out of the order in which everything else takes locks. Rows of files that are gone are removed when their turn comes.
CREATE TABLE rereadings (
  file_id         TEXT   NOT NULL PRIMARY KEY CHECK (length(file_id) = 26),
  organization_id TEXT   NOT NULL,
  case_id         TEXT   NOT NULL,
  due_at          BIGINT NOT NULL CHECK (due_at > 0),
  attempt         BIGINT NOT NULL DEFAULT 0, -- files.attempt of the reading under way; fences its results
  tries           BIGINT NOT NULL DEFAULT 0 CHECK (tries >= 0),
  lease_until     BIGINT NOT NULL DEFAULT 0,
  failed_at       BIGINT NOT NULL DEFAULT 0,
  reason          TEXT   NOT NULL DEFAULT '' CHECK (failed_at = 0 OR reason <> '')
);
CREATE INDEX rereadings_due ON rereadings (due_at, file_id) WHERE failed_at = 0;
CREATE INDEX rereadings_case ON rereadings (organization_id, case_id);
