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

// aliveFor is which part of Limits.AbandonAfter a sign of life stays fresh for (7 hours of 7 days): an upload that goes on
// within it is not written again, and may be given up so much earlier should nothing more come of it.
const aliveFor = 24

// maxFingerprint is the longest fingerprint a client may keep with a file, in bytes.
const maxFingerprint = 128

// Plan takes a batch of files a person wants to send into a case and gives each a row: that of the same file whose upload
// was interrupted (File.Resumes), that of the same bytes received already (when their checksum is given), or a new one.
// Identifier, key, route and part size are the server's. No byte moves. A file that cannot be taken carries its own error
// in the answer, which is in the order of specs; the others are planned. The files belong to the drop; "" stands for the
// drop of an upload that goes on, else for a new one. Plan answers Forbidden to viewers, Invalid for an empty batch or a
// drop that cannot be, TooLarge for a batch above Limits.MaxBatch, and NotFound or Gone for the case.
func (s *Service) Plan(ctx context.Context, user caseload.User, c caseload.CaseID, drop caseload.DropID, specs []FileSpec) ([]Planned, caseload.DropID, error) {
	if err := mayWrite(user); err != nil {
		return nil, "", err
	}
	switch {
	case len(specs) == 0:
		return nil, "", caseload.Errorf(caseload.Invalid, "No file was named.").WithField("files")
	case len(specs) > s.Limits.MaxBatch:
		return nil, "", caseload.Errorf(caseload.TooLarge, "At most %d files can be planned at once; these are %d.", s.Limits.MaxBatch, len(specs)).
			WithHint("Plan them in several batches.").WithField("files")
	case drop != "" && !caseload.ValidID(string(drop)):
		return nil, "", caseload.Errorf(caseload.Invalid, "A drop is named by the answer to its first plan.").WithField("drop")
	}
	now := s.now()
	planned := make([]Planned, len(specs))
	proposals := make([]caseload.Proposal, 0, len(specs))
	var taken []int // index of each proposal among specs
	for i, spec := range specs {
		p, err := s.propose(ctx, user, c, spec, now)
		if err != nil {
			planned[i].Err = err
			continue
		}
		proposals, taken = append(proposals, p), append(taken, i)
	}
	placed, drop, err := s.Records.PlanFiles(ctx, user, c, drop, proposals)
	if err != nil {
		return nil, "", fmt.Errorf("plan %d files: %w", len(proposals), err)
	}
	for i, p := range placed {
		planned[taken[i]] = Planned{Placed: p, Err: p.Err}
	}
	return planned, drop, nil
}

// propose checks one file and makes the row it would have.
func (s *Service) propose(ctx context.Context, user caseload.User, c caseload.CaseID, spec FileSpec, now time.Time) (caseload.Proposal, error) {
	name, err := caseload.CleanName(norm.NFC.String(spec.Name))
	if err != nil {
		return caseload.Proposal{}, err
	}
	switch {
	case spec.Size < 0:
		return caseload.Proposal{}, caseload.Errorf(caseload.Invalid, "The size of the file cannot be %d bytes.", spec.Size).WithField("size")
	case spec.Size == 0:
		return caseload.Proposal{}, caseload.Errorf(caseload.Invalid, "The file is empty.").
			WithHint("Check that it was copied completely, then send it again.").WithField("size")
	case spec.Size > s.Limits.MaxFileSize:
		return caseload.Proposal{}, caseload.Errorf(caseload.TooLarge, "The file is larger than %s, the most that is taken.", caseload.HumanBytes(s.Limits.MaxFileSize)).
			WithHint("Split it, or ask whoever runs this server to raise the limit.").WithField("size")
	}
	if !caseload.PrintableASCII(spec.Fingerprint, maxFingerprint) {
		return caseload.Proposal{}, caseload.Errorf(caseload.Invalid, "The fingerprint must be at most %d printable ASCII characters.", maxFingerprint).
			WithField("fingerprint")
	}
	if spec.CRC64NVME != "" {
		if _, err := caseload.ParseCRC64NVME(spec.CRC64NVME); err != nil {
			return caseload.Proposal{}, err
		}
	}
	family, err := s.familyOf(ctx, user, c, spec.Replaces)
	if err != nil {
		return caseload.Proposal{}, err
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
		Family:       family,
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
	return caseload.Proposal{File: f, Checksum: spec.CRC64NVME, Again: spec.Again, Fresh: now.Add(-s.Limits.AbandonAfter / aliveFor)}, nil
}

// familyOf returns the family that a new version of the file joins, "" when none is replaced. Invalid when the case has no
// such file or it was never received.
func (s *Service) familyOf(ctx context.Context, user caseload.User, c caseload.CaseID, replaces string) (caseload.FileID, error) {
	if replaces == "" {
		return "", nil
	}
	wrong := caseload.Errorf(caseload.Invalid, "The file that this one is to replace is not in the case.").
		WithHint("Send it as a file of its own.").WithField("replaces")
	if !caseload.ValidID(replaces) {
		return "", wrong
	}
	old, err := s.Records.FileIn(ctx, user, c, caseload.FileID(replaces))
	switch kind := caseload.KindOf(err); {
	case err != nil && (kind == caseload.NotFound || kind == caseload.Gone), err == nil && !old.State.Acknowledged():
		return "", wrong
	case err != nil:
		return "", fmt.Errorf("look for the file to replace: %w", err)
	}
	return old.FamilyID(), nil
}

// claimedType keeps what a client says a file is when it is a media type at all (RFC 9110, section 8.3.1), without
// parameters; it is shown, never acted upon.
func claimedType(claim string) string {
	if !caseload.PrintableASCII(claim, 255) {
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
