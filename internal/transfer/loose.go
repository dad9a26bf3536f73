package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"

	"dcdentals.com/caseload/internal/caseload"
)

// A loose upload is one whose client (stock Uppy) says neither the parts' checksums nor, unless its page put it into the
// metadata, the size, and cuts the parts as it likes. Nothing can be bound into the signatures, so everything is looked
// at afterwards, before the row may say stored: the parts, their total against the size or the limit, and a checksum
// that the store shows or that the server takes itself (I2).

// cancelStands is how long a loose upload that its client gave up may still be gone on with. Stock Uppy says the same
// when a person cancels and when a page is left; its Golden Retriever remembers files for this long
// (@uppy/golden-retriever, expires).
const cancelStands = 24 * lookAgain

// looseCheck is after how many signed parts the total is looked at: a client that sends more than it may is stopped in time.
const looseCheck = 8

// PlanLoose makes the row of a file that is going to come in parts of the client's choosing, and begins its upload. The
// errors are those of Plan; the size may be SizeUnknown.
func (s *Service) PlanLoose(ctx context.Context, user caseload.User, c caseload.CaseID, spec FileSpec) (caseload.File, error) {
	f, err := s.planLoose(ctx, user, c, spec)
	if err != nil {
		return f, err
	}
	return s.beginUploadOf(ctx, user, f)
}

// planLoose makes the row of a loose file, in parts or as a form.
func (s *Service) planLoose(ctx context.Context, user caseload.User, c caseload.CaseID, spec FileSpec) (caseload.File, error) {
	if err := mayWrite(user); err != nil {
		return caseload.File{}, err
	}
	open := spec.Size == SizeUnknown
	if open {
		spec.Size = s.Limits.MaxFileSize
	}
	p, err := s.propose(ctx, user, c, spec, s.now())
	if err != nil {
		return caseload.File{}, err
	}
	p.Route, p.PartSize = caseload.Direct, p.Size
	p.Loose, p.SizeOpen = true, open
	placed, _, err := s.Records.PlanFiles(ctx, user, c, "", []caseload.Proposal{p})
	if err != nil {
		return caseload.File{}, fmt.Errorf("plan a loose file: %w", err)
	}
	return placed[0].File, placed[0].Err
}

// loose returns the loose file in parts of that case: NotFound for any other.
func (s *Service) loose(ctx context.Context, user caseload.User, c caseload.CaseID, id caseload.FileID) (caseload.File, error) {
	f, err := s.Records.FileIn(ctx, user, c, id)
	if err == nil && (!f.Loose || f.UploadID == "") {
		return caseload.File{}, caseload.Errorf(caseload.NotFound, "There is no such upload in this case.")
	}
	return f, err
}

// SignLoose signs the sending of each part, of any length and without a checksum. Now and then it looks at what the store
// holds already: TooLarge, and the upload is given up, when that is more than the file may be. Invalid for a number that
// no part can have and for more than 100 numbers; NotFound and Conflict as for Sign.
func (s *Service) SignLoose(ctx context.Context, user caseload.User, c caseload.CaseID, id caseload.FileID, origin string, numbers []int) ([]caseload.SignedRequest, error) {
	if err := mayWrite(user); err != nil {
		return nil, err
	}
	if len(numbers) == 0 || len(numbers) > maxPartsPerSign {
		return nil, caseload.Errorf(caseload.Invalid, "Between 1 and %d parts can be signed at once; these are %d.", maxPartsPerSign, len(numbers)).WithField("parts")
	}
	look := false
	for _, n := range numbers {
		if n < 1 || n > caseload.MaxPartNumber {
			return nil, caseload.Errorf(caseload.Invalid, "Parts are numbered from 1 to %d.", caseload.MaxPartNumber).WithField("number")
		}
		look = look || n > 1 && n%looseCheck == 1
	}
	f, err := s.loose(ctx, user, c, id)
	if err != nil {
		return nil, err
	}
	if err := stillArriving(f); err != nil {
		return nil, err
	}
	if look {
		if err := s.weigh(ctx, user, f); err != nil {
			return nil, err
		}
	}
	if err := s.Records.RecordParts(ctx, id, nil, s.now().Add(lookAgain)); err != nil {
		return nil, fmt.Errorf("sign of life of %s: %w", id, err)
	}
	expiry := min(s.Limits.URLExpiry, caseload.MaxURLExpiry)
	requests := make([]caseload.SignedRequest, 0, len(numbers))
	for _, n := range numbers {
		signed, err := s.Objects.SignPart(ctx, origin, f.Object, f.UploadID, caseload.Part{Number: n}, expiry)
		if err != nil {
			return nil, fmt.Errorf("sign part %d of %s: %w", n, id, err)
		}
		requests = append(requests, signed)
	}
	return requests, nil
}

