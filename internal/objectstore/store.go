package objectstore

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"dcdentals.com/caseload/internal/caseload"
)

const (
	dialTimeout     = 5 * time.Second
	answerTimeout   = 30 * time.Second // from the request's last byte to the answer's first
	completeTimeout = 10 * time.Minute // a store may assemble the parts before it answers
	checkTimeout    = 5 * time.Second
	attempts        = 3 // of a request that may be repeated

	briefConns = 48 // to the store at once for requests without bulk: a thousand clients signing need no thousand
)

// What a connection keeps for reading and for writing, each, in bytes.
const (
	briefBuffer = 4 << 10
	bulkBuffer  = 64 << 10
)

// Config says which store to use. Bucket and Region are required.
type Config struct {
	Endpoint       string // URL of the store as this server reaches it; "": AWS
	PublicEndpoint string // URL of the store as browsers reach it; "": Endpoint
	Region         string
	Bucket         string
	PathStyle      bool // https://host/bucket/key instead of https://bucket.host/key

	AccessKey    string // "": the AWS SDK's own chain (environment, profile, web identity, instance role)
	SecretKey    string
	SessionToken string

	CustomDomain      string // host of a CloudFront distribution over the bucket, for downloads; "": none
	CloudFrontKeyID   string // id of the public key in the distribution's trusted key group
	CloudFrontKeyFile string // PEM file of the RSA private key that belongs to it

	Log *slog.Logger // nil: slog.Default
}

// Store is one bucket. It is safe for use by many goroutines at once.
type Store struct {
	bucket string
	sdk    aws.Config // what every client of AWS is made of
	client *s3.Client // through few connections with small buffers; bulk and slow are for the calls that need more
	// Clients that sign are made once: making one writes into what every call of the SDK reads.
	presigner *s3.PresignClient
	bulk      *http.Client // for objects and parts on their way
	public    string       // endpoint that signed URLs name; "" with perOrigin, and for AWS
	slow      *http.Client // for Complete, which may take minutes to answer
	cdn       *cloudFront  // nil: downloads come from the store itself
	embedded  *Embedded    // nil: an external store
	inside    *inside      // the way to the embedded store's files; nil: an external store
	forms     formProbe
	pace      pace
	log       *slog.Logger
}

// New returns the store that the configuration describes. It does not talk to it yet; Check does. It answers Invalid
// with a hint when the configuration cannot work.
func New(ctx context.Context, c Config) (*Store, error) {
	if c.Bucket == "" || c.Region == "" {
		return nil, caseload.Errorf(caseload.Invalid, "The object store needs a bucket and a region.").
			WithHint("Set AWS_STORAGE_BUCKET_NAME and AWS_S3_REGION_NAME.")
	}
	for _, endpoint := range []string{c.Endpoint, c.PublicEndpoint} {
		if u, err := url.Parse(endpoint); endpoint != "" && (err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https")) {
			return nil, caseload.Errorf(caseload.Invalid, "The object store's endpoint is not an http or https URL.").
				WithHint("It looks like https://s3.example.com.")
		}
	}
	cdn, err := newCloudFront(c)
	if err != nil {
		return nil, err
	}
	load := []func(*config.LoadOptions) error{config.WithRegion(c.Region)}
	if c.AccessKey != "" {
		load = append(load, config.WithCredentialsProvider(
			credentials.NewStaticCredentialsProvider(c.AccessKey, c.SecretKey, c.SessionToken)))
	}
	awsConfig, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return nil, caseload.Errorf(caseload.Invalid, "The credentials of the object store cannot be loaded.").
			WithHint("Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role.").WithCause(err)
	}
	dial := (&net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second}).DialContext
	public := c.PublicEndpoint
	if public == "" {
		public = c.Endpoint
	}
	s := newStore(c.Bucket, c.Log, awsConfig, dial, func(o *s3.Options) {
		o.UsePathStyle = c.PathStyle
		if c.Endpoint != "" {
			o.BaseEndpoint = aws.String(c.Endpoint)
		}
	})
	s.public, s.cdn = public, cdn
	if public != "" {
		s.forms.presigner = s3.NewPresignClient(s.client, s3.WithPresignClientFromClientOptions(func(o *s3.Options) { o.BaseEndpoint = &public }))
	}
	return s, nil
}

