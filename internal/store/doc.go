// Package store keeps Caseload's records in SQL: organizations, users, sessions, tokens, cases, files, parts, studies,
// series, instances, delete-intents and the audit log, on SQLite (embedded) or PostgreSQL 15+, with the same statements on
// both. It knows the nouns and SQL, nothing of HTTP, object stores or queues: a reading is enqueued through a hook that
// runs inside the transaction (SetEnqueue).
//
// What every method keeps:
//   - Rights are in the WHERE clause: what is not in the user's organization is NotFound; what was deleted there is Gone.
//     Roles are the verbs' and doors' business.
//   - A file changes its state only by compare-and-set against caseload.CanMove (moves.go), together with the case's
//     revision and the audit event, in one transaction.
//   - Locks are taken in one order: case, file, organization's audit head. So no two changes deadlock.
//   - Errors are *caseload.Error (NotFound, Gone, Conflict, Invalid, Unauthenticated, Unavailable, Full), a context's own error,
//     or internal.
//
// For operators. SQLite: one file with mode 0600 and its -wal and -shm beside it, WAL, synchronous=FULL, one writing
// connection; back up with `VACUUM INTO` or while stopped. PostgreSQL: the role needs to own its schema (CREATE on it for
// migrations, including a trigger function); afterwards SELECT, INSERT, UPDATE, DELETE are enough. Text must be UTF-8.
// The audit log grows by about 300 bytes a change.
package store
