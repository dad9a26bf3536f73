package transfer

import (
	"context"
	"errors"
	"io"
	"sync"

	"dcdentals.com/caseload/internal/caseload"
)

// putsAtOnce is how many files of one batch are on their way into the store at once. The body is read in order; while the
// store still answers for one file, the next is being read. Each costs about half a megabyte of buffers.
const putsAtOnce = 4

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
// are in the order of the parcels, and given when everything they speak of is kept. Any other error of next ends the batch,
// too; what had come whole before is kept all the same.
func (s *Service) ReceiveBatch(ctx context.Context, user caseload.User, c caseload.CaseID, next func() (Parcel, error)) ([]Received, error) {
	if err := mayWrite(user); err != nil {
		return nil, err
	}
	in := intake{service: s, ctx: ctx, user: user, places: make(chan struct{}, putsAtOnce)}
	var ids []caseload.FileID
	var all []*arrival
	p, err := next()
	for ; err == nil; p, err = next() {
		a := s.unpack(ctx, user, c, p)
		ids, all = append(ids, p.File), append(all, a)
		if a.open() {
			in.take(a)
		}
	}
	in.puts.Wait()
	s.settle(ctx, user, all)
	answers := make([]Received, len(all))
	for i, a := range all {
		answers[i] = Received{ID: ids[i], File: a.file, Err: a.err}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return answers, err
}

func (s *Service) unpack(ctx context.Context, user caseload.User, c caseload.CaseID, p Parcel) *arrival {
	if p.Err != nil {
		return &arrival{err: p.Err}
	}
	f, err := s.Records.FileIn(ctx, user, c, p.File)
	if err != nil {
		return &arrival{err: err}
	}
	return newArrival(f, p.Body, p.Length, p.CRC64NVME)
}

// intake is a batch at work: one transaction after the other begins whatever has come since the last, beside the puts.
type intake struct {
	service *Service
	ctx     context.Context
	user    caseload.User
	places  chan struct{}
	puts    sync.WaitGroup

	mu       sync.Mutex
	waiting  []*arrival // for their begin
	starting bool
}

// take returns when the arrival's body will be read no more.
func (in *intake) take(a *arrival) {
	in.places <- struct{}{}
	in.mu.Lock()
	in.waiting = append(in.waiting, a)
	if !in.starting {
		in.starting = true
		in.puts.Go(in.begin)
	}
	in.mu.Unlock()
	in.puts.Go(func() {
		defer func() { <-in.places }()
		in.service.put(in.ctx, in.user, a)
	})
	<-a.stream.done
}

// begin begins groups of those who wait, until nobody does. What has come whole is begun even if the client has left.
func (in *intake) begin() {
	ctx, cancel := outliving(in.ctx)
	defer cancel()
	for {
		in.mu.Lock()
		group := in.waiting
		in.waiting, in.starting = nil, len(group) > 0
		in.mu.Unlock()
		if len(group) == 0 {
			return
		}
		in.service.begin(ctx, in.user, group)
	}
}
