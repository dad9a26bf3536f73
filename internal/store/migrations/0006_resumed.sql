-- 1: the upload was given to a second client, so that its parts may be of two files. Of what is arriving when this step is
-- taken nobody knows, which counts as 1 where there is more than one part.
ALTER TABLE files ADD COLUMN resumed BIGINT NOT NULL DEFAULT 0 CHECK (resumed IN (0, 1));

UPDATE files SET resumed = 1 WHERE state IN ('planned', 'sending') AND loose = 0 AND part_size > 0 AND size > part_size;
