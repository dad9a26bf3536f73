package transfer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// settleWithin is how soon Sweep looks at a file whose completion was begun, should this process die in the middle; not
// before one that lives has had its time.
const settleWithin = finishTimeout + time.Minute

// The verdicts on an upload that is not stored. Complete gives them to the client, Sweep acts on them.
var (
	errNotWhole   = errors.New("the upload is not whole")
	errEnded      = errors.New("the store knows no such upload and no such object")
	errOtherBytes = errors.New("the object is not what was sent")
)

// Complete finishes an upload once all its bytes are in the store: the client's word is not believed, the store is
// asked. It may be called again at any time and by many at once: whoever comes after the first gets the same answer.
// Conflict names the parts to send again, when there are any.
//
// crc64nvme says which file the client means: the checksum of the whole. Two clients that send files alike in all that a
// resumed upload is known by share a row, and the parts of both may lie in it; no mix of them, and not the other's file,
// is then answered as stored. "" leaves it at what the manifest says. Invalid for a checksum that is none.
func (s *Service) Complete(ctx context.Context, user caseload.User, id caseload.FileID, crc64nvme string) (caseload.File, error) {
	if crc64nvme == "" {
		return s.completeBy(ctx, user, id, s.finish)
	}
	sum, err := caseload.ParseCRC64NVME(crc64nvme)
	if err != nil {
		return caseload.File{}, err
	}
	meant := caseload.FormatCRC64NVME(sum)
	f, err := s.completeBy(ctx, user, id, func(ctx context.Context, f caseload.File, actor string) (caseload.File, error) {
		return s.finishAs(ctx, f, actor, meant)
	})
	if err == nil && f.CRC64NVME != meant {
		return f, otherBytesHeld()
	}
	return f, err
}

// completeBy is Complete, by the way of finishing that fits what the client said.
func (s *Service) completeBy(ctx context.Context, user caseload.User, id caseload.FileID, finish finisher) (caseload.File, error) {
	if err := mayWrite(user); err != nil {
		return caseload.File{}, err
	}
	leave, err := s.turns.take(ctx, id)
	if err != nil {
		return caseload.File{}, err
	}
	defer leave()
	f, err := s.Records.File(ctx, user, id)
	if err != nil || f.State.Acknowledged() {
		return f, err
	}
	if err := stillArriving(f); err != nil {
		return f, err
	}
	if f.State == caseload.Planned {
		return f, caseload.Errorf(caseload.Conflict, "Nothing of this file has been sent yet.").WithHint("Send it, then complete it.")
	}
	if err := s.Records.Postpone(ctx, id, s.now().Add(settleWithin)); err != nil {
		return s.orStored(ctx, user, f, fmt.Errorf("take up %s: %w", id, err))
	}
	if f, err = finish(ctx, f, string(user.ID)); errors.Is(err, errEnded) {
		err = s.abandonEnded(ctx, f, err)
	}
	if err != nil {
		return s.orStored(ctx, user, f, err)
	}
	return f, nil
}

// orStored looks at the row once more before an error is answered: another process may have stored the file meanwhile,
// or only the answer to our own commit was lost. Of a file that was deleted meanwhile that is all there is to say.
func (s *Service) orStored(ctx context.Context, user caseload.User, f caseload.File, failure error) (caseload.File, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookTimeout)
	defer cancel()
	switch row, err := s.Records.File(ctx, user, f.ID); {
	case err == nil && row.State.Acknowledged():
		return row, nil
	case caseload.KindOf(err) == caseload.Gone:
		return f, err
	}
	return f, failure
}

// lookTimeout bounds the last look at a row before an error is answered.
const lookTimeout = 10 * time.Second

// finisher takes a file that is sending to stored if the store holds all of it. The caller has the file's turn.
type finisher func(ctx context.Context, f caseload.File, actor string) (caseload.File, error)

