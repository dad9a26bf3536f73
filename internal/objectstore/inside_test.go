package objectstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"

	"dcdentals.com/caseload/internal/caseload"
)

func startInside(t *testing.T) *Embedded {
	t.Helper()
	t.Chdir(".") // the store lives in the working directory; this brings it back
	e, err := StartEmbedded(t.Context(), t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close(context.Background()) })
	return e
}

// kept tells all there is on the disk of one file of the store, but its times.
func kept(t *testing.T, e *Embedded, name string) string {
	t.Helper()
	path := filepath.Join(e.objects, embeddedBucket, name)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	var attributes meta.MetadataStorer = meta.XattrMeta{}
	if e.sidecar != "" {
		if attributes, err = meta.NewSideCar(e.sidecar); err != nil {
			t.Fatal(err)
		}
	}
	names, err := attributes.ListAttributes(embeddedBucket, name)
	if err != nil {
		t.Fatal(err)
	}
	sort.Strings(names)
	told := fmt.Sprintf("%v %d bytes, CRC %x", info.Mode(), len(data), caseload.UpdateCRC64NVME(0, data))
	for _, attribute := range names {
		value, err := attributes.RetrieveAttribute(nil, embeddedBucket, name, attribute)
		if err != nil {
			t.Fatal(err)
		}
		told += fmt.Sprintf("\n%s = %q", attribute, value)
	}
	return told
}

// What the process's own calls leave on the disk and read from it is what signed requests leave and read.
func TestBothWaysIntoTheEmbeddedStoreAreOne(t *testing.T) {
	e := startInside(t)
	data := bytes.Repeat([]byte("caseload "), 100_000)
	sum := caseload.FormatCRC64NVME(caseload.UpdateCRC64NVME(0, data))
	way := e.store.inside
	var objects, parts []string
	var heads []caseload.Object
	for _, writing := range []*inside{way, nil} {
		e.store.inside = writing
		key := caseload.NewObjectKey()
		if err := e.store.Put(t.Context(), key, bytes.NewReader(data), int64(len(data)), sum); err != nil {
			t.Fatal(err)
		}
		objects = append(objects, kept(t, e, string(key)))
		var head caseload.Object
		for _, reading := range []*inside{way, nil} {
			e.store.inside = reading
			seen, err := e.store.Head(t.Context(), key, "")
			if err != nil {
				t.Fatal(err)
			}
			if head.Key != "" && seen != head {
				t.Errorf("seen as %+v and as %+v", head, seen)
			}
			head = seen
			p := make([]byte, 1000)
			if n, err := e.store.ReadRange(t.Context(), head, p, 333); n != len(p) || err != nil || !bytes.Equal(p, data[333:1333]) {
				t.Errorf("a range: %d bytes, %v", n, err)
			}
			opensPinned(t, e.store, head, data)
		}
		heads = append(heads, head)

		e.store.inside = writing
		key = caseload.NewObjectKey()
		id, err := e.store.CreateMultipart(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.store.PutPart(t.Context(), key, id, caseload.Part{Number: 1, Size: int64(len(data)), CRC64NVME: sum}, bytes.NewReader(data)); err != nil {
			t.Fatal(err)
		}
		found, err := filepath.Glob(filepath.Join(e.objects, embeddedBucket, posix.MetaTmpMultipartDir, "*", id, "1"))
		if err != nil || len(found) != 1 {
			t.Fatal(found, err)
		}
		parts = append(parts, kept(t, e, strings.TrimPrefix(found[0], filepath.Join(e.objects, embeddedBucket)+"/")))
	}
	e.store.inside = way
	if objects[0] != objects[1] || !strings.Contains(objects[0], sum) {
		t.Errorf("a Put leaves\n%s\na signed request\n%s", objects[0], objects[1])
	}
	if parts[0] != parts[1] || !strings.Contains(parts[0], sum) {
		t.Errorf("a PutPart leaves\n%s\na signed request\n%s", parts[0], parts[1])
	}
	if heads[0].Key = heads[1].Key; heads[0] != heads[1] {
		t.Errorf("Head shows %+v and %+v", heads[0], heads[1])
	}
}

// opensPinned reads an object at many places once it is open, and opens none that is another one by now.
func opensPinned(t *testing.T, s *Store, o caseload.Object, data []byte) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	opened, err := s.Open(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	p := make([]byte, 1000)
	for _, at := range []int64{0, 333, o.Size - 400} {
		n, err := opened.ReadAt(p, at)
		if want := data[at:min(at+1000, o.Size)]; !bytes.Equal(p[:n], want) || errors.Is(err, io.EOF) != (n < len(p)) {
			t.Errorf("%d bytes at %d: %v", n, at, err)
		}
	}
	if _, file := opened.(*insideBody); file != (s.inside != nil) {
		t.Errorf("opened as %T", opened)
	}
	cancel()
	if _, err := opened.ReadAt(p, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("after its end: %v", err)
	}
	other := o
	other.ETag = "another"
	changed, err := s.Open(t.Context(), other)
	if err == nil {
		_, err = changed.ReadAt(p, 0)
	}
	if caseload.KindOf(err) != caseload.Conflict {
		t.Errorf("another object: %v", err)
	}
}

// A store that was closed reaches no file any more: its working directory may be another's by now.
func TestAClosedStoreAnswersUnavailable(t *testing.T) {
	e := startInside(t)
	data := []byte("123456789")
	const key, sum = caseload.ObjectKey("fkey"), "rosUhgp5mIg=" // the check value of CRC-64/NVME
	if err := e.store.Put(t.Context(), key, bytes.NewReader(data), 9, sum); err != nil {
		t.Fatal(err)
	}
	object, err := e.store.Head(t.Context(), key, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, headErr := e.store.Head(t.Context(), key, "")
	_, readErr := e.store.ReadRange(t.Context(), object, make([]byte, 3), 0)
	for what, err := range map[string]error{
		"Put": e.store.Put(t.Context(), "fother", bytes.NewReader(data), 9, sum), "Head": headErr, "ReadRange": readErr,
		"PutPart": e.store.PutPart(t.Context(), key, "id", caseload.Part{Number: 1, Size: 9, CRC64NVME: sum}, bytes.NewReader(data)),
	} {
		if caseload.KindOf(err) != caseload.Unavailable {
			t.Errorf("%s answers %v", what, err)
		}
	}
}

// cancelling is a body in whose middle its context ends.
type cancelling struct {
	io.Reader
	cancel context.CancelFunc
}

func (c *cancelling) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p[:min(len(p), 1000)])
	c.cancel()
	return n, err
}

