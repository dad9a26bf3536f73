package store

import (
	"context"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// SaveMetadata replaces what earlier attempts on this file saved: kind, warnings, contents and its instances, with
// their studies and series upserted by UID within the case. The words to find the case by follow. One FileMetadata
// event. Conflict when another attempt has the say.
func (s *Store) SaveMetadata(ctx context.Context, id caseload.FileID, attempt int, found caseload.Findings) (err error) {
	defer explain("save metadata", &err)
	return s.write(ctx, func(t *tx) error { return t.saveMetadata(ctx, id, attempt, found) })
}

func (t *tx) saveMetadata(ctx context.Context, id caseload.FileID, attempt int, found caseload.Findings) error {
	f, err := t.changeFile(ctx, id, func(f *caseload.File) (*caseload.Event, error) {
		if err := fenced(f, attempt); err != nil {
			return nil, err
		}
		if err := t.keepFound(ctx, f, found); err != nil {
			return nil, err
		}
		if err := t.joinByName(ctx, f); err != nil {
			return nil, err
		}
		e := newEvent("", caseload.FileMetadata, "", "", detail{
			"attempt": attempt, "kind": found.Kind, "instances": len(found.Found), "bytes_read": found.BytesRead,
		})
		return &e, nil
	})
	if err != nil {
		return err
	}
	return t.sortFamily(ctx, f, "")
}

// SaveRead is SaveMetadata and FinishReading in one transaction, for a file that was read in one go.
func (s *Store) SaveRead(ctx context.Context, id caseload.FileID, attempt int, found caseload.Findings, r caseload.Receipt) (err error) {
	defer explain("save what was read", &err)
	return s.write(ctx, func(t *tx) error {
		if err := t.saveMetadata(ctx, id, attempt, found); err != nil {
			return err
		}
		return t.finishReading(ctx, id, attempt, r)
	})
}

// keepFound puts what the first look found in the place of what was found before.
func (t *tx) keepFound(ctx context.Context, f *caseload.File, found caseload.Findings) error {
	enclosed := f.Contents.Enclosed
	f.Kind, f.Warnings, f.Contents, f.BytesRead, f.MetadataAt = found.Kind, found.Warnings, found.Contents, found.BytesRead, t.now
	f.Contents.Unread = unread(f.Contents.Unread)
	if err := t.orderFilePreviews(ctx, f, enclosed); err != nil {
		return err
	}
	return t.saveFound(ctx, f.Organization, f.Case, f.ID, found.Found)
}

// saveFound replaces the file's instances. One that was there before, by its UID and its place in the archive, keeps its
// identifier: pages and viewers that are open go on.
func (t *tx) saveFound(ctx context.Context, org caseload.OrganizationID, c caseload.CaseID, file caseload.FileID, found []caseload.Found) error {
	before, err := t.instanceIDs(ctx, file)
	if err != nil {
		return err
	}
	changed, err := t.seriesOf(ctx, file)
	if err != nil {
		return err
	}
	had, err := t.exec(ctx, `DELETE FROM instances WHERE file_id = $1`, string(file))
	if err != nil {
		return err
	}
	series, err := t.upsertSeries(ctx, org, c, found)
	if err != nil {
		return err
	}
	images := int64(0)
	for i := range found {
		images += frames(found[i].Instance)
	}
	if _, err := t.ExecContext(ctx, `UPDATE files SET images = $2 WHERE id = $1`, string(file), images); err != nil {
		return err
	}
	err = t.insertRows(ctx, `INSERT INTO instances (`+instanceColumns+`)`, "", len(found), 33, func(i int) []any {
		n := found[i].Instance
		return []any{
			string(before.take(t.now, n)), string(series[i]), string(file), text(n.SOPInstanceUID), text(n.SOPClassUID),
			text(n.TransferSyntax), n.Number, n.Rows, n.Columns, n.Frames, n.BitsAllocated, numbers(n.Position), numbers(n.Orientation),
			numbers(n.PixelSpacing), finite(n.SliceThickness), finite(n.SpacingBetween), n.Entry.Index, text(n.Entry.Name),
			int64(n.Entry.Method), n.Entry.DataOffset, n.Entry.Compressed, n.Entry.Size, int64(n.Entry.CRC32), n.PixelOffset, n.PixelLength,
			flag(n.PixelEncapsulated), toJSON(n.Warnings), numbers(n.FramePositions), patientColumn(n.Patient), int64(n.Entry.Within.Method),
			n.Entry.Within.DataOffset, n.Entry.Within.Compressed, n.Entry.Within.Size,
		}
	})
	if err != nil || had == 0 && len(found) == 0 {
		return err
	}
	for _, id := range series {
		if !slices.Contains(changed, id) {
			changed = append(changed, id)
		}
	}
	if err := t.orderPreviews(ctx, org, c, changed); err != nil {
		return err
	}
	if had > 0 {
		if err := t.dropEmptySeries(ctx, c); err != nil {
			return err
		}
	}
	return t.rewriteTermsOf(ctx, c)
}

// instancePlace is by what an instance is known again: its SOP Instance UID and its entry in the archive.
type instancePlace struct {
	uid   string
	entry int
}

type placedInstances map[instancePlace]caseload.InstanceID

func (t *tx) instanceIDs(ctx context.Context, file caseload.FileID) (placedInstances, error) {
	rows, err := t.QueryContext(ctx, `SELECT id, sop_instance_uid, entry_index FROM instances WHERE file_id = $1`, string(file))
	known := placedInstances{}
	_, err = collect(rows, err, func(scan func(...any) error) (place instancePlace, err error) {
		var id caseload.InstanceID
		if err = scan(&id, &place.uid, &place.entry); err == nil {
			known[place] = id
		}
		return place, err
	})
	return known, err
}

// take returns the instance's identifier, once, or a new one.
func (known placedInstances) take(now time.Time, n caseload.Instance) caseload.InstanceID {
	place := instancePlace{text(n.SOPInstanceUID), n.Entry.Index}
	id, found := known[place]
	if !found {
		return caseload.NewID[caseload.InstanceID](now)
	}
	delete(known, place)
	return id
}

// forgetInstances removes what was read out of a file that is deleted.
func (t *tx) forgetInstances(ctx context.Context, f *caseload.File) error {
	c := f.Case
	if err := t.forgetFilePreviews(ctx, f.ID); err != nil {
		return err
	}
	changed, err := t.seriesOf(ctx, f.ID)
	if err != nil || len(changed) == 0 {
		return err
	}
	if _, err := t.ExecContext(ctx, `DELETE FROM instances WHERE file_id = $1`, string(f.ID)); err != nil {
		return err
	}
	if err := t.orderPreviews(ctx, f.Organization, c, changed); err != nil {
		return err
	}
	if err := t.dropEmptySeries(ctx, c); err != nil {
		return err
	}
	return t.rewriteTermsOf(ctx, c)
}

// dropEmptySeries removes the case's series with their previews, then studies, that have no instance left.
func (t *tx) dropEmptySeries(ctx context.Context, c caseload.CaseID) error {
	for _, statement := range []string{
		`DELETE FROM series WHERE case_id = $1 AND NOT EXISTS (SELECT 1 FROM instances i WHERE i.series_id = series.id)`,
		`DELETE FROM studies WHERE case_id = $1 AND NOT EXISTS (SELECT 1 FROM series s WHERE s.study_id = studies.id)`,
		`DELETE FROM previews WHERE case_id = $1 AND series_id <> '' AND NOT EXISTS (SELECT 1 FROM series s WHERE s.id = previews.series_id)`,
	} {
		if _, err := t.ExecContext(ctx, statement, string(c)); err != nil {
			return err
		}
	}
	return nil
}

// upsertSeries makes or completes the studies and series that the instances name and returns each instance's series.
// What one instance leaves empty another may fill in; a value that is there is replaced only by another value.
func (t *tx) upsertSeries(ctx context.Context, org caseload.OrganizationID, c caseload.CaseID, found []caseload.Found) ([]caseload.SeriesID, error) {
	type seriesKey struct{ study, series string }
	studies := map[string]*caseload.Study{}
	series := map[seriesKey]*caseload.Series{}
	var studyOrder []string
	var seriesOrder []seriesKey
	for i := range found {
		st, se := found[i].Study, found[i].Series
		key := seriesKey{text(st.StudyInstanceUID), text(se.SeriesInstanceUID)}
		if studies[key.study] == nil {
			studies[key.study] = &caseload.Study{}
			studyOrder = append(studyOrder, key.study)
		}
		if series[key] == nil {
			series[key] = &caseload.Series{}
			seriesOrder = append(seriesOrder, key)
		}
		into := studies[key.study]
		fill(&into.PatientName, st.PatientName, &into.PatientID, st.PatientID, &into.PatientBirthDate, st.PatientBirthDate,
			&into.PatientSex, st.PatientSex, &into.Date, st.Date, &into.Time, st.Time, &into.Description, st.Description,
			&into.AccessionNumber, st.AccessionNumber)
		line := series[key]
		fill(&line.Number, se.Number, &line.Modality, se.Modality, &line.Description, se.Description,
			&line.Manufacturer, se.Manufacturer, &line.Model, se.Model)
	}
	for _, uid := range studyOrder {
		st := studies[uid]
		err := t.QueryRowContext(ctx, `INSERT INTO studies (id, organization_id, case_id, study_uid, patient_name, patient_id, birth_date, sex,
			study_date, study_time, description, accession_number) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
			ON CONFLICT (case_id, study_uid) DO UPDATE SET `+keepFilled("studies",
			"patient_name", "patient_id", "birth_date", "sex", "study_date", "study_time", "description", "accession_number")+` RETURNING id`,
			string(caseload.NewID[caseload.StudyID](t.now)), string(org), string(c), uid, st.PatientName, st.PatientID, st.PatientBirthDate,
			st.PatientSex, st.Date, st.Time, st.Description, st.AccessionNumber).Scan(&st.ID)
		if err != nil {
			return nil, err
		}
	}
	for _, key := range seriesOrder {
		se := series[key]
		err := t.QueryRowContext(ctx, `INSERT INTO series (id, case_id, study_id, series_uid, series_number, modality, description, manufacturer, model)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
			ON CONFLICT (study_id, series_uid) DO UPDATE SET `+keepFilled("series",
			"series_number", "modality", "description", "manufacturer", "model")+` RETURNING id`,
			string(caseload.NewID[caseload.SeriesID](t.now)), string(c), string(studies[key.study].ID), key.series,
			se.Number, se.Modality, se.Description, se.Manufacturer, se.Model).Scan(&se.ID)
		if err != nil {
			return nil, err
		}
	}
	ids := make([]caseload.SeriesID, len(found))
	for i := range found {
		ids[i] = series[seriesKey{text(found[i].Study.StudyInstanceUID), text(found[i].Series.SeriesInstanceUID)}].ID
	}
	return ids, nil
}

// fill takes pairs of (*string, string) and sets each target that is still empty.
func fill(pairs ...any) {
	for i := 0; i < len(pairs); i += 2 {
		if into := pairs[i].(*string); *into == "" {
			*into = text(pairs[i+1].(string))
		}
	}
}

// keepFilled writes the SET clause that replaces a column only by something that is not empty.
func keepFilled(table string, columns ...string) string {
	set := make([]string, len(columns))
	for i, c := range columns {
		set[i] = c + " = CASE WHEN excluded." + c + " <> '' THEN excluded." + c + " ELSE " + table + "." + c + " END"
	}
	return strings.Join(set, ", ")
}

// frames returns how many images the instance shows: its frames, one when it has pixels and names none.
func frames(n caseload.Instance) int64 {
	if n.Frames > 0 {
		return int64(n.Frames)
	}
	return flag(n.PixelOffset >= 0)
}

// numbers writes a vector as its numbers separated by spaces, exactly; "" for none.
func numbers(vector []float64) string {
	parts := make([]string, len(vector))
	for i, v := range vector {
		parts[i] = strconv.FormatFloat(v, 'g', -1, 64)
	}
	return strings.Join(parts, " ")
}

func fromNumbers(column string) (vector []float64, err error) {
	if column == "" {
		return nil, nil
	}
	for _, part := range strings.Split(column, " ") {
		v, err := strconv.ParseFloat(part, 64)
		if err != nil {
			return nil, err
		}
		vector = append(vector, v)
	}
	return vector, nil
}

// finite returns 0 (absent) for what is no number: a header can say "NaN", SQLite cannot keep it.
func finite(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	return v
}