// finish is the finisher that needs no word of the client. At the server's own wish (SystemActor) it puts no upload
// together that was resumed: see nobodysWord.
func (s *Service) finish(ctx context.Context, f caseload.File, actor string) (caseload.File, error) {
	return s.finishAs(ctx, f, actor, "")
}

// finishAs is finish for a client that said which file it means; "": it did not.
func (s *Service) finishAs(ctx context.Context, f caseload.File, actor, meant string) (caseload.File, error) {
	if f.Loose {
		return s.finishLoose(ctx, f, actor, nil)
	}
	manifest, err := s.Records.Parts(ctx, f.ID)
	if err != nil {
		return f, fmt.Errorf("read manifest of %s: %w", f.ID, err)
	}
	if f.Route == caseload.Small {
		if len(manifest) == 1 && meant != "" && manifest[0].CRC64NVME != meant {
			return f, notMeant()
		}
		return s.finishSmall(ctx, f, actor, manifest)
	}
	if f.UploadID == "" {
		return f, partsMissing(f, nil, nil)
	}
	held, err := s.Objects.ListParts(ctx, f.Object, f.UploadID)
	if err == nil && partsMissing(f, manifest, held) != nil {
		// While another process completes the upload, a listing can show what is left of it; the next one shows none.
		held, err = s.Objects.ListParts(ctx, f.Object, f.UploadID)
	}
	switch {
	case err == nil && f.Resumed && actor == caseload.SystemActor:
		return f, nobodysWord()
	case err == nil:
		if manifest, err = s.agree(ctx, f, manifest, held, meant); err != nil {
			return f, err
		}
		return s.finishParts(ctx, f, actor, manifest, held)
	case caseload.KindOf(err) == caseload.NotFound:
		return s.finishUnlisted(ctx, f, actor, manifest, meant, err)
	default:
		return f, fmt.Errorf("list parts of %s: %w", f.ID, err)
	}
}

// agree returns the manifest of the file the client means. Another client may have had the last word on a part and never
// have sent it: where the parts held are together the file that is meant, they become the manifest.
func (s *Service) agree(ctx context.Context, f caseload.File, manifest, held []caseload.Part, meant string) ([]caseload.Part, error) {
	if meant == "" {
		return manifest, nil
	}
	if whole, err := caseload.WholeChecksum(manifest); err == nil && whole == meant {
		return manifest, nil
	}
	if whole, err := caseload.WholeChecksum(held); err == nil && whole == meant && partsMissing(f, held, held) == nil {
		if err := s.Records.RecordParts(ctx, f.ID, held, s.now().Add(settleWithin)); err != nil {
			return nil, fmt.Errorf("record parts of %s: %w", f.ID, err)
		}
		return held, nil
	}
	if err := partsMissing(f, manifest, held); err != nil {
		return nil, err
	}
	return nil, notMeant()
}

// nobodysWord answers for an upload that more than one client may have sent parts of, when none of them asks: which file
// it is only they can say, by its checksum.
func nobodysWord() error {
	return caseload.Errorf(caseload.Conflict, "This upload was resumed, and whoever did so has not said that it is whole.").
		WithHint("Send the file again: what the store holds of it does not travel twice.").WithCause(errNotWhole)
}

func notMeant() error {
	return caseload.Errorf(caseload.Conflict, "The parts held are not all of this file: another client sends other bytes under its name.").
		WithHint("Ask which parts are held, send those again that differ from yours, then complete again.").WithField("crc64nvme").WithCause(errNotWhole)
}

