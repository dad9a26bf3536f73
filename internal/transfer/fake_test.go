package transfer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// The fakes in this file exist to cause failures that a real store or database cannot be made to cause on command. Each
// call passes fault twice: before it acts, and after it acted, when only the answer gets lost.

type phase string

const (
	before phase = "before"
	after  phase = "after"
)

// faults decides which calls fail. The zero value fails none.
type faults struct {
	mu sync.Mutex
	on func(call string, p phase) error
}

func (f *faults) set(on func(call string, p phase) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.on = on
}

func (f *faults) at(call string, p phase) error {
	f.mu.Lock()
	on := f.on
	f.mu.Unlock()
	if on == nil {
		return nil
	}
	return on(call, p)
}

// once makes the n-th matching call fail (from 1) and no other.
func once(call string, p phase, n int, err error) func(string, phase) error {
	return func(c string, q phase) error {
		if c != call || q != p {
			return nil
		}
		if n--; n == 0 {
			return err
		}
		return nil
	}
}

var (
	errSlowDown = caseload.Errorf(caseload.Unavailable, "503 Slow Down")
	errLost     = caseload.Errorf(caseload.Unavailable, "the response was lost")
)

func guarded[T any](ctx context.Context, f *faults, call string, act func() (T, error)) (T, error) {
	var none T
	if err := f.at(call, before); err != nil {
		return none, err
	}
	if err := ctx.Err(); err != nil { // as a transport or a driver does
		return none, caseload.Errorf(caseload.Unavailable, "the request ended").WithCause(err)
	}
	v, err := act()
	if lost := f.at(call, after); lost != nil && err == nil {
		return none, lost
	}
	return v, err
}

func guardedErr(ctx context.Context, f *faults, call string, act func() error) error {
	_, err := guarded(ctx, f, call, func() (struct{}, error) { return struct{}{}, act() })
	return err
}

func checksum(p []byte) string { return caseload.FormatCRC64NVME(caseload.UpdateCRC64NVME(0, p)) }

// memObjects is a store in memory that holds to S3's rules: write-once, checksums checked, uploads gone once completed.
type memObjects struct {
	faults
	mu       sync.Mutex
	n        int
	objects  map[caseload.ObjectKey][]byte
	uploads  map[string]map[int][]byte
	signed   map[string]caseload.Part // by URL
	trusting bool                     // takes any bytes for any checksum
	hidden   int                      // looks at an object that still find nothing
	aborted  int
	complete int // rounds of CompleteMultipart
	replaced func(o caseload.Object) caseload.Object
	pause    func() // between a Put's last byte and its taking effect
	listed   func(p caseload.Part) caseload.Part
}

func newMemObjects() *memObjects {
	return &memObjects{objects: map[caseload.ObjectKey][]byte{}, uploads: map[string]map[int][]byte{}, signed: map[string]caseload.Part{}}
}

func (m *memObjects) locked() func() { m.mu.Lock(); return m.mu.Unlock }

func (m *memObjects) CreateMultipart(ctx context.Context, key caseload.ObjectKey) (string, error) {
	return guarded(ctx, &m.faults, "CreateMultipart", func() (string, error) {
		defer m.locked()()
		m.n++
		id := fmt.Sprintf("%s.%d", key, m.n)
		m.uploads[id] = map[int][]byte{}
		return id, nil
	})
}

func (m *memObjects) SignPart(ctx context.Context, origin string, key caseload.ObjectKey, uploadID string, p caseload.Part, expiry time.Duration) (caseload.SignedRequest, error) {
	return guarded(ctx, &m.faults, "SignPart", func() (caseload.SignedRequest, error) {
		defer m.locked()()
		url := fmt.Sprintf("%s/%s?%d&%s", uploadID, key, p.Number, p.CRC64NVME)
		m.signed[url] = p
		return caseload.SignedRequest{Method: "PUT", URL: url}, nil
	})
}

// send does what a browser does with a signed request.
func (m *memObjects) send(r caseload.SignedRequest, uploadID string, body []byte) error {
	ctx := context.Background()
	return guardedErr(ctx, &m.faults, "send", func() error {
		defer m.locked()()
		p, ok := m.signed[r.URL]
		if !ok || int64(len(body)) != p.Size {
			return caseload.Errorf(caseload.Forbidden, "403")
		}
		if checksum(body) != p.CRC64NVME {
			return caseload.Errorf(caseload.Invalid, "400 BadDigest")
		}
		return m.keepPart(uploadID, p.Number, body)
	})
}

func (m *memObjects) keepPart(uploadID string, n int, body []byte) error {
	parts, ok := m.uploads[uploadID]
	if !ok {
		return caseload.Errorf(caseload.NotFound, "NoSuchUpload")
	}
	parts[n] = slices.Clone(body)
	return nil
}

func (m *memObjects) ListParts(ctx context.Context, key caseload.ObjectKey, uploadID string) ([]caseload.Part, error) {
	return guarded(ctx, &m.faults, "ListParts", func() ([]caseload.Part, error) {
		defer m.locked()()
		parts, ok := m.uploads[uploadID]
		if !ok {
			return nil, caseload.Errorf(caseload.NotFound, "NoSuchUpload")
		}
		var held []caseload.Part
		for _, n := range slices.Sorted(maps.Keys(parts)) {
			sum := checksum(parts[n])
			p := caseload.Part{Number: n, Size: int64(len(parts[n])), CRC64NVME: sum, ETag: sum}
			if m.listed != nil {
				p = m.listed(p)
			}
			held = append(held, p)
		}
		return held, nil
	})
}

