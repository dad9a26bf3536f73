package transfer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/transfer"
)

// faultRig is the service over the fakes, in a bubble whose clock only moves when everybody waits.
type faultRig struct {
	*transfer.Service
	records *memRecords
	objects *memObjects
	user    caseload.User
	t       *testing.T
}

// body is a file of four parts of ten bytes, the last shorter.
var body = []byte("The quick brown fox jumps over the dog")

func inFaultRig(t *testing.T, test func(t *testing.T, r *faultRig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &faultRig{records: newMemRecords(time.Now), objects: newMemObjects(), t: t,
			user: caseload.User{ID: "user", Organization: "clinic", Role: caseload.Member}}
		r.Service = r.another()
		test(t, r)
	})
}

// another is a second process over the same database and store.
func (r *faultRig) another() *transfer.Service {
	limits := caseload.DefaultLimits()
	limits.DirectThreshold = 30
	return &transfer.Service{Records: r.records, Objects: r.objects, Limits: limits, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
}

// plan plans a file of the size; parts of a direct one are ten bytes, smaller than any real store takes.
func (r *faultRig) plan(size int) caseload.FileID {
	r.t.Helper()
	planned, err := r.Plan(r.t.Context(), r.user, "case", []transfer.FileSpec{{Name: "a.bin", Size: int64(size)}})
	if err != nil || planned[0].Err != nil {
		r.t.Fatal(err, planned)
	}
	id := planned[0].File.ID
	defer r.records.locked()()
	f := r.records.files[id]
	if f.Route == caseload.Direct {
		f.PartSize = 10
		r.records.files[id] = f
	}
	return id
}

func pieces(b []byte) [][]byte {
	var p [][]byte
	for ; len(b) > 10; b = b[10:] {
		p = append(p, b[:10])
	}
	return append(p, b)
}

// sendParts signs and sends the parts numbered, or all.
func (r *faultRig) sendParts(id caseload.FileID, b []byte, numbers ...int) error {
	all := pieces(b)
	if len(numbers) == 0 {
		for i := range all {
			numbers = append(numbers, i+1)
		}
	}
	var specs []transfer.PartSpec
	for _, n := range numbers {
		specs = append(specs, transfer.PartSpec{Number: n, CRC64NVME: checksum(all[n-1])})
	}
	requests, err := r.Sign(r.t.Context(), r.user, id, "http://here", specs)
	if err != nil {
		return err
	}
	uploadID := r.records.row(id).UploadID
	for i, n := range numbers {
		if err := r.objects.send(requests[i], uploadID, all[n-1]); err != nil {
			return err
		}
	}
	return nil
}

// sent is a direct file all of whose parts are in the store.
func (r *faultRig) sent() caseload.FileID {
	r.t.Helper()
	id := r.plan(len(body))
	if err := r.sendParts(id, body); err != nil {
		r.t.Fatal(err)
	}
	return id
}

func (r *faultRig) complete(id caseload.FileID) error {
	_, err := r.Complete(r.t.Context(), r.user, id)
	return err
}

// wantStored checks I1, I2, I8 and the one job of a file that was acknowledged.
func (r *faultRig) wantStored(id caseload.FileID, b []byte) {
	r.t.Helper()
	f := r.records.row(id)
	if f.State != caseload.Stored || f.CRC64NVME != checksum(b) || f.ETag == "" {
		r.t.Errorf("row is %s with checksum %q, etag %q", f.State, f.CRC64NVME, f.ETag)
	}
	if !bytes.Equal(r.objects.objects[f.Object], b) {
		r.t.Error("the store does not hold the bytes")
	}
	if n := r.records.count(caseload.FileStored, id); n != 1 || r.records.enqueued[id] != 1 {
		r.t.Errorf("%d stored events, %d jobs; want one of each", n, r.records.enqueued[id])
	}
}

func wantKind(t *testing.T, err error, want caseload.Kind) {
	t.Helper()
	if err == nil || caseload.KindOf(err) != want {
		t.Errorf("error is %v (%s), want kind %s", err, caseload.KindOf(err), want)
	}
}

func (r *faultRig) sweepUntil(d time.Duration) transfer.SweepReport {
	r.t.Helper()
	time.Sleep(d)
	report, err := r.Sweep(r.t.Context())
	if err != nil {
		r.t.Error(err)
	}
	return report
}

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
		{"objects", "ListParts", before}, {"objects", "CompleteMultipart", before}, {"objects", "Head", before}, {"objects", "Sync", before},
		{"objects", "Sync", after}, {"records", "File", before}, {"records", "Parts", before}, {"records", "Postpone", before},
		{"records", "Postpone", after}, {"records", "MarkStored", before}, {"records", "MarkStored", after},
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
				if _, err := r.Complete(ctx, r.user, id); err != nil {
					t.Fatal(err)
				}
				r.wantStored(id, body)
			})
		})
	}
}

