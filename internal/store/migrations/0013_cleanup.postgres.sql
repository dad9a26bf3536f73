-- As 0001 says: text compares byte by byte.
ALTER TABLE intents ALTER COLUMN actor TYPE text COLLATE "C";
DO $$
DECLARE
  c record;
BEGIN
  FOR c IN
    SELECT table_name, column_name FROM information_schema.columns
    WHERE table_schema = current_schema() AND data_type = 'text' AND table_name IN ('cleanup_plans', 'cleanup_items', 'database_watch')
  LOOP
    EXECUTE format('ALTER TABLE %I ALTER COLUMN %I TYPE text COLLATE "C"', c.table_name, c.column_name);
  END LOOP;
END;
$$;