func TestCallsInTheProcessEndWithTheirContext(t *testing.T) {
	e := startInside(t)
	data := make([]byte, 100_000)
	sum := caseload.FormatCRC64NVME(caseload.UpdateCRC64NVME(0, data))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	err := e.store.Put(ctx, "fcut", &cancelling{bytes.NewReader(data), cancel}, int64(len(data)), sum)
	if caseload.KindOf(err) != caseload.Unavailable || !errors.Is(err, context.Canceled) {
		t.Errorf("a Put whose context ended answers %v", err)
	}
	if _, err := e.store.Head(t.Context(), "fcut", ""); caseload.KindOf(err) != caseload.NotFound {
		t.Errorf("and leaves an object: %v", err)
	}
	if err := e.store.Put(t.Context(), "fwhole", bytes.NewReader(data), int64(len(data)), sum); err != nil {
		t.Fatal(err)
	}
	object, err := e.store.Head(t.Context(), "fwhole", "")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	body, err := e.store.Stream(ctx, object)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if _, err := body.Read(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := body.Read(make([]byte, 10)); !errors.Is(err, context.Canceled) {
		t.Errorf("a Stream whose context ended answers %v", err)
	}
}

// A part that is still being stored when its upload is aborted or completed leaves nothing behind: nobody would ever look
// for it.
func TestAPartThatEndsAfterItsUploadLeavesNothing(t *testing.T) {
	for _, end := range []string{"aborted", "completed"} {
		t.Run(end, func(t *testing.T) {
			e := startInside(t)
			key, data := caseload.NewObjectKey(), bytes.Repeat([]byte("caseload "), 10_000)
			id, err := e.store.CreateMultipart(t.Context(), key)
			if err != nil {
				t.Fatal(err)
			}
			part := caseload.Part{Number: 1, Size: int64(len(data)), CRC64NVME: caseload.FormatCRC64NVME(caseload.UpdateCRC64NVME(0, data))}
			ends := func() error { return e.store.AbortMultipart(t.Context(), key, id) }
			if end == "completed" {
				if err := e.store.PutPart(t.Context(), key, id, part, bytes.NewReader(data)); err != nil {
					t.Fatal(err)
				}
				held, err := e.store.ListParts(t.Context(), key, id)
				if err != nil {
					t.Fatal(err)
				}
				ends = func() error { return e.store.CompleteMultipart(t.Context(), key, id, held, part.Size, part.CRC64NVME) }
			}
			body := &endingBody{bytes.NewReader(data), func() {
				if err := ends(); err != nil {
					t.Error(err)
				}
			}}
			if err := e.store.PutPart(t.Context(), key, id, part, body); caseload.KindOf(err) != caseload.NotFound {
				t.Errorf("the part: %v, want NotFound", err)
			}
			left, err := filepath.Glob(filepath.Join(e.objects, embeddedBucket, posix.MetaTmpMultipartDir, "*", "*"))
			if err != nil || len(left) > 0 {
				t.Errorf("left behind: %v %v", left, err)
			}
			if len(e.gateway.files.flights) > 0 {
				t.Error("a part is still thought to be stored")
			}
			if end == "completed" {
				if object, err := e.store.Head(t.Context(), key, ""); err != nil || object.Size != part.Size {
					t.Errorf("the object: %+v %v", object, err)
				}
			}
		})
	}
}

// The same wherever in the completion a part that is sent once more ends.
func TestPartsSentWhileTheirUploadIsCompletedLeaveNothing(t *testing.T) {
	e := startInside(t)
	data := []byte("caseload")
	part := caseload.Part{Number: 1, Size: int64(len(data)), CRC64NVME: caseload.FormatCRC64NVME(caseload.UpdateCRC64NVME(0, data))}
	for range 100 {
		key := caseload.NewObjectKey()
		id, err := e.store.CreateMultipart(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		send := func() error { return e.store.PutPart(t.Context(), key, id, part, bytes.NewReader(data)) }
		if err := send(); err != nil {
			t.Fatal(err)
		}
		held, err := e.store.ListParts(t.Context(), key, id)
		if err != nil {
			t.Fatal(err)
		}
		var senders sync.WaitGroup
		for range 3 {
			senders.Go(func() {
				for send() == nil {
				}
			})
		}
		if err := e.store.CompleteMultipart(t.Context(), key, id, held, part.Size, part.CRC64NVME); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() { senders.Wait(); close(ended) }()
		select {
		case <-ended:
		case <-time.After(time.Minute):
			t.Fatal("a part never ends: versitygw looks for a place for it in a folder that is gone")
		}
	}
	left, err := filepath.Glob(filepath.Join(e.objects, embeddedBucket, posix.MetaTmpMultipartDir, "*", "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// endingBody does something when its last byte has been read.
type endingBody struct {
	*bytes.Reader
	then func()
}

func (b *endingBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if b.Len() == 0 && b.then != nil {
		b.then()
		b.then = nil
	}
	return n, err
}
