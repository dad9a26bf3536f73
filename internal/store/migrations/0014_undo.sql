-- What a rule put into the trash, and not a person's own hand.
ALTER TABLE intents ADD COLUMN by_rule BIGINT NOT NULL DEFAULT 0 CHECK (by_rule IN (0, 1));
UPDATE intents SET by_rule = 1 WHERE actor IN ('', 'system') OR reason = 'the clean-up moved a finished case';

-- Where the bucket keeps versions an object is first hidden behind a delete marker; 0 and '': it is not.
ALTER TABLE intents ADD COLUMN hidden_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE intents ADD COLUMN marker TEXT NOT NULL DEFAULT ''; -- the marker's own version

ALTER TABLE intents ADD COLUMN final BIGINT NOT NULL DEFAULT 0 CHECK (final IN (0, 1)); -- a person said: for good, now

-- Who deleted a case; '': it is live, or nobody knows any more.
ALTER TABLE cases ADD COLUMN deleted_by TEXT NOT NULL DEFAULT '';
UPDATE cases SET deleted_by = COALESCE((SELECT e.actor FROM events e
  WHERE e.organization_id = cases.organization_id AND e.case_id = cases.id AND e.action = 'case.deleted' ORDER BY e.seq DESC LIMIT 1), '') WHERE deleted_at > 0;

-- When a person took back what a clean-up had done; 0: nobody did.
ALTER TABLE cleanup_plans ADD COLUMN undone_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE cleanup_plans ADD COLUMN undone_by TEXT NOT NULL DEFAULT '';
