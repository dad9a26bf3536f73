package objectstore

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/backend/posix"
)

const (
	mostDrafts = 8           // uploads made ahead at once; the others are copied when they complete
	draftIdle  = time.Minute // without a part a draft's room is given back
	draftSpare = 8 << 30     // bytes a draft leaves free on the disk
	mostKept   = 256         // parts of one upload whose files are freed after its completion was answered
)

// drafts are objects put together while their parts still arrive, so that Complete has little left to copy and Sync
// little left to write (decision 017). A draft is a file without a name: nobody sees it before Complete, and it ends
// with the process. It is only ever a shortcut: whatever is amiss with it, Complete copies the parts themselves.
type drafts struct {
	bucket string // absolute
	spare  uint64 // bytes to leave free on the disk

	mu     sync.Mutex
	open   map[string]*draft // by upload id
	closed bool
}

func newDrafts(bucket string) *drafts {
	return &drafts{bucket: bucket, spare: draftSpare, open: map[string]*draft{}}
}

// draft is one of them: the parts from the first one on, without a gap. run alone writes to it until it was taken.
type draft struct {
	file    *os.File
	parts   string // folder of the parts
	spare   uint64
	copied  []copiedPart
	arrived chan struct{} // holds one: there may be a further part
	taken   chan struct{} // closed when nothing is to be added any more
	ended   chan struct{} // closed when nothing is added any more
}

// copiedPart is one part inside a draft.
type copiedPart struct {
	stamp fileStamp // of the part's file; one sent again is another file
	begin int64     // offset in the object
	end   int64
}

// arrive tells that the store holds that part now.
func (d *drafts) arrive(key, uploadID string, number int32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	one := d.open[uploadID]
	if one == nil {
		if number != 1 || d.closed || len(d.open) >= mostDrafts {
			return
		}
		file, err := openNameless(filepath.Join(d.bucket, posix.MetaTmpDir))
		if err != nil {
			return // this system or file system has no files without a name
		}
		one = &draft{
			file: file, spare: d.spare, parts: filepath.Join(d.bucket, posix.MetaTmpMultipartDir, fmt.Sprintf("%x", sha256.Sum256([]byte(key))), uploadID),
			arrived: make(chan struct{}, 1), taken: make(chan struct{}), ended: make(chan struct{}),
		}
		d.open[uploadID] = one
		go func() {
			if !one.run() {
				d.drop(uploadID)
			}
		}()
	}
	select {
	case one.arrived <- struct{}{}:
	default:
	}
}

// take returns the upload's draft, which nobody else has or writes to from now on; nil when there is none.
func (d *drafts) take(uploadID string) *draft {
	d.mu.Lock()
	one := d.open[uploadID]
	delete(d.open, uploadID)
	d.mu.Unlock()
	if one != nil {
		close(one.taken)
		<-one.ended
	}
	return one
}

func (d *drafts) drop(uploadID string) {
	if one := d.take(uploadID); one != nil {
		_ = one.file.Close()
	}
}

// close drops them all, for good.
func (d *drafts) close() {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.dropAll()
}

// dropAll gives back the room of all of them.
func (d *drafts) dropAll() {
	d.mu.Lock()
	var left []string
	for uploadID := range d.open {
		left = append(left, uploadID)
	}
	d.mu.Unlock()
	for _, uploadID := range left {
		d.drop(uploadID)
	}
}

// run adds parts as they arrive, until the draft is taken (true) or of no further use (false).
func (one *draft) run() bool {
	defer close(one.ended)
	idle := time.NewTimer(draftIdle)
	defer idle.Stop()
	for {
		select {
		case <-one.taken:
			return true
		case <-idle.C:
			return false
		case <-one.arrived:
			if err := one.advance(); err != nil {
				return false
			}
			idle.Reset(draftIdle)
		}
	}
}