// finishParts completes the multipart upload when each part held is the one the manifest speaks of.
func (s *Service) finishParts(ctx context.Context, f caseload.File, actor string, manifest, held []caseload.Part) (caseload.File, error) {
	if err := partsMissing(f, manifest, held); err != nil {
		return f, err
	}
	whole, err := caseload.WholeChecksum(manifest)
	if err != nil {
		return f, fmt.Errorf("combine checksums of %s: %w", f.ID, err)
	}
	want := wanted{size: f.Size, crc64nvme: whole}
	ctx, cancel := outliving(ctx)
	defer cancel()
	putErr := s.Objects.CompleteMultipart(ctx, f.Object, f.UploadID, heldInOrder(manifest, held), f.Size, whole)
	if putErr == nil {
		return s.commit(ctx, f, actor, want)
	}
	seen, err := s.headAfter(ctx, f.Object, putErr)
	switch {
	case err == nil && want.matches(seen):
		return s.commit(ctx, f, actor, want)
	case err == nil:
		return f, s.refuseOtherBytes(ctx, f, actor, seen)
	case caseload.KindOf(err) != caseload.NotFound:
		return f, fmt.Errorf("look for %s: %w", f.ID, errors.Join(err, putErr))
	}
	return f, notCompleted(f, putErr)
}

// notCompleted tells why the store did not make one object of the parts, when there is none now.
func notCompleted(f caseload.File, putErr error) error {
	switch caseload.KindOf(putErr) {
	case caseload.NotFound:
		return uploadEnded(putErr)
	case caseload.Invalid: // a part was replaced between listing and completing
		return caseload.Errorf(caseload.Conflict, "The store did not accept the parts as a whole.").
			WithHint("Ask which parts are held, send the others again, then complete again.").WithCause(errors.Join(errNotWhole, putErr))
	case caseload.Conflict:
		return caseload.Errorf(caseload.Unavailable, "The store is still busy with this file.").WithHint("Try again in a moment.").WithCause(putErr)
	}
	return fmt.Errorf("complete %s: %w", f.ID, putErr)
}

// finishUnlisted decides about an upload the store no longer knows: either it was completed (a lost answer, a process
// that died before its commit), then the object is there; or the store ended it.
func (s *Service) finishUnlisted(ctx context.Context, f caseload.File, actor string, manifest []caseload.Part, meant string, listErr error) (caseload.File, error) {
	seen, err := s.headSoon(ctx, f.Object)
	if caseload.KindOf(err) == caseload.NotFound {
		return f, uploadEnded(listErr)
	}
	if err != nil {
		return f, fmt.Errorf("look for %s: %w", f.ID, err)
	}
	whole := meant // the object is the client's, whatever others had signed since
	if meant == "" || seen.CRC64NVME != meant {
		if whole, err = caseload.WholeChecksum(manifest); err != nil {
			return f, fmt.Errorf("combine checksums of %s: %w", f.ID, err)
		}
	}
	ctx, cancel := outliving(ctx)
	defer cancel()
	return s.commit(ctx, f, actor, wanted{size: f.Size, crc64nvme: whole})
}

// finishSmall decides about a small file whose PUT was not answered: the object is there as declared, or not at all.
func (s *Service) finishSmall(ctx context.Context, f caseload.File, actor string, manifest []caseload.Part) (caseload.File, error) {
	missing := caseload.Errorf(caseload.Conflict, "This file has not been received yet.").WithHint("Send it again.").WithCause(errNotWhole)
	if len(manifest) != 1 {
		return f, missing
	}
	_, err := s.Objects.Head(ctx, f.Object, "")
	if caseload.KindOf(err) == caseload.NotFound {
		return f, missing
	}
	if err != nil {
		return f, fmt.Errorf("look for %s: %w", f.ID, err)
	}
	ctx, cancel := outliving(ctx)
	defer cancel()
	return s.commit(ctx, f, actor, wanted{size: f.Size, crc64nvme: manifest[0].CRC64NVME})
}

// wanted is what the object must be before its row may say stored.
type wanted struct {
	size      int64
	crc64nvme string
	streamed  bool // these very bytes passed through this server, which took their checksum itself
}

// matches tells whether the object seen is the wanted one. A store that shows no checksum has not shown that it is (I2),
// unless the server streamed the bytes itself.
func (w wanted) matches(seen caseload.Object) bool {
	return seen.Size == w.size && (seen.CRC64NVME == w.crc64nvme || seen.CRC64NVME == "" && w.streamed)
}

