package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"golang.org/x/sync/errgroup"

	"dcdentals.com/caseload/internal/caseload"
)

// completions is how often a file is completed at most: another client may send other bytes under the same row, and parts
// of its must be replaced.
const completions = 4

// sendParts sends the parts the store does not hold yet, several at once, and completes the file.
func (it *item) sendParts(ctx context.Context) error {
	body, err := it.source.Open()
	if err != nil {
		return it.spoilt(ctx, err)
	}
	defer func() { _ = body.Close() }()
	it.sums = make([]string, it.file.Parts)
	for tries := 1; ; tries++ {
		again := tries > 1
		held := map[int]bool{}
		if it.resume || again {
			if held, err = it.heldParts(ctx, body); err != nil {
				return it.spoilt(ctx, err)
			}
		}
		if again && len(held) == it.file.Parts {
			return err // it is whole, and yet is not taken
		}
		if err = it.missingParts(ctx, body, held); err == nil {
			err = body.Unchanged()
		}
		if err != nil {
			return it.spoilt(ctx, err)
		}
		if err = it.complete(ctx); tries == completions || caseload.KindOf(err) != caseload.Conflict {
			return it.spoilt(ctx, err)
		}
	}
}

// spoilt gives up the upload of a file that is no longer the one that was begun: what was sent of it can be of no use.
// An upload that another client, or an answer that was lost, brought to its end with the same bytes is a success.
func (it *item) spoilt(ctx context.Context, err error) error {
	var refused *storeError
	if errors.Is(err, errChanged) {
		_, _ = it.run.calls.Abort(ctx, it.file.ID) // else it lies there as unfinished until it is abandoned
		return err
	}
	if caseload.KindOf(err) != caseload.Conflict && !(errors.As(err, &refused) && refused.status == http.StatusNotFound) {
		return err
	}
	f, lost := it.run.calls.File(ctx, it.file.ID)
	if lost != nil || !caseload.State(f.State).Acknowledged() || f.Size != it.source.Size {
		return err
	}
	if it.sum == "" {
		body, unreadable := it.source.Open()
		if unreadable != nil {
			return err
		}
		defer func() { _ = body.Close() }()
		if it.sum, unreadable = checksumOf(body, 0, it.source.Size); unreadable != nil {
			return err
		}
	}
	if it.sum != f.CRC64NVME {
		return fmt.Errorf("another file of this name, size and time was received in its place; send this one again: %w", err)
	}
	it.file = f
	it.sent.Store(f.Size)
	return nil
}

// heldParts returns the parts the store holds, by number, whose bytes are those of the body.
func (it *item) heldParts(ctx context.Context, body io.ReaderAt) (map[int]bool, error) {
	it.tell(Notice{Stage: StageChecking})
	var parts []Part
	err := it.run.persist(ctx, it, func() (err error) {
		parts, err = it.run.calls.Parts(ctx, it.file.ID)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("ask which parts are held: %w", err)
	}
	held, bytes := map[int]bool{}, int64(0)
	for _, p := range parts {
		offset, length := it.extent(p.Number)
		if p.Number < 1 || p.Number > it.file.Parts || p.Size != length {
			continue
		}
		sum, err := checksumOf(body, offset, length)
		if err != nil {
			return nil, err
		}
		it.sums[p.Number-1] = sum
		if sum == p.CRC64NVME {
			held[p.Number] = true
			bytes += length
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
	}
	it.held.Store(bytes)
	it.sent.Store(bytes)
	it.tell(Notice{Stage: StageSending})
	return held, nil
}

// extent is where a part lies in the file, in bytes.
func (it *item) extent(n int) (offset, length int64) {
	offset = int64(n-1) * it.file.PartSize
	return offset, min(it.file.PartSize, it.file.Size-offset)
}

// missingParts sends the parts that are not held, several at once, each made ready while those before it are on the line.
func (it *item) missingParts(ctx context.Context, body Body, held map[int]bool) error {
	group, sending := errgroup.WithContext(ctx)
	group.SetLimit(it.run.pace.most + 2) // those that make ready, and as many as may be in flight
	summed, ready := make(chan readyPart, summedAhead), make(chan readyPart)
	group.Go(func() error { return it.sumAhead(sending, body, held, summed) })
	group.Go(func() error { return it.signAhead(sending, summed, ready) })
	for p := range ready {
		group.Go(func() error {
			if err := it.sendPart(sending, body, p); err != nil {
				return partError(it, p.number, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return context.Cause(ctx)
}

// sendPart sends one part until the store has it. Its address is used once; a further try, and one that comes too late for
// it, has a new one. A try whose answer was not heard may have arrived: that is asked before the next.
func (it *item) sendPart(ctx context.Context, body Body, p readyPart) error {
	r := it.run
	offset, length := it.extent(p.number)
	var lost doubt
	return r.persist(ctx, it, func() (err error) {
		var held bool
		if err := lost.ask(func() (err error) { held, err = it.arrived(ctx, p); return err }); err != nil || held {
			return err
		}
		if err := r.pace.take(ctx); err != nil {
			return err
		}
		defer func() { r.pace.give(length, err) }()
		if r.relay.Load() {
			err := it.relayPart(ctx, body, p.number, p.sum)
			lost.open = unheard(err)
			return err
		}
		if !p.signed.usable() {
			one := []readyPart{p}
			if err := it.sign(ctx, one); err != nil {
				return err
			}
			p = one[0]
		}
		request, err := p.signed.request(ctx)
		p.signed = nil
		if err != nil {
			return err
		}
		err = r.line.put(ctx, request, section(body, offset, length), length, it.move, readStoreError)
		lost.open = unheard(err)
		if err == nil {
			r.strikes.Store(0)
			return nil
		}
		if changed := body.Unchanged(); changed != nil {
			return changed // which is why its checksum did not fit
		}
		r.strike(ctx, err)
		return err
	})
}

// relayPart sends one part through the server.
func (it *item) relayPart(ctx context.Context, body Body, n int, sum string) error {
	offset, length := it.extent(n)
	address := it.run.Client.Base + "/api/v1" + filePath(it.file.ID, "/parts/"+strconv.Itoa(n))
	return it.run.toServer(ctx, address, section(body, offset, length), length, "application/octet-stream", sum, it.move, nil)
}

// toServer sends bytes to the server itself and reads its answer into out.
func (r *run) toServer(ctx context.Context, address string, body io.Reader, length int64, contentType, sum string, moved func(int64), out any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, address, nil)
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	request.Header.Set("Content-Type", contentType)
	if sum != "" {
		request.Header.Set("X-Amz-Checksum-Crc64nvme", sum)
	}
	r.Client.authorize(request)
	return r.line.put(ctx, request, body, length, moved, func(resp *http.Response) error { return readAnswer(resp, out) })
}

// complete asks the server to put the file together, and says which file it is.
func (it *item) complete(ctx context.Context) error {
	parts := make([]caseload.Part, it.file.Parts)
	for i := range parts {
		_, length := it.extent(i + 1)
		parts[i] = caseload.Part{Size: length, CRC64NVME: it.sums[i]}
	}
	whole, err := caseload.WholeChecksum(parts)
	if err != nil {
		return fmt.Errorf("combine the parts' checksums: %w", err)
	}
	it.sum = whole
	err = it.run.persist(ctx, it, func() error {
		f, err := it.run.calls.Complete(ctx, it.file.ID, whole)
		if err == nil {
			it.file = f
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("complete: %w", err)
	}
	return nil
}

// section is a piece of the body.
func section(body Body, offset, length int64) io.Reader {
	return io.NewSectionReader(body, offset, length)
}
