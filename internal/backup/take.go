package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"dcdentals.com/caseload/internal/caseload"
)

// take is one round of a backup: the objects of one copy of the database.
type take struct {
	*Service
	work   string // the folder that is filled
	before string // the backup before; "": none
	last   bool   // an object that is not there is lost; in earlier rounds it may have been erased since the copy
	rows   Rows
	kept   *manifestReader // of the backup before
	mine   *manifestReader // of this backup's round before
	out    *manifestWriter
	r      Report
	gone   []caseload.ObjectKey
}

// objects copies what the database's copy refers to. gone is true when something was not there and the database is to be
// copied again: an erased object's row is deleted in a copy made after the look.
func (t *take) objects(ctx context.Context) (gone bool, err error) {
	path := filepath.Join(t.work, manifestName)
	if err := t.open(ctx, path); err != nil {
		return false, err
	}
	defer t.close()
	for after := caseload.ObjectKey(""); ; {
		files, err := t.rows.FilesByObject(ctx, after, pageOf)
		if err != nil {
			return false, err
		}
		for _, f := range files {
			if err := t.file(ctx, f); err != nil {
				return false, err
			}
			after = f.Object
		}
		if len(files) < pageOf {
			break
		}
	}
	return len(t.gone) > 0, t.out.finish()
}

func (t *take) open(ctx context.Context, manifest string) (err error) {
	if t.rows, err = t.Open(ctx, filepath.Join(t.work, databaseName)); err != nil {
		return err
	}
	if t.before != "" {
		if t.kept, err = readManifest(filepath.Join(t.before, manifestName)); err != nil {
			return err
		}
	}
	if _, err := os.Stat(manifest); err == nil {
		if err := os.Rename(manifest, manifest+".last"); err != nil {
			return folderError(err)
		}
		if t.mine, err = readManifest(manifest + ".last"); err != nil {
			return err
		}
	}
	sum, _, err := sumOf(filepath.Join(t.work, databaseName))
	if err != nil {
		return err
	}
	t.out, err = writeManifest(manifest, header{Format: format, Made: t.r.Made, Program: t.Program, Database: sum})
	return err
}

func (t *take) close() {
	_ = t.rows.Close()
	for _, m := range []*manifestReader{t.kept, t.mine} {
		if m != nil {
			m.close()
		}
	}
	_ = os.Remove(filepath.Join(t.work, manifestName+".last"))
	if t.out != nil {
		t.out.drop()
	}
}

// file copies one file's object when a restore needs it: of what was acknowledged, and of what lies in the trash.
func (t *take) file(ctx context.Context, f caseload.File) error {
	needed := f.State.Acknowledged()
	if f.State == caseload.Deleted {
		trash, err := t.rows.ErasureIsDue(ctx, f.ID, f.Object)
		if err != nil || !trash {
			return err
		}
	} else if !needed {
		return nil
	}
	h, err := t.object(ctx, f)
	switch {
	case caseload.KindOf(err) == caseload.NotFound && !needed:
		return nil // erased meanwhile, or it never arrived
	case caseload.KindOf(err) == caseload.NotFound && !t.last:
		t.gone = append(t.gone, f.Object)
		return nil
	case caseload.KindOf(err) == caseload.NotFound:
		h = held{Key: f.Object, Size: f.Size, CRC64NVME: f.CRC64NVME, SHA256: f.SHA256, Lost: true, Trouble: "the store had no object for this file"}
	case err != nil:
		return err
	case needed && h.Trouble == "":
		h.Trouble = differs(f, h)
	}
	if h.Trouble != "" && needed {
		if err := t.trouble(ctx, f, h); err != nil {
			return err
		}
	}
	t.r.Objects, t.r.Bytes = t.r.Objects+1, t.r.Bytes+h.Size
	if t.Passed != nil {
		t.Passed(t.r.Progress)
	}
	return t.out.add(h)
}

// differs says what of the bytes is not the file's.
func differs(f caseload.File, h held) string {
	switch {
	case h.Size != f.Size:
		return fmt.Sprintf("the object has %d bytes, the file %d", h.Size, f.Size)
	case h.CRC64NVME != f.CRC64NVME:
		return "the bytes have another CRC-64 than the file"
	case f.SHA256 != "" && h.SHA256 != f.SHA256:
		return "the bytes have another SHA-256 than the file"
	}
	return ""
}

