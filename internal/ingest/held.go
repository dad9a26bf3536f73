package ingest

import (
	"bytes"
	"context"
	"errors"
	"hash/crc32"
	"io"
	"sync"

	"dcdentals.com/caseload/internal/caseload"
)

// DefaultHeld is Service.Held of a deployment: a slice. Its bytes are asked for once instead of twice, and between its
// metadata and its checksum there is no time that would be worth a transaction.
const DefaultHeld = 1 << 20

// held are buffers for whole files. A worker uses one at a time.
var held = sync.Pool{New: func() any { return new([]byte) }}

// readHeld is read for a file that fits in memory.
func (a *attempt) readHeld(ctx context.Context, lease *lease) error {
	buffer := held.Get().(*[]byte)
	defer held.Put(buffer)
	if int64(cap(*buffer)) < a.file.Size {
		*buffer = make([]byte, a.Held)
	}
	data := (*buffer)[:a.file.Size]
	if err := a.fetch(ctx, data); err != nil {
		return err
	}
	a.objects = local{bytes.NewReader(data)}
	found, content, err := a.look(ctx)
	if err != nil {
		return err
	}
	for i := range found.Found {
		if e := &found.Found[i].Instance.Entry; e.Index < 0 { // comparable with the same image in a ZIP, see sameBytes
			e.Size, e.CRC32 = a.file.Size, crc32.ChecksumIEEE(data)
		}
	}
	receipt, err := a.pass(ctx, content, lease)
	if err != nil {
		return err
	}
	lease.rest()
	if err := a.Records.SaveRead(ctx, a.file.ID, a.file.Attempt, found, receipt); err != nil {
		return &recordsError{err}
	}
	return nil
}

// fetch reads the whole file from the store.
func (a *attempt) fetch(ctx context.Context, data []byte) error {
	body, err := a.objects.Stream(ctx, objectOf(a.file))
	if err != nil {
		return &objectError{err}
	}
	defer body.Close()
	n, err := io.ReadFull(body, data)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &objectError{caseload.Errorf(caseload.Unavailable, "The store gave %d bytes of %d.", n, a.file.Size)}
	case err != nil:
		return &objectError{err}
	}
	return nil
}
