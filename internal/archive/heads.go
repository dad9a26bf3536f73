package archive

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
)

// HeadOptions says how much of each entry Heads reads first. The zero value of a field means its default.
type HeadOptions struct {
	Compressed int // bytes of the (compressed) entry read at once; default 4 KiB: headers deflate well
	Workers    int // reads at the same time; default 8
	Gap        int // neighbours this near are read together, in bytes; default 8 KiB
	Run        int // the longest joint read, in bytes; default 1 MiB

	// Only chooses the entries; nil takes all but folders, links and what Supported refuses.
	Only func(Entry) bool
}

func (o HeadOptions) withDefaults() HeadOptions {
	set := func(field *int, value int) {
		if *field <= 0 {
			*field = value
		}
	}
	set(&o.Compressed, 4<<10)
	set(&o.Workers, 8)
	set(&o.Gap, 8<<10)
	set(&o.Run, 1<<20)
	if o.Only == nil {
		o.Only = func(e Entry) bool { return !e.Dir && !e.Symlink && e.Supported() == nil }
	}
	return o
}

// headSlack is room for the extra field of the local header, which may differ from the directory's, in bytes.
const headSlack = 64

// run is a stretch of the archive read at once, and the entries that begin in it.
type run struct {
	start, end int64
	entries    []int
}

// Heads reads the beginning of every chosen entry, neighbours together, up to Workers reads at a time, and calls fn
// with each: from as many goroutines, in no certain order, once for each entry. A Head that cannot be read carries the
// reason in Err. A Head is an io.ReaderAt over the entry's inflated bytes: reading past what came first reads more of the
// archive. It is good until fn returns.
//
// Heads ends with the first error of fn, the context's, or the first read error of the source; no worker is left behind.
func (a *Archive) Heads(ctx context.Context, opt HeadOptions, fn func(*Head) error) error {
	opt = opt.withDefaults()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	runs := a.runs(opt)
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(opt.Workers, len(runs)) {
		workers.Go(func() {
			var buf []byte
			for i := next.Add(1) - 1; i < int64(len(runs)); i = next.Add(1) - 1 {
				var err error
				if buf, err = a.readRun(ctx, runs[i], buf, opt, fn); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	workers.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// runs plans the reads: in the archive's order, joined where the gap is small.
func (a *Archive) runs(opt HeadOptions) []run {
	var out []run
	for _, i := range a.order {
		e := a.Entries[i]
		if !opt.Only(e) {
			continue
		}
		end := min(e.limit, e.HeaderOffset+localHeaderSize+int64(len(e.raw))+headSlack+min(e.Compressed, int64(opt.Compressed)))
		if n := len(out); n > 0 && e.HeaderOffset-out[n-1].end <= int64(opt.Gap) && end-out[n-1].start <= int64(opt.Run) {
			out[n-1].end = end
			out[n-1].entries = append(out[n-1].entries, i)
			continue
		}
		out = append(out, run{e.HeaderOffset, end, []int{i}})
	}
	return out
}

// readRun reads one run into buf, or a longer one that it returns, and calls fn with the heads in it. What is wrong with
// one entry is told by its Head; only errors of the source and of fn end the work.
func (a *Archive) readRun(ctx context.Context, r run, buf []byte, opt HeadOptions, fn func(*Head) error) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return buf, err
	}
	b := slices.Grow(buf[:0], int(r.end-r.start))[:r.end-r.start]
	if err := a.readAt(b, r.start); err != nil {
		return b, err
	}
	for _, i := range r.entries {
		if err := ctx.Err(); err != nil {
			return b, err
		}
		e := a.Entries[i]
		from := e.HeaderOffset - r.start
		to := min(int64(len(b)), from+localHeaderSize+int64(len(e.raw))+headSlack+int64(opt.Compressed))
		h := a.newHead(ctx, e, b[from:to])
		err := fn(h)
		h.release()
		if err != nil {
			return b, err
		}
	}
	return b, nil
}
