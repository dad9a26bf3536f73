package api

import (
	"context"
	"errors"
	"net/http"

	"dcdentals.com/caseload/internal/caseload"
)

// vainAtMost is how many questions in a row, whether bytes arrived whose answer was not heard, may go unanswered before the
// bytes are sent again without one.
const vainAtMost = 3

// unheard tells whether a request may have done its work though it failed: nobody answered, or somebody in between did.
func unheard(err error) bool {
	var p *Problem
	var s *storeError
	var local *ReadError
	switch {
	case err == nil || errors.As(err, &local):
		return false
	case errors.As(err, &p):
		return inBetween(p.Status)
	case errors.As(err, &s):
		return inBetween(s.status)
	}
	return true
}

func inBetween(status int) bool {
	return status == http.StatusBadGateway || status == http.StatusGatewayTimeout
}

// doubt is what is not known of bytes that were sent: whether they arrived.
type doubt struct {
	open bool
	vain int
}

// ask puts the question while there is a doubt. An error is to be tried again as a sending would be.
func (d *doubt) ask(question func() error) error {
	if !d.open {
		return nil
	}
	if err := question(); err != nil && unheard(err) {
		if d.vain++; d.vain < vainAtMost {
			return err
		}
	}
	*d = doubt{}
	return nil
}

// arrived tells whether the store holds the part as it was sent.
func (it *item) arrived(ctx context.Context, part readyPart) (held bool, err error) {
	parts, err := it.run.calls.Parts(ctx, it.file.ID)
	_, length := it.extent(part.number)
	for _, p := range parts {
		if p.Number == part.number && p.Size == length && p.CRC64NVME == part.sum {
			it.came(length)
			return true, nil
		}
	}
	return false, err
}

// came counts bytes that had been taken back and arrived all the same.
func (it *item) came(n int64) {
	it.move(n)
	it.run.count(func(o *Outcome) { o.ResentBytes -= n })
}

// unarrived returns those of the small files that the case has not received; the others are finished.
func (r *run) unarrived(ctx context.Context, items []*item) (left []*item, err error) {
	var sizes []int64
	var ids []string
	for _, it := range items {
		sizes, ids = append(sizes, it.source.Size), append(ids, it.file.ID)
	}
	there, err := r.calls.Arrived(ctx, r.Case, sizes, ids)
	if err != nil {
		return items, err
	}
	sums := map[string]string{}
	for _, f := range there.Received {
		sums[f.ID] = f.CRC64NVME
	}
	for _, it := range items {
		if sum, there := sums[it.file.ID]; !there || sum != it.sum { // of what could not be read, sum is empty
			left = append(left, it)
			continue
		}
		it.came(it.source.Size)
		it.file.State, it.file.CRC64NVME = string(caseload.Stored), it.sum
		if err := it.finish(ctx, nil); err != nil {
			return left, err
		}
	}
	return left, nil
}