// weigh looks at how much of a loose file the store holds, tells those who look on, and gives the upload up when it is
// more than it may be.
func (s *Service) weigh(ctx context.Context, user caseload.User, f caseload.File) error {
	held, err := s.Objects.ListParts(ctx, f.Object, f.UploadID)
	if caseload.KindOf(err) == caseload.NotFound {
		return s.giveUpEnded(ctx, user, f.ID)
	}
	if err != nil {
		return fmt.Errorf("list parts of %s: %w", f.ID, err)
	}
	total := totalOf(held)
	if total > f.Size {
		return s.refuseTooLarge(ctx, f, string(user.ID))
	}
	return s.Records.ReportProgress(ctx, user, []caseload.Progress{{File: f.ID, Sent: total}})
}

// HeldLoose returns the parts the store holds of a loose upload. Of one that is stored it returns every part there can
// have been: the client need send nothing and Complete answers. It brings an upload back that its client gave up.
func (s *Service) HeldLoose(ctx context.Context, user caseload.User, c caseload.CaseID, id caseload.FileID) ([]caseload.Part, error) {
	if err := mayWrite(user); err != nil {
		return nil, err
	}
	f, err := s.loose(ctx, user, c, id)
	if err != nil {
		return nil, err
	}
	if f.State.Acknowledged() {
		return everyPart(f), nil
	}
	if err := stillArriving(f); err != nil {
		return nil, err
	}
	held, err := s.Objects.ListParts(ctx, f.Object, f.UploadID)
	switch {
	case caseload.KindOf(err) == caseload.NotFound:
		if seen, headErr := s.Objects.Head(ctx, f.Object, ""); headErr == nil { // put together already; Complete will find it so
			f.Size, f.ETag = seen.Size, seen.ETag
			return everyPart(f), nil
		}
		return nil, s.giveUpEnded(ctx, user, id)
	case err != nil:
		return nil, fmt.Errorf("list parts of %s: %w", id, err)
	}
	if err := s.Records.RecordParts(ctx, id, nil, s.now().Add(lookAgain)); err != nil {
		return nil, fmt.Errorf("sign of life of %s: %w", id, err)
	}
	return held, nil
}

// everyPart is as many parts as the file can have been cut into.
func everyPart(f caseload.File) []caseload.Part {
	parts := make([]caseload.Part, min((f.Size+caseload.MinPartSize-1)/caseload.MinPartSize, caseload.MaxPartNumber))
	for i := range parts {
		parts[i] = caseload.Part{Number: i + 1, ETag: f.ETag}
	}
	return parts
}

// CompleteLoose is Complete of the parts the client says its file consists of (number and ETag). Conflict when the store
// holds others.
func (s *Service) CompleteLoose(ctx context.Context, user caseload.User, c caseload.CaseID, id caseload.FileID, said []caseload.Part) (caseload.File, error) {
	if _, err := s.loose(ctx, user, c, id); err != nil {
		return caseload.File{}, err
	}
	return s.completeBy(ctx, user, id, func(ctx context.Context, f caseload.File, actor string) (caseload.File, error) {
		return s.finishLoose(ctx, f, actor, said)
	})
}

// CancelLoose takes a client's word that it gives an upload up. It is believed for good only when the client has not come
// back within cancelStands: the parts are freed then. Of a file that was received, or given up before, nothing changes.
func (s *Service) CancelLoose(ctx context.Context, user caseload.User, c caseload.CaseID, id caseload.FileID) error {
	if err := mayWrite(user); err != nil {
		return err
	}
	f, err := s.loose(ctx, user, c, id)
	if err != nil || !f.State.Arriving() {
		return err
	}
	now := s.now()
	if err := s.Records.RecordCancel(ctx, id, now, now.Add(cancelStands)); err != nil {
		return fmt.Errorf("cancel %s: %w", id, err)
	}
	return nil
}

// finishLoose finishes a loose upload: of the parts its client named, or, when nobody asks, of all that are held if they
// come to the size that was said.
func (s *Service) finishLoose(ctx context.Context, f caseload.File, actor string, said []caseload.Part) (caseload.File, error) {
	if f.Form() {
		return s.finishForm(ctx, f, actor)
	}
	held, err := s.Objects.ListParts(ctx, f.Object, f.UploadID)
	if caseload.KindOf(err) == caseload.NotFound {
		if _, headErr := s.headSoon(ctx, f.Object); caseload.KindOf(headErr) == caseload.NotFound {
			return f, uploadEnded(err)
		} else if headErr != nil {
			return f, fmt.Errorf("look for %s: %w", f.ID, errors.Join(headErr, err))
		}
		return s.keepLoose(ctx, f, actor, wanted{}) // only the server completes: what is there is what it put together
	}
	if err != nil {
		return f, fmt.Errorf("list parts of %s: %w", f.ID, err)
	}
	parts := held
	if said != nil {
		if parts, err = saidParts(said, held); err != nil {
			return f, err
		}
	}
	total := totalOf(parts)
	switch {
	case total > f.Size:
		return f, s.refuseTooLarge(ctx, f, actor)
	case total == 0, !f.SizeOpen && total < f.Size, f.SizeOpen && said == nil:
		return f, caseload.Errorf(caseload.Conflict, "This file has not arrived whole: %d bytes are here.", total).
			WithHint("Send the missing parts, then complete again.").WithField("parts").WithCause(errNotWhole)
	}
	ctx, cancel := outliving(ctx)
	defer cancel()
	whole := wholeIfShown(parts)
	if err := s.Objects.CompleteMultipart(ctx, f.Object, f.UploadID, parts, total, whole); err != nil {
		switch _, headErr := s.headAfter(ctx, f.Object, err); {
		case caseload.KindOf(headErr) == caseload.NotFound:
			return f, notCompleted(f, err)
		case headErr != nil:
			return f, fmt.Errorf("look for %s: %w", f.ID, errors.Join(headErr, err))
		}
		whole = ""
	}
	return s.keepLoose(ctx, f, actor, wanted{crc64nvme: whole})
}

