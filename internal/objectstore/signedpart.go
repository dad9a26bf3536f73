package objectstore

import (
	"context"
	"crypto/subtle"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/versity/versitygw/s3err"

	"dcdentals.com/caseload/internal/caseload"
)

// signedParts takes the parts that browsers send with URLs of ours, without the way through the gateway's socket: an
// eighth of the server's time for a large upload (decision 106). It takes a request only when signing it anew gives the very URL that
// was asked for. Whatever is otherwise in the least, what is refused included, is the gateway's.
type signedParts struct {
	inside      *inside
	credentials aws.Credentials
	signer      *v4.Signer
	stall       time.Duration
}

func newSignedParts(inside *inside, credentials aws.Credentials, stall time.Duration) *signedParts {
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }) // as S3 wants it
	return &signedParts{inside: inside, credentials: credentials, signer: signer, stall: stall}
}

// signedPart is what a verified request sends.
type signedPart struct {
	key      caseload.ObjectKey
	uploadID string
	part     caseload.Part
}

const (
	signedDate    = "20060102T150405Z" // of X-Amz-Date
	largestPart   = 5 << 30            // bytes: S3's own limit
	checksumField = "X-Amz-Checksum-Crc64nvme"
	partNumber    = "partNumber"
	uploadID      = "uploadId"
)

// accepts returns the part that the request sends when its signature is ours and good at that moment.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
func (s *signedParts) accepts(r *http.Request, now time.Time) (signedPart, bool) {
	key, found := strings.CutPrefix(r.URL.Path, "/"+embeddedBucket+"/")
	query := r.URL.Query()
	if r.Method != http.MethodPut || !found || r.URL.RawPath != "" || !query.Has(uploadID) || r.ContentLength <= 0 || r.ContentLength > largestPart ||
		r.Header.Get("Content-Md5") != "" || !ownOrigin(r) {
		return signedPart{}, false
	}
	date, err := time.Parse(signedDate, query.Get("X-Amz-Date"))
	seconds, errSeconds := strconv.Atoi(query.Get("X-Amz-Expires"))
	if err != nil || errSeconds != nil || now.Before(date) || !now.Before(date.Add(time.Duration(seconds)*time.Second)) {
		return signedPart{}, false
	}
	number, err := strconv.Atoi(query.Get(partNumber))
	if err != nil || number < 1 || number > gatewayParts {
		return signedPart{}, false
	}
	header, length := http.Header{}, int64(0)
	for _, name := range strings.Split(query.Get("X-Amz-SignedHeaders"), ";") {
		switch name {
		case "host":
		case "content-length":
			length = r.ContentLength
		default:
			header[http.CanonicalHeaderKey(name)] = r.Header.Values(name)
		}
	}
	for name := range r.Header {
		if strings.HasPrefix(name, "X-Amz-") && (name != checksumField || header[name] == nil) {
			return signedPart{}, false
		}
	}
	sum := header.Get(checksumField)
	if _, err := caseload.ParseCRC64NVME(sum); err != nil && len(header) > 0 {
		return signedPart{}, false
	}
	if !s.signs(r, query, header, length, date) {
		return signedPart{}, false
	}
	return signedPart{
		key: caseload.ObjectKey(key), uploadID: query.Get(uploadID),
		part: caseload.Part{Number: number, Size: r.ContentLength, CRC64NVME: sum},
	}, true
}

// signs tells whether we would sign such a request with exactly that query.
func (s *signedParts) signs(r *http.Request, query url.Values, header http.Header, length int64, date time.Time) bool {
	asked := maps.Clone(query)
	for _, name := range []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Signature"} {
		asked.Del(name)
	}
	request := &http.Request{
		Method: r.Method, Host: r.Host, Header: header, ContentLength: length,
		URL: &url.URL{Scheme: "http", Host: r.Host, Path: r.URL.Path, RawQuery: asked.Encode()},
	}
	address, _, err := s.signer.PresignHTTP(r.Context(), s.credentials, request, "UNSIGNED-PAYLOAD", "s3", embeddedRegion, date)
	if err != nil {
		return false
	}
	signed, err := url.Parse(address)
	if err != nil {
		return false
	}
	want := signed.Query()
	const signature = "X-Amz-Signature"
	same := len(query[signature]) == 1 && subtle.ConstantTimeCompare([]byte(query.Get(signature)), []byte(want.Get(signature))) == 1
	query.Del(signature)
	want.Del(signature)
	return same && maps.EqualFunc(query, want, slices.Equal[[]string])
}

// ownOrigin tells whether the page that sends is of the same host; answers to others need the gateway's CORS headers.
func ownOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	_, host, _ := strings.Cut(origin, "://")
	return origin == "" || host == r.Host
}

// take stores the part and answers as the gateway does. Of a client that leaves in mid-body reading fails; what has come whole is
// kept even if nobody hears the answer: whoever goes on need not send it again.
func (s *signedParts) take(w http.ResponseWriter, r *http.Request, p signedPart) {
	ctx, body := guardSource(context.WithoutCancel(r.Context()), r.Body, p.part.Size, s.stall)
	defer body.stop()
	held, err := s.inside.putPart(ctx, embeddedBucket, p.key, p.uploadID, p.part, body)
	var refused s3err.S3Error
	switch {
	case err == nil:
		w.Header().Set("ETag", held.ETag)
		w.Header().Set(checksumField, held.CRC64NVME)
		w.WriteHeader(http.StatusOK)
	case body.fault != nil || r.Context().Err() != nil: // it broke off or the client left
		panic(http.ErrAbortHandler)
	case errors.As(err, &refused):
		// Unread bytes would have the connection cut, and the client would see that instead of the answer.
		if _, err := io.CopyN(io.Discard, r.Body, mostDiscards); err != nil && !errors.Is(err, io.EOF) {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(refused.StatusCode())
		_, _ = w.Write(refused.XMLBody("", ""))
	default:
		unavailable(w)
	}
}
