-- PostgreSQL's way to keep the audit log append-only, and byte order where ranges over text are asked for.

CREATE FUNCTION refuse_change_of_audit_log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the audit log is append-only';
END;
$$;

CREATE TRIGGER events_are_never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON events
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_audit_log();

CREATE TRIGGER audit_heads_are_never_removed BEFORE DELETE OR TRUNCATE ON audit_heads
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_audit_log();

-- Text compares byte by byte, as on SQLite, whatever the database's locale is: prefix search asks for ranges of terms,
-- keysets compare identifiers, and both are several times faster that way.
DO $$
DECLARE
  c record;
BEGIN
  FOR c IN
    SELECT table_name, column_name FROM information_schema.columns
    WHERE table_schema = current_schema() AND data_type = 'text' AND table_name IN (
      'organizations', 'users', 'sessions', 'sign_in_failures', 'tokens', 'cases', 'case_numbers', 'case_terms', 'files', 'parts',
      'intents', 'studies', 'series', 'instances', 'audit_heads', 'events')
  LOOP
    EXECUTE format('ALTER TABLE %I ALTER COLUMN %I TYPE text COLLATE "C"', c.table_name, c.column_name);
  END LOOP;
END;
$$;
