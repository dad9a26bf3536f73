package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"

	"dcdentals.com/caseload/internal/caseload"
)

// Link returns a short-lived address to download the file under its own name, after a look that the store still holds
// the verified object (I3). If it holds another or none, that is recorded as a security event and answered as Conflict.
// Conflict also while the file is arriving or was abandoned.
func (s *Service) Link(ctx context.Context, user caseload.User, id caseload.FileID, origin string) (Link, error) {
	f, err := s.held(ctx, user, id)
	if err != nil {
		return Link{}, err
	}
	signed, err := s.Objects.SignGet(ctx, origin, f.Object, f.VersionID, f.Name, knownType(f.Kind), min(s.Limits.URLExpiry, caseload.MaxURLExpiry))
	if err != nil {
		return Link{}, fmt.Errorf("sign download of %s: %w", id, err)
	}
	if err := s.Records.RecordLink(ctx, user, id); err != nil {
		return Link{}, fmt.Errorf("record download of %s: %w", id, err)
	}
	return Link{URL: signed.URL, ExpiresAt: signed.ExpiresAt}, nil
}

// Content opens the file's bytes for whoever does not reach the store: Size of them, pinned to the verified object, in
// constant memory. It is a download like that by a Link, with the same event and the same errors.
func (s *Service) Content(ctx context.Context, user caseload.User, id caseload.FileID) (body io.ReadCloser, f caseload.File, err error) {
	if f, err = s.held(ctx, user, id); err != nil {
		return nil, f, err
	}
	body, err = s.Objects.Stream(ctx, caseload.Object{Key: f.Object, Size: f.Size, CRC64NVME: f.CRC64NVME, ETag: f.ETag, VersionID: f.VersionID})
	if err != nil {
		return nil, f, fmt.Errorf("open %s: %w", id, err)
	}
	if err := s.Records.RecordLink(ctx, user, id); err != nil {
		return nil, f, errors.Join(fmt.Errorf("record download of %s: %w", id, err), body.Close())
	}
	return body, f, nil
}

// held returns a file whose verified object the store still holds; else the errors of Link.
func (s *Service) held(ctx context.Context, user caseload.User, id caseload.FileID) (f caseload.File, err error) {
	if f, err = s.Records.File(ctx, user, id); err != nil {
		return f, err
	}
	if !f.State.Acknowledged() {
		if err := stillArriving(f); err != nil {
			return f, err
		}
		return f, caseload.Errorf(caseload.Conflict, "This file has not been received yet.").WithHint("Try again when it has arrived.")
	}
	seen, err := s.Objects.Head(ctx, f.Object, f.VersionID)
	switch {
	case caseload.KindOf(err) == caseload.NotFound:
		return f, s.quarantine(ctx, f, "The stored object is missing.")
	case err != nil:
		return f, fmt.Errorf("look for %s: %w", id, err)
	case !sameObject(f, seen):
		return f, s.quarantine(ctx, f, "The stored object was replaced.")
	}
	return f, nil
}

// sameObject tells whether what the store shows is what was verified when the row became stored.
func sameObject(f caseload.File, seen caseload.Object) bool {
	return seen.Size == f.Size && seen.ETag == f.ETag && (seen.CRC64NVME == f.CRC64NVME || seen.CRC64NVME == "")
}

func (s *Service) quarantine(ctx context.Context, f caseload.File, reason string) error {
	s.Log.ErrorContext(ctx, "stored object is not the verified one", "file", f.ID, "reason", reason)
	ctx, cancel := outliving(ctx)
	defer cancel()
	if err := s.Records.RecordQuarantine(ctx, f.ID, reason); err != nil {
		return fmt.Errorf("quarantine %s: %w", f.ID, err)
	}
	return caseload.Errorf(caseload.Conflict, "The stored object is not the one that was verified.").
		WithHint("Do not use it. Tell whoever runs this server; the event is in the audit log.")
}

// knownType is the media type of what a file was found to be; a client's claim is never served.
func knownType(k caseload.FileKind) string {
	switch k {
	case caseload.KindDICOM, caseload.KindDICOMDIR:
		return "application/dicom"
	case caseload.KindZIP:
		return "application/zip"
	case caseload.KindSTL:
		return "model/stl"
	case caseload.KindOBJ:
		return "model/obj"
	case caseload.KindJPEG:
		return "image/jpeg"
	case caseload.KindPNG:
		return "image/png"
	case caseload.KindPDF:
		return "application/pdf"
	default:
		return "application/octet-stream"
	}
}
