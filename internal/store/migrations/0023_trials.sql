-- While the doctor asks a server through its public address, the hash of a word that only the two know stands here: who
-- takes the word works with this database, whichever of its processes he is, and nobody else is told anything.
CREATE TABLE trials (
  word_hash TEXT   NOT NULL PRIMARY KEY,
  ends_at   BIGINT NOT NULL CHECK (ends_at > 0)
);