// object is what is written down of the object seen: under the file's key, with the checksum that was verified.
func (w wanted) object(f caseload.File, seen caseload.Object) caseload.Object {
	seen.Key, seen.CRC64NVME = f.Object, w.crc64nvme
	return seen
}

// commit is the one way to stored for a single file: observe, then keep. The context has been freed from the client's.
func (s *Service) commit(ctx context.Context, f caseload.File, actor string, want wanted) (caseload.File, error) {
	seen, err := s.observe(ctx, f, actor, want)
	if err != nil {
		return f, err
	}
	kept := s.keep(ctx, actor, []caseload.Seen{{File: f.ID, Object: seen}})[0]
	if kept.Err != nil {
		return f, kept.Err
	}
	return kept.File, nil
}

// observe looks at the object and returns what is to be written down of it, if it is what the file must be; a file whose
// object is another one is given up.
func (s *Service) observe(ctx context.Context, f caseload.File, actor string, want wanted) (caseload.Object, error) {
	seen, err := s.headSoon(ctx, f.Object)
	if caseload.KindOf(err) == caseload.NotFound {
		return seen, notShown(err)
	}
	if err != nil {
		return seen, fmt.Errorf("look for %s: %w", f.ID, err)
	}
	if !want.matches(seen) {
		return seen, s.refuseOtherBytes(ctx, f, actor, seen)
	}
	return want.object(f, seen), nil
}

// keep makes observed objects durable, then moves their rows to stored, with their events and jobs, in one transaction.
func (s *Service) keep(ctx context.Context, actor string, seen []caseload.Seen) []caseload.Outcome {
	all := make([]caseload.Outcome, len(seen))
	if len(seen) == 0 {
		return all
	}
	durable, places := s.sync(ctx, seen, all)
	kept, err := s.Records.MarkStored(ctx, actor, durable)
	for i, place := range places {
		if err != nil {
			all[place].Err = fmt.Errorf("mark %s stored: %w", durable[i].File, err)
			continue
		}
		if all[place] = kept[i]; kept[i].Err != nil {
			all[place].Err = fmt.Errorf("mark %s stored: %w", durable[i].File, kept[i].Err)
		} else if kept[i].Won {
			s.Log.InfoContext(ctx, "file stored", "file", kept[i].File.ID, "route", kept[i].File.Route, "bytes", kept[i].File.Size)
		}
	}
	return all
}

// sync returns the objects that are durable now, with their places in seen; of each other, failed tells why.
func (s *Service) sync(ctx context.Context, seen []caseload.Seen, failed []caseload.Outcome) (durable []caseload.Seen, places []int) {
	keys := make([]caseload.ObjectKey, len(seen))
	for i := range seen {
		keys[i] = seen[i].Object.Key
	}
	together := s.Objects.Sync(ctx, keys...)
	for i := range seen {
		err := together
		if err != nil && len(seen) > 1 { // whose fault was it?
			err = s.Objects.Sync(ctx, keys[i])
		}
		switch {
		case err == nil:
			durable, places = append(durable, seen[i]), append(places, i)
		case caseload.KindOf(err) == caseload.NotFound: // taken away since the look
			failed[i].Err = notShown(err)
		default:
			failed[i].Err = fmt.Errorf("make %s durable: %w", seen[i].File, err)
		}
	}
	return durable, places
}

// headAfter looks for the object after an error that may hide a success: the answer was lost, or it answers our own
// earlier try or another process's. An error that speaks of such a one (NotFound, Conflict) is worth a longer look.
func (s *Service) headAfter(ctx context.Context, key caseload.ObjectKey, failure error) (caseload.Object, error) {
	if kind := caseload.KindOf(failure); kind == caseload.NotFound || kind == caseload.Conflict {
		return s.headSoon(ctx, key)
	}
	return s.Objects.Head(ctx, key, "")
}

func notShown(cause error) error {
	return caseload.Errorf(caseload.Unavailable, "The store accepted the file but does not show it yet.").
		WithHint("Try again in a moment.").WithCause(cause)
}

