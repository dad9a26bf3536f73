package transfer

import (
	"context"
	"fmt"
	"mime"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"

	"dcdentals.com/caseload/internal/caseload"
)

// lookAgain is how long an arriving file is left alone after its last sign of life before Sweep looks at it.
const lookAgain = time.Hour

// maxFingerprint is the longest fingerprint a client may keep with a file, in bytes.
const maxFingerprint = 128

// Plan takes a batch of files a person wants to send into a case and makes a row for each: identifier, key, route and
// part size are the server's. No byte moves. A file that cannot be taken carries its own error in the answer, which is
// in the order of specs; the others are planned. Plan answers Forbidden to viewers, Invalid for an empty batch, TooLarge
// for one above Limits.MaxBatch, and NotFound or Gone for the case.
func (s *Service) Plan(ctx context.Context, user caseload.User, c caseload.CaseID, specs []FileSpec) ([]Planned, error) {
	if err := mayWrite(user); err != nil {
		return nil, err
	}
	if len(specs) == 0 {
		return nil, caseload.Errorf(caseload.Invalid, "No file was named.").WithField("files")
	}
	if len(specs) > s.Limits.MaxBatch {
		return nil, caseload.Errorf(caseload.TooLarge, "At most %d files can be planned at once; these are %d.", s.Limits.MaxBatch, len(specs)).
			WithHint("Plan them in several batches.").WithField("files")
	}
	now := s.now()
	planned := make([]Planned, len(specs))
	files := make([]caseload.File, 0, len(specs))
	for i, spec := range specs {
		f, err := s.planOne(user, c, spec, now)
		if err != nil {
			planned[i].Err = err
			continue
		}
		planned[i].File = f
		files = append(files, f)
	}
	if len(files) == 0 {
		return planned, nil
	}
	if err := s.Records.PlanFiles(ctx, user, c, files); err != nil {
		return nil, fmt.Errorf("plan %d files: %w", len(files), err)
	}
	return planned, nil
}

func (s *Service) planOne(user caseload.User, c caseload.CaseID, spec FileSpec, now time.Time) (caseload.File, error) {
	name, err := caseload.CleanName(norm.NFC.String(spec.Name))
	if err != nil {
		return caseload.File{}, err
	}
	switch {
	case spec.Size < 0:
		return caseload.File{}, caseload.Errorf(caseload.Invalid, "The size of the file cannot be %d bytes.", spec.Size).WithField("size")
	case spec.Size == 0:
		return caseload.File{}, caseload.Errorf(caseload.Invalid, "The file is empty.").
			WithHint("Check that it was copied completely, then send it again.").WithField("size")
	case spec.Size > s.Limits.MaxFileSize:
		return caseload.File{}, caseload.Errorf(caseload.TooLarge, "The file is larger than %s, the most that is taken.", humanBytes(s.Limits.MaxFileSize)).
			WithHint("Split it, or ask whoever runs this server to raise the limit.").WithField("size")
	}
	if !printableASCII(spec.Fingerprint, maxFingerprint) {
		return caseload.File{}, caseload.Errorf(caseload.Invalid, "The fingerprint must be at most %d printable ASCII characters.", maxFingerprint).
			WithField("fingerprint")
	}
	f := caseload.File{
		ID:           caseload.NewID[caseload.FileID](now),
		Organization: user.Organization,
		Case:         c,
		Name:         name,
		Path:         caseload.CleanPath(norm.NFC.String(spec.Path)),
		Size:         spec.Size,
		ContentType:  claimedType(spec.ContentType),
		ModifiedAt:   plausibleTime(spec.ModifiedAt),
		Fingerprint:  spec.Fingerprint,
		State:        caseload.Planned,
		Route:        s.Limits.RouteFor(spec.Size),
		Object:       caseload.NewObjectKey(),
		Deadline:     now.Add(lookAgain),
		CreatedBy:    user.ID,
		CreatedAt:    now,
		ChangedAt:    now,
	}
	if f.Route == caseload.Direct {
		f.PartSize = s.Limits.PartSizeFor(spec.Size)
	}
	return f, nil
}

// claimedType keeps what a client says a file is when it is a media type at all (RFC 9110, section 8.3.1), without
// parameters; it is shown, never acted upon.
func claimedType(claim string) string {
	if len(claim) > 255 || !printableASCII(claim, 255) {
		return ""
	}
	media, _, err := mime.ParseMediaType(claim)
	kind, sub, found := strings.Cut(media, "/")
	if err != nil || !found || kind == "" || sub == "" {
		return ""
	}
	return media
}

// plausibleTime returns t in UTC to the millisecond, or the zero time when no clock of a person's computer can mean it.
func plausibleTime(t time.Time) time.Time {
	if t.Year() < 1970 || t.Year() > 9999 {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Millisecond)
}

func printableASCII(s string, most int) bool {
	if len(s) > most {
		return false
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// humanBytes writes a limit the way people say it: "1 GiB", "50 MB", "1234 bytes".
func humanBytes(n int64) string {
	units := []struct {
		size int64
		name string
	}{{1 << 40, "TiB"}, {1 << 30, "GiB"}, {1 << 20, "MiB"}, {1e9, "GB"}, {1e6, "MB"}, {1 << 10, "KiB"}, {1e3, "kB"}}
	for _, u := range units {
		if n >= u.size && n%u.size == 0 {
			return fmt.Sprintf("%d %s", n/u.size, u.name)
		}
	}
	return fmt.Sprintf("%d bytes", n)
}

// now is the moment to write into rows: UTC, to the millisecond, which both databases keep.
func (s *Service) now() time.Time { return s.Now().UTC().Truncate(time.Millisecond) }

// mayWrite answers Forbidden to a role that may only look.
func mayWrite(user caseload.User) error {
	if user.Role.CanWrite() {
		return nil
	}
	return caseload.Errorf(caseload.Forbidden, "Your role only allows looking and downloading.").
		WithHint("Ask an administrator of your organization for the member role.")
}
