package objectstore

import (
	"bytes"
	"context"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"dcdentals.com/caseload/internal/caseload"
)

// SignForm signs the posting of one object as an HTML form: under exactly that key, of between least and most bytes, for
// as long as expiry. A POST policy cannot ask for write-once: the form may be posted again while it lives. From a store
// that takes no forms (see takesForms) it is a PUT without fields, bound to the length if least is most.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
func (s *Store) SignForm(ctx context.Context, origin string, key caseload.ObjectKey, least, most int64, expiry time.Duration) (caseload.SignedForm, error) {
	address, err := s.signedAddress(origin)
	if err != nil {
		return caseload.SignedForm{}, err
	}
	expiry, expires := s.lifetime(ctx, expiry)
	in := &s3.PutObjectInput{Bucket: &s.bucket, Key: aws.String(string(key))}
	if !s.takesForms(ctx) {
		if least == most {
			in.ContentLength = &most
		}
		request, err := s.presigner.PresignPutObject(ctx, in, s3.WithPresignExpires(expiry), s3.WithPresignClientFromClientOptions(address))
		if err != nil {
			return caseload.SignedForm{}, s.sorted("sign PutObject", err)
		}
		signed := signedRequest(request, expires)
		return caseload.SignedForm{Method: signed.Method, URL: signed.URL, Fields: map[string]string{}, Headers: signed.Headers, ExpiresAt: expires}, nil
	}
	fixed := map[string]string{"success_action_status": strconv.Itoa(http.StatusCreated), "Content-Type": opaqueType}
	request, err := s.forms.presigner.PresignPostObject(ctx, in, func(o *s3.PresignPostOptions) {
		o.Expires = expiry
		o.Conditions = []any{[]any{"content-length-range", least, most}}
		for name, value := range fixed {
			o.Conditions = append(o.Conditions, map[string]string{name: value})
		}
	})
	if err != nil {
		return caseload.SignedForm{}, s.sorted("sign PostObject", err)
	}
	for name, value := range fixed {
		request.Values[name] = value
	}
	posted := request.URL
	if s.embedded != nil { // the SDK takes no options for one form's address
		posted = origin + strings.TrimPrefix(posted, originOf(posted))
	}
	return caseload.SignedForm{
		Method: http.MethodPost, URL: posted, Fields: request.Values, Headers: map[string]string{}, ExpiresAt: expires,
	}, nil
}

// formProbe is what forms are signed with and what is known of the store's way with them.
type formProbe struct {
	presigner *s3.PresignClient // for the address that browsers post to
	mu        sync.Mutex
	answered  bool
	refused   bool
}

// takesForms tells whether the store takes objects as HTML forms; R2 and B2 do not. It is asked once, by a form that any
// store that knows forms refuses for its signature: nothing is left behind. While it cannot be asked, it is believed to.
func (s *Store) takesForms(ctx context.Context) bool {
	if s.embedded != nil {
		return true
	}
	s.forms.mu.Lock()
	defer s.forms.mu.Unlock()
	if !s.forms.answered {
		status, err := s.probeForm(ctx)
		s.forms.answered = err == nil && status < http.StatusInternalServerError || status == http.StatusNotImplemented
		s.forms.refused = status == http.StatusNotImplemented || status == http.StatusMethodNotAllowed
		if s.forms.refused {
			s.log.WarnContext(ctx, "objectstore: the store takes no forms; single files are sent to it by PUT", "status", status)
		}
	}
	return !s.forms.refused
}

// probeForm posts a form without a signature and returns the answer's status.
func (s *Store) probeForm(ctx context.Context) (status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	request, err := s.presigner.PresignPostObject(ctx, &s3.PutObjectInput{Bucket: &s.bucket, Key: aws.String("probe")})
	if err != nil {
		return 0, s.sorted("sign PostObject", err)
	}
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for _, field := range [][2]string{{"key", "probe"}, {"policy", request.Values["policy"]}, {"file", ""}} {
		if err := form.WriteField(field[0], field[1]); err != nil {
			return 0, err
		}
	}
	if err := form.Close(); err != nil {
		return 0, err
	}
	post, err := http.NewRequestWithContext(ctx, http.MethodPost, request.URL, &body)
	if err != nil {
		return 0, err
	}
	post.Header.Set("Content-Type", form.FormDataContentType())
	answer, err := s.bulk.Do(post)
	if err != nil {
		return 0, unreachable("PostObject", err)
	}
	defer answer.Body.Close()
	return answer.StatusCode, nil
}
