package transfer_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// memRecords is a database in memory with compare-and-set states, for the fault tests only.
type memRecords struct {
	faults
	mu       sync.Mutex
	now      func() time.Time
	files    map[caseload.FileID]caseload.File
	parts    map[caseload.FileID]map[int]caseload.Part
	intents  []*memIntent
	events   []caseload.Event
	enqueued map[caseload.FileID]int
}

type memIntent struct {
	caseload.Intent
	due  time.Time
	done bool
}

func newMemRecords(now func() time.Time) *memRecords {
	return &memRecords{now: now, files: map[caseload.FileID]caseload.File{}, parts: map[caseload.FileID]map[int]caseload.Part{}, enqueued: map[caseload.FileID]int{}}
}

func (m *memRecords) locked() func() { m.mu.Lock(); return m.mu.Unlock }

func (m *memRecords) event(action caseload.Action, id caseload.FileID, actor string) {
	m.events = append(m.events, caseload.Event{Action: action, File: id, Actor: actor})
}

// count returns how many events of the action there are about the file.
func (m *memRecords) count(action caseload.Action, id caseload.FileID) (n int) {
	defer m.locked()()
	for _, e := range m.events {
		if e.Action == action && e.File == id {
			n++
		}
	}
	return n
}

// row returns the file as it stands, without faults.
func (m *memRecords) row(id caseload.FileID) caseload.File {
	defer m.locked()()
	return m.files[id]
}

// change applies a change to a row, keeping the deadline when asked to leave ChangedAt alone.
func (m *memRecords) change(id caseload.FileID, act func(f *caseload.File) error) (caseload.File, error) {
	f, ok := m.files[id]
	if !ok {
		return f, caseload.Errorf(caseload.NotFound, "no such file")
	}
	if err := act(&f); err != nil {
		return m.files[id], err
	}
	m.files[id] = f
	return f, nil
}

func (m *memRecords) PlanFiles(ctx context.Context, user caseload.User, c caseload.CaseID, drop caseload.DropID, files []caseload.Proposal) (
	[]caseload.Placed, caseload.DropID, error,
) {
	placed, err := guarded(ctx, &m.faults, "PlanFiles", func() (placed []caseload.Placed, err error) {
		defer m.locked()()
		for _, p := range files {
			m.files[p.ID] = p.File
			placed = append(placed, caseload.Placed{File: p.File})
		}
		m.event(caseload.FilesPlanned, "", string(user.ID))
		return placed, nil
	})
	return placed, drop, err
}

func (m *memRecords) File(ctx context.Context, user caseload.User, id caseload.FileID) (caseload.File, error) {
	return guarded(ctx, &m.faults, "File", func() (caseload.File, error) {
		defer m.locked()()
		f, ok := m.files[id]
		if !ok || f.Organization != user.Organization {
			return caseload.File{}, caseload.Errorf(caseload.NotFound, "no such file")
		}
		if f.State == caseload.Deleted {
			return caseload.File{}, caseload.Errorf(caseload.Gone, "deleted")
		}
		return f, nil
	})
}

func (m *memRecords) BeginSending(ctx context.Context, id caseload.FileID, actor, uploadID string, deadline time.Time) (caseload.File, error) {
	return guarded(ctx, &m.faults, "BeginSending", func() (caseload.File, error) {
		defer m.locked()()
		return m.change(id, func(f *caseload.File) error {
			if !f.State.Arriving() {
				return caseload.Errorf(caseload.Conflict, "not arriving")
			}
			if f.State == caseload.Planned {
				f.State = caseload.Sending
				m.event(caseload.FileSending, id, actor)
			}
			if f.UploadID == "" {
				f.UploadID = uploadID
			}
			f.Deadline, f.ChangedAt = deadline, m.now()
			return nil
		})
	})
}

func (m *memRecords) RecordParts(ctx context.Context, id caseload.FileID, parts []caseload.Part, deadline time.Time) error {
	return guardedErr(ctx, &m.faults, "RecordParts", func() error {
		defer m.locked()()
		_, err := m.change(id, func(f *caseload.File) error {
			if f.State != caseload.Sending {
				return caseload.Errorf(caseload.Conflict, "not sending")
			}
			if m.parts[id] == nil {
				m.parts[id] = map[int]caseload.Part{}
			}
			for _, p := range parts {
				m.parts[id][p.Number] = p
			}
			f.Deadline, f.ChangedAt, f.CancelledAt = deadline, m.now(), time.Time{}
			return nil
		})
		return err
	})
}

func (m *memRecords) RecordCancel(ctx context.Context, id caseload.FileID, at, deadline time.Time) error {
	return guardedErr(ctx, &m.faults, "RecordCancel", func() error {
		defer m.locked()()
		_, err := m.change(id, func(f *caseload.File) error { f.CancelledAt, f.Deadline = at, deadline; return nil })
		return err
	})
}

func (m *memRecords) Parts(ctx context.Context, id caseload.FileID) ([]caseload.Part, error) {
	return guarded(ctx, &m.faults, "Parts", func() ([]caseload.Part, error) {
		defer m.locked()()
		var parts []caseload.Part
		for _, n := range slices.Sorted(maps.Keys(m.parts[id])) {
			parts = append(parts, m.parts[id][n])
		}
		return parts, nil
	})
}

