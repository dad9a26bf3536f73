package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"dcdentals.com/caseload/internal/caseload"
)

// planAtOnce is how many files are planned in one call: the first of many are then soon on their way.
const planAtOnce = 250

// prepare looks at the sources, in order, asks the server to take them, and hands on each that has something to send.
func (r *run) prepare(ctx context.Context, hand func(*item)) error {
	for from := 0; from < len(r.items); {
		to := min(len(r.items), from+min(planAtOnce, max(1, r.limits.MaxBatch)))
		chunk, err := r.readable(ctx, r.items[from:to])
		if err != nil {
			return err
		}
		if from = to; len(chunk) == 0 {
			continue
		}
		if err := r.plan(ctx, chunk, hand); err != nil {
			return err
		}
	}
	return nil
}

// readable reads what the plan has to say of each source, and fails those that cannot be read.
func (r *run) readable(ctx context.Context, items []*item) (good []*item, err error) {
	known := map[int64]bool{}
	if !r.Again {
		if known, _, err = r.received(ctx, items); err != nil {
			return nil, err
		}
	}
	for _, it := range items {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err := it.look(known[it.source.Size]); err != nil {
			if err := it.finish(ctx, err); err != nil {
				return nil, err
			}
			continue
		}
		good = append(good, it)
	}
	return good, nil
}

// tooLarge is what the server says of a file over its limit, said before anything is read of it.
func tooLarge(limit int64) error {
	return &Problem{
		Status: http.StatusRequestEntityTooLarge, Kind: caseload.TooLarge.String(), Field: "size",
		Detail: fmt.Sprintf("The file is larger than %s, the most that is taken.", caseload.HumanBytes(limit)),
	}
}

// look computes the fingerprint, and the whole checksum when it costs nothing or may save sending the file. What the
// server will not take is not read.
func (it *item) look(candidate bool) error {
	size := it.source.Size
	if size <= 0 || size > it.run.limits.MaxFileSize {
		return nil
	}
	it.tell(Notice{Stage: StageChecking})
	body, err := it.source.Open()
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	if it.print, err = checksumOf(body, 0, min(size, fingerprintSize)); err != nil {
		return err
	}
	switch {
	case size <= fingerprintSize:
		it.sum = it.print
	case candidate:
		if it.sum, err = checksumOf(body, 0, size); err != nil {
			return err
		}
	}
	return body.Unchanged()
}

// maxSizes is how many sizes one match takes.
const maxSizes = 1000

// sizedSum tells received files apart.
type sizedSum struct {
	size int64
	sum  string
}

// received asks what the case has received of the sizes of the items: which sizes, and which bytes.
func (r *run) received(ctx context.Context, items []*item) (sizes map[int64]bool, sums map[sizedSum]bool, err error) {
	sizes, sums = map[int64]bool{}, map[sizedSum]bool{}
	var ask []int64
	asked := map[int64]bool{}
	for _, it := range items {
		if size := it.source.Size; size > 0 && size <= r.limits.MaxFileSize && !asked[size] {
			asked[size] = true
			ask = append(ask, size)
		}
	}
	if len(ask) == 0 {
		return sizes, sums, nil
	}
	err = r.persist(ctx, nil, func() error {
		held, err := r.calls.Match(ctx, r.Case, ask)
		for _, f := range held.Received {
			sizes[f.Size] = true
			sums[sizedSum{f.Size, f.CRC64NVME}] = true
		}
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("ask what is there already: %w", err)
	}
	return sizes, sums, nil
}

// plan asks the server to take the files. It may be repeated: their fingerprints find the same rows again.
func (r *run) plan(ctx context.Context, items []*item, hand func(*item)) error {
	specs := make([]FileSpec, len(items))
	for i, it := range items {
		s := it.source
		specs[i] = FileSpec{
			Name: s.Name, Path: s.Path, Size: s.Size, ContentType: s.ContentType, ModifiedAt: s.ModifiedAt.UTC(),
			Fingerprint: it.print, CRC64NVME: it.sum, Again: r.Again, Replaces: r.Replaces,
		}
	}
	var planned Planned
	err := r.persist(ctx, nil, func() (err error) {
		planned, err = r.calls.Plan(ctx, r.Case, r.outcome.Drop, specs)
		return err
	})
	if err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	if len(planned.Files) != len(items) {
		return fmt.Errorf("plan: %d answers for %d files", len(planned.Files), len(items))
	}
	r.count(func(o *Outcome) { o.Drop = planned.Drop })
	for i, it := range items {
		if err := it.planned(ctx, planned.Files[i], hand); err != nil {
			return err
		}
	}
	return nil
}

func (it *item) planned(ctx context.Context, p PlannedFile, hand func(*item)) error {
	switch {
	case p.Error != nil:
		return it.finish(ctx, p.Error)
	case p.File == nil:
		return fmt.Errorf("plan: neither a file nor an error")
	}
	it.file, it.resume = *p.File, p.Resumed
	if p.Received {
		it.run.count(func(o *Outcome) {
			o.Received++
			o.ReceivedBytes += it.source.Size
		})
		it.sent.Store(it.source.Size)
		it.held.Store(it.source.Size)
		it.tell(Notice{Stage: StageReceived})
		it.file = File{}
		return nil
	}
	it.id = it.file.ID
	it.live.Store(true)
	it.tell(Notice{Stage: StagePlanned})
	hand(it)
	return nil
}

// endsAll tells whether what failed for one file will fail for all.
func endsAll(err error) bool {
	var p *Problem
	var up *GivenUp
	if errors.As(err, &up) {
		return true
	}
	return errors.As(err, &p) && (p.Status == http.StatusUnauthorized || caseload.KindOf(p) == caseload.Unauthenticated || p.Status == http.StatusForbidden)
}
