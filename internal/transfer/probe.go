package transfer

import (
	"context"
	"crypto/rand"
	"fmt"

	"dcdentals.com/caseload/internal/caseload"
)

// Probe signs a request by which a browser or a program finds out whether it reaches the store: an empty part for a key and
// an upload that do not exist. It takes the way of every part, and leaves nothing behind: a store that is reached answers
// 404 NoSuchUpload in S3's own words.
func (s *Service) Probe(ctx context.Context, user caseload.User, origin string) (caseload.SignedRequest, error) {
	if err := mayWrite(user); err != nil {
		return caseload.SignedRequest{}, err
	}
	nothing := caseload.Part{Number: 1, CRC64NVME: caseload.FormatCRC64NVME(0)}
	request, err := s.Objects.SignPart(ctx, origin, caseload.NewObjectKey(), rand.Text(), nothing, min(s.Limits.URLExpiry, caseload.MaxURLExpiry))
	if err != nil {
		return request, fmt.Errorf("sign the probe: %w", err)
	}
	return request, nil
}
