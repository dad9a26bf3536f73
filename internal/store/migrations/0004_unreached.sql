-- Administrators are told when the store was not reached lately, on a page they open often.
CREATE INDEX events_unreached ON events (organization_id, at) WHERE action = 'store.unreached';
