-- A mesh, a photo or a document inside a ZIP has a preview of its own: that of the file's contents.enclosed, counted from 1.
ALTER TABLE previews ADD COLUMN entry BIGINT NOT NULL DEFAULT 0 CHECK (entry >= 0);
DROP INDEX previews_file;
CREATE UNIQUE INDEX previews_file ON previews (file_id, entry) WHERE file_id <> '';
