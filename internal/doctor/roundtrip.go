package doctor

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// Files is what a round trip asks of the store: the calls by which files come and go.
type Files interface {
	Put(ctx context.Context, key caseload.ObjectKey, body io.Reader, size int64, crc64nvme string) error
	Head(ctx context.Context, key caseload.ObjectKey, versionID string) (caseload.Object, error)
	Stream(ctx context.Context, o caseload.Object) (io.ReadCloser, error)
	Delete(ctx context.Context, key caseload.ObjectKey, versionID string) error
	CreateMultipart(ctx context.Context, key caseload.ObjectKey) (string, error)
	SignPart(ctx context.Context, origin string, key caseload.ObjectKey, uploadID string, p caseload.Part, expiry time.Duration) (caseload.SignedRequest, error)
	ListParts(ctx context.Context, key caseload.ObjectKey, uploadID string) ([]caseload.Part, error)
	CompleteMultipart(ctx context.Context, key caseload.ObjectKey, uploadID string, parts []caseload.Part, size int64, crc64nvme string) error
	AbortMultipart(ctx context.Context, key caseload.ObjectKey, uploadID string) error
}

// Step is one step of a round trip and how it went.
type Step struct {
	Name string // "put", "get", "delete", "multipart"
	Did  string // what was done, one line
	Took time.Duration
	Err  error // nil: it went well
}

const (
	tripSize  = 64 << 10 // bytes of the object that is put
	firstPart = 5 << 20  // bytes; S3 takes no smaller part but the last
	lastPart  = 1 << 10
	tripTime  = 5 * time.Minute // life of a signed part
)

// RoundTrip puts an object, gets it back, deletes it, and sends another in parts as a browser does, by signed requests; it
// says each step when it is done and removes what it made, whatever happens. It returns whether all went well. origin is
// where browsers reach the embedded store; "" for others. send carries out the signed requests.
func RoundTrip(ctx context.Context, files Files, origin string, send *http.Client, said func(Step)) bool {
	trip := &roundTrip{files: files, origin: origin, send: send, key: caseload.NewObjectKey(), parted: caseload.NewObjectKey(), body: make([]byte, firstPart+lastPart)}
	_, _ = rand.Read(trip.body) // never fails
	well := true
	defer func() {
		began := time.Now()
		if err := trip.cleanUp(context.WithoutCancel(ctx)); err != nil {
			said(Step{Name: "clean-up", Did: "remove what was made", Took: time.Since(began), Err: err})
		}
	}()
	for _, step := range []struct {
		name string
		do   func(ctx context.Context) (string, error)
	}{{"put", trip.put}, {"get", trip.get}, {"delete", trip.delete}, {"multipart", trip.multipart}} {
		began := time.Now()
		did, err := step.do(ctx)
		said(Step{Name: step.name, Did: did, Took: time.Since(began), Err: err})
		well = well && err == nil
		if ctx.Err() != nil {
			return false
		}
	}
	return well
}

type roundTrip struct {
	files       Files
	origin      string
	send        *http.Client
	key, parted caseload.ObjectKey
	body        []byte
	object      caseload.Object // of key
	uploadID    string          // of parted, while it is under way
	begun       bool            // the store took something
}

func (r *roundTrip) put(ctx context.Context) (string, error) {
	did := fmt.Sprintf("put an object of %d bytes with its checksum", tripSize)
	body := r.body[:tripSize]
	if err := r.files.Put(ctx, r.key, bytes.NewReader(body), tripSize, checksum(body)); err != nil {
		return did, err
	}
	r.begun = true
	var err error
	r.object, err = r.files.Head(ctx, r.key, "")
	if err == nil && (r.object.Size != tripSize || r.object.CRC64NVME != checksum(body)) {
		err = fmt.Errorf("the store holds %d bytes with the checksum %q", r.object.Size, r.object.CRC64NVME)
	}
	return did, err
}

func (r *roundTrip) get(ctx context.Context) (string, error) {
	const did = "got it back and compared it"
	if r.object.Key == "" {
		return did, errors.New("nothing was put")
	}
	stream, err := r.files.Stream(ctx, r.object)
	if err != nil {
		return did, err
	}
	defer stream.Close()
	got, err := io.ReadAll(io.LimitReader(stream, tripSize+1))
	if err == nil && !bytes.Equal(got, r.body[:tripSize]) {
		err = fmt.Errorf("%d other bytes came back", len(got))
	}
	return did, err
}

