package fsck

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"dcdentals.com/caseload/internal/caseload"
)

// Subset is one of several equal parts of all files. A file is always in the same one, so that a run for each reads
// everything once. The zero value is everything.
type Subset struct{ Which, Of int }

// ParseSubset reads "3/10".
func ParseSubset(raw string) (Subset, error) {
	which, of, ok := strings.Cut(raw, "/")
	w, err := strconv.Atoi(which)
	o, errOf := strconv.Atoi(of)
	if !ok || err != nil || errOf != nil || w < 1 || o < w || o > 10_000 {
		return Subset{}, caseload.Errorf(caseload.Invalid, "%q is no subset.", raw).WithHint("Use one like 3/10: the third of ten.")
	}
	return Subset{w, o}, nil
}

// String writes what ParseSubset reads; "1/1" is everything.
func (p Subset) String() string { return fmt.Sprintf("%d/%d", max(p.Which, 1), max(p.Of, 1)) }

// Has tells whether the file is in the subset: by a checksum of its id, whatever else there is.
func (p Subset) Has(id caseload.FileID) bool {
	if p.Of <= 1 {
		return true
	}
	return caseload.UpdateCRC64NVME(0, []byte(id))%uint64(p.Of) == uint64(p.Which-1)
}

// ReadAgain reads the bytes of every acknowledged file of the subset whose id is after the given one, and compares
// SHA-256 and CRC-64/NVME. An error means that it could not go on; it goes on from the last id that Kept was told, with the
// report it was told then.
func (s *Service) ReadAgain(ctx context.Context, after caseload.FileID, r Report) (Report, error) {
	for {
		files, err := s.Rows.KeptFiles(ctx, after, pageOf)
		if err != nil {
			return r, err
		}
		for _, f := range files {
			if s.Part.Has(f.ID) {
				if err := s.readAgain(ctx, f, &r); err != nil {
					return r, err
				}
				r.Files++
				s.passed(r.Progress)
			}
			after = f.ID
			if s.Kept != nil {
				s.Kept(after, r)
			}
		}
		if len(files) < pageOf {
			return r, nil
		}
	}
}

func (s *Service) readAgain(ctx context.Context, f caseload.File, r *Report) error {
	found := Finding{Loss: true, Advice: missing().Advice}
	bad, err := s.sums(ctx, f, caseload.Object{Key: f.Object, Size: f.Size, ETag: f.ETag, VersionID: f.VersionID}, &r.Progress)
	switch kind := caseload.KindOf(err); {
	case err == nil && bad == "":
		return nil
	case err == nil:
		found.Kind, found.Text = Checksum, bad
	case kind == caseload.NotFound:
		found = missing()
	case kind == caseload.Conflict:
		found.Kind, found.Text = Replaced, "it is not the object that was verified; `caseload fsck` says more"
	default:
		return err
	}
	now, err := s.Rows.FileOfObject(ctx, f.Object)
	if caseload.KindOf(err) == caseload.NotFound || err == nil && !now.State.Acknowledged() {
		return nil // deleted, and erased, while we read
	}
	if err != nil {
		return err
	}
	if s.Repair && !slices.Contains(now.Warnings, otherBytes) {
		if err := s.Rows.RecordQuarantine(ctx, f.ID, otherBytes); err != nil {
			return err
		}
	}
	return s.say(ctx, r, f, found)
}

// otherBytes is the warning on the page of a damaged file.
const otherBytes = "The stored bytes are not those that were verified."

// sums reads an object's bytes and says what of them is not the file's; "" when they are.
func (s *Service) sums(ctx context.Context, f caseload.File, o caseload.Object, p *Progress) (bad string, err error) {
	body, err := s.Objects.Stream(ctx, o)
	if err != nil {
		return "", err
	}
	defer body.Close()
	sha, n := sha256.New(), int64(0)
	var crc caseload.CRC64NVME
	for buffer := make([]byte, 256<<10); ; {
		read, err := body.Read(buffer)
		_, _ = sha.Write(buffer[:read])
		_, _ = crc.Write(buffer[:read])
		n, p.Bytes = n+int64(read), p.Bytes+int64(read)
		if s.Limit != nil && read > 0 {
			if err := s.Limit(ctx, read); err != nil {
				return "", err
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", err
		}
	}
	switch {
	case n != f.Size:
		return fmt.Sprintf("the object has %d bytes, the file %d", n, f.Size), nil
	case crc.String() != f.CRC64NVME:
		return "the bytes have another CRC-64 than the file", nil
	case f.SHA256 != "" && hex.EncodeToString(sha.Sum(nil)) != f.SHA256:
		return "the bytes have another SHA-256 than the file", nil
	}
	return "", nil
}
