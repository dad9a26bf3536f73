package transfer_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/transfer"
)

// Fault 23: the store's own lifecycle ended the upload. Whoever meets it first abandons the file, so that it is not gone
// on with for ever; what was sent meanwhile is not lost of sight.
func TestAnUploadTheStoreEndedIsAbandonedAndSaysSo(t *testing.T) {
	for name, meet := range map[string]func(r *faultRig, id caseload.FileID) error{
		"Complete": func(r *faultRig, id caseload.FileID) error { return r.complete(id) },
		"Held": func(r *faultRig, id caseload.FileID) error {
			_, err := r.Held(r.t.Context(), r.user, id)
			return err
		},
		"Relay": func(r *faultRig, id caseload.FileID) error {
			part := transfer.PartSpec{Number: 1, CRC64NVME: checksum(body[:10])}
			_, err := r.Relay(r.t.Context(), r.user, id, part, bytes.NewReader(body[:10]), 10)
			return err
		},
		"Sweep": func(r *faultRig, id caseload.FileID) error {
			if report := r.sweepUntil(61 * time.Minute); report.Abandoned != 1 {
				r.t.Errorf("sweep: %+v", report)
			}
			return caseload.Errorf(caseload.Conflict, "it says nothing to anybody")
		},
	} {
		t.Run(name, func(t *testing.T) {
			inFaultRig(t, func(t *testing.T, r *faultRig) {
				id := r.sent()
				clear(r.objects.uploads)
				wantKind(t, meet(r, id), caseload.Conflict)
				if f := r.records.row(id); f.State != caseload.Abandoned || !strings.Contains(f.Reason, "store ended") {
					t.Errorf("row is %s, %q", f.State, f.Reason)
				}
				if n := r.records.count(caseload.FileAbandoned, id); n != 1 {
					t.Errorf("%d events", n)
				}
			})
		})
	}
}

// The store knows no such upload because another process has just completed it: the object shows a moment later.
func TestAnUploadThatWasJustCompletedIsNotTakenForEnded(t *testing.T) {
	inFaultRig(t, func(t *testing.T, r *faultRig) {
		id := r.sent()
		f := r.records.row(id)
		clear(r.objects.uploads)
		r.objects.objects[f.Object] = body
		r.objects.hidden = 3
		_, err := r.Held(t.Context(), r.user, id)
		wantKind(t, err, caseload.Conflict)
		r.wantStored(id, body)
	})
}

// Fault 8 on the fakes, with the process dead between the store's Complete and the commit (fault 9): minutes later the
// sweep finds the object and commits.
func TestSweepCommitsWhatADeadProcessLeftCompleted(t *testing.T) {
	inFaultRig(t, func(t *testing.T, r *faultRig) {
		id := r.sent()
		r.records.set(func(c string, p phase) error {
			if c == "MarkStored" {
				return errSlowDown
			}
			return nil
		})
		wantKind(t, r.complete(id), caseload.Unavailable)
		r.records.set(nil)
		if report := r.sweepUntil(12*time.Minute + time.Second); report.Completed != 1 {
			t.Errorf("sweep: %+v", report)
		}
		r.wantStored(id, body)
	})
}

func TestSweepLeavesAFileThatCameToLifeAfterItWasListed(t *testing.T) {
	inFaultRig(t, func(t *testing.T, r *faultRig) {
		id := r.plan(len(body))
		r.records.set(func(c string, p phase) error {
			if c == "DueUploads" && p == after {
				return r.sendParts(id, body, 1)
			}
			return nil
		})
		if report := r.sweepUntil(30 * 24 * time.Hour); report != (transfer.SweepReport{}) {
			t.Errorf("sweep: %+v", report)
		}
		if s := r.records.row(id).State; s != caseload.Sending {
			t.Errorf("row is %s", s)
		}
	})
}

func TestLinkNeverHandsOutAnotherObject(t *testing.T) {
	for name, other := range map[string]func(r *faultRig, key caseload.ObjectKey){
		"missing":     func(r *faultRig, key caseload.ObjectKey) { delete(r.objects.objects, key) },
		"longer":      func(r *faultRig, key caseload.ObjectKey) { r.objects.objects[key] = append(body, 'x') },
		"other bytes": func(r *faultRig, key caseload.ObjectKey) { r.objects.objects[key] = bytes.ToUpper(body) },
		"the same bytes put there again": func(r *faultRig, _ caseload.ObjectKey) {
			r.objects.replaced = func(o caseload.Object) caseload.Object { o.ETag = "another"; return o }
		},
	} {
		t.Run(name, func(t *testing.T) {
			inFaultRig(t, func(t *testing.T, r *faultRig) {
				id := r.sent()
				if err := r.complete(id); err != nil {
					t.Fatal(err)
				}
				if l, err := r.Link(t.Context(), r.user, id, "http://here"); err != nil || l.URL == "" {
					t.Fatal(l, err)
				}
				other(r, r.records.row(id).Object)
				_, err := r.Link(t.Context(), r.user, id, "http://here")
				wantKind(t, err, caseload.Conflict)
				if n := r.records.count(caseload.FileQuarantined, id); n != 1 {
					t.Errorf("%d security events", n)
				}
				_, _, err = r.Content(t.Context(), r.user, id)
				wantKind(t, err, caseload.Conflict)
				if n := r.records.count(caseload.FileLinked, id); n != 1 {
					t.Errorf("%d links recorded, want the first only", n)
				}
			})
		})
	}
}