func (m *memRecords) ReportProgress(ctx context.Context, user caseload.User, progress []caseload.Progress) error {
	return guardedErr(ctx, &m.faults, "ReportProgress", func() error { return nil })
}

func (m *memRecords) FileIn(ctx context.Context, user caseload.User, c caseload.CaseID, id caseload.FileID) (caseload.File, error) {
	f, err := m.File(ctx, user, id)
	if err == nil && f.Case != c {
		return caseload.File{}, caseload.Errorf(caseload.NotFound, "no such file")
	}
	return f, err
}

func (m *memRecords) BeginReceiving(ctx context.Context, actor string, arriving []caseload.Declared, deadline time.Time) ([]caseload.Outcome, []caseload.Part, error) {
	declared := make([]caseload.Part, len(arriving))
	outcomes, err := guarded(ctx, &m.faults, "BeginReceiving", func() ([]caseload.Outcome, error) {
		defer m.locked()()
		outcomes := make([]caseload.Outcome, len(arriving))
		for i, d := range arriving {
			o := &outcomes[i]
			o.File, o.Err = m.change(d.File, func(f *caseload.File) error {
				if !f.State.Arriving() {
					return caseload.Errorf(caseload.Conflict, "not arriving")
				}
				if o.Won = f.State == caseload.Planned; o.Won {
					f.State = caseload.Sending
					m.event(caseload.FileSending, d.File, actor)
				}
				f.Deadline, f.ChangedAt = deadline, m.now()
				if m.parts[d.File] == nil {
					m.parts[d.File] = map[int]caseload.Part{1: d.Part}
				}
				declared[i] = m.parts[d.File][1]
				return nil
			})
		}
		return outcomes, nil
	})
	return outcomes, declared, err
}

func (m *memRecords) MarkStored(ctx context.Context, actor string, seen []caseload.Seen) ([]caseload.Outcome, error) {
	return guarded(ctx, &m.faults, "MarkStored", func() ([]caseload.Outcome, error) {
		defer m.locked()()
		outcomes := make([]caseload.Outcome, len(seen))
		for i, x := range seen {
			o := &outcomes[i]
			o.File, o.Err = m.change(x.File, func(f *caseload.File) error {
				if f.State.Acknowledged() {
					return nil
				}
				if f.State != caseload.Sending {
					return caseload.Errorf(caseload.Conflict, "not sending")
				}
				if x.Object.Size != f.Size && (!f.SizeOpen || x.Object.Size > f.Size) {
					return caseload.Errorf(caseload.Conflict, "another size")
				}
				if o.Won = true; f.Form() {
					m.intendForm(*f, m.now().Add(caseload.LateWrites))
				}
				f.Size, f.SizeOpen = x.Object.Size, false
				f.State, f.CRC64NVME, f.ETag, f.VersionID, f.StoredAt, f.ChangedAt = caseload.Stored, x.Object.CRC64NVME, x.Object.ETag, x.Object.VersionID, m.now(), m.now()
				m.event(caseload.FileStored, x.File, actor)
				m.enqueued[x.File]++
				return nil
			})
		}
		return outcomes, nil
	})
}

func (m *memRecords) intend(f caseload.File, due time.Time) {
	m.intents = append(m.intents, &memIntent{due: due, Intent: caseload.Intent{
		ID:   caseload.NewID[caseload.IntentID](m.now()),
		File: f.ID, Object: f.Object, UploadID: f.UploadID, VersionID: f.VersionID,
	}})
	if f.Form() && !f.State.Acknowledged() {
		m.intendForm(f, due)
	}
}

func (m *memRecords) intendForm(f caseload.File, due time.Time) {
	m.intents = append(m.intents, &memIntent{due: due, Intent: caseload.Intent{
		ID: caseload.NewID[caseload.IntentID](m.now()), File: f.ID, Object: f.FormKey(),
	}})
}

func (m *memRecords) MarkAbandoned(ctx context.Context, ids []caseload.FileID, actor, reason string, eraseAt time.Time) ([]caseload.Outcome, error) {
	return guarded(ctx, &m.faults, "MarkAbandoned", func() ([]caseload.Outcome, error) {
		defer m.locked()()
		outcomes := make([]caseload.Outcome, len(ids))
		for i, id := range ids {
			o := &outcomes[i]
			o.File, o.Err = m.change(id, func(f *caseload.File) error {
				if f.State == caseload.Abandoned {
					return nil
				}
				if !f.State.Arriving() {
					return caseload.Errorf(caseload.Conflict, "not arriving")
				}
				o.Won = true
				f.State, f.Reason, f.ChangedAt = caseload.Abandoned, reason, m.now()
				m.intend(*f, eraseAt)
				m.event(caseload.FileAbandoned, id, actor)
				return nil
			})
		}
		return outcomes, nil
	})
}

