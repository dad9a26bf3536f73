package api

import (
	"context"
	"path"
)

// Standing is what a case has of a Source.
type Standing struct {
	Received   bool  // the case holds these bytes
	Unfinished bool  // an earlier upload of the same file would go on
	Err        error // it would not be taken, or cannot be read: a *Problem or a *ReadError
}

// Compare tells what a case has of the sources, in their order, without planning or sending anything. It reads those
// whose size the case knows whole, and the beginning of the others.
func (c *Client) Compare(ctx context.Context, caseID string, sources []Source) ([]Standing, error) {
	u := &Uploader{Client: c, Case: caseID}
	r, err := u.begin(ctx)
	if err != nil {
		return nil, err
	}
	arriving, err := c.Unfinished(ctx, caseID)
	if err != nil {
		return nil, err
	}
	unfinished := map[string]bool{}
	for _, f := range arriving {
		unfinished[path.Join(f.Path, f.Name)+"\x00"+f.Fingerprint] = true
	}
	standings := make([]Standing, len(sources))
	for from := 0; from < len(sources); from += maxSizes {
		to := min(len(sources), from+maxSizes)
		var items []*item
		for i, s := range sources[from:to] {
			items = append(items, &item{run: r, index: from + i, source: s})
		}
		sizes, sums, err := r.received(ctx, items)
		if err != nil {
			return nil, err
		}
		for _, it := range items {
			s := &standings[it.index]
			if it.source.Size > r.limits.MaxFileSize {
				s.Err = tooLarge(r.limits.MaxFileSize)
				continue
			}
			if s.Err = it.look(sizes[it.source.Size]); s.Err == nil {
				s.Received = sums[sizedSum{it.source.Size, it.sum}]
				s.Unfinished = unfinished[path.Join(it.source.Path, it.source.Name)+"\x00"+it.print]
			}
		}
	}
	return standings, nil
}
