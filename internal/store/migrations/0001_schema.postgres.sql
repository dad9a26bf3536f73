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

-- Prefix search asks for a range of terms: it needs byte order whatever the database's locale is.
ALTER TABLE case_terms ALTER COLUMN term TYPE text COLLATE "C";
-- The keyset of the case list, and identifiers everywhere, compare by byte, too (faster, and the same on both engines).
ALTER TABLE cases ALTER COLUMN number TYPE text COLLATE "C";