// advance adds the parts that are there, in order.
func (one *draft) advance() error {
	for {
		part, err := os.Open(filepath.Join(one.parts, strconv.Itoa(len(one.copied)+1)))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		err = one.add(part)
		_ = part.Close()
		if err != nil {
			return err
		}
	}
}

var errNoRoom = errors.New("no room to spare for a draft")

func (one *draft) add(part *os.File) error {
	stamp, err := stampOf(part)
	if err != nil {
		return err
	}
	if free, err := freeBytes(one.file); err != nil {
		return err
	} else if free < one.spare+uint64(stamp.size) {
		return errNoRoom
	}
	c := copiedPart{stamp: stamp}
	if len(one.copied) > 0 {
		c.begin = one.copied[len(one.copied)-1].end
	}
	c.end = c.begin + stamp.size
	if err := appendPart(part, one.file); err != nil {
		return err
	}
	one.copied = append(one.copied, c)
	return nil
}

// become puts the draft in the place of the object's file, which is still empty, and returns the parts it brought: at
// most those at the beginning of the wanted ones. None when there is no draft that fits.
func (d *drafts) become(object *os.File, uploadID string, wanted []types.CompletedPart) []copiedPart {
	one := d.take(uploadID)
	if one == nil {
		return nil
	}
	defer one.file.Close()
	fitting := 0
	for fitting < min(len(one.copied), len(wanted)) && aws.ToInt32(wanted[fitting].PartNumber) == int32(fitting+1) {
		fitting++
	}
	if fitting == 0 {
		return nil
	}
	if info, err := one.file.Stat(); err != nil || info.Size() != one.copied[len(one.copied)-1].end {
		return nil
	}
	if one.file.Truncate(one.copied[fitting-1].end) != nil || replaceFile(object, one.file) != nil {
		return nil
	}
	return one.copied[:fitting]
}

// assembly returns how Complete brings each part into the object's file: not at all when the draft brought it. What goes
// wrong it tells fail, which must make Complete fail; versitygw 1.8.0 itself forgets an error of this function, and an
// error of the copy it then tries instead.
//
// The files of the parts stay open until release is called, though versitygw removes their names: freeing what a part has in
// memory and on the disk takes 6 ms for 32 MiB, and nobody needs to wait for it.
func (d *drafts) assembly(in *s3.CompleteMultipartUploadInput, fail func(error)) (assemble posix.CustomCopyFunc, release func()) {
	var brought []copiedPart
	var kept []*os.File
	next, failed := 0, false
	bring := func(part, object *os.File) error {
		n := next
		next++
		if n == 0 {
			brought = d.become(object, aws.ToString(in.UploadId), in.MultipartUpload.Parts)
		}
		if n < len(brought) {
			if stamp, err := stampOf(part); err == nil && stamp == brought[n].stamp {
				return nil
			}
			begin := brought[n].begin // sent again meanwhile: from here on the parts themselves
			brought = nil
			if err := object.Truncate(begin); err != nil {
				return err
			}
		}
		return appendPart(part, object)
	}
	assemble = func(part, object *os.File) (again bool, err error) {
		if failed {
			return true, nil
		}
		if err := bring(part, object); err != nil {
			failed = true
			fail(err)
		} else if len(kept) < mostKept {
			if file, err := duplicate(part); err == nil {
				kept = append(kept, file)
			}
		}
		return true, nil
	}
	release = func() {
		for _, file := range kept {
			_ = file.Close()
		}
	}
	return assemble, release
}

// appendPart copies a part to the end of the object and has the disk begin to write it.
func appendPart(part, object *os.File) error {
	end, err := object.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	info, err := part.Stat()
	if err != nil {
		return err
	}
	copied, err := io.Copy(object, part) // copy_file_range where there is one, which shares the blocks if it can
	if err != nil {
		return err
	}
	if copied != info.Size() {
		return io.ErrUnexpectedEOF
	}
	startWriteOut(object, end, copied)
	return nil
}
