package transfer_test

import (
	"bytes"
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/transfer"
)

// begun is a loose upload of a file of that size (transfer.SizeUnknown: nobody said) with these parts in the store.
func (r *faultRig) begun(size int64, parts ...[]byte) caseload.FileID {
	r.t.Helper()
	f, err := r.PlanLoose(r.t.Context(), r.user, "case", transfer.FileSpec{Name: "a.bin", Size: size})
	if err != nil {
		r.t.Fatal(err)
	}
	for i, b := range parts {
		if _, err := r.SignLoose(r.t.Context(), r.user, "case", f.ID, "http://here", []int{i + 1}); err != nil {
			r.t.Fatal(err)
		}
		r.objects.putLoose(f.UploadID, i+1, b)
	}
	return f.ID
}

// putLoose is the sending of a part whose signature binds nothing.
func (m *memObjects) putLoose(uploadID string, n int, b []byte) {
	defer m.locked()()
	m.uploads[uploadID][n] = slices.Clone(b)
}

func (r *faultRig) completeLoose(id caseload.FileID, parts ...[]byte) error {
	said := make([]caseload.Part, len(parts))
	for i, b := range parts {
		said[i] = caseload.Part{Number: i + 1, ETag: checksum(b)}
	}
	_, err := r.CompleteLoose(r.t.Context(), r.user, "case", id, said)
	return err
}

// A loose upload's end survives every call that fails once, before it acts or after, like that of our own.
func TestLooseUploadsEndOnceWhateverFails(t *testing.T) {
	parts := pieces(body)
	for _, call := range []string{"File", "Postpone", "ListParts", "CompleteMultipart", "Head", "Sync", "MarkStored", "Stream"} {
		for _, p := range []phase{before, after} {
			for _, shown := range []bool{true, false} {
				inFaultRig(t, func(t *testing.T, r *faultRig) {
					if !shown { // a store that keeps no checksums: the server reads the object and takes it
						r.objects.replaced = func(o caseload.Object) caseload.Object { o.CRC64NVME = ""; return o }
						r.objects.listed = func(p caseload.Part) caseload.Part { p.CRC64NVME = ""; return p }
					}
					id := r.begun(transfer.SizeUnknown, parts...)
					r.objects.set(once(call, p, 1, errLost))
					r.records.set(once(call, p, 1, errLost))
					if err := r.completeLoose(id, parts...); err != nil {
						r.objects.set(nil)
						r.records.set(nil)
						if err := r.completeLoose(id, parts...); err != nil {
							t.Fatalf("%s failing %s it acted: the second try: %v", call, p, err)
						}
					}
					r.wantStored(id, body)
					if f := r.records.row(id); f.Size != int64(len(body)) || f.SizeOpen {
						t.Errorf("%s: the row says %d bytes, open %v", call, f.Size, f.SizeOpen)
					}
				})
			}
		}
	}
}

// A checksum that was taken is of the bytes that are there: other bytes than the parts said are not stored.
func TestALooseObjectThatIsNotItsPartsIsRefused(t *testing.T) {
	inFaultRig(t, func(t *testing.T, r *faultRig) {
		parts := pieces(body)
		id := r.begun(transfer.SizeUnknown, parts...)
		r.objects.replaced = func(o caseload.Object) caseload.Object { o.CRC64NVME = checksum([]byte("other")); return o }
		wantKind(t, r.completeLoose(id, parts...), caseload.Conflict)
		if f := r.records.row(id); f.State != caseload.Abandoned {
			t.Errorf("the file is %s", f.State)
		}
	})
}

// The sweep completes what is whole by the size that was said, and nothing else: a total alone does not say "whole".
func TestSweepCompletesALooseUploadOfKnownSize(t *testing.T) {
	inFaultRig(t, func(t *testing.T, r *faultRig) {
		parts := pieces(body)
		known, short, open := r.begun(int64(len(body)), parts...), r.begun(int64(len(body)), parts[:2]...), r.begun(transfer.SizeUnknown, parts...)
		r.sweepUntil(61 * time.Minute)
		r.wantStored(known, body)
		for what, id := range map[string]caseload.FileID{"half": short, "of unknown size": open} {
			if f := r.records.row(id); f.State != caseload.Sending {
				t.Errorf("the upload that is %s is %s", what, f.State)
			}
		}
		r.sweepUntil(8 * 24 * time.Hour)
		for _, id := range []caseload.FileID{short, open} {
			if f := r.records.row(id); f.State != caseload.Abandoned {
				t.Errorf("after a week of silence it is %s", f.State)
			}
		}
		if r.objects.aborted != 2 {
			t.Errorf("the parts of %d uploads were freed, want 2", r.objects.aborted)
		}
	})
}

// A process that died between the store's Complete and the commit: the object is the file.
func TestALooseUploadPutTogetherBeforeIsStored(t *testing.T) {
	inFaultRig(t, func(t *testing.T, r *faultRig) {
		parts := pieces(body)
		id := r.begun(transfer.SizeUnknown, parts...)
		r.records.set(once("MarkStored", before, 1, errSlowDown))
		if err := r.completeLoose(id, parts...); err == nil {
			t.Fatal("the commit did not fail")
		}
		r.Service = r.another()
		held, err := r.HeldLoose(t.Context(), r.user, "case", id)
		if err != nil || len(held) == 0 || held[0].ETag == "" {
			t.Fatalf("held: %v, %v", held, err)
		}
		r.sweepUntil(13 * time.Minute)
		r.wantStored(id, body)
	})
}

