package ingest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"sync"

	"github.com/minio/crc64nvme"

	"dcdentals.com/caseload/internal/archive"
	"dcdentals.com/caseload/internal/caseload"
)

// errDamaged: a bit was flipped on the way here, and the next try reads it right; or it was at rest, and no try does.
var errDamaged = errors.New("ingest: the bytes read are not those that were received")

// pieces are what a file is read in. A worker uses one at a time.
var pieces = sync.Pool{New: func() any {
	b := make([]byte, 256<<10)
	return &b
}}

// pass reads the whole file once, in order and in constant memory: the SHA-256 of every byte, the CRC-64/NVME that must
// be the one the file was received with, and of a ZIP in the same go each entry's size and CRC-32.
func (a *attempt) pass(ctx context.Context, c content, lease *lease) (caseload.Receipt, error) {
	body, err := a.objects.Stream(ctx, objectOf(a.file))
	if err != nil {
		return caseload.Receipt{}, &objectError{err}
	}
	defer body.Close()
	whole := &wholeReader{r: body}
	sum, received := sha256.New(), crc64nvme.New()
	both := io.MultiWriter(sum, received)
	receipt := caseload.Receipt{}
	if c.zip == nil {
		buffer := pieces.Get().(*[]byte)
		defer pieces.Put(buffer)
		_, err = io.CopyBuffer(both, whole, *buffer)
	} else {
		receipt, err = a.checkEntries(ctx, io.TeeReader(whole, both), c, lease)
	}
	switch {
	case ctx.Err() != nil:
		return caseload.Receipt{}, ctx.Err()
	case whole.err != nil:
		return caseload.Receipt{}, &objectError{whole.err}
	case err != nil:
		return caseload.Receipt{}, err
	case whole.n != a.file.Size:
		return caseload.Receipt{}, &objectError{caseload.Errorf(caseload.Unavailable, "The store gave %d bytes of %d.", whole.n, a.file.Size)}
	case caseload.FormatCRC64NVME(received.Sum64()) != a.file.CRC64NVME:
		a.alarm(ctx, "object_damaged")
		return caseload.Receipt{}, errDamaged
	}
	receipt.SHA256 = hex.EncodeToString(sum.Sum(nil))
	receipt.BytesRead = whole.n
	return receipt, nil
}

// checkEntries goes through the entries of a ZIP, and of the ZIPs inside it, as they come by.
func (a *attempt) checkEntries(ctx context.Context, whole io.Reader, c content, lease *lease) (caseload.Receipt, error) {
	total := c.files()
	lease.show(0, total)
	done := 0
	var r caseload.Receipt
	err := archive.Verify(ctx, whole, c.check("", func(u caseload.Unread, e archive.Entry, known bool, err error) {
		done++
		lease.show(done, total)
		if err != nil && !known {
			r.Report.Add(*because(u, err))
		}
	}))
	if r.Report.NotRead > 0 {
		r.Warnings = []string{images(r.Report.NotRead, "entry of the ZIP is", "entries of the ZIP are") + " damaged. Copy the ZIP again from where it came from and send that."}
	}
	return r, err
}

// files counts the entries that are no folders.
func (c content) files() int {
	n := 0
	for _, e := range c.zip.Entries {
		if !e.Dir {
			n++
		}
	}
	for _, inner := range c.inside {
		n += inner.files()
	}
	return n
}

// check is what archive.Verify is to look at. each is told of every entry under its full name, and whether it was known
// to be unreadable before.
func (c content) check(folder string, each func(u caseload.Unread, e archive.Entry, known bool, err error)) archive.Check {
	check := archive.Check{Archive: c.zip, Each: func(e archive.Entry, err error) {
		u := caseload.Unread{Entry: clean(folder+e.Name, caseload.MaxPathLength), Offset: max(0, c.zip.Base) + e.HeaderOffset}
		each(u, e, c.unread[e.Index], err)
	}}
	for i, inner := range c.inside {
		if check.Inside == nil {
			check.Inside = map[int]archive.Check{}
		}
		check.Inside[i] = inner.check(folder+c.zip.Entries[i].Name+"/", each)
	}
	return check
}

// wholeReader counts, and remembers the store's error.
type wholeReader struct {
	r   io.Reader
	n   int64
	err error
}

func (w *wholeReader) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	w.n += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		w.err = err
	}
	return n, err
}
