package fsck

import (
	"context"
	"fmt"
	"strings"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// pageOf is how many rows are read at once.
const pageOf = 1000

// Run compares every row with every object, then looks for rows that are odd by themselves. An error means that it could
// not look at everything; what was found until then was said.
func (s *Service) Run(ctx context.Context) (Report, error) {
	j := &join{Service: s}
	err := s.Objects.Walk(ctx, "", func(o caseload.Object, _ time.Time) error { return j.object(ctx, o) })
	if err == nil {
		err = j.rest(ctx)
	}
	if err == nil {
		err = s.Rows.Oddities(ctx, s.Now(), func(o caseload.Oddity) error { return s.odd(ctx, &j.report, o) })
	}
	return j.report, err
}

// join walks rows and objects in the order of their keys.
type join struct {
	*Service
	report Report
	page   []caseload.File
	after  caseload.ObjectKey // the last row's that was read
	ended  bool               // there are no more rows
}

// row returns the next row, nil when there is none.
func (j *join) row(ctx context.Context) (*caseload.File, error) {
	if len(j.page) == 0 && !j.ended {
		var err error
		if j.page, err = j.Rows.FilesByObject(ctx, j.after, pageOf); err != nil {
			return nil, err
		}
		if j.ended = len(j.page) < pageOf; len(j.page) > 0 {
			j.after = j.page[len(j.page)-1].Object
		}
		j.passed(j.report.Progress)
	}
	if len(j.page) == 0 {
		return nil, nil
	}
	return &j.page[0], nil
}

func (j *join) take() caseload.File {
	f := j.page[0]
	j.page = j.page[1:]
	j.report.Files++
	return f
}

// object is called with every object in order: rows before it have none.
func (j *join) object(ctx context.Context, o caseload.Object) error {
	if o.Key == caseload.MarkerKey || strings.HasPrefix(string(o.Key), caseload.TrialPrefix) {
		return nil // of the program itself
	}
	j.report.Objects++
	for {
		f, err := j.row(ctx)
		if err != nil {
			return err
		}
		if f == nil || f.Object > o.Key {
			return j.stranger(ctx, o)
		}
		if f.Object == o.Key {
			return j.both(ctx, j.take(), o)
		}
		if err := j.alone(ctx, j.take()); err != nil {
			return err
		}
	}
}

// rest is the rows after the last object.
func (j *join) rest(ctx context.Context) error {
	for {
		f, err := j.row(ctx)
		if f == nil || err != nil {
			return err
		}
		if err := j.alone(ctx, j.take()); err != nil {
			return err
		}
	}
}

// alone is a row whose key the listing does not have.
func (j *join) alone(ctx context.Context, f caseload.File) error {
	if !f.State.Acknowledged() {
		return nil
	}
	return j.again(ctx, f)
}

// both is a row and its object.
func (j *join) both(ctx context.Context, f caseload.File, o caseload.Object) error {
	switch {
	case f.State.Acknowledged():
		if same(f, o) == "" {
			return nil
		}
		return j.again(ctx, f)
	case f.State.Arriving():
		return nil // it has just been put together, or is taken over in a moment
	}
	return j.leftover(ctx, f, o.Key)
}

// same tells what of an object is not as the row has it; "" when all that is known fits.
func same(f caseload.File, o caseload.Object) Kind {
	switch {
	case o.Size != f.Size:
		return Size
	case o.CRC64NVME != "" && o.CRC64NVME != f.CRC64NVME:
		return Checksum
	case f.ETag != "" && o.ETag != f.ETag, o.VersionID != "" && f.VersionID != "" && o.VersionID != f.VersionID:
		return Replaced
	}
	return ""
}

// again looks a second time at a file and its object before it says that they do not fit.
func (j *join) again(ctx context.Context, seen caseload.File) error {
	f, err := j.Rows.FileOfObject(ctx, seen.Object)
	if caseload.KindOf(err) == caseload.NotFound || err == nil && !f.State.Acknowledged() {
		return nil // deleted meanwhile
	}
	if err != nil {
		return err
	}
	o, err := j.Objects.Head(ctx, f.Object, f.VersionID)
	if err == nil && same(f, o) == "" {
		if f.VersionID == "" {
			return nil // it came, or was marked, between the two looks
		}
		return j.say(ctx, &j.report, f, Finding{
			Kind: Shadowed, Text: "the verified version is there, but another version or a delete marker lies over it",
			Advice: "reads name the verified version, so nothing is lost; find out who wrote to the bucket, then remove the newer version",
		})
	}
	if caseload.KindOf(err) == caseload.NotFound && f.VersionID != "" {
		o, err = j.Objects.Head(ctx, f.Object, "") // the bucket was copied: versions have other names there
	}
	if caseload.KindOf(err) == caseload.NotFound {
		return j.say(ctx, &j.report, f, missing())
	}
	if err != nil {
		return err
	}
	return j.differs(ctx, f, o)
}

func missing() Finding {
	return Finding{
		Kind: Missing, Loss: true, Text: "the store has no object for this file",
		Advice: "bring the object back under the same key from a backup or an older version of the bucket, then run fsck again; else ask the sender for the file and delete this one",
	}
}

// differs is an object that is not the one verified. With the same bytes it is a copy, which the row can name from now on.
func (j *join) differs(ctx context.Context, f caseload.File, o caseload.Object) error {
	kind := same(f, o)
	if kind == "" { // the pinned version is gone, the object beneath has the same ETag
		kind = Replaced
	}
	found := Finding{Kind: kind, Loss: true, Advice: missing().Advice}
	switch kind {
	case Size:
		found.Text = fmt.Sprintf("the object has %d bytes, the file %d", o.Size, f.Size)
	case Checksum:
		found.Text = "the object's checksum is not the file's"
	case Replaced:
		found.Text = "it is not the object that was verified (another ETag or version), so it is not read"
		found.Advice = "after a restore into another bucket this is expected: `caseload fsck --repair` reads such objects again and takes those whose bytes are the file's"
		if j.Repair {
			return j.repin(ctx, f, o, found)
		}
	}
	return j.say(ctx, &j.report, f, found)
}

// repin reads the object and, when its bytes are the file's, makes the row name it.
func (j *join) repin(ctx context.Context, f caseload.File, o caseload.Object, found Finding) error {
	bad, err := j.sums(ctx, f, o, &j.report.Progress)
	if err != nil && caseload.KindOf(err) != caseload.Conflict && caseload.KindOf(err) != caseload.NotFound {
		return err
	}
	if err != nil || bad != "" {
		found.Advice = missing().Advice
		if bad != "" {
			found.Text = bad
		}
		return j.say(ctx, &j.report, f, found)
	}
	if err := j.Rows.Repin(ctx, f.ID, o); err != nil {
		return err
	}
	found.Text, found.Repaired = "a copy of the verified object; every byte was read and is the file's", true
	return j.say(ctx, &j.report, f, found)
}

// leftover is the object of a file that was given up or deleted: fine while a delete-intent waits for its time.
func (j *join) leftover(ctx context.Context, f caseload.File, key caseload.ObjectKey) error {
	due, err := j.Rows.ErasureIsDue(ctx, f.ID, key)
	if due || err != nil {
		return err
	}
	switch _, err := j.Objects.Head(ctx, key, ""); {
	case caseload.KindOf(err) == caseload.NotFound:
		return nil // erased while we looked
	case err != nil:
		return err
	}
	found := Finding{
		Kind: Leftover, Object: key, Text: fmt.Sprintf("the file is %s, its object is still there and nothing is going to erase it", f.State),
		Advice: "`caseload fsck --repair` asks for its erasure, which the sweep carries out after a day",
	}
	if j.Repair {
		err := j.Rows.EraseLeftover(ctx, f.ID, key, j.Now().Add(leftoverRests))
		if caseload.KindOf(err) == caseload.Conflict {
			return nil
		}
		if err != nil {
			return err
		}
		found.Repaired = true
	}
	return j.say(ctx, &j.report, f, found)
}

// leftoverRests is how long a leftover that was found is kept, for whoever wants to look at it.
const leftoverRests = 24 * time.Hour

// stranger is an object whose key no row has as its object's.
func (j *join) stranger(ctx context.Context, o caseload.Object) error {
	f, err := j.Rows.FileOfObject(ctx, o.Key)
	switch {
	case err == nil && f.Object == o.Key && f.State.Acknowledged():
		return j.both(ctx, f, o) // planned since we read the rows
	case err == nil && f.State.Arriving():
		return nil
	case err == nil:
		return j.leftover(ctx, f, o.Key) // or a form that was posted (caseload.File.FormKey)
	case caseload.KindOf(err) != caseload.NotFound:
		return err
	}
	if _, err := j.Objects.Head(ctx, o.Key, ""); caseload.KindOf(err) == caseload.NotFound {
		return nil
	} else if err != nil {
		return err
	}
	return j.say(ctx, &j.report, caseload.File{}, Finding{
		Kind: Unknown, Object: o.Key, Text: fmt.Sprintf("no file knows this object of %d bytes", o.Size),
		Advice: "nothing erases it; after a restore it is what came later than the database's copy, else somebody else writes to this bucket",
	})
}
