-- Each file that was read asks for the one it replaces by name: without this the whole case was looked through, file by file.
CREATE INDEX files_named ON files (case_id, name, path) WHERE superseded = 0 AND state IN ('reading', 'ready', 'rejected');