// Fault 23: the store's own lifecycle ended the upload.
func TestAnUploadTheStoreEndedIsAbandonedAndSaysSo(t *testing.T) {
	inFaultRig(t, func(t *testing.T, r *faultRig) {
		id := r.sent()
		clear(r.objects.uploads)
		err := r.complete(id)
		wantKind(t, err, caseload.Conflict)
		if _, err := r.Held(t.Context(), r.user, id); caseload.KindOf(err) != caseload.Conflict {
			t.Errorf("Held: %v", err)
		}
		if report := r.sweepUntil(61 * time.Minute); report.Abandoned != 1 {
			t.Errorf("sweep: %+v", report)
		}
		if f := r.records.row(id); f.State != caseload.Abandoned || !strings.Contains(f.Reason, "store ended") {
			t.Errorf("row is %s, %q", f.State, f.Reason)
		}
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

// A store that does not verify checksums gets no whole body to keep when the bytes are wrong.
func TestWrongBytesDoNotReachEvenATrustingStore(t *testing.T) {
	inFaultRig(t, func(t *testing.T, r *faultRig) {
		r.objects.trusting = true
		small, direct := r.plan(20), r.plan(len(body))
		_, err := r.Receive(t.Context(), r.user, small, bytes.NewReader(body[1:21]), 20, checksum(body[:20]))
		wantKind(t, err, caseload.Invalid)
		_, err = r.Relay(t.Context(), r.user, direct, transfer.PartSpec{Number: 1, CRC64NVME: checksum(body[:10])}, bytes.NewReader(body[1:11]), 10)
		wantKind(t, err, caseload.Invalid)
		if n := len(r.objects.uploads[r.records.row(direct).UploadID]); n != 0 || len(r.objects.objects) != 0 {
			t.Errorf("%d parts and %d objects were left behind", n, len(r.objects.objects))
		}
	})
}

func (r *faultRig) receive(id caseload.FileID, b []byte) error {
	_, err := r.Receive(r.t.Context(), r.user, id, bytes.NewReader(b), int64(len(b)), checksum(b))
	return err
}

func TestReceiveLooksAtTheObjectBeforeItBelievesAnError(t *testing.T) {
	small := body[:20]
	inFaultRig(t, func(t *testing.T, r *faultRig) {
		id := r.plan(len(small))
		r.objects.set(once("Put", after, 1, errLost))
		if err := r.receive(id, small); err != nil {
			t.Fatal(err)
		}
		r.wantStored(id, small)
		if err := r.receive(id, small); err != nil {
			t.Errorf("the same again: %v", err)
		}
		wantKind(t, r.receive(id, body[1:21]), caseload.Conflict)
		r.wantStored(id, small)
	})
}

func TestReceiveCanBeRepeatedAfterAnyFault(t *testing.T) {
	small := body[:20]
	for _, call := range []string{"Put", "Head", "Sync", "File", "BeginSending", "Parts", "RecordParts", "MarkStored"} {
		for _, p := range []phase{before, after} {
			t.Run(call+" "+string(p), func(t *testing.T) {
				inFaultRig(t, func(t *testing.T, r *faultRig) {
					id := r.plan(len(small))
					r.objects.set(once(call, p, 1, errSlowDown))
					r.records.set(once(call, p, 1, errSlowDown))
					if err := r.receive(id, small); err != nil {
						wantKind(t, err, caseload.Unavailable)
					}
					if err := r.receive(id, small); err != nil {
						t.Fatal(err)
					}
					r.wantStored(id, small)
				})
			})
		}
	}
}

// After a lost answer and a lost look the object is there, unacknowledged. Other bytes do not take its place, the same
// bytes are recognized, and without either the sweep finishes it.
func TestWhatArrivedButWasNotAnsweredIsNeitherReplacedNorLost(t *testing.T) {
	small := body[:20]
	for name, resolve := range map[string]func(t *testing.T, r *faultRig, id caseload.FileID){
		"by the same bytes again": func(t *testing.T, r *faultRig, id caseload.FileID) {
			if err := r.receive(id, small); err != nil {
				t.Error(err)
			}
		},
		"by Complete": func(t *testing.T, r *faultRig, id caseload.FileID) {
			if err := r.complete(id); err != nil {
				t.Error(err)
			}
		},
		"by the sweep": func(t *testing.T, r *faultRig, id caseload.FileID) {
			if report := r.sweepUntil(61 * time.Minute); report.Completed != 1 {
				t.Errorf("sweep: %+v", report)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			inFaultRig(t, func(t *testing.T, r *faultRig) {
				id := r.plan(len(small))
				lost := once("Put", after, 1, errLost)
				blind := once("Head", before, 1, errSlowDown)
				r.objects.set(func(c string, p phase) error { return errors.Join(lost(c, p), blind(c, p)) })
				wantKind(t, r.receive(id, small), caseload.Unavailable)
				wantKind(t, r.receive(id, body[1:21]), caseload.Conflict)
				resolve(t, r, id)
				r.wantStored(id, small)
			})
		})
	}
}

// hangsUp is a body whose sender leaves after some bytes.
type hangsUp struct {
	bytes  io.Reader
	leave  func()
	broken error
}

func (h *hangsUp) Read(p []byte) (int, error) {
	n, err := h.bytes.Read(p[:min(len(p), 7)])
	if err == io.EOF {
		h.leave()
		return n, h.broken
	}
	return n, err
}

func TestASenderWhoLeavesInMidBodyLeavesNothing(t *testing.T) {
	small := body[:20]
	for name, broken := range map[string]error{"connection reset": errors.New("connection reset"), "body cut": io.ErrUnexpectedEOF, "ended early": io.EOF} {
		t.Run(name, func(t *testing.T) {
			inFaultRig(t, func(t *testing.T, r *faultRig) {
				id := r.plan(len(small))
				ctx, leave := context.WithCancel(t.Context())
				_, err := r.Receive(ctx, r.user, id, &hangsUp{bytes.NewReader(small[:15]), leave, broken}, 20, checksum(small))
				wantKind(t, err, caseload.Invalid)
				if len(r.objects.objects) != 0 {
					t.Error("an object was left behind")
				}
				if err := r.receive(id, small); err != nil {
					t.Fatal(err)
				}
				r.wantStored(id, small)
			})
		})
	}
}

func TestASenderWhoLeavesAfterTheLastByteIsStillHeard(t *testing.T) {
	small := body[:20]
	inFaultRig(t, func(t *testing.T, r *faultRig) {
		id := r.plan(len(small))
		ctx, leave := context.WithCancel(t.Context())
		r.objects.pause = synctest.Wait // the store takes its time; whatever follows from leaving has happened by then
		if _, err := r.Receive(ctx, r.user, id, &hangsUp{bytes.NewReader(small), leave, io.EOF}, 20, checksum(small)); err != nil {
			t.Fatal(err)
		}
		r.wantStored(id, small)
	})
}

func TestBytesThatAnotherProcessStoredAreNotTakenForOurs(t *testing.T) {
	small := body[:20]
	inFaultRig(t, func(t *testing.T, r *faultRig) {
		id := r.plan(len(small))
		second := r.another()
		r.objects.set(func(c string, p phase) error {
			if c == "Put" && p == before {
				r.objects.set(nil)
				if _, err := second.Receive(t.Context(), r.user, id, bytes.NewReader(small), 20, checksum(small)); err != nil {
					t.Error(err)
				}
			}
			return nil
		})
		wantKind(t, r.receive(id, body[1:21]), caseload.Conflict)
		r.wantStored(id, small)
	})
}

func TestWhatWasReceivedIsNotAbortedButDeleted(t *testing.T) {
	inFaultRig(t, func(t *testing.T, r *faultRig) {
		id := r.sent()
		if err := r.complete(id); err != nil {
			t.Fatal(err)
		}
		_, err := r.Abort(t.Context(), r.user, id)
		wantKind(t, err, caseload.Conflict)
		if e := new(caseload.Error); !errors.As(err, &e) || !strings.Contains(e.Hint, "Delete it") {
			t.Errorf("the way out is not named: %v", err)
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
