package transfer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/transfer"
)

// Faults 6, 7 and 9 of the list: whatever happens to the answer, the object decides.
func TestCompleteLooksAtTheObjectBeforeItBelievesAnError(t *testing.T) {
	precondition := caseload.Errorf(caseload.Conflict, "412")
	noUpload := caseload.Errorf(caseload.NotFound, "NoSuchUpload")
	for name, fault := range map[string]func(string, phase) error{
		"response lost after the store acted":         once("CompleteMultipart", after, 1, errLost),
		"200 whose body is an error, yet it acted":    once("CompleteMultipart", after, 1, errors.New("InternalError")),
		"412 from our own earlier try":                once("CompleteMultipart", after, 1, precondition),
		"NoSuchUpload from our own earlier try":       once("CompleteMultipart", after, 1, noUpload),
		"the checksum answer of a retry that is late": once("CompleteMultipart", after, 1, caseload.Errorf(caseload.Invalid, "BadDigest")),
	} {
		t.Run(name, func(t *testing.T) {
			inFaultRig(t, func(t *testing.T, r *faultRig) {
				id := r.sent()
				r.objects.set(fault)
				if err := r.complete(id); err != nil {
					t.Fatal(err)
				}
				r.wantStored(id, body)
			})
		})
	}
}

// A fault that stops Complete leaves the file sending; the same call succeeds once the fault is gone.
func TestCompleteCanBeRepeatedAfterAnyFault(t *testing.T) {
	type trouble struct {
		in   string // records or objects
		call string
		p    phase
	}
	for _, f := range []trouble{
		{"objects", "ListParts", before},
		{"objects", "CompleteMultipart", before},
		{"objects", "Head", before},
		{"objects", "Sync", before},
		{"objects", "Sync", after},
		{"records", "File", before},
		{"records", "Parts", before},
		{"records", "Postpone", before},
		{"records", "Postpone", after},
		{"records", "MarkStored", before},
		{"records", "MarkStored", after},
	} {
		t.Run(f.call+" "+string(f.p), func(t *testing.T) {
			inFaultRig(t, func(t *testing.T, r *faultRig) {
				id := r.sent()
				fault := once(f.call, f.p, 1, errSlowDown)
				if f.in == "objects" {
					r.objects.set(fault)
				} else {
					r.records.set(fault)
				}
				if f.call == "MarkStored" && f.p == after { // the row knows better than the lost answer
					if err := r.complete(id); err != nil {
						t.Error(err)
					}
				} else {
					wantKind(t, r.complete(id), caseload.Unavailable)
					if s := r.records.row(id).State; s != caseload.Sending {
						t.Errorf("row is %s", s)
					}
				}
				if err := r.complete(id); err != nil {
					t.Fatal(err)
				}
				r.wantStored(id, body)
			})
		})
	}
}

func TestCompleteWaitsForAnObjectThatIsNotVisibleAtOnce(t *testing.T) {
	inFaultRig(t, func(t *testing.T, r *faultRig) {
		id := r.sent()
		r.objects.hidden = 5
		if err := r.complete(id); err != nil {
			t.Fatal(err)
		}
		r.wantStored(id, body)
	})
}

// The embedded store killed inside Complete answers 200 for an object that does not exist (fault 10): no phantom.
func TestA200ForAnObjectThatNeverShowsIsNotBelieved(t *testing.T) {
	inFaultRig(t, func(t *testing.T, r *faultRig) {
		id := r.sent()
		r.objects.hidden = 1 << 30
		began := time.Now()
		wantKind(t, r.complete(id), caseload.Unavailable)
		if waited := time.Since(began); waited > 3*time.Second {
			t.Errorf("waited %v", waited)
		}
		if s := r.records.row(id).State; s != caseload.Sending {
			t.Errorf("row is %s", s)
		}
		r.objects.hidden = 0
		if err := r.complete(id); err != nil {
			t.Fatal(err)
		}
		r.wantStored(id, body)
	})
}

func TestAnObjectThatShowsOtherBytesIsNeverStored(t *testing.T) {
	for name, other := range map[string]func(o caseload.Object) caseload.Object{
		"one byte longer":        func(o caseload.Object) caseload.Object { o.Size++; return o },
		"another checksum":       func(o caseload.Object) caseload.Object { o.CRC64NVME = checksum([]byte("x")); return o },
		"no checksum shown (I2)": func(o caseload.Object) caseload.Object { o.CRC64NVME = ""; return o },
	} {
		t.Run(name, func(t *testing.T) {
			inFaultRig(t, func(t *testing.T, r *faultRig) {
				id := r.sent()
				r.objects.replaced = other
				wantKind(t, r.complete(id), caseload.Conflict)
				if f := r.records.row(id); f.State != caseload.Abandoned || r.records.enqueued[id] != 0 {
					t.Errorf("row is %s, %d jobs", f.State, r.records.enqueued[id])
				}
				r.sweepUntil(2*time.Hour + time.Second)
				if len(r.objects.objects) != 0 {
					t.Error("the object was left behind")
				}
			})
		})
	}
}

func TestAClientThatHangsUpDoesNotStrandItsUpload(t *testing.T) {
	for _, call := range []string{"CompleteMultipart", "Head", "Sync"} {
		t.Run(call, func(t *testing.T) {
			inFaultRig(t, func(t *testing.T, r *faultRig) {
				id := r.sent()
				ctx, hangUp := context.WithCancel(t.Context())
				r.objects.set(func(c string, p phase) error {
					if c == call {
						hangUp()
					}
					return nil
				})
				if _, err := r.Complete(ctx, r.user, id, ""); err != nil {
					t.Fatal(err)
				}
				r.wantStored(id, body)
			})
		})
	}
}