func TestAStoreThatIsAwayIsNoQuarantineAndNoAbandonment(t *testing.T) {
	inFaultRig(t, func(t *testing.T, r *faultRig) {
		kept, arriving := r.sent(), r.sent()
		if err := r.complete(kept); err != nil {
			t.Fatal(err)
		}
		r.objects.set(func(c string, p phase) error { return errSlowDown })
		_, err := r.Link(t.Context(), r.user, kept, "o")
		wantKind(t, err, caseload.Unavailable)
		if r.records.count(caseload.FileQuarantined, kept) != 0 {
			t.Error("quarantined")
		}
		if report := r.sweepUntil(30 * 24 * time.Hour); report.Failed != 1 || report.Abandoned != 0 {
			t.Errorf("sweep: %+v", report)
		}
		r.objects.set(nil)
		if report := r.sweepUntil(6 * time.Minute); report.Completed != 1 {
			t.Errorf("sweep when the store is back: %+v", report)
		}
		r.wantStored(arriving, body)
	})
}

func TestSweepGoesOnAfterAFailureWithOneFile(t *testing.T) {
	inFaultRig(t, func(t *testing.T, r *faultRig) {
		for range 3 {
			r.sent()
		}
		r.objects.set(once("CompleteMultipart", before, 2, errSlowDown))
		if report := r.sweepUntil(61 * time.Minute); report.Completed != 2 || report.Failed != 1 {
			t.Errorf("first sweep: %+v", report)
		}
		if report := r.sweepUntil(6 * time.Minute); report.Completed != 1 {
			t.Errorf("second sweep: %+v", report)
		}
	})
}

func TestSweepAbandonsOnlyWhatHasBeenSilentLongEnough(t *testing.T) {
	inFaultRig(t, func(t *testing.T, r *faultRig) {
		planned, part := r.plan(len(body)), r.plan(len(body))
		if err := r.sendParts(part, body, 1, 2); err != nil {
			t.Fatal(err)
		}
		week := caseload.DefaultLimits().AbandonAfter
		for slept := time.Duration(0); slept+2*time.Hour < week; slept += 2 * time.Hour {
			if report := r.sweepUntil(2 * time.Hour); report.Abandoned != 0 || report.Postponed != 2 {
				t.Fatalf("after %v: %+v", slept, report)
			}
		}
		if err := r.sendParts(part, body, 3); err != nil { // a sign of life
			t.Fatal(err)
		}
		if report := r.sweepUntil(2*time.Hour + time.Minute); report.Abandoned != 1 || r.records.row(planned).State != caseload.Abandoned {
			t.Errorf("after a week: %+v", report)
		}
		if report := r.sweepUntil(week); report.Abandoned != 1 || len(r.objects.uploads) != 0 {
			t.Errorf("a week after the last part: %+v, %d uploads live", report, len(r.objects.uploads))
		}
	})
}

func TestAnIntentThatFailsIsCarriedOutLater(t *testing.T) {
	for _, call := range []string{"AbortMultipart", "Delete", "FinishIntent"} {
		t.Run(call, func(t *testing.T) {
			inFaultRig(t, func(t *testing.T, r *faultRig) {
				id := r.sent()
				if err := r.DeleteFile(t.Context(), r.user, id); err != nil {
					t.Fatal(err)
				}
				r.objects.uploads[r.records.row(id).UploadID] = map[int][]byte{} // as if it could not be freed at once
				r.objects.set(once(call, before, 1, errSlowDown))
				r.records.set(once(call, before, 1, errSlowDown))
				if report := r.sweepUntil(30*24*time.Hour + time.Second); report.Failed != 1 || report.Erased != 0 {
					t.Errorf("first sweep: %+v", report)
				}
				if report := r.sweepUntil(11 * time.Minute); report.Erased != 1 {
					t.Errorf("second sweep: %+v", report)
				}
				if len(r.objects.uploads) != 0 || r.records.count(caseload.ObjectErased, id) != 1 {
					t.Error("the upload was left behind, or the event was not written once")
				}
			})
		})
	}
}
