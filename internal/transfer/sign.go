package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// maxPartsPerSign bounds one Sign: addresses are made a short while before use, not all up front.
const maxPartsPerSign = 100

// Sign returns one signed request for each part, good for the shorter of Limits.URLExpiry and one hour. Each binds the
// part's exact length and checksum, which also go into the manifest that Complete goes by; the last word on a part
// counts. The first Sign of a file begins its multipart upload. Sign answers Invalid for a part number or checksum that
// cannot be and for more than 100 parts, Conflict for a file of the small route or one no longer arriving.
func (s *Service) Sign(ctx context.Context, user caseload.User, id caseload.FileID, origin string, parts []PartSpec) ([]caseload.SignedRequest, error) {
	if err := mayWrite(user); err != nil {
		return nil, err
	}
	if len(parts) == 0 || len(parts) > maxPartsPerSign {
		return nil, caseload.Errorf(caseload.Invalid, "Between 1 and %d parts can be signed at once; these are %d.", maxPartsPerSign, len(parts)).WithField("parts")
	}
	f, manifest, err := s.beginParts(ctx, user, id, parts)
	if err != nil {
		return nil, err
	}
	expiry := min(s.Limits.URLExpiry, caseload.MaxURLExpiry)
	requests := make([]caseload.SignedRequest, 0, len(manifest))
	for _, p := range manifest {
		r, err := s.Objects.SignPart(ctx, origin, f.Object, f.UploadID, p, expiry)
		if err != nil {
			return nil, fmt.Errorf("sign part %d of %s: %w", p.Number, id, err)
		}
		r.Part = p.Number
		requests = append(requests, r)
	}
	return requests, nil
}

// Relay takes one part through the server, for browsers that cannot reach the store. Length and checksum are held to
// the same rules as a signed part's; nothing of a refused part is kept. The body is streamed.
func (s *Service) Relay(ctx context.Context, user caseload.User, id caseload.FileID, part PartSpec, body io.Reader, length int64) (caseload.Part, error) {
	if err := mayWrite(user); err != nil {
		return caseload.Part{}, err
	}
	f, err := s.arrivingDirect(ctx, user, id)
	if err != nil {
		return caseload.Part{}, err
	}
	if want := f.PartLength(part.Number); want > 0 && length != want {
		return caseload.Part{}, wrongLength(fmt.Sprintf("Part %d", part.Number), want, length)
	}
	f, manifest, err := s.beginParts(ctx, user, id, []PartSpec{part})
	if err != nil {
		return caseload.Part{}, err
	}
	p := manifest[0]
	stream, err := newVerifiedReader(body, p.Size, p.CRC64NVME)
	if err != nil {
		return caseload.Part{}, err
	}
	putting, stop := whileStreaming(ctx, stream)
	defer stop()
	err = s.Objects.PutPart(putting, f.Object, f.UploadID, p, stream)
	if refused := stream.refusal(); refused != nil {
		return caseload.Part{}, refused
	}
	switch {
	case err == nil:
		return p, nil
	case caseload.KindOf(err) == caseload.NotFound:
		return caseload.Part{}, s.giveUpEnded(ctx, user, id)
	default:
		return caseload.Part{}, fmt.Errorf("relay part %d of %s: %w", p.Number, id, err)
	}
}

// beginParts checks the parts against the file, makes sure it has its multipart upload, and writes the manifest. It
// returns the row and the parts with their lengths.
func (s *Service) beginParts(ctx context.Context, user caseload.User, id caseload.FileID, specs []PartSpec) (caseload.File, []caseload.Part, error) {
	f, err := s.arrivingDirect(ctx, user, id)
	if err != nil {
		return f, nil, err
	}
	manifest, err := checkParts(f, specs)
	if err != nil {
		return f, nil, err
	}
	if f, err = s.beginUpload(ctx, user, f); err != nil {
		return f, nil, err
	}
	if err := s.Records.RecordParts(ctx, id, manifest, s.now().Add(lookAgain)); err != nil {
		return f, nil, fmt.Errorf("record parts of %s: %w", id, err)
	}
	return f, manifest, nil
}

