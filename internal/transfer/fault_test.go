package transfer_test

import (
	"bytes"
	"log/slog"
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
		r := &faultRig{
			records: newMemRecords(time.Now), objects: newMemObjects(), t: t,
			user: caseload.User{ID: "user", Organization: "clinic", Role: caseload.Member},
		}
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
	planned, _, err := r.Plan(r.t.Context(), r.user, "case", "", []transfer.FileSpec{{Name: "a.bin", Size: int64(size)}})
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
	_, err := r.Complete(r.t.Context(), r.user, id, "")
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

func (r *faultRig) receive(id caseload.FileID, b []byte) error {
	_, err := r.Receive(r.t.Context(), r.user, id, bytes.NewReader(b), int64(len(b)), checksum(b))
	return err
}