func (m *memObjects) CompleteMultipart(ctx context.Context, key caseload.ObjectKey, uploadID string, parts []caseload.Part, size int64, crc64nvme string) error {
	return guardedErr(ctx, &m.faults, "CompleteMultipart", func() error {
		defer m.locked()()
		m.complete++
		held, ok := m.uploads[uploadID]
		if !ok {
			return caseload.Errorf(caseload.NotFound, "NoSuchUpload")
		}
		if _, ok := m.objects[key]; ok {
			return caseload.Errorf(caseload.Conflict, "412")
		}
		var whole []byte
		for _, p := range parts {
			if checksum(held[p.Number]) != p.ETag {
				return caseload.Errorf(caseload.Invalid, "InvalidPart")
			}
			whole = append(whole, held[p.Number]...)
		}
		if int64(len(whole)) != size || crc64nvme != "" && checksum(whole) != crc64nvme {
			return caseload.Errorf(caseload.Invalid, "BadDigest")
		}
		m.objects[key] = whole
		delete(m.uploads, uploadID)
		return nil
	})
}

func (m *memObjects) AbortMultipart(ctx context.Context, key caseload.ObjectKey, uploadID string) error {
	return guardedErr(ctx, &m.faults, "AbortMultipart", func() error {
		defer m.locked()()
		if _, ok := m.uploads[uploadID]; !ok {
			return caseload.Errorf(caseload.NotFound, "NoSuchUpload")
		}
		delete(m.uploads, uploadID)
		m.aborted++
		return nil
	})
}

func (m *memObjects) Put(ctx context.Context, key caseload.ObjectKey, body io.Reader, size int64, crc64nvme string) error {
	return guardedErr(ctx, &m.faults, "Put", func() error {
		p, err := readFor(ctx, body)
		if err != nil {
			return fmt.Errorf("put: %w", err)
		}
		if m.pause != nil {
			m.pause()
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("put: %w", err)
		}
		defer m.locked()()
		if _, ok := m.objects[key]; ok {
			return caseload.Errorf(caseload.Conflict, "412")
		}
		if !m.trusting && (int64(len(p)) != size || checksum(p) != crc64nvme) {
			return caseload.Errorf(caseload.Invalid, "BadDigest")
		}
		m.objects[key] = p
		return nil
	})
}

// readFor reads body to its end or until ctx ends, like a client's transport does.
func readFor(ctx context.Context, body io.Reader) ([]byte, error) {
	var all []byte
	buffer := make([]byte, 64<<10)
	for {
		n, err := body.Read(buffer)
		all = append(all, buffer[:n]...)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, err
		}
	}
}

func (m *memObjects) PutPart(ctx context.Context, key caseload.ObjectKey, uploadID string, p caseload.Part, body io.Reader) error {
	return guardedErr(ctx, &m.faults, "PutPart", func() error {
		b, err := readFor(ctx, body)
		if err != nil {
			return err
		}
		defer m.locked()()
		return m.keepPart(uploadID, p.Number, b)
	})
}

func (m *memObjects) Head(ctx context.Context, key caseload.ObjectKey, _ string) (caseload.Object, error) {
	return guarded(ctx, &m.faults, "Head", func() (caseload.Object, error) {
		defer m.locked()()
		p, ok := m.objects[key]
		if ok && m.hidden > 0 {
			m.hidden--
			ok = false
		}
		if !ok {
			return caseload.Object{}, caseload.Errorf(caseload.NotFound, "404")
		}
		o := caseload.Object{Key: key, Size: int64(len(p)), CRC64NVME: checksum(p), ETag: checksum(p)}
		if m.replaced != nil {
			o = m.replaced(o)
		}
		return o, nil
	})
}

func (m *memObjects) SignForm(ctx context.Context, origin string, key caseload.ObjectKey, least, most int64, expiry time.Duration) (caseload.SignedForm, error) {
	return guarded(ctx, &m.faults, "SignForm", func() (caseload.SignedForm, error) {
		return caseload.SignedForm{Method: "POST", URL: origin, Fields: map[string]string{"key": string(key)}}, nil
	})
}

// post does what a browser does with a form: it may be done again and again.
func (m *memObjects) post(key caseload.ObjectKey, body []byte) {
	defer m.locked()()
	m.objects[key] = slices.Clone(body)
}

func (m *memObjects) Stream(ctx context.Context, o caseload.Object) (io.ReadCloser, error) {
	return guarded(ctx, &m.faults, "Stream", func() (io.ReadCloser, error) {
		defer m.locked()()
		p, ok := m.objects[o.Key]
		if !ok || checksum(p) != o.ETag {
			return nil, caseload.Errorf(caseload.Conflict, "412")
		}
		return io.NopCloser(bytes.NewReader(p)), nil
	})
}

func (m *memObjects) Sync(ctx context.Context, keys ...caseload.ObjectKey) error {
	return guardedErr(ctx, &m.faults, "Sync", func() error { return nil })
}

func (m *memObjects) SignGet(ctx context.Context, origin string, key caseload.ObjectKey, _, name, contentType string, expiry time.Duration) (caseload.SignedRequest, error) {
	return guarded(ctx, &m.faults, "SignGet", func() (caseload.SignedRequest, error) {
		return caseload.SignedRequest{Method: "GET", URL: origin + "/" + string(key)}, nil
	})
}

func (m *memObjects) Hide(context.Context, caseload.ObjectKey) (string, error) { return "", errUnasked }

func (m *memObjects) Unhide(context.Context, caseload.ObjectKey) error { return errUnasked }

func (m *memObjects) Delete(ctx context.Context, key caseload.ObjectKey, _ string) error {
	return guardedErr(ctx, &m.faults, "Delete", func() error {
		defer m.locked()()
		delete(m.objects, key)
		return nil
	})
}