func (t *take) trouble(ctx context.Context, f caseload.File, h held) error {
	number, err := t.rows.CaseNumber(ctx, f.Case)
	if err != nil && caseload.KindOf(err) != caseload.NotFound {
		return err
	}
	t.r.Trouble++
	t.Said(Trouble{File: f.ID, Case: number, Object: f.Object, Text: h.Trouble})
	return nil
}

// object sees to it that the object lies in the folder and returns its line. What an earlier round or a cut-off run
// brought is kept, what the backup before holds is linked, the rest is copied. NotFound when the store does not have it.
func (t *take) object(ctx context.Context, f caseload.File) (held, error) {
	if name := string(f.Object); strings.HasPrefix(name, ".") || strings.ContainsAny(name, "/\\\x00") {
		return held{}, caseload.Errorf(caseload.Internal, "Not an object key of ours.")
	}
	path := filepath.Join(t.work, objectsName, string(f.Object))
	mine, err := t.mine.find(f.Object)
	if err != nil {
		return held{}, err
	}
	before, err := t.kept.find(f.Object)
	if err != nil {
		return held{}, err
	}
	if mine != nil && !mine.Lost && sizeOf(path) == mine.Size {
		return *mine, nil
	}
	if h, ok, err := t.again(path, f); ok || err != nil {
		return h, err
	}
	if before != nil && before.Trouble == "" && differs(f, *before) == "" {
		from := filepath.Join(t.before, objectsName, string(f.Object))
		if sizeOf(from) == before.Size && os.Link(from, path) == nil {
			return *before, nil
		}
	}
	return t.copy(ctx, path, f)
}

// again takes over a whole object that a cut-off run left, when its bytes are the file's.
func (t *take) again(path string, f caseload.File) (held, bool, error) {
	if sizeOf(path) < 0 {
		return held{}, false, nil
	}
	attributes, err := t.Objects.Attributes(f.Object)
	if err != nil {
		return held{}, false, err
	}
	h := held{Key: f.Object, Attributes: attributes}
	if h.SHA256, h.CRC64NVME, err = sumOf(path); err != nil {
		return held{}, false, err
	}
	if h.Size = sizeOf(path); differs(f, h) == "" {
		return h, true, nil
	}
	if err := os.Remove(path); err != nil {
		return held{}, false, folderError(err)
	}
	return held{}, false, nil
}

func (t *take) copy(ctx context.Context, path string, f caseload.File) (held, error) {
	attributes, err := t.Objects.Attributes(f.Object)
	if err != nil {
		return held{}, err
	}
	body, err := t.Objects.Stream(ctx, caseload.Object{Key: f.Object, Size: f.Size, ETag: f.ETag, VersionID: f.VersionID})
	if err != nil {
		return held{}, err
	}
	defer body.Close()
	file, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return held{}, folderError(err)
	}
	var s sums
	s.reset()
	_, err = io.Copy(io.MultiWriter(file, &s), body)
	if err == nil {
		err = file.Sync()
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		var own *caseload.Error
		if errors.As(err, &own) || ctx.Err() != nil {
			return held{}, err
		}
		return held{}, folderError(err)
	}
	t.r.Copied += s.n
	return held{Key: f.Object, Size: s.n, SHA256: s.sha256(), CRC64NVME: s.crc.String(), Attributes: attributes}, nil
}

// sizeOf returns the size of a plain file in bytes, −1 when there is none.
func sizeOf(path string) int64 {
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&fs.ModeType != 0 {
		return -1
	}
	return info.Size()
}

// sumOf reads a file and returns its SHA-256 and CRC-64/NVME.
func sumOf(path string) (sha, crc string, err error) {
	file, err := os.Open(path)
	if err != nil {
		return "", "", folderError(err)
	}
	defer file.Close()
	var s sums
	s.reset()
	if _, err := io.Copy(&s, file); err != nil {
		return "", "", folderError(err)
	}
	return s.sha256(), s.crc.String(), nil
}

// sums takes both checksums of what is written to it.
type sums struct {
	sha hash.Hash
	crc caseload.CRC64NVME
	n   int64
}

func (s *sums) reset() { s.sha = sha256.New() }

func (s *sums) Write(p []byte) (int, error) {
	_, _ = s.sha.Write(p)
	_, _ = s.crc.Write(p)
	s.n += int64(len(p))
	return len(p), nil
}

func (s *sums) sha256() string { return hex.EncodeToString(s.sha.Sum(nil)) }