// refuseOtherBytes gives up a file whose key holds an object that is not what was sent: write-once, it never will be.
func (s *Service) refuseOtherBytes(ctx context.Context, f caseload.File, actor string, seen caseload.Object) error {
	s.Log.WarnContext(ctx, "object is not what was sent", "file", f.ID, "planned_bytes", f.Size, "seen_bytes", seen.Size)
	refused := caseload.Errorf(caseload.Conflict, "The store holds other bytes than were announced for this file.").
		WithHint("Send the file again as a new one.").WithCause(errOtherBytes)
	if _, err := s.abandon(ctx, f, actor, "The bytes that arrived were not the bytes announced."); err != nil {
		return refused.WithCause(errors.Join(errOtherBytes, err))
	}
	return refused
}

// headTries are the waits between the looks at an object that must be there; some stores answer before it is visible.
var headTries = []time.Duration{20, 40, 80, 160, 320, 640, 1280}

// headSoon looks for the object, again and again for about two and a half seconds while it is NotFound.
func (s *Service) headSoon(ctx context.Context, key caseload.ObjectKey) (caseload.Object, error) {
	for try := 0; ; try++ {
		seen, err := s.Objects.Head(ctx, key, "")
		if caseload.KindOf(err) != caseload.NotFound || try == len(headTries) {
			return seen, err
		}
		select {
		case <-time.After(headTries[try] * time.Millisecond):
		case <-ctx.Done():
			return seen, caseload.Errorf(caseload.Unavailable, "The request ended while the store was being asked.").WithCause(ctx.Err())
		}
	}
}

// partsMissing answers Conflict with the numbers to send again, or nil when every planned part is in the manifest and
// held by the store with the planned length and the manifest's checksum.
func partsMissing(f caseload.File, manifest, held []caseload.Part) error {
	said := byNumber(manifest)
	kept := byNumber(held)
	var missing []int
	for n := 1; n <= f.Parts(); n++ {
		want, have := said[n], kept[n]
		same := have.CRC64NVME == want.CRC64NVME || have.CRC64NVME == "" // shown by no store that checks it only at the end
		if want.Number == 0 || have.Number == 0 || have.Size != f.PartLength(n) || !same {
			missing = append(missing, n)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return caseload.Errorf(caseload.Conflict, "%d of %d parts are missing or differ: %s.", len(missing), f.Parts(), numbers(missing)).
		WithHint("Send these parts again, then complete again.").WithField("parts").WithCause(errNotWhole)
}

func byNumber(parts []caseload.Part) map[int]caseload.Part {
	m := make(map[int]caseload.Part, len(parts))
	for _, p := range parts {
		m[p.Number] = p
	}
	return m
}

// heldInOrder returns the manifest's parts with the ETags the store gave them.
func heldInOrder(manifest, held []caseload.Part) []caseload.Part {
	kept := byNumber(held)
	parts := make([]caseload.Part, len(manifest))
	for i, p := range manifest {
		p.ETag = kept[p.Number].ETag
		parts[i] = p
	}
	return parts
}

// numbers writes part numbers as runs ("1–3, 7"), at most twenty runs.
func numbers(ns []int) string {
	var runs []string
	for i := 0; i < len(ns); {
		j := i
		for j+1 < len(ns) && ns[j+1] == ns[j]+1 {
			j++
		}
		if len(runs) == 20 {
			return strings.Join(runs, ", ") + fmt.Sprintf(" and %d more", len(ns)-i)
		}
		if i == j {
			runs = append(runs, fmt.Sprint(ns[i]))
		} else {
			runs = append(runs, fmt.Sprintf("%d–%d", ns[i], ns[j]))
		}
		i = j + 1
	}
	return strings.Join(runs, ", ")
}

func uploadEnded(cause error) error {
	return caseload.Errorf(caseload.Conflict, "The store ended this upload.").WithHint("Send the file again as a new one.").
		WithCause(errors.Join(errEnded, cause))
}