func (r *roundTrip) delete(ctx context.Context) (string, error) {
	const did = "deleted it, and it is gone"
	if r.object.Key == "" {
		return did, errors.New("nothing was put")
	}
	if err := r.files.Delete(ctx, r.key, r.object.VersionID); err != nil {
		return did, err
	}
	r.object = caseload.Object{}
	switch _, err := r.files.Head(ctx, r.key, ""); {
	case err == nil:
		return did, errors.New("it is still there")
	case caseload.KindOf(err) != caseload.NotFound:
		return did, err
	}
	return did, nil
}

func (r *roundTrip) multipart(ctx context.Context) (string, error) {
	did := fmt.Sprintf("sent %d bytes in 2 parts by signed requests, as a browser does, put them together and deleted the object", firstPart+lastPart)
	var err error
	if r.uploadID, err = r.files.CreateMultipart(ctx, r.parted); err != nil {
		return did, fmt.Errorf("begin: %w", err)
	}
	r.begun = true
	for i, bytes := range [][]byte{r.body[:firstPart], r.body[firstPart:]} {
		part := caseload.Part{Number: i + 1, Size: int64(len(bytes)), CRC64NVME: checksum(bytes)}
		if err := r.sendPart(ctx, part, bytes); err != nil {
			return did, fmt.Errorf("part %d: %w", part.Number, err)
		}
	}
	parts, err := r.files.ListParts(ctx, r.parted, r.uploadID)
	if err != nil {
		return did, fmt.Errorf("list the parts: %w", err)
	}
	if err := r.files.CompleteMultipart(ctx, r.parted, r.uploadID, parts, int64(len(r.body)), checksum(r.body)); err != nil {
		return did, fmt.Errorf("put the parts together: %w", err)
	}
	r.uploadID = ""
	object, err := r.files.Head(ctx, r.parted, "")
	if err != nil {
		return did, fmt.Errorf("look at the object: %w", err)
	}
	if object.Size != int64(len(r.body)) || object.CRC64NVME != checksum(r.body) {
		return did, fmt.Errorf("the store holds %d bytes with the checksum %q", object.Size, object.CRC64NVME)
	}
	if err := r.files.Delete(ctx, r.parted, object.VersionID); err != nil {
		return did, fmt.Errorf("delete: %w", err)
	}
	return did, nil
}

// sendPart sends one part as a browser does. The answer's code is said, never the address, which is signed.
func (r *roundTrip) sendPart(ctx context.Context, part caseload.Part, body []byte) error {
	signed, err := r.files.SignPart(ctx, r.origin, r.parted, r.uploadID, part, tripTime)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, signed.Method, signed.URL, bytes.NewReader(body))
	if err != nil {
		return errors.New("the signed address cannot be used")
	}
	for name, value := range signed.Headers {
		request.Header.Set(name, value)
	}
	answer, err := r.send.Do(request)
	if err != nil {
		return caseload.Errorf(caseload.Unavailable, "The store does not answer at the address that browsers use (%s).", request.URL.Host)
	}
	defer answer.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(answer.Body, 4096))
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the store answered HTTP %d %s", answer.StatusCode, errorCode(said))
	}
	return nil
}

// errorCode takes the code out of S3's error document; "" when it is none.
func errorCode(document []byte) string {
	_, after, _ := bytes.Cut(document, []byte("<Code>"))
	code, _, found := bytes.Cut(after, []byte("</Code>"))
	if !found || len(code) > 64 {
		return ""
	}
	return string(code)
}

// cleanUp removes what a broken trip left. Its error names the keys that stay.
func (r *roundTrip) cleanUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var left []error
	if r.uploadID != "" {
		if err := r.files.AbortMultipart(ctx, r.parted, r.uploadID); err != nil {
			left = append(left, fmt.Errorf("an upload stays under the key %s: %w", r.parted, err))
		}
	}
	for _, key := range []caseload.ObjectKey{r.key, r.parted} {
		object, err := r.files.Head(ctx, key, "")
		if err == nil {
			err = r.files.Delete(ctx, key, object.VersionID)
		}
		if err != nil && caseload.KindOf(err) != caseload.NotFound && r.begun {
			left = append(left, fmt.Errorf("an object may stay under the key %s: %w", key, err))
		}
	}
	return errors.Join(left...)
}

func checksum(b []byte) string { return caseload.FormatCRC64NVME(caseload.UpdateCRC64NVME(0, b)) }