func (m *memRecords) ArrivingIn(ctx context.Context, user caseload.User, c caseload.CaseID, ids []caseload.FileID) (arriving []caseload.FileID, err error) {
	for _, id := range ids {
		if f, err := m.FileIn(ctx, user, c, id); err == nil && f.State.Arriving() {
			arriving = append(arriving, id)
		}
	}
	return arriving, nil
}

func (m *memRecords) DeleteFile(ctx context.Context, user caseload.User, id caseload.FileID, due caseload.EraseAt) error {
	return guardedErr(ctx, &m.faults, "DeleteFile", func() error {
		defer m.locked()()
		_, err := m.change(id, func(f *caseload.File) error {
			if f.State == caseload.Deleted {
				return caseload.Errorf(caseload.Gone, "deleted")
			}
			m.intend(*f, due.Of(f.State))
			f.State = caseload.Deleted
			m.event(caseload.FileDeleted, id, string(user.ID))
			return nil
		})
		return err
	})
}

func (m *memRecords) DeleteCase(ctx context.Context, user caseload.User, id caseload.CaseID, due caseload.EraseAt) error {
	return guardedErr(ctx, &m.faults, "DeleteCase", func() error {
		defer m.locked()()
		for fid, f := range m.files {
			if f.Case == id && f.State != caseload.Deleted {
				m.intend(f, due.Of(f.State))
				f.State = caseload.Deleted
				m.files[fid] = f
			}
		}
		return nil
	})
}

func (m *memRecords) RecordLink(ctx context.Context, user caseload.User, id caseload.FileID) error {
	return guardedErr(ctx, &m.faults, "RecordLink", func() error {
		defer m.locked()()
		m.event(caseload.FileLinked, id, string(user.ID))
		return nil
	})
}

func (m *memRecords) RecordQuarantine(ctx context.Context, id caseload.FileID, reason string) error {
	return guardedErr(ctx, &m.faults, "RecordQuarantine", func() error {
		defer m.locked()()
		m.event(caseload.FileQuarantined, id, caseload.SystemActor)
		return nil
	})
}

func (m *memRecords) DueUploads(ctx context.Context, now time.Time, limit int) ([]caseload.File, error) {
	return guarded(ctx, &m.faults, "DueUploads", func() ([]caseload.File, error) {
		defer m.locked()()
		var due []caseload.File
		for _, id := range slices.Sorted(maps.Keys(m.files)) {
			if f := m.files[id]; f.State.Arriving() && !f.Deadline.After(now) && len(due) < limit {
				due = append(due, f)
			}
		}
		return due, nil
	})
}

func (m *memRecords) Postpone(ctx context.Context, id caseload.FileID, deadline time.Time) error {
	return guardedErr(ctx, &m.faults, "Postpone", func() error {
		defer m.locked()()
		_, err := m.change(id, func(f *caseload.File) error { f.Deadline = deadline; return nil })
		return err
	})
}

func (m *memRecords) RequeueLapsed(ctx context.Context, _ time.Time, _ int) (int, error) {
	return guarded(ctx, &m.faults, "RequeueLapsed", func() (int, error) { return 0, nil })
}

func (m *memRecords) ClaimIntent(ctx context.Context, now time.Time) (in caseload.Intent, ok bool, err error) {
	in, err = guarded(ctx, &m.faults, "ClaimIntent", func() (caseload.Intent, error) {
		defer m.locked()()
		for _, i := range m.intents {
			if !i.done && !i.due.After(now) {
				i.due, ok = now.Add(10*time.Minute), true
				return i.Intent, nil
			}
		}
		return caseload.Intent{}, nil
	})
	return in, ok && err == nil, err
}

func (m *memRecords) FinishIntent(ctx context.Context, id caseload.IntentID) error {
	return guardedErr(ctx, &m.faults, "FinishIntent", func() error {
		defer m.locked()()
		for _, i := range m.intents {
			if i.ID == id {
				i.done = true
				m.event(caseload.ObjectErased, i.File, caseload.SystemActor)
			}
		}
		return nil
	})
}

func (m *memRecords) TrashedFile(context.Context, caseload.User, caseload.FileID) (caseload.Trashed, error) {
	return caseload.Trashed{}, errUnasked
}

func (m *memRecords) TrashedFiles(context.Context, caseload.User, caseload.CaseID) ([]caseload.Trashed, error) {
	return nil, errUnasked
}

func (m *memRecords) RestoreFile(context.Context, caseload.User, caseload.FileID) (caseload.File, error) {
	return caseload.File{}, errUnasked
}

func (m *memRecords) RestoreCase(context.Context, caseload.User, caseload.CaseID, []caseload.FileID) error {
	return errUnasked
}

func (m *memRecords) ReturnToTrash(context.Context, caseload.User, caseload.FileID, time.Time) error {
	return errUnasked
}

func (m *memRecords) HideIntent(context.Context, caseload.IntentID, string, time.Time) error {
	return errUnasked
}

// errUnasked is what these fakes answer that no test here asks: the trash is tested over the real databases.
var errUnasked = errors.New("not faked")

func (m *memRecords) ErasureDue(context.Context, time.Time) (bool, error) { return true, nil }
