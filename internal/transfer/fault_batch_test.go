package transfer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"testing/synctest"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/transfer"
)

// smalls plans n small files of twenty bytes, all different, and returns them with their bytes.
func (r *faultRig) smalls(n int) (ids []caseload.FileID, bodies [][]byte) {
	for i := range n {
		b := []byte(fmt.Sprintf("%020d", i))
		ids, bodies = append(ids, r.plan(len(b))), append(bodies, b)
	}
	return ids, bodies
}

// parcels hands over files one by one, as a body would.
func parcels(ids []caseload.FileID, bodies [][]byte) func() (transfer.Parcel, error) {
	i := -1
	return func() (transfer.Parcel, error) {
		if i++; i == len(ids) {
			return transfer.Parcel{}, io.EOF
		}
		b := bodies[i]
		return transfer.Parcel{File: ids[i], Length: int64(len(b)), CRC64NVME: checksum(b), Body: bytes.NewReader(b)}, nil
	}
}

func (r *faultRig) batch(ids []caseload.FileID, bodies [][]byte) error {
	answers, err := r.ReceiveBatch(r.t.Context(), r.user, "case", parcels(ids, bodies))
	for _, a := range answers {
		err = errors.Join(err, a.Err)
	}
	return err
}

func TestABatchIsKeptInFewTransactions(t *testing.T) {
	inFaultRig(t, func(t *testing.T, r *faultRig) {
		ids, bodies := r.smalls(40)
		var mu sync.Mutex
		calls := map[string]int{}
		count := func(c string, p phase) error {
			mu.Lock()
			defer mu.Unlock()
			if p == before {
				calls[c]++
			}
			return nil
		}
		r.records.set(count)
		r.objects.set(count)
		if err := r.batch(ids, bodies); err != nil {
			t.Fatal(err)
		}
		for i, id := range ids {
			r.wantStored(id, bodies[i])
		}
		if calls["MarkStored"] != 1 || calls["Sync"] != 1 || calls["BeginReceiving"] > 40 || calls["RecordParts"] != 0 {
			t.Errorf("calls: %v", calls)
		}
	})
}

func TestABatchCanBeRepeatedAfterAnyFault(t *testing.T) {
	for _, call := range []string{"Put", "Head", "Sync", "FileIn", "File", "BeginReceiving", "MarkStored"} {
		for _, p := range []phase{before, after} {
			for _, nth := range []int{1, 3} {
				t.Run(fmt.Sprint(call, " ", p, " ", nth), func(t *testing.T) {
					inFaultRig(t, func(t *testing.T, r *faultRig) {
						ids, bodies := r.smalls(6)
						r.objects.set(locked(once(call, p, nth, errSlowDown)))
						r.records.set(locked(once(call, p, nth, errSlowDown)))
						answers, err := r.ReceiveBatch(t.Context(), r.user, "case", parcels(ids, bodies))
						if err != nil {
							t.Fatal(err)
						}
						for i, a := range answers {
							if a.Err == nil {
								r.wantStored(ids[i], bodies[i]) // I1, whatever went wrong with the others
							} else {
								wantKind(t, a.Err, caseload.Unavailable)
							}
						}
						if err := r.batch(ids, bodies); err != nil {
							t.Fatal(err)
						}
						for i, id := range ids {
							r.wantStored(id, bodies[i])
						}
					})
				})
			}
		}
	}
}

// locked lets a fault be asked for from several goroutines.
func locked(on func(string, phase) error) func(string, phase) error {
	var mu sync.Mutex
	return func(c string, p phase) error {
		mu.Lock()
		defer mu.Unlock()
		return on(c, p)
	}
}

// No whole object lies in the store before its row says what it must be.
func TestNoFileOfABatchIsWholeInTheStoreBeforeItIsBegun(t *testing.T) {
	inFaultRig(t, func(t *testing.T, r *faultRig) {
		ids, bodies := r.smalls(3)
		r.records.set(func(c string, p phase) error {
			if c == "BeginReceiving" && p == before {
				synctest.Wait() // whatever the puts can do without it, they have done
				r.objects.mu.Lock()
				defer r.objects.mu.Unlock()
				for key := range r.objects.objects {
					if f := r.rowOf(key); f.State != caseload.Sending {
						t.Errorf("an object lies there while its row is %s", f.State)
					}
				}
			}
			return nil
		})
		if err := r.batch(ids, bodies); err != nil {
			t.Fatal(err)
		}
	})
}

func (r *faultRig) rowOf(key caseload.ObjectKey) caseload.File {
	defer r.records.locked()()
	for _, f := range r.records.files {
		if f.Object == key {
			return f
		}
	}
	return caseload.File{}
}

