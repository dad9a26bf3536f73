package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"

	"dcdentals.com/caseload/internal/caseload"
)

// Parcel is one file of a batch on its way in. Body must be read before the next parcel is asked for.
type Parcel struct {
	File      caseload.FileID
	Length    int64 // bytes, as declared
	CRC64NVME string
	Body      io.Reader
	Err       error // why it cannot be taken as it is; the other fields but File do not count then
}

// Received is the answer for one Parcel: the file that is kept, or why it is not.
type Received struct {
	ID   caseload.FileID
	File caseload.File
	Err  error // the other files of the batch are not affected
}

// ReceiveBatch takes many files of the small route that belong to one case, each by the rules of Receive, as next hands them
// over; io.EOF ends the batch. A file of another case or organization is NotFound and its bytes are passed over. The answers
// are in the order of the parcels. Any other error of next ends the batch, too; what came before it is kept and answered.
func (s *Service) ReceiveBatch(ctx context.Context, user caseload.User, c caseload.CaseID, next func() (Parcel, error)) ([]Received, error) {
	if err := mayWrite(user); err != nil {
		return nil, err
	}
	var all []Received
	for {
		p, err := next()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		answer := Received{ID: p.File}
		answer.File, answer.Err = s.receiveParcel(ctx, user, c, p)
		all = append(all, answer)
	}
}

func (s *Service) receiveParcel(ctx context.Context, user caseload.User, c caseload.CaseID, p Parcel) (caseload.File, error) {
	if p.Err != nil {
		return caseload.File{}, p.Err
	}
	f, err := s.Records.File(ctx, user, p.File)
	if err != nil {
		return caseload.File{}, fmt.Errorf("look for %s: %w", p.File, err)
	}
	if f.Case != c {
		return caseload.File{}, caseload.Errorf(caseload.NotFound, "There is no such file in this case.")
	}
	return s.Receive(ctx, user, p.File, p.Body, p.Length, p.CRC64NVME)
}
