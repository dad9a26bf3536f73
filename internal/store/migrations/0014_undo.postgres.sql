-- As 0001 says: text compares byte by byte.
ALTER TABLE intents ALTER COLUMN marker TYPE text COLLATE "C";
ALTER TABLE cases ALTER COLUMN deleted_by TYPE text COLLATE "C";
ALTER TABLE cleanup_plans ALTER COLUMN undone_by TYPE text COLLATE "C";
