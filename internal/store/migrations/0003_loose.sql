-- Loose uploads: their client says neither the parts' checksums nor, perhaps, the size.
ALTER TABLE files ADD COLUMN loose BIGINT NOT NULL DEFAULT 0 CHECK (loose IN (0, 1));

-- 1: size is only the most it may be. Nothing is stored of which the size is not known (I2).
ALTER TABLE files ADD COLUMN size_open BIGINT NOT NULL DEFAULT 0
  CHECK (size_open = 0 OR (size_open = 1 AND loose = 1 AND state IN ('planned', 'sending', 'abandoned', 'deleted')));

-- When the client gave the upload up; it may come back for a while. 0: it did not.
ALTER TABLE files ADD COLUMN cancelled_at BIGINT NOT NULL DEFAULT 0;
