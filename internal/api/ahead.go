package api

import (
	"context"
	"fmt"
	"time"
)

// Bounds of what is made ready ahead of the line. Few: an address expires.
const (
	summedAhead  = 3 // parts whose checksums wait for addresses
	signedAtOnce = 4
)

// readyPart is a part that may be sent: its checksum is known and, unless signing failed or bytes go through the server,
// so is its address.
type readyPart struct {
	number int
	sum    string
	signed *SignedRequest // nil: none yet
}

// sumAhead takes the checksums of the parts that are not held, in order, as fast as they are taken away.
func (it *item) sumAhead(ctx context.Context, body Body, held map[int]bool, out chan<- readyPart) error {
	defer close(out)
	for n := 1; n <= it.file.Parts; n++ {
		if held[n] {
			continue
		}
		offset, length := it.extent(n)
		sum, err := checksumOf(body, offset, length)
		if err != nil {
			return partError(it, n, err)
		}
		it.sums[n-1] = sum
		if err := handOn(ctx, out, readyPart{number: n, sum: sum}); err != nil {
			return err
		}
	}
	return nil
}

// signAhead has the parts signed while others are on the line, as many in a request as have come meanwhile. A request
// that fails for now leaves its parts unsigned: whoever sends them asks again, with more patience.
func (it *item) signAhead(ctx context.Context, in <-chan readyPart, out chan<- readyPart) error {
	defer close(out)
	for first := range in {
		batch := append([]readyPart{first}, waiting(in, signedAtOnce-1)...)
		if !it.run.relay.Load() {
			if err := it.sign(ctx, batch); err != nil && !mayHelp(err, 1) {
				return partError(it, first.number, err)
			}
		}
		for _, p := range batch {
			if err := handOn(ctx, out, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// sign asks for an address for each of the parts, once.
func (it *item) sign(ctx context.Context, parts []readyPart) error {
	specs := make([]PartSpec, len(parts))
	for i, p := range parts {
		specs[i] = PartSpec{Number: p.number, CRC64NVME: p.sum}
	}
	signed, err := it.run.calls.SignParts(ctx, it.file.ID, specs)
	if err != nil {
		return err
	}
	if len(signed) != len(parts) {
		return fmt.Errorf("sign: %d addresses for %d parts", len(signed), len(parts))
	}
	for i := range parts {
		parts[i].signed = &signed[i]
	}
	return nil
}

// lastMoment is how long before its end an address is no longer used: the store looks at it when the request arrives.
const lastMoment = time.Second

// usable tells whether the address still holds when the request arrives. A clock of this computer that is behind is found
// out by the store, which refuses; the part is signed again then.
func (s *SignedRequest) usable() bool {
	return s != nil && (s.ExpiresAt.IsZero() || time.Until(s.ExpiresAt) > lastMoment)
}

// waiting returns what has come already, most at most.
func waiting(in <-chan readyPart, most int) (all []readyPart) {
	for len(all) < most {
		select {
		case p, open := <-in:
			if !open {
				return all
			}
			all = append(all, p)
		default:
			return all
		}
	}
	return all
}

func handOn(ctx context.Context, out chan<- readyPart, p readyPart) error {
	select {
	case out <- p:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func partError(it *item, n int, err error) error {
	return fmt.Errorf("part %d of %d: %w", n, it.file.Parts, err)
}
