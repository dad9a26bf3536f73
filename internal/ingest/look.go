package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/dicom"
)

// look finds out what the file is, reading as little of it as it takes: the head, the DICOM header, or the directory
// and the heads of the entries of a ZIP. Contents that cannot be read are no error but a warning; errors are those of
// the store and of the context.
func (a *attempt) look(ctx context.Context) (caseload.Findings, content, error) {
	src := newSource(ctx, a.objects, a.file)
	defer src.close()
	found, c, err := a.lookAt(ctx, src)
	switch {
	case src.failed() != nil:
		err = src.failed()
	case ctx.Err() != nil:
		err = ctx.Err()
	}
	found.BytesRead, _ = src.cost()
	return found, c, err
}

func (a *attempt) lookAt(ctx context.Context, src *source) (caseload.Findings, content, error) {
	size := a.file.Size
	head := make([]byte, min(headSize, size))
	if n, err := src.ReadAt(head, 0); err != nil && !(errors.Is(err, io.EOF) && n == len(head)) {
		return caseload.Findings{}, content{}, err
	}
	kind, advice := kindOf(head, size)
	if kind == caseload.KindOther && advice == "" {
		advice = adviceForImage(src, size)
	}
	switch {
	case kind == caseload.KindZIP, kind == caseload.KindOther && !isOffice(head) && carriesZIP(ctx, src, head):
		return lookIntoZIP(ctx, src, size)
	case kind == caseload.KindDICOM:
		found, err := lookAtDICOM(ctx, src, size)
		return found, content{}, err
	}
	if kind == caseload.KindOther && advice == "" {
		advice = adviceForPicture(head)
	}
	found := caseload.Findings{Kind: kind}
	count(&found.Contents, kind)
	if triangles, fits := statedBySTL(head, size); kind == caseload.KindSTL && !fits {
		advice = fmt.Sprintf("The mesh claims %d triangles, its size is that of %d.", triangles, (size-stlHeader)/stlTriangle)
	}
	if advice != "" {
		found.Warnings = []string{advice}
	}
	return found, content{}, nil
}

// count adds one thing of the kind.
func count(c *caseload.Contents, kind caseload.FileKind) {
	switch {
	case kind == caseload.KindDICOM:
		c.Images++
	case kind.IsMesh():
		c.Meshes++
	case kind.IsPhoto():
		c.Photos++
	case kind == caseload.KindPDF:
		c.Documents++
	default:
		c.Others++
	}
}

// lookAtDICOM reads the header of a file that is one DICOM object.
func lookAtDICOM(ctx context.Context, src io.ReaderAt, size int64) (caseload.Findings, error) {
	h, err := dicom.Read(ctx, src, size, dicom.Options{})
	switch {
	case errors.Is(err, dicom.ErrNotDICOM):
		return caseload.Findings{Kind: caseload.KindOther, Contents: caseload.Contents{Others: 1}}, nil
	case h == nil:
		return caseload.Findings{}, err
	case h.IsDICOMDIR:
		return caseload.Findings{Kind: caseload.KindDICOMDIR, Contents: caseload.Contents{Others: 1}}, err
	}
	var cat catalog
	cat.add(dicom.Describe(h), caseload.EntryRef{Index: -1})
	found := cat.findings(caseload.KindDICOM)
	return found, err
}
