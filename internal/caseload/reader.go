package caseload

// ReaderVersion numbers what this program's reading gives. Raise it in the change that makes reading give something else
// for a file that was read before: `caseload reindex` then finds the files that an older reader read. 0 is whatever read
// before versions were kept.
const ReaderVersion = 3
