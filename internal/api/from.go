package api

import "dcdentals.com/caseload/internal/caseload"

// FromUser returns the JSON shape of a user.
func FromUser(u caseload.User) User {
	return User{
		ID: string(u.ID), Email: u.Email, Name: u.Name, Role: string(u.Role), Disabled: u.Disabled,
		CreatedAt: u.CreatedAt.UTC(), LastSeenAt: u.LastSeenAt.UTC(),
	}
}

// FromToken returns the JSON shape of a token.
func FromToken(t caseload.Token) Token {
	return Token{
		ID: string(t.ID), Name: t.Name, Role: string(t.Role), CreatedAt: t.CreatedAt.UTC(),
		ExpiresAt: t.ExpiresAt.UTC(), LastUsedAt: t.LastUsedAt.UTC(), RevokedAt: t.RevokedAt.UTC(),
	}
}

// FromCase returns the JSON shape of a case.
func FromCase(c caseload.Case) Case {
	return Case{
		ID: string(c.ID), Number: c.Number, Patient: c.Patient, Note: c.Note, CreatedBy: string(c.CreatedBy),
		CreatedAt: c.CreatedAt.UTC(), ChangedAt: c.ChangedAt.UTC(), Revision: c.Revision,
		FinishedAt: utc(c.FinishedAt),
	}
}

// FromSummary returns the JSON shape of one line of the case list.
func FromSummary(s caseload.CaseSummary) CaseSummary {
	return CaseSummary{
		Case: FromCase(s.Case), Files: s.Files, Bytes: s.Bytes, Studies: s.Studies, Series: s.Series, Images: s.Images,
		Meshes: s.Meshes, Photos: s.Photos, Documents: s.Documents, Others: s.Others, Arriving: s.Arriving,
		SentBytes: s.SentBytes, DueBytes: s.DueBytes, InWork: s.InWork, Attention: s.Attention,
	}
}

// FromFile returns the JSON shape of a file. Keys, upload ids and versions of the store stay inside.
func FromFile(f caseload.File) File {
	warnings := f.Warnings
	if warnings == nil {
		warnings = []string{}
	}
	return File{
		ID: string(f.ID), Case: string(f.Case), Drop: string(f.Drop), Name: f.Name, Path: f.Path, Size: f.Size, ContentType: f.ContentType,
		ModifiedAt: f.ModifiedAt.UTC(), Fingerprint: f.Fingerprint, Family: string(f.Family), Superseded: f.Superseded, State: string(f.State), Reason: f.Reason,
		Route: string(f.Route), PartSize: f.PartSize, Parts: f.Parts(), SentBytes: f.SentBytes, Loose: f.Loose, SizeOpen: f.SizeOpen, CRC64NVME: f.CRC64NVME,
		SHA256: f.SHA256, Kind: string(f.Kind), Warnings: warnings, Contents: f.Contents, EntriesDone: f.EntriesDone,
		EntriesTotal: f.EntriesTotal, BytesRead: f.BytesRead, CreatedBy: string(f.CreatedBy),
		CreatedAt: f.CreatedAt.UTC(), ChangedAt: f.ChangedAt.UTC(), StoredAt: f.StoredAt.UTC(),
		MetadataAt: f.MetadataAt.UTC(), ReadyAt: f.ReadyAt.UTC(),
	}
}

// FromEvent returns the JSON shape of an audit event.
func FromEvent(e caseload.Event) Event {
	return Event{
		Seq: e.Seq, At: e.At.UTC(), Actor: e.Actor, Action: string(e.Action), Case: string(e.Case),
		File: string(e.File), Detail: e.Detail, Hash: e.Hash,
	}
}

// FromStudy returns the JSON shape of a study with its series.
func FromStudy(s caseload.Study) Study {
	study := Study{
		ID: string(s.ID), StudyInstanceUID: s.StudyInstanceUID, PatientName: s.PatientName, PatientID: s.PatientID,
		PatientBirthDate: s.PatientBirthDate, PatientSex: s.PatientSex, Date: s.Date, Time: s.Time,
		Description: s.Description, AccessionNumber: s.AccessionNumber, Series: make([]Series, 0, len(s.Series)),
	}
	for _, x := range s.Series {
		study.Series = append(study.Series, fromSeries(x))
	}
	return study
}

func fromSeries(s caseload.Series) Series {
	files := make([]string, 0, len(s.Files))
	for _, id := range s.Files {
		files = append(files, string(id))
	}
	apart := make([]Group, 0, len(s.Apart))
	for _, g := range s.Apart {
		apart = append(apart, Group{Plane: g.Plane, Images: g.Images, Rows: g.Rows, Columns: g.Columns})
	}
	return Series{
		Apart: apart, Remarks: append([]caseload.Remark{}, s.Remarks...), Planning: append([]caseload.Check{}, s.Planning...),
		ID: string(s.ID), SeriesInstanceUID: s.SeriesInstanceUID, Number: s.Number, Modality: s.Modality,
		Description: s.Description, Manufacturer: s.Manufacturer, Model: s.Model, TransferSyntax: s.TransferSyntax,
		Rows: s.Rows, Columns: s.Columns, Images: s.Images, Instances: s.Instances, PixelSpacing: s.PixelSpacing,
		Spacing: s.Spacing, SpacingSource: s.SpacingSource, Complete: s.Complete, Note: s.Note, Files: files,
	}
}
