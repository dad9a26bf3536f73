package transfer_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/transfer"
)

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
	for _, call := range []string{"Put", "Head", "Sync", "File", "BeginReceiving", "RecordParts", "MarkStored"} {
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
		r.objects.pause = func() { // the store has the last byte and takes its time; whatever follows from leaving happens in it
			leave()
			synctest.Wait()
		}
		if _, err := r.Receive(ctx, r.user, id, bytes.NewReader(small), 20, checksum(small)); err != nil {
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
