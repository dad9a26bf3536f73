package store

import (
	"context"

	"dcdentals.com/caseload/internal/caseload"
)

// Instance returns one instance of the user's organization and the file it lies in. NotFound when it is not there, Gone when
// its file was deleted.
func (s *Store) Instance(ctx context.Context, user caseload.User, id caseload.InstanceID) (f caseload.File, n caseload.Instance, err error) {
	defer explain("read an instance", &err)
	m, err := scanMember(s.reader.QueryRowContext(ctx, `SELECT `+instanceColumns+` FROM instances WHERE id = $1
		AND file_id IN (SELECT id FROM files WHERE organization_id = $2)`, string(id), string(user.Organization)).Scan)
	if err != nil {
		return f, n, noRow(err, "image")
	}
	if f, err = s.fileOf(ctx, s.reader, user, m.instance.File); err != nil {
		return caseload.File{}, n, err
	}
	return f, m.instance, nil
}