func TestWhatIsWrongWithOneFileOfABatchIsItsOwn(t *testing.T) {
	inFaultRig(t, func(t *testing.T, r *faultRig) {
		r.objects.trusting = true // the server's own checks are what counts
		ids, bodies := r.smalls(6)
		next := parcels(ids, bodies)
		i := -1
		answers, err := r.ReceiveBatch(t.Context(), r.user, "case", func() (transfer.Parcel, error) {
			p, err := next()
			switch i++; i {
			case 1:
				p.CRC64NVME = checksum(bodies[0])
			case 2:
				p.Body = bytes.NewReader(bodies[2][:19])
			case 3:
				p.Body = io.MultiReader(p.Body, bytes.NewReader([]byte("x")))
			case 4:
				p.Err = caseload.Errorf(caseload.Invalid, "said so")
			}
			return p, err
		})
		if err != nil {
			t.Fatal(err)
		}
		for i, a := range answers {
			if i == 0 || i == 5 {
				r.wantStored(ids[i], bodies[i])
				continue
			}
			wantKind(t, a.Err, caseload.Invalid)
			if _, there := r.objects.objects[r.records.row(ids[i]).Object]; there {
				t.Errorf("file %d was refused and lies in the store", i)
			}
		}
		if err := r.batch(ids, bodies); err != nil {
			t.Fatal(err)
		}
		for i, id := range ids {
			r.wantStored(id, bodies[i])
		}
	})
}

// A cut connection ends a batch. What had come whole is kept; the rest comes with the next try.
func TestWhatCameWholeBeforeABatchWasCutIsKept(t *testing.T) {
	inFaultRig(t, func(t *testing.T, r *faultRig) {
		ids, bodies := r.smalls(5)
		ctx, leave := context.WithCancel(t.Context())
		next := parcels(ids, bodies)
		i := -1
		cut := errors.New("connection reset")
		_, err := r.ReceiveBatch(ctx, r.user, "case", func() (transfer.Parcel, error) {
			p, err := next()
			switch i++; i {
			case 3:
				p.Body = &hangsUp{bytes.NewReader(bodies[3][:15]), leave, cut}
			case 4:
				return p, cut
			}
			return p, err
		})
		if !errors.Is(err, cut) {
			t.Errorf("the batch ended with %v", err)
		}
		for i := range 3 {
			r.wantStored(ids[i], bodies[i])
		}
		if n := len(r.objects.objects); n != 3 {
			t.Errorf("%d objects lie there, want those of three files", n)
		}
		if err := r.batch(ids, bodies); err != nil {
			t.Fatal(err)
		}
		for i, id := range ids {
			r.wantStored(id, bodies[i])
		}
	})
}

func TestTheSameBatchTwiceAtOnceIsOne(t *testing.T) {
	inFaultRig(t, func(t *testing.T, r *faultRig) {
		ids, bodies := r.smalls(20)
		second := &faultRig{Service: r.another(), records: r.records, objects: r.objects, user: r.user, t: t}
		var both sync.WaitGroup
		for _, process := range []*faultRig{r, second, r} {
			both.Go(func() {
				if err := process.batch(ids, bodies); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		for i, id := range ids {
			r.wantStored(id, bodies[i])
		}
	})
}

// The server dies after the puts and before the commit: nothing was acknowledged, and nothing is lost either.
func TestABatchThatWasNeverCommittedIsFinishedByTheSweep(t *testing.T) {
	inFaultRig(t, func(t *testing.T, r *faultRig) {
		ids, bodies := r.smalls(4)
		r.records.set(func(c string, p phase) error {
			if c == "MarkStored" && p == before {
				return errSlowDown
			}
			return nil
		})
		wantKind(t, r.batch(ids, bodies), caseload.Unavailable)
		r.records.set(nil)
		if report := r.sweepUntil(61 * 60e9); report.Completed != 4 {
			t.Errorf("sweep: %+v", report)
		}
		for i, id := range ids {
			r.wantStored(id, bodies[i])
		}
	})
}

// A store that answers before it has taken the body must not read on in the body of the next file.
func TestAnEarlyAnswerLeavesTheRestOfTheBatchAlone(t *testing.T) {
	inFaultRig(t, func(t *testing.T, r *faultRig) {
		ids, bodies := r.smalls(4)
		r.objects.set(locked(once("Put", before, 2, errSlowDown)))
		answers, err := r.ReceiveBatch(t.Context(), r.user, "case", parcels(ids, bodies))
		if err != nil {
			t.Fatal(err)
		}
		refused := 0
		for i, a := range answers {
			if a.Err != nil {
				wantKind(t, a.Err, caseload.Unavailable)
				refused++
				continue
			}
			r.wantStored(ids[i], bodies[i])
		}
		if refused != 1 {
			t.Errorf("%d files were refused for one early answer", refused)
		}
	})
}
