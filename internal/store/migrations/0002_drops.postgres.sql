-- As 0001 says: text compares byte by byte.
ALTER TABLE files ALTER COLUMN drop_id TYPE text COLLATE "C";
