-- As 0001 says: text compares byte by byte.
ALTER TABLE trials ALTER COLUMN word_hash TYPE text COLLATE "C";
