-- Files of one drop belong together (delivery receipts), and a file that is dropped again is found again: unfinished
-- ones by their fingerprint, received ones by checksum or, for a client that has yet to take the checksum, by size.

ALTER TABLE files ADD COLUMN drop_id TEXT NOT NULL DEFAULT '' CHECK (drop_id = '' OR length(drop_id) = 26);

CREATE INDEX files_drop ON files (drop_id, organization_id) WHERE drop_id <> '';
CREATE INDEX files_unfinished ON files (case_id, fingerprint) WHERE state IN ('planned', 'sending') AND fingerprint <> '';
CREATE INDEX files_received ON files (case_id, crc64nvme) WHERE state IN ('stored', 'reading', 'ready', 'rejected');
CREATE INDEX files_received_size ON files (case_id, size) WHERE state IN ('stored', 'reading', 'ready', 'rejected');