// keepLoose takes a loose file to stored with the object that lies under its key, which the server put there. want says
// its checksum if that is known; else the store shows it, or the server reads the object and takes it.
func (s *Service) keepLoose(ctx context.Context, f caseload.File, actor string, want wanted) (caseload.File, error) {
	ctx, cancel := outliving(ctx)
	defer cancel()
	seen, err := s.headSoon(ctx, f.Object)
	if caseload.KindOf(err) == caseload.NotFound {
		return f, notShown(err)
	}
	if err != nil {
		return f, fmt.Errorf("look for %s: %w", f.ID, err)
	}
	if seen.Size > f.Size {
		return f, s.refuseTooLarge(ctx, f, actor)
	}
	if !f.SizeOpen && seen.Size != f.Size {
		return f, s.refuseOtherBytes(ctx, f, actor, seen)
	}
	want.size = seen.Size
	if want.crc64nvme == "" {
		want.crc64nvme = seen.CRC64NVME
	}
	if seen.CRC64NVME == "" && !want.streamed {
		if want.crc64nvme, err = s.takeChecksum(ctx, seen); err != nil {
			return f, fmt.Errorf("take the checksum of %s: %w", f.ID, err)
		}
		want.streamed = true
	}
	return s.commit(ctx, f, actor, want)
}

// takeChecksum reads the object once and returns its checksum. Conflict when it is not the one that was seen.
func (s *Service) takeChecksum(ctx context.Context, o caseload.Object) (string, error) {
	body, err := s.Objects.Stream(ctx, o)
	if err != nil {
		return "", err
	}
	defer body.Close()
	var crc uint64
	buffer := make([]byte, 256<<10)
	for {
		n, err := body.Read(buffer)
		crc = caseload.UpdateCRC64NVME(crc, buffer[:n])
		if errors.Is(err, io.EOF) {
			return caseload.FormatCRC64NVME(crc), nil
		}
		if err != nil {
			return "", err
		}
	}
}

// refuseTooLarge gives up a loose file of which more came than it may be.
func (s *Service) refuseTooLarge(ctx context.Context, f caseload.File, actor string) error {
	refused := caseload.Errorf(caseload.TooLarge, "The file is larger than it was announced.").
		WithHint("Send it again.").WithCause(errOtherBytes)
	if f.SizeOpen {
		refused = caseload.Errorf(caseload.TooLarge, "The file is larger than %s, the most that is taken.", caseload.HumanBytes(f.Size)).
			WithHint("Split it, or ask whoever runs this server to raise the limit.").WithCause(errOtherBytes)
	}
	if _, err := s.abandon(ctx, f, actor, refused.Message); err != nil {
		return refused.WithCause(errors.Join(errOtherBytes, err))
	}
	return refused
}

// saidParts returns the held parts that the client named, in order. Conflict when one is not held, or is another.
func saidParts(said, held []caseload.Part) ([]caseload.Part, error) {
	kept := byNumber(held)
	parts := make([]caseload.Part, 0, len(said))
	last := 0
	for _, p := range said {
		have, ok := kept[p.Number]
		if !ok || have.ETag != p.ETag {
			return nil, caseload.Errorf(caseload.Conflict, "The store does not hold part %d as it was said.", p.Number).
				WithHint("Ask which parts are held, send the others again, then complete again.").WithField("parts").WithCause(errNotWhole)
		}
		if p.Number <= last {
			return nil, caseload.Errorf(caseload.Invalid, "The parts are not named in order.").WithField("parts")
		}
		last = p.Number
		parts = append(parts, have)
	}
	return parts, nil
}

func totalOf(parts []caseload.Part) (total int64) {
	for _, p := range parts {
		total += p.Size
	}
	return total
}

// wholeIfShown combines the parts' checksums if the store shows one for each; "" otherwise.
func wholeIfShown(parts []caseload.Part) string {
	whole, err := caseload.WholeChecksum(parts)
	if err != nil {
		return ""
	}
	return whole
}