func newStore(bucket string, log *slog.Logger, c aws.Config,
	dial dialFunc, set func(*s3.Options),
) *Store {
	if log == nil {
		log = slog.Default()
	}
	s := &Store{bucket: bucket, sdk: c, pace: defaultPace, log: log}
	s.slow = &http.Client{Transport: newTransport(dial, completeTimeout, briefBuffer)}
	s.bulk = &http.Client{Transport: newTransport(dial, answerTimeout, bulkBuffer)}
	brief := newTransport(dial, answerTimeout, briefBuffer)
	brief.MaxConnsPerHost = briefConns
	s.client = s3.NewFromConfig(c, func(o *s3.Options) {
		o.HTTPClient = &http.Client{Transport: brief}
		// Compatible stores refuse the checksums newer SDKs add on their own; ours are set by hand.
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		o.DisableLogOutputChecksumValidationSkipped = true
		o.Retryer = retry.NewStandard(func(r *retry.StandardOptions) { r.MaxAttempts, r.MaxBackoff = attempts, 2*time.Second })
	}, set)
	s.presigner = s3.NewPresignClient(s.client)
	s.forms.presigner = s.presigner
	return s
}

func newTransport(dial dialFunc, answer time.Duration, buffer int) *http.Transport {
	return &http.Transport{
		DialContext:           patient(dial),
		Proxy:                 http.ProxyFromEnvironment,
		ForceAttemptHTTP2:     false,
		MaxIdleConns:          64,
		MaxIdleConnsPerHost:   64,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   dialTimeout,
		ResponseHeaderTimeout: answer,
		ExpectContinueTimeout: time.Second,
		WriteBufferSize:       buffer,
		ReadBufferSize:        buffer,
		DisableCompression:    true,
	}
}

// inBulk sends a call's bytes through the connections meant for them.
func (s *Store) inBulk(o *s3.Options) { o.HTTPClient = s.bulk }

// Bucket returns the bucket's name.
func (s *Store) Bucket() string { return s.bucket }

// Origins returns the origins (scheme and host) that browsers talk to besides our own, for the pages'
// Content-Security-Policy. The embedded store has none.
func (s *Store) Origins() []string {
	if s.embedded != nil {
		return nil
	}
	request, err := s.SignGet(context.Background(), "", "x", "", "x", "", time.Minute)
	origins := []string{}
	if err == nil {
		origins = append(origins, originOf(request.URL))
	}
	if s.cdn != nil {
		if part, err := s.SignPart(context.Background(), "", "x", "x", caseload.Part{Number: 1}, time.Minute); err == nil {
			origins = append(origins, originOf(part.URL))
		}
	}
	return origins
}

func originOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// Check tells whether the bucket can be reached with our credentials: nil, or an Unavailable error with a hint.
func (s *Store) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	_, err := s.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &s.bucket}, once)
	if caseload.KindOf(s.sorted("HeadBucket", err)) == caseload.NotFound {
		return noSuchBucket(fmt.Errorf("HeadBucket: HTTP 404"))
	}
	return s.sorted("HeadBucket", err)
}

// once sends a request a single time: its body cannot be read twice, or nobody waits for a second try.
func once(o *s3.Options) { o.Retryer = aws.NopRetryer{} }

// unsigned leaves the body out of the signature, so that it can be streamed from a reader that cannot seek. The
// checksum header is signed and the store verifies the bytes against it.
func unsigned(o *s3.Options) {
	o.APIOptions = append(o.APIOptions, v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware)
}
