package objectstore

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3err"

	"dcdentals.com/caseload/internal/caseload"
)

// drafted is an upload of three parts to the embedded store whose draft holds those that were there when it was made.
type drafted struct {
	e      *Embedded
	key    caseload.ObjectKey
	upload string
	parts  [3][]byte
	inode  uint64 // of the draft
}

func newDrafted(t *testing.T, spare uint64) *drafted {
	t.Helper()
	t.Chdir(".") // the store lives in the working directory; this brings it back
	e, err := StartEmbedded(t.Context(), t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close(t.Context()) })
	e.gateway.drafts.spare = spare
	u := &drafted{e: e, key: caseload.NewObjectKey()}
	if u.upload, err = e.store.CreateMultipart(t.Context(), u.key); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{2, 1, 3} {
		u.send(t, n, bytes.Repeat([]byte{byte(n)}, 5<<20+n))
	}
	return u
}

func (u *drafted) send(t *testing.T, n int, data []byte) {
	t.Helper()
	u.parts[n-1] = data
	sum := caseload.FormatCRC64NVME(caseload.UpdateCRC64NVME(0, data))
	err := u.e.store.PutPart(t.Context(), u.key, u.upload, caseload.Part{Number: n, Size: int64(len(data)), CRC64NVME: sum}, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
}

// settle has the draft take in every part that is there, and nothing more from then on.
func (u *drafted) settle(t *testing.T) {
	t.Helper()
	one := u.e.gateway.drafts.take(u.upload)
	if one == nil {
		t.Fatal("there is no draft")
	}
	if err := one.advance(); err != nil {
		t.Fatal(err)
	}
	stamp, err := stampOf(one.file)
	if err != nil {
		t.Fatal(err)
	}
	if len(one.copied) != len(u.parts) {
		t.Fatalf("the draft holds %d parts", len(one.copied))
	}
	u.inode = stamp.inode
	one.taken = make(chan struct{})
	u.e.gateway.drafts.mu.Lock()
	defer u.e.gateway.drafts.mu.Unlock()
	u.e.gateway.drafts.open[u.upload] = one
}

// complete makes the object of the first n parts, proves its bytes and returns whether its file was the draft.
func (u *drafted) complete(t *testing.T, n int) (byDraft bool) {
	t.Helper()
	listed, err := u.e.store.ListParts(t.Context(), u.key, u.upload)
	if err != nil {
		t.Fatal(err)
	}
	want := bytes.Join(u.parts[:n], nil)
	sum := caseload.FormatCRC64NVME(caseload.UpdateCRC64NVME(0, want))
	if err := u.e.store.CompleteMultipart(t.Context(), u.key, u.upload, listed[:n], int64(len(want)), sum); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(u.e.objects, embeddedBucket, string(u.key))
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the object's %d bytes are not the parts' %d", len(got), len(want))
	}
	if o, err := u.e.store.Head(t.Context(), u.key, ""); err != nil || o.CRC64NVME != sum || o.Size != int64(len(want)) {
		t.Errorf("the store says %+v, %v", o, err)
	}
	if err := u.e.store.Sync(t.Context(), u.key); err != nil {
		t.Error(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	info, _ := file.Stat()
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the object's mode is %v", info.Mode())
	}
	stamp, err := stampOf(file)
	if err != nil {
		t.Fatal(err)
	}
	return stamp.inode == u.inode
}

func TestADraftBecomesTheObject(t *testing.T) {
	u := newDrafted(t, 0)
	u.settle(t)
	if !u.complete(t, 3) {
		t.Error("the parts were copied once more")
	}
}

func TestADraftWithTooManyPartsIsCut(t *testing.T) {
	u := newDrafted(t, 0)
	u.settle(t)
	if !u.complete(t, 2) {
		t.Error("the parts were copied once more")
	}
}

func TestAPartSentAgainReplacesItsBytesInADraft(t *testing.T) {
	for n := 1; n <= 3; n++ {
		u := newDrafted(t, 0)
		u.settle(t)
		u.send(t, n, bytes.Repeat([]byte{byte(10 * n)}, 5<<20+n)) // as long as before
		u.complete(t, 3)
		_ = u.e.Close(t.Context())
	}
}

func TestADraftLeavesTheDiskItsRoom(t *testing.T) {
	u := newDrafted(t, 1<<62)
	if one := u.e.gateway.drafts.take(u.upload); one != nil {
		if one.advance(); len(one.copied) > 0 {
			t.Error("a draft was made where there is no room to spare")
		}
		_ = one.file.Close()
	}
	u.complete(t, 3)
}

func TestAnAbortedUploadsDraftIsGone(t *testing.T) {
	u := newDrafted(t, 0)
	u.settle(t)
	if err := u.e.store.AbortMultipart(t.Context(), u.key, u.upload); err != nil {
		t.Fatal(err)
	}
	if one := u.e.gateway.drafts.take(u.upload); one != nil {
		t.Error("the draft keeps its room")
	}
}

func TestAFullDiskTakesTheDraftsRoom(t *testing.T) {
	for _, full := range []error{
		syscall.ENOSPC, syscall.EDQUOT, s3err.GetAPIError(s3err.ErrNoSpaceLeftOnDevice), s3err.GetAPIError(s3err.ErrQuotaExceeded),
	} {
		u := newDrafted(t, 0)
		u.settle(t)
		b := newBackend(nil, u.e.gateway.drafts, u.e.log)
		_ = b.answered(t.Context(), "UploadPart", s3err.GetAPIError(s3err.ErrNoSuchKey))
		if len(u.e.gateway.drafts.open) != 1 {
			t.Error("another fault took the draft")
		}
		_ = b.answered(t.Context(), "UploadPart", full)
		if len(u.e.gateway.drafts.open) != 0 {
			t.Errorf("%v left the draft its room", full)
		}
		_ = u.e.Close(t.Context())
	}
}

// versitygw would make an object that lacks the part.
func TestAFailedCopyFailsTheCompletion(t *testing.T) {
	dir := t.TempDir()
	object, err := openNameless(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer object.Close()
	path := filepath.Join(dir, "part")
	if err := os.WriteFile(path, []byte("part"), 0o600); err != nil {
		t.Fatal(err)
	}
	part, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer part.Close()
	if _, err := part.Seek(2, io.SeekStart); err != nil { // so that the copy comes out too short
		t.Fatal(err)
	}
	var faults []error
	bring, release := newDrafts(dir).assembly(&s3.CompleteMultipartUploadInput{
		UploadId:        aws.String("x"),
		MultipartUpload: &types.CompletedMultipartUpload{Parts: make([]types.CompletedPart, 2)},
	}, func(err error) { faults = append(faults, err) })
	for range 2 { // the second is not even tried
		if again, err := bring(part, object); !again || err != nil {
			t.Errorf("again %v, error %v: versitygw would append the part itself", again, err)
		}
	}
	release()
	if len(faults) != 1 || !errors.Is(faults[0], io.ErrUnexpectedEOF) {
		t.Errorf("faults %v", faults)
	}
}

// TestPartsAreFreedAfterTheAnswer: Complete does not wait until the room of the parts is free, and nothing keeps it for good.
func TestPartsAreFreedAfterTheAnswer(t *testing.T) {
	u := newDrafted(t, 0)
	u.settle(t)
	in := &s3.CompleteMultipartUploadInput{UploadId: &u.upload, MultipartUpload: &types.CompletedMultipartUpload{Parts: make([]types.CompletedPart, 3)}}
	assemble, release := newDrafts(t.TempDir()).assembly(in, func(err error) { t.Error(err) })
	path := filepath.Join(t.TempDir(), "1")
	if err := os.WriteFile(path, []byte("part"), 0o600); err != nil {
		t.Fatal(err)
	}
	part, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	object, err := os.Create(path + ".object")
	if err != nil {
		t.Fatal(err)
	}
	defer object.Close()
	_, _ = assemble(part, object)
	_, _ = part.Close(), os.Remove(path)
	if left := nameless(t, path); left != 1 {
		t.Errorf("before the answer %d descriptors hold the part", left)
	}
	release()
	if left := nameless(t, path); left != 0 {
		t.Errorf("after the answer %d descriptors hold the part", left)
	}

	u.complete(t, 3)
	for until := time.Now().Add(10 * time.Second); nameless(t, u.upload) > 0; {
		if time.Now().After(until) {
			t.Fatal("parts are held for good")
		}
		runtime.Gosched()
	}
}

// nameless counts the descriptors of this process whose file was removed and had a path with that in it.
func nameless(t *testing.T, path string) (count int) {
	t.Helper()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range open {
		name, _ := os.Readlink("/proc/self/fd/" + fd.Name())
		if strings.Contains(name, path) && strings.HasSuffix(name, " (deleted)") {
			count++
		}
	}
	return count
}

// TestOnlySoManyUploadsHaveADraft: those that come when so many have one are copied when they complete.
func TestOnlySoManyUploadsHaveADraft(t *testing.T) {
	d := newDrafts(t.TempDir())
	t.Cleanup(d.close)
	if err := os.MkdirAll(filepath.Join(d.bucket, posix.MetaTmpDir), 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range mostDrafts {
		d.arrive("key", strconv.Itoa(i), 1)
	}
	d.arrive("key", "late", 1)
	if d.take("late") != nil {
		t.Errorf("more than %d uploads have a draft", mostDrafts)
	}
	d.drop("0")
	d.arrive("key", "later", 1)
	one := d.take("later")
	if one == nil {
		t.Fatal("a draft that is over leaves no room for another")
	}
	_ = one.file.Close()
}

// TestADraftWithoutPartsEnds: its room is given back a minute after the last part.
func TestADraftWithoutPartsEnds(t *testing.T) {
	bucket := t.TempDir()
	if err := os.MkdirAll(filepath.Join(bucket, posix.MetaTmpDir), 0o755); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		d := newDrafts(bucket)
		open := func() int {
			synctest.Wait()
			d.mu.Lock()
			defer d.mu.Unlock()
			return len(d.open)
		}
		d.arrive("key", "upload", 1)
		for range 3 {
			time.Sleep(draftIdle - time.Second)
			if open() != 1 {
				t.Fatal("a draft ended before its time")
			}
			d.arrive("key", "upload", 2)
			synctest.Wait()
		}
		time.Sleep(draftIdle + time.Second)
		if open() != 0 {
			t.Error("a draft outlives its upload")
		}
	})
}
