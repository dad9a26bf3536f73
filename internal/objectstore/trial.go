package objectstore

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"dcdentals.com/caseload/internal/caseload"
)

// Trial is the bare way to the bucket for whoever tries what the store allows and refuses: addresses, signatures and
// connections are those of every other call, but nothing is retried, followed or sorted on the way, so that an answer is
// seen as the store gave it. It is safe for use by many goroutines at once.
type Trial struct {
	store  *Store
	signer *v4.Signer
	client *http.Client
}

// Trial returns the bare way to this bucket.
func (s *Store) Trial() *Trial {
	return &Trial{
		store:  s,
		signer: v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping, o.DisableHeaderHoisting = true, true }),
		client: &http.Client{Transport: s.bulk.Transport, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // a redirect is an answer: it names the bucket's region
		}},
	}
}

// Bucket returns the bucket's name.
func (t *Trial) Bucket() string { return t.store.bucket }

// Region returns the region that is signed for.
func (t *Trial) Region() string { return t.store.client.Options().Region }

// Address returns the address of an object in the bucket, or of the bucket itself with the key "": as this server reaches
// it or, when public, as browsers do.
func (t *Trial) Address(ctx context.Context, public bool, key caseload.ObjectKey) (*url.URL, error) {
	const some = "k"
	nobody := credentials.NewStaticCredentialsProvider("nobody", "nothing", "")
	r, err := t.store.presigner.PresignGetObject(ctx, &s3.GetObjectInput{Bucket: &t.store.bucket, Key: aws.String(some)},
		s3.WithPresignClientFromClientOptions(func(o *s3.Options) {
			o.Credentials = nobody
			if public && t.store.public != "" {
				o.BaseEndpoint = &t.store.public
			}
		}))
	if err != nil {
		return nil, t.store.sorted("make the store's address", err)
	}
	u, err := url.Parse(r.URL)
	if err != nil {
		return nil, fmt.Errorf("the store's address: %w", err)
	}
	u.RawQuery = ""
	u.Path = strings.TrimSuffix(u.Path, some) + string(key)
	if key == "" && u.Path != "/" {
		u.Path = strings.TrimSuffix(u.Path, "/")
	}
	return u, nil
}

// Service returns the address of the store itself, above the bucket, as this server reaches it.
func (t *Trial) Service(ctx context.Context) (*url.URL, error) {
	u, err := t.Address(ctx, false, "")
	if err != nil {
		return nil, err
	}
	if host, virtual := strings.CutPrefix(u.Host, t.store.bucket+"."); virtual {
		u.Host = host
	} else {
		u.Path = strings.TrimSuffix(u.Path, "/"+t.store.bucket)
	}
	u.Path = strings.TrimSuffix(u.Path, "/") + "/"
	return u, nil
}

// unsignedPayload is said instead of the body's SHA-256 where the body is not part of the signature
// (https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html).
const unsignedPayload = "UNSIGNED-PAYLOAD"

// Sign puts our credentials' signature of this moment into the request's header.
func (t *Trial) Sign(ctx context.Context, r *http.Request) error {
	keys, err := t.store.client.Options().Credentials.Retrieve(ctx)
	if err != nil {
		return t.store.sorted("find credentials", err)
	}
	r.Header.Set("X-Amz-Content-Sha256", unsignedPayload)
	return t.signer.SignHTTP(ctx, keys, r, unsignedPayload, "s3", t.Region(), time.Now())
}

// Presign puts the signature into the request's address, as it is given to browsers: made at the moment at and good for
// lifetime. The header and the length of the request as it is now are part of it.
func (t *Trial) Presign(ctx context.Context, r *http.Request, at time.Time, lifetime time.Duration) error {
	keys, err := t.store.client.Options().Credentials.Retrieve(ctx)
	if err != nil {
		return t.store.sorted("find credentials", err)
	}
	query := r.URL.Query()
	query.Set("X-Amz-Expires", strconv.Itoa(int(lifetime/time.Second)))
	r.URL.RawQuery = query.Encode()
	address, _, err := t.signer.PresignHTTP(ctx, keys, r, unsignedPayload, "s3", t.Region(), at)
	if err != nil {
		return fmt.Errorf("sign an address: %w", err)
	}
	r.URL, err = url.Parse(address)
	return err
}

// Form signs a form for the posting of one object of exactly size bytes, as it is given to browsers. A store that takes no
// forms gives a PUT.
func (t *Trial) Form(ctx context.Context, key caseload.ObjectKey, size int64) (caseload.SignedForm, error) {
	origin := ""
	if t.store.embedded != nil {
		u, err := t.Service(ctx)
		if err != nil {
			return caseload.SignedForm{}, err
		}
		origin = originOf(u.String())
	}
	return t.store.SignForm(ctx, origin, key, size, size, time.Minute)
}

// Do sends the request as it is, once. The answer's body is to be closed. An error holds no part of the address.
func (t *Trial) Do(r *http.Request) (*http.Response, error) {
	answer, err := t.client.Do(r)
	if err != nil {
		return nil, unreachable(r.Method, err)
	}
	return answer, nil
}
