package transfer_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// Ten thousand and more calls to a store and a database of which one in twenty fails, half of those after having acted.
// Clients retry a few times or give up. Afterwards, with the faults gone and the sweep run until nothing is due, no file
// may be in a wrong state, and no byte may lie in the store that no row accounts for.
func TestTenThousandCallsAtFivePercentFaultsEndInNoWrongState(t *testing.T) {
	inFaultRig(t, func(t *testing.T, r *faultRig) {
		random := rand.New(rand.NewPCG(8, 16))
		calls, failed := 0, 0
		fault := func(c string, p phase) error {
			if p == before {
				calls++
			}
			if random.IntN(40) != 0 { // once before and once after: 5 % of the calls
				return nil
			}
			failed++
			switch random.IntN(3) {
			case 0:
				return errSlowDown
			case 1:
				return errors.New("200 with an error body")
			default:
				return errLost
			}
		}
		r.objects.set(fault)
		r.records.set(fault)

		acked := map[caseload.FileID][]byte{}
		sent := map[caseload.FileID][]byte{}
		for calls < 10_000 {
			b := make([]byte, 1+random.IntN(60))
			for i := range b {
				b[i] = byte(random.Uint32())
			}
			id := caseload.FileID("")
			r.quietly(func() { id = r.plan(len(b)) })
			sent[id] = b
			for range random.IntN(6) {
				if r.tryAll(id, b, random) == nil {
					acked[id] = b
					break
				}
			}
			if random.IntN(10) == 0 {
				if _, err := r.Abort(t.Context(), r.user, id); err == nil && acked[id] != nil {
					t.Fatal("an acknowledged file was aborted")
				}
			}
			if random.IntN(20) == 0 {
				time.Sleep(61 * time.Minute)
				r.Sweep(t.Context()) //nolint:errcheck // it meets faults, too
			}
		}
		r.objects.set(nil)
		r.records.set(nil)
		for range 12 { // a week of silence, the erasing window, and then some
			r.sweepUntil(25 * time.Hour)
		}
		r.judge(sent, acked)
		stored := 0
		for id := range sent {
			if r.records.row(id).State == caseload.Stored {
				stored++
			}
		}
		t.Logf("%d calls, %d faults, %d files: %d acknowledged, %d stored, %d abandoned, 0 wrong", calls, failed, len(sent), len(acked), stored, len(sent)-stored)
	})
}

// quietly runs what must succeed with the faults off.
func (r *faultRig) quietly(act func()) {
	o, m := r.objects.on, r.records.on
	r.objects.set(nil)
	r.records.set(nil)
	act()
	r.objects.set(o)
	r.records.set(m)
}

// tryAll is one try of a client to bring a file in.
func (r *faultRig) tryAll(id caseload.FileID, b []byte, random *rand.Rand) error {
	if len(b) < 30 {
		return r.receive(id, b)
	}
	if err := r.sendParts(id, b); err != nil {
		if _, completing := r.Held(r.t.Context(), r.user, id); completing != nil {
			return err
		}
	}
	if random.IntN(5) == 0 {
		return errors.New("the tab was closed")
	}
	return r.complete(id)
}

// judge is the oracle: every file is stored with its very bytes, one event and one job, or abandoned with none; what was
// acknowledged is stored; the store holds nothing else.
func (r *faultRig) judge(sent, acked map[caseload.FileID][]byte) {
	r.t.Helper()
	keys := map[caseload.ObjectKey]bool{}
	for id, b := range sent {
		f := r.records.row(id)
		switch f.State {
		case caseload.Stored:
			r.wantStored(id, b)
			keys[f.Object] = true
		case caseload.Abandoned:
			if acked[id] != nil {
				r.t.Errorf("%s was acknowledged and is abandoned", id)
			}
			if r.records.enqueued[id] != 0 || r.records.count(caseload.FileAbandoned, id) != 1 {
				r.t.Errorf("%s is abandoned with %d jobs and %d events", id, r.records.enqueued[id], r.records.count(caseload.FileAbandoned, id))
			}
		default:
			r.t.Errorf("%s is stuck at %s", id, f.State)
		}
	}
	for id, b := range acked {
		if !bytes.Equal(r.objects.objects[r.records.row(id).Object], b) {
			r.t.Errorf("%s was acknowledged and its bytes are not there", id)
		}
	}
	for id, parts := range r.objects.uploads {
		if len(parts) > 0 {
			r.t.Errorf("upload %s still holds %d parts", id, len(parts))
		}
	}
	for key := range r.objects.objects {
		if !keys[key] {
			r.t.Errorf("object %s belongs to no stored file", key)
		}
	}
}