// arrivingDirect returns the file if parts may still be sent for it.
func (s *Service) arrivingDirect(ctx context.Context, user caseload.User, id caseload.FileID) (caseload.File, error) {
	f, err := s.Records.File(ctx, user, id)
	if err != nil {
		return f, err
	}
	if f.Loose {
		return f, caseload.Errorf(caseload.Conflict, "Another program sends this file.").WithHint("Let it finish, or cancel this upload and send the file anew.")
	}
	if f.Route != caseload.Direct {
		return f, caseload.Errorf(caseload.Conflict, "This file does not go in parts.").
			WithHint(fmt.Sprintf("Files under %s are sent whole, to the server.", caseload.HumanBytes(s.Limits.DirectThreshold)))
	}
	return f, stillArriving(f)
}

// stillArriving answers Conflict, or Gone for a deleted file, when no more bytes are taken for the file.
func stillArriving(f caseload.File) error {
	switch {
	case f.State.Arriving():
		return nil
	case f.State.Acknowledged():
		return alreadyReceived()
	case f.State == caseload.Deleted:
		return caseload.Errorf(caseload.Gone, "This file was deleted.")
	default:
		return caseload.Errorf(caseload.Conflict, "This upload was given up.").WithHint("Send the file again.")
	}
}

func alreadyReceived() *caseload.Error {
	return caseload.Errorf(caseload.Conflict, "This file was already received.")
}

func checkParts(f caseload.File, specs []PartSpec) ([]caseload.Part, error) {
	parts := make([]caseload.Part, 0, len(specs))
	seen := make(map[int]bool, len(specs))
	for _, spec := range specs {
		length := f.PartLength(spec.Number)
		if length == 0 {
			return nil, caseload.Errorf(caseload.Invalid, "This file has the parts 1 to %d; there is no part %d.", f.Parts(), spec.Number).WithField("number")
		}
		if seen[spec.Number] {
			return nil, caseload.Errorf(caseload.Invalid, "Part %d is named twice.", spec.Number).WithField("number")
		}
		seen[spec.Number] = true
		if _, err := caseload.ParseCRC64NVME(spec.CRC64NVME); err != nil {
			return nil, err
		}
		parts = append(parts, caseload.Part{Number: spec.Number, Size: length, CRC64NVME: spec.CRC64NVME})
	}
	return parts, nil
}

// beginUpload gives the file its multipart upload unless it has one. Of two that race (tabs, processes) the row keeps
// the first; the other aborts its own.
func (s *Service) beginUpload(ctx context.Context, user caseload.User, f caseload.File) (caseload.File, error) {
	if f.UploadID != "" {
		return f, nil
	}
	leave, err := s.turns.take(ctx, f.ID)
	if err != nil {
		return f, err
	}
	defer leave()
	if f, err = s.arrivingDirect(ctx, user, f.ID); err != nil || f.UploadID != "" {
		return f, err
	}
	return s.beginUploadOf(ctx, user, f)
}

// beginUploadOf begins a multipart upload for a file that has none.
func (s *Service) beginUploadOf(ctx context.Context, user caseload.User, f caseload.File) (caseload.File, error) {
	uploadID, err := s.Objects.CreateMultipart(ctx, f.Object)
	if err != nil {
		return f, fmt.Errorf("begin upload of %s: %w", f.ID, err)
	}
	ctx, cancel := outliving(ctx)
	defer cancel()
	row, err := s.Records.BeginSending(ctx, f.ID, string(user.ID), uploadID, s.now().Add(lookAgain))
	if err != nil && !decided(err) { // the answer may have been lost after the commit: the row knows
		seen, seeErr := s.Records.File(ctx, user, f.ID)
		if seeErr != nil {
			return f, fmt.Errorf("begin sending %s: %w", f.ID, errors.Join(err, seeErr))
		}
		if seen.UploadID == uploadID {
			row, err = seen, nil
		}
	}
	if err != nil || row.UploadID != uploadID {
		s.abortQuietly(ctx, f.ID, f.Object, uploadID)
	}
	if err != nil {
		return f, fmt.Errorf("begin sending %s: %w", f.ID, err)
	}
	return row, nil
}

// decided tells whether an error of the database is its considered answer, so that nothing was committed.
func decided(err error) bool {
	switch caseload.KindOf(err) {
	case caseload.Internal, caseload.Unavailable:
		return false
	}
	return true
}

// outliving returns a context that does not end with the client's: what the store has begun is finished. It is bounded
// by finishTimeout.
func outliving(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
}

// finishTimeout bounds the work that goes on after a client has left. A store may take minutes to put 1,000 parts
// together (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html).
const finishTimeout = 11 * time.Minute