func TestOfTwoProcessesThatBeginOneUploadTheLoserAbortsItsOwn(t *testing.T) {
	inFaultRig(t, func(t *testing.T, r *faultRig) {
		id := r.plan(len(body))
		second := r.another()
		raced := false
		r.objects.set(func(c string, p phase) error {
			if c == "CreateMultipart" && p == after && !raced {
				raced = true // between the first one's CreateMultipart and its row, the second does both
				_, err := second.Sign(t.Context(), r.user, id, "o", []transfer.PartSpec{{Number: 2, CRC64NVME: checksum(pieces(body)[1])}})
				if err != nil {
					t.Error(err)
				}
			}
			return nil
		})
		if err := r.sendParts(id, body); err != nil {
			t.Fatal(err)
		}
		if len(r.objects.uploads) != 1 || r.objects.aborted != 1 {
			t.Errorf("%d uploads live, %d aborted; want one of each", len(r.objects.uploads), r.objects.aborted)
		}
		if err := r.complete(id); err != nil {
			t.Fatal(err)
		}
		r.wantStored(id, body)
	})
}

func TestSignSurvivesALostCommitAndCleansUpAfterARefusedOne(t *testing.T) {
	inFaultRig(t, func(t *testing.T, r *faultRig) {
		id := r.plan(len(body))
		r.records.set(once("BeginSending", after, 1, errLost))
		if err := r.sendParts(id, body); err != nil {
			t.Fatal(err)
		}
		if err := r.complete(id); err != nil {
			t.Fatal(err)
		}
		r.wantStored(id, body)

		id = r.plan(len(body))
		r.records.set(once("BeginSending", before, 1, errSlowDown))
		wantKind(t, r.sendParts(id, body), caseload.Unavailable)
		if len(r.objects.uploads) != 0 {
			t.Error("an upload was left behind")
		}
	})
}

func TestAFileAbandonedWhileItsUploadBeganLeavesNoUpload(t *testing.T) {
	inFaultRig(t, func(t *testing.T, r *faultRig) {
		id := r.plan(len(body))
		r.objects.set(func(c string, p phase) error {
			if c == "CreateMultipart" && p == after {
				if _, err := r.Abort(t.Context(), r.user, id); err != nil {
					t.Error(err)
				}
			}
			return nil
		})
		wantKind(t, r.sendParts(id, body), caseload.Conflict)
		if len(r.objects.uploads) != 0 {
			t.Error("an upload was left behind")
		}
	})
}

// Fault 5: a part sent twice with different bytes. The manifest holds the last word.
func TestAPartSentTwiceWithOtherBytesMustBeSentAgain(t *testing.T) {
	inFaultRig(t, func(t *testing.T, r *faultRig) {
		id := r.sent()
		third := []byte("ten bytes!")
		if _, err := r.Sign(t.Context(), r.user, id, "o", []transfer.PartSpec{{Number: 3, CRC64NVME: checksum(third)}}); err != nil {
			t.Fatal(err)
		}
		err := r.complete(id)
		wantKind(t, err, caseload.Conflict)
		if !strings.Contains(fmt.Sprint(err), "1 of 4 parts are missing or differ: 3.") {
			t.Errorf("says %q", err)
		}
		if err := r.sendParts(id, body, 3); err != nil {
			t.Fatal(err)
		}
		if err := r.complete(id); err != nil {
			t.Fatal(err)
		}
		r.wantStored(id, body)
	})
}

func TestAPartReplacedBetweenListingAndCompletingIsNotStored(t *testing.T) {
	inFaultRig(t, func(t *testing.T, r *faultRig) {
		id := r.sent()
		f := r.records.row(id)
		r.objects.set(func(c string, p phase) error {
			if c == "ListParts" && p == after {
				r.objects.uploads[f.UploadID][2] = []byte("otherbytes")
			}
			return nil
		})
		wantKind(t, r.complete(id), caseload.Conflict)
		r.objects.set(nil)
		if s := r.records.row(id).State; s != caseload.Sending {
			t.Fatalf("row is %s", s)
		}
		if err := r.sendParts(id, body, 2); err != nil {
			t.Fatal(err)
		}
		if err := r.complete(id); err != nil {
			t.Fatal(err)
		}
		r.wantStored(id, body)
	})
}

// While another process completes the upload, a listing can show what is left of it (seen on versitygw 1.8.0).
func TestAListingThatShowsLessThanItShouldIsAskedOnceMore(t *testing.T) {
	inFaultRig(t, func(t *testing.T, r *faultRig) {
		id := r.sent()
		uploadID := r.records.row(id).UploadID
		third := r.objects.uploads[uploadID][3]
		r.objects.set(func(c string, p phase) error {
			if c == "ListParts" && p == before {
				delete(r.objects.uploads[uploadID], 3)
			}
			if c == "ListParts" && p == after {
				r.objects.uploads[uploadID][3] = third
				r.objects.set(nil)
			}
			return nil
		})
		if err := r.complete(id); err != nil {
			t.Fatal(err)
		}
		r.wantStored(id, body)
	})
}

func TestAPartOfAnotherLengthIsSentAgainWhateverItsChecksum(t *testing.T) {
	inFaultRig(t, func(t *testing.T, r *faultRig) {
		id := r.sent()
		r.objects.listed = func(p caseload.Part) caseload.Part {
			if p.Number == 2 {
				p.Size++
			}
			return p
		}
		err := r.complete(id)
		wantKind(t, err, caseload.Conflict)
		if !strings.Contains(fmt.Sprint(err), "differ: 2.") || r.objects.complete != 0 {
			t.Errorf("says %q after %d rounds to complete", err, r.objects.complete)
		}
	})
}
