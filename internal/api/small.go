package api

import (
	"context"
	"errors"
	"io"
	"net/url"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// batchBytes is when a batch is full, in bytes: enough that its round trip is not felt, little enough that several are on
// their way at once.
const batchBytes = 8 << 20

// batcher gathers small files into batches, in order.
type batcher struct {
	run   *run
	group *errgroup.Group
	items []*item
	bytes int64
}

func (b *batcher) add(ctx context.Context, it *item) {
	limits := b.run.limits
	if len(b.items) > 0 && b.bytes+it.source.Size > min(batchBytes, limits.MaxBatchBytes) {
		b.flush(ctx)
	}
	b.items = append(b.items, it)
	b.bytes += it.source.Size
	if len(b.items) >= max(1, limits.MaxBatchFiles) {
		b.flush(ctx)
	}
}

func (b *batcher) flush(ctx context.Context) {
	items := b.items
	b.items, b.bytes = nil, 0
	if len(items) > 0 {
		b.group.Go(func() error { return b.run.sendSmall(ctx, items) })
	}
}

// sendSmall sends small files until each is stored or refused: together, or by itself what is alone.
func (r *run) sendSmall(ctx context.Context, items []*item) error {
	for _, it := range items {
		if it.sum != "" {
			continue
		}
		body := &lazyBody{it: it}
		sum, err := checksumOf(body, 0, it.source.Size)
		body.close()
		if err != nil {
			body.failed.Store(&err)
		}
		it.sum = sum
	}
	tries := map[*item]int{}
	var lost doubt
	for len(items) > 0 {
		var left []*item
		err := r.persist(ctx, items[0], func() (err error) {
			if err := lost.ask(func() (err error) { items, err = r.unarrived(ctx, items); return err }); err != nil || len(items) == 0 {
				left = nil
				return err
			}
			if err := r.pace.take(ctx); err != nil {
				return err
			}
			var bytes int64
			for _, it := range items {
				bytes += it.source.Size
			}
			defer func() { r.pace.give(bytes, err) }()
			if left, err = r.sendTogether(ctx, items, tries); err != nil {
				lost.open = unheard(err)
				r.pace.lineFailed(err)
			}
			if len(left) > 0 {
				items = left // also of a try that ended early: what was stored is not sent again
			}
			return err
		})
		if err != nil {
			for _, it := range items {
				if err := it.finish(ctx, err); err != nil {
					return err
				}
			}
			return nil
		}
		items = left
	}
	return nil
}

// sendTogether sends the items in one request and finishes those that came to an end. It returns those that are to be
// sent again, none of them known when the request as a whole failed. An error ends this try.
func (r *run) sendTogether(ctx context.Context, items []*item, tries map[*item]int) (left []*item, err error) {
	files, bodies := make([]SmallFile, len(items)), make([]*lazyBody, len(items))
	for i, it := range items {
		bodies[i] = &lazyBody{it: it, moved: it.move}
		files[i] = SmallFile{ID: it.file.ID, Body: bodies[i], Size: it.source.Size, CRC64NVME: it.sum}
	}
	var out Received
	body, err := newBatchBody(files, nil)
	if err != nil {
		return nil, err
	}
	err = r.toServer(ctx, r.Client.Base+"/api/v1/cases/"+url.PathEscape(r.Case)+"/contents", body.Reader, body.length, body.contentType, "", func(int64) {}, &out)
	var local *ReadError
	for i, it := range items {
		bodies[i].close()
		if failed := bodies[i].failed.Load(); failed != nil {
			it.move(-it.sent.Load())
			if err := it.finish(ctx, it.spoilt(ctx, *failed)); err != nil {
				return nil, err
			}
			continue
		}
		left = append(left, it)
	}
	switch {
	case errors.As(err, &local) && len(left) < len(items): // the others were not to blame
		err = nil
		for _, it := range left {
			it.move(-it.sent.Load())
		}
		return left, nil
	case err != nil:
		for _, it := range left {
			it.move(-it.sent.Load())
		}
		return nil, err
	}
	answers := inOrder(files, out.Files)
	var full error
	left = slices.DeleteFunc(left, func(it *item) bool {
		if err != nil {
			return true
		}
		answer := answers[slices.Index(items, it)]
		if answer.Error != nil && IsFull(answer.Error) {
			full = answer.Error
			it.move(-it.sent.Load())
			return false
		}
		var done bool
		done, err = it.received(ctx, answer, tries)
		return done
	})
	if err == nil {
		err = full
	}
	return left, err
}

// received takes the server's answer for one file; false: it is to be sent again.
func (it *item) received(ctx context.Context, answer ReceivedFile, tries map[*item]int) (done bool, err error) {
	if answer.Error == nil && answer.File != nil {
		it.file = *answer.File
		return true, it.finish(ctx, nil)
	}
	it.move(-it.sent.Load())
	var refused error = answer.Error
	if answer.Error == nil {
		refused = &Problem{Kind: "internal", Detail: "The server answered neither a file nor an error."}
	}
	tries[it]++
	unreadable := it.unchanged()
	switch flipped := answer.Error != nil && answer.Error.Field == "crc64nvme"; {
	case unreadable != nil:
		return true, it.finish(ctx, it.spoilt(ctx, unreadable))
	case tries[it] < patientWith && (flipped || mayHelp(refused, tries[it])):
		return false, sleep(ctx, backoff(it.run.first, tries[it]))
	}
	return true, it.finish(ctx, it.spoilt(ctx, refused))
}

// unchanged tells whether the source is still what it was.
func (it *item) unchanged() error {
	body, err := it.source.Open()
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	return body.Unchanged()
}

// lazyBody opens its source when its turn in a batch comes, and closes it after the last byte: however many files a
// batch has, one is open. It is read from one goroutine at a time.
type lazyBody struct {
	it     *item
	body   Body
	moved  func(int64) // nil: nobody counts
	failed atomic.Pointer[error]
}

func (l *lazyBody) ReadAt(p []byte, off int64) (int, error) {
	n, err := l.readAt(p, off)
	if err != nil && !errors.Is(err, io.EOF) {
		err = readError(err)
		l.failed.Store(&err)
	}
	return n, err
}

func (l *lazyBody) readAt(p []byte, off int64) (int, error) {
	if failed := l.failed.Load(); failed != nil {
		return 0, *failed
	}
	if l.body == nil {
		body, err := l.it.source.Open()
		if err != nil {
			return 0, err
		}
		l.body = body
	}
	n, err := l.body.ReadAt(p, off)
	if l.moved != nil {
		l.moved(int64(n))
	}
	end := off + int64(n)
	switch {
	case errors.Is(err, io.EOF) && end < l.it.source.Size:
		return n, errChanged
	case end >= l.it.source.Size:
		err := l.body.Unchanged()
		l.close()
		if err != nil {
			return n, err
		}
	}
	return n, err
}

func (l *lazyBody) close() {
	if l.body != nil {
		_ = l.body.Close()
		l.body = nil
	}
}
