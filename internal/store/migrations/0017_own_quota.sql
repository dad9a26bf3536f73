-- A lower limit that an organization's administrators set themselves, in bytes; 0: none. The smaller of both counts.
ALTER TABLE organizations ADD COLUMN own_quota_bytes BIGINT NOT NULL DEFAULT 0 CHECK (own_quota_bytes >= 0);
