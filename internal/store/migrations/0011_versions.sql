-- Versions of one file share a family: the id of the first of them; '' while a file has but one. Of those received, all but
-- the latest are superseded: kept, and listed under the latest.
ALTER TABLE files ADD COLUMN family TEXT NOT NULL DEFAULT '' CHECK (family = '' OR length(family) = 26);
ALTER TABLE files ADD COLUMN superseded BIGINT NOT NULL DEFAULT 0 CHECK (superseded = 0 OR (superseded = 1 AND family <> ''));

CREATE INDEX files_family ON files (family) WHERE family <> '';
CREATE INDEX files_superseded ON files (case_id) WHERE superseded = 1;

-- What older versions hold, or what is wrong with them, is not counted for their case.
DROP INDEX files_case;
CREATE INDEX files_case ON files
  (case_id, state, warned, superseded, size, images, meshes, photos, documents, others);
DROP INDEX files_attention;
CREATE INDEX files_attention ON files (organization_id, case_id)
  WHERE ((state IN ('rejected', 'abandoned') OR (warned = 1 AND state <> 'deleted')) AND superseded = 0);