func (r *faultRig) form(size int64) caseload.File {
	r.t.Helper()
	f, form, err := r.PlanForm(r.t.Context(), r.user, "case", transfer.FileSpec{Name: "a.bin", Size: size}, "http://here")
	if err != nil || form.Fields["key"] != string(f.ID) {
		r.t.Fatal(err, form)
	}
	return f
}

// watched runs the watch for forms while act does its work.
func (r *faultRig) watched(act func()) {
	ctx, cancel := context.WithCancel(r.t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); r.WatchForms(ctx) }()
	act()
	cancel()
	<-ended
}

func TestAFormIsStoredSecondsAfterItsLastByte(t *testing.T) {
	for _, sent := range []time.Duration{time.Second, time.Minute, 10 * time.Minute} {
		inFaultRig(t, func(t *testing.T, r *faultRig) {
			var looks atomic.Int64
			r.objects.set(func(call string, p phase) error {
				if call == "Head" && p == before {
					looks.Add(1)
				}
				return nil
			})
			f := r.form(transfer.SizeUnknown)
			r.watched(func() {
				time.Sleep(sent)
				looked := looks.Load()
				r.objects.post(f.FormKey(), body)
				time.Sleep(max(2*time.Second, sent/8+2*time.Second))
				synctest.Wait()
				r.wantStored(f.ID, body)
				if most := int64(60); looked > most {
					t.Errorf("the store was asked %d times in %v, want at most %d", looked, sent, most)
				}
				looks.Store(0)
				time.Sleep(time.Hour)
				if looked := looks.Load(); looked > 0 {
					t.Errorf("the store was asked %d times after the file was stored", looked)
				}
			})
		})
	}
}

// What is posted once more while the form lives changes nothing, and goes when nothing can be posted any more.
func TestAFormPostedAgainChangesNothing(t *testing.T) {
	inFaultRig(t, func(t *testing.T, r *faultRig) {
		f := r.form(int64(len(body)))
		r.objects.post(f.FormKey(), body)
		if err := r.complete(f.ID); err != nil {
			t.Fatal(err)
		}
		r.objects.post(f.FormKey(), bytes.Repeat([]byte("z"), len(body)))
		r.wantStored(f.ID, body)
		r.sweepUntil(time.Hour)
		if r.objects.objects[f.FormKey()] == nil {
			t.Error("the form was erased while it could still be posted")
		}
		r.sweepUntil(90 * time.Minute)
		if r.objects.objects[f.FormKey()] != nil {
			t.Error("what was posted is still there")
		}
		r.wantStored(f.ID, body)
	})
}

// The sweep alone finds a form too, after a restart; each call may fail once.
func TestAFormIsTakenOverWhateverFails(t *testing.T) {
	for _, call := range []string{"none", "Head", "Stream", "Put", "Sync", "MarkStored", "Postpone"} {
		for _, p := range []phase{before, after} {
			for _, shown := range []bool{true, false} {
				inFaultRig(t, func(t *testing.T, r *faultRig) {
					if !shown {
						r.objects.replaced = func(o caseload.Object) caseload.Object { o.CRC64NVME = ""; return o }
					}
					f := r.form(int64(len(body)))
					r.objects.post(f.FormKey(), body)
					r.objects.set(once(call, p, 1, errLost))
					r.records.set(once(call, p, 1, errLost))
					r.Service = r.another()
					for range 3 {
						r.sweepUntil(6 * time.Minute)
					}
					r.wantStored(f.ID, body)
				})
			}
		}
	}
}

func TestAFormOfOtherSizeOrNoneIsGivenUp(t *testing.T) {
	inFaultRig(t, func(t *testing.T, r *faultRig) {
		r.Limits.MaxFileSize = 100
		known, open, empty, never := r.form(10), r.form(transfer.SizeUnknown), r.form(transfer.SizeUnknown), r.form(10)
		r.objects.post(known.FormKey(), body[:9])
		r.objects.post(open.FormKey(), bytes.Repeat(body, 3))
		r.objects.post(empty.FormKey(), nil)
		r.sweepUntil(time.Minute)
		for _, f := range []caseload.File{known, open, empty} {
			if row := r.records.row(f.ID); row.State != caseload.Abandoned || r.objects.objects[f.Object] != nil {
				t.Errorf("it is %s (%s)", row.State, row.Reason)
			}
		}
		if row := r.records.row(never.ID); row.State != caseload.Sending {
			t.Errorf("a form that may yet come is %s", row.State)
		}
		r.sweepUntil(76 * time.Minute)
		if row := r.records.row(never.ID); row.State != caseload.Abandoned {
			t.Errorf("a form that can no longer come is %s", row.State)
		}
		r.sweepUntil(3 * time.Hour)
		for _, f := range []caseload.File{known, open, empty} {
			if _, there := r.objects.objects[f.FormKey()]; there {
				t.Error("what was posted for a file that was given up is still there")
			}
		}
	})
}

func TestALooseUploadIsStoppedWhenItIsTooLarge(t *testing.T) {
	inFaultRig(t, func(t *testing.T, r *faultRig) {
		r.Limits.MaxFileSize = 20
		id := r.begun(transfer.SizeUnknown, pieces(body)...)
		_, err := r.SignLoose(t.Context(), r.user, "case", id, "http://here", []int{9})
		wantKind(t, err, caseload.TooLarge)
		if f := r.records.row(id); f.State != caseload.Abandoned || r.objects.aborted != 1 {
			t.Errorf("it is %s, %d uploads freed", f.State, r.objects.aborted)
		}
	})
}
