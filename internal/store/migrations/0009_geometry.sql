-- What completeness and warnings are derived from: where the frames of a multi-frame object lie, and whose image it is.
-- Rows from before have neither; reading the file again fills them in.
ALTER TABLE instances ADD COLUMN frame_positions TEXT NOT NULL DEFAULT ''; -- mm along the normal, separated by spaces
ALTER TABLE instances ADD COLUMN patient TEXT NOT NULL DEFAULT '';         -- JSON: name, ID, date of birth, as the image itself says; '': nobody

-- The ZIP inside the ZIP that the entry lies in, where that one is compressed; within_size 0: there is none.
ALTER TABLE instances ADD COLUMN within_method BIGINT NOT NULL DEFAULT 0;
ALTER TABLE instances ADD COLUMN within_offset BIGINT NOT NULL DEFAULT 0;
ALTER TABLE instances ADD COLUMN within_compressed BIGINT NOT NULL DEFAULT 0;
ALTER TABLE instances ADD COLUMN within_size BIGINT NOT NULL DEFAULT 0;
