package ingest

import (
	"context"
	"io"

	"dcdentals.com/caseload/internal/caseload"
)

// Look finds out what size bytes are, exactly as reading them out of the store would: for files that have not been sent.
// An error is one of r or of the context; contents that cannot be read are a warning among the findings.
func Look(ctx context.Context, r io.ReaderAt, size int64) (caseload.Findings, error) {
	a := attempt{objects: local{r}, file: caseload.File{Size: size}}
	found, _, err := a.look(ctx)
	return found, err
}

// local is one object outside the store: not in it yet, or held in memory.
type local struct{ io.ReaderAt }

func (l local) ReadRange(_ context.Context, _ caseload.Object, p []byte, off int64) (int, error) {
	return l.ReadAt(p, off)
}

func (l local) Stream(_ context.Context, o caseload.Object) (io.ReadCloser, error) {
	return io.NopCloser(io.NewSectionReader(l, 0, o.Size)), nil
}

// Group gathers what was found in several files, named by the caller, into studies and series with the facts that
// Summarize derives.
func Group(files map[caseload.FileID]caseload.Findings) []caseload.Study {
	var studies []caseload.Study
	at := map[string][2]int{} // of a series, by study and series UID
	index := map[string]int{} // of a study
	for _, id := range keysInOrder(files) {
		for _, f := range files[id].Found {
			study, known := index[f.Study.StudyInstanceUID]
			if !known {
				study = len(studies)
				index[f.Study.StudyInstanceUID] = study
				studies = append(studies, f.Study)
			}
			key := f.Study.StudyInstanceUID + "/" + f.Series.SeriesInstanceUID
			place, known := at[key]
			if !known {
				place = [2]int{study, len(studies[study].Series)}
				at[key] = place
				studies[study].Series = append(studies[study].Series, f.Series)
			}
			member := f.Instance
			member.File = id
			series := &studies[place[0]].Series[place[1]]
			series.Members = append(series.Members, member)
		}
	}
	Summarize(studies)
	return studies
}
