package store

import (
	"context"

	"dcdentals.com/caseload/internal/caseload"
)

const studyColumns = `id, organization_id, case_id, study_uid, patient_name, patient_id, birth_date, sex, study_date, study_time,
	description, accession_number`

func scanStudy(scan func(...any) error) (s caseload.Study, err error) {
	return s, scan(&s.ID, &s.Organization, &s.Case, &s.StudyInstanceUID, &s.PatientName, &s.PatientID, &s.PatientBirthDate, &s.PatientSex,
		&s.Date, &s.Time, &s.Description, &s.AccessionNumber)
}

func scanSeries(scan func(...any) error) (s caseload.Series, err error) {
	return s, scan(&s.ID, &s.Study, &s.SeriesInstanceUID, &s.Number, &s.Modality, &s.Description, &s.Manufacturer, &s.Model)
}

const instanceColumns = `id, series_id, file_id, sop_instance_uid, sop_class_uid, transfer_syntax, number, image_rows, image_columns,
	frames, bits_allocated, position, orientation, pixel_spacing, slice_thickness, spacing_between, entry_index, entry_name,
	entry_method, entry_offset, entry_compressed, entry_size, entry_crc32, pixel_offset, pixel_length, pixel_encapsulated, warnings,
	frame_positions, patient, within_method, within_offset, within_compressed, within_size`

// member is an instance and the series it belongs to.
type member struct {
	series   caseload.SeriesID
	instance caseload.Instance
}

func scanMember(scan func(...any) error) (m member, err error) {
	var position, orientation, spacing, warnings, frames, patient string
	n := &m.instance
	err = scan(&n.ID, &m.series, &n.File, &n.SOPInstanceUID, &n.SOPClassUID, &n.TransferSyntax, &n.Number, &n.Rows, &n.Columns,
		&n.Frames, &n.BitsAllocated, &position, &orientation, &spacing, &n.SliceThickness, &n.SpacingBetween, &n.Entry.Index, &n.Entry.Name,
		&n.Entry.Method, &n.Entry.DataOffset, &n.Entry.Compressed, &n.Entry.Size, &n.Entry.CRC32, &n.PixelOffset, &n.PixelLength,
		&n.PixelEncapsulated, &warnings, &frames, &patient, &n.Entry.Within.Method, &n.Entry.Within.DataOffset,
		&n.Entry.Within.Compressed, &n.Entry.Within.Size)
	if err != nil {
		return m, err
	}
	if n.Position, err = fromNumbers(position); err != nil {
		return m, err
	}
	if n.Orientation, err = fromNumbers(orientation); err != nil {
		return m, err
	}
	if n.PixelSpacing, err = fromNumbers(spacing); err != nil {
		return m, err
	}
	if n.FramePositions, err = fromNumbers(frames); err != nil {
		return m, err
	}
	if n.Patient, err = patientOf(patient); err != nil {
		return m, err
	}
	n.Warnings, err = fromJSON(warnings)
	return m, err
}

// patientColumn and patientOf keep whom an image names in one column; "" for nobody.
func patientColumn(p caseload.Patient) string {
	if p == (caseload.Patient{}) {
		return ""
	}
	return toJSON([]string{p.Name, p.ID, p.BirthDate})
}

func patientOf(column string) (p caseload.Patient, err error) {
	if column == "" {
		return p, nil
	}
	said, err := fromJSON(column)
	if err == nil && len(said) == 3 {
		p = caseload.Patient{Name: said[0], ID: said[1], BirthDate: said[2]}
	}
	return p, err
}

// CaseStudies returns the studies of a case of the user's organization with their series and Series.Members: by date,
// then UID; members by number, then UID. Facts derived from the members (Images and what follows it) are left zero.
func (s *Store) CaseStudies(ctx context.Context, user caseload.User, id caseload.CaseID) (studies []caseload.Study, err error) {
	defer explain("read a case's studies", &err)
	if _, err := s.caseOf(ctx, s.reader, user, id); err != nil {
		return nil, err
	}
	return s.studies(ctx, id, "")
}

// FileStudies returns the same for what was read out of one file.
func (s *Store) FileStudies(ctx context.Context, user caseload.User, id caseload.FileID) (studies []caseload.Study, err error) {
	defer explain("read a file's studies", &err)
	f, err := s.fileOf(ctx, s.reader, user, id)
	if err != nil {
		return nil, err
	}
	return s.studies(ctx, f.Case, id)
}

// studies reads three lists and puts them together; with a file, only what has members from it stays.
func (s *Store) studies(ctx context.Context, id caseload.CaseID, file caseload.FileID) ([]caseload.Study, error) {
	snapshot, err := s.reader.BeginTx(ctx, s.snapshotOptions())
	if err != nil {
		return nil, err
	}
	defer snapshot.Rollback() // it has written nothing
	rows, err := snapshot.QueryContext(ctx, `SELECT `+studyColumns+` FROM studies WHERE case_id = $1 ORDER BY study_date, study_uid, id`, string(id))
	studies, err := collect(rows, err, scanStudy)
	if err != nil || len(studies) == 0 {
		return nil, err
	}
	rows, err = snapshot.QueryContext(ctx, `SELECT id, study_id, series_uid, series_number, modality, description, manufacturer, model
		FROM series WHERE case_id = $1 ORDER BY length(series_number), series_number, series_uid, id`, string(id))
	series, err := collect(rows, err, scanSeries)
	if err != nil {
		return nil, err
	}
	where, about := `series_id IN (SELECT id FROM series WHERE case_id = $1)
		AND file_id NOT IN (SELECT id FROM files WHERE case_id = $1 AND superseded = 1)`, string(id)
	if file != "" {
		where, about = `file_id = $1`, string(file)
	}
	rows, err = snapshot.QueryContext(ctx, `SELECT `+instanceColumns+` FROM instances WHERE `+where+` ORDER BY number, sop_instance_uid, id`, about)
	members, err := collect(rows, err, scanMember)
	if err != nil {
		return nil, err
	}

	place := make(map[caseload.SeriesID]*caseload.Series, len(series))
	for i := range series {
		place[series[i].ID] = &series[i]
	}
	for _, m := range members {
		line := place[m.series]
		line.Members = append(line.Members, m.instance)
		if n := len(line.Files); n == 0 || line.Files[n-1] != m.instance.File && !holds(line.Files, m.instance.File) {
			line.Files = append(line.Files, m.instance.File)
		}
	}
	var kept []caseload.Study
	for _, st := range studies {
		for _, line := range series {
			if line.Study == st.ID && len(line.Members) > 0 {
				st.Series = append(st.Series, line)
			}
		}
		if len(st.Series) > 0 {
			kept = append(kept, st)
		}
	}
	return kept, nil
}

func holds(files []caseload.FileID, file caseload.FileID) bool {
	for _, f := range files {
		if f == file {
			return true
		}
	}
	return false
}
