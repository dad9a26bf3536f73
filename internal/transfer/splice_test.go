package transfer_test

import (
	"bytes"
	"context"
	"net/http"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/transfer"
)

// otherThan is a file of the same length with other bytes everywhere.
func otherThan(b []byte) []byte {
	other := bytes.Clone(b)
	for i := range other {
		other[i] ^= 1
	}
	return other
}

func (r *faultRig) completeAs(id caseload.FileID, b []byte) error {
	_, err := r.Complete(r.t.Context(), r.user, id, checksum(b))
	return err
}

// Fault 2 and 5: two computers send files that are alike in name, size, time and first MiB under one row.
func TestTwoFilesUnderOneRowAreNeverSpliced(t *testing.T) {
	theirs := otherThan(body)
	t.Run("the parts of both lie in it", func(t *testing.T) {
		inFaultRig(t, func(t *testing.T, r *faultRig) {
			id := r.sent()
			if err := r.sendParts(id, theirs, 2); err != nil {
				t.Fatal(err)
			}
			wantKind(t, r.completeAs(id, body), caseload.Conflict)
			wantKind(t, r.completeAs(id, theirs), caseload.Conflict)
			if f := r.records.row(id); f.State != caseload.Sending || len(r.objects.objects) != 0 {
				t.Fatalf("row is %s with %d objects", f.State, len(r.objects.objects))
			}
			if err := r.sendParts(id, body, 2); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := r.completeAs(id, body); err != nil {
					t.Fatal(err)
				}
				wantKind(t, r.completeAs(id, theirs), caseload.Conflict)
			}
			r.wantStored(id, body)
			if err := r.complete(id); err != nil {
				t.Errorf("without a word of which file is meant: %v", err)
			}
		})
	})
	for name, fault := range map[string]func(string, phase) error{
		"the other signed a part and never sent it": nil,
		"and the first answer was lost":             once("MarkStored", before, 1, errSlowDown),
	} {
		t.Run(name, func(t *testing.T) {
			inFaultRig(t, func(t *testing.T, r *faultRig) {
				id := r.sent()
				if fault != nil {
					r.records.set(fault)
					wantKind(t, r.completeAs(id, body), caseload.Unavailable)
				}
				spec := []transfer.PartSpec{{Number: 1, CRC64NVME: checksum(pieces(theirs)[0])}}
				if _, err := r.Sign(t.Context(), r.user, id, "http://here", spec); err != nil {
					t.Fatal(err)
				}
				if err := r.completeAs(id, body); err != nil {
					t.Fatal(err)
				}
				r.wantStored(id, body)
			})
		})
	}
	t.Run("a checksum that is none", func(t *testing.T) {
		inFaultRig(t, func(t *testing.T, r *faultRig) {
			_, err := r.Complete(t.Context(), r.user, r.sent(), "crc")
			wantKind(t, err, caseload.Invalid)
		})
	})
	t.Run("a small file", func(t *testing.T) {
		inFaultRig(t, func(t *testing.T, r *faultRig) {
			id := r.plan(5)
			r.records.set(once("MarkStored", before, 1, errSlowDown))
			_, err := r.Receive(t.Context(), r.user, id, bytes.NewReader(body[:5]), 5, checksum(body[:5]))
			wantKind(t, err, caseload.Unavailable)
			wantKind(t, r.completeAs(id, theirs[:5]), caseload.Conflict)
			if f := r.records.row(id); f.State != caseload.Sending {
				t.Fatalf("row is %s", f.State)
			}
			if err := r.completeAs(id, body[:5]); err != nil {
				t.Fatal(err)
			}
			r.wantStored(id, body[:5])
		})
	})
}

func TestTwoLargeFilesUnderOneRowAreNeverSpliced(t *testing.T) {
	onBothEngines(t, func(t *testing.T, r *realRig) {
		limits := r.Limits
		limits.PartSize = caseload.MinPartSize
		r.Limits = limits
		mine := randomBytes(6, 2*caseload.MinPartSize+1000)
		theirs := otherThan(mine)
		f := r.sent(mine)
		put := func(b []byte, n int) {
			t.Helper()
			signed, err := r.signed(f, b, n)
			r.must(err)
			if status := send(t, signed, partOf(f, b, n)); status != http.StatusOK {
				t.Fatalf("part %d: status %d", n, status)
			}
		}
		complete := func(b []byte) error {
			_, err := r.Complete(context.Background(), r.admin, f.ID, checksum(b))
			return err
		}
		put(theirs, 1)
		put(theirs, 3)
		wantKind(t, complete(mine), caseload.Conflict)
		wantKind(t, complete(theirs), caseload.Conflict)
		if got := r.file(f.ID); got.State != caseload.Sending {
			t.Fatalf("row is %s", got.State)
		}
		put(mine, 1)
		put(mine, 3)
		_, err := r.signed(f, theirs, 2) // and never sent
		r.must(err)
		r.must(complete(mine))
		r.wantStored(f.ID, mine)
		wantKind(t, complete(theirs), caseload.Conflict)
	})
}

// A first client sends part 1 and vanishes, a second one the others and vanishes too: no part was signed twice, and
// nobody knows which of the two files the whole is.
func TestTheSweepPutsNoResumedUploadTogether(t *testing.T) {
	onBothEngines(t, func(t *testing.T, r *realRig) {
		limits := r.Limits
		limits.PartSize = caseload.MinPartSize
		r.Limits = limits
		mine := randomBytes(7, 2*caseload.MinPartSize+1000)
		theirs := otherThan(mine)
		plan := func(name string) caseload.File {
			t.Helper()
			planned, _, err := r.Plan(t.Context(), r.admin, r.c, "", []transfer.FileSpec{{Name: name, Size: int64(len(mine)), Fingerprint: "the same"}})
			r.must(err)
			r.must(planned[0].Err)
			return planned[0].File
		}
		put := func(f caseload.File, b []byte, numbers ...int) {
			t.Helper()
			for _, n := range numbers {
				signed, err := r.signed(f, b, n)
				r.must(err)
				if status := send(t, signed, partOf(f, b, n)); status != http.StatusOK {
					t.Fatalf("part %d: status %d", n, status)
				}
			}
		}
		shared := plan("scan")
		put(shared, mine, 1)
		if again := plan("scan"); again.ID != shared.ID || !again.Resumed || !r.file(shared.ID).Resumed {
			t.Fatalf("the second plan: %s, resumed %t; want %s", again.ID, again.Resumed, shared.ID)
		}
		put(shared, theirs, 2, 3)
		alone := plan("alone")
		put(alone, mine, 1, 2, 3)
		finished := plan("finished")
		put(finished, mine, 1, 2, 3)
		plan("finished")

		r.advance(61 * time.Minute)
		report, err := r.Sweep(t.Context())
		r.must(err)
		if got := r.file(shared.ID); got.State != caseload.Sending {
			t.Fatalf("row is %s: %+v", got.State, report)
		}
		r.wantStored(alone.ID, mine)
		_, err = r.Complete(t.Context(), r.admin, finished.ID, checksum(mine))
		r.must(err)
		r.wantStored(finished.ID, mine)

		r.advance(limits.AbandonAfter)
		_, err = r.Sweep(t.Context())
		r.must(err)
		if got := r.file(shared.ID); got.State != caseload.Abandoned || got.Reason != "The upload was resumed and never finished." {
			t.Errorf("row is %s, %q", got.State, got.Reason)
		}
	})
}
