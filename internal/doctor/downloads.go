package doctor

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// Downloads are those through a distribution before the bucket.
type Downloads struct {
	Sign   func(ctx context.Context, key caseload.ObjectKey, version string) (string, error) // the address of a download
	Client *http.Client                                                                      // nil: one of its own
}

// downloads fetches what was put through the distribution: signed, which must give it, and unsigned, which must not.
// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-signed-urls.html
func (t *trials) downloads(ctx context.Context) []Finding {
	f := Finding{Check: "store.download", Tried: "An object was fetched through AWS_S3_CUSTOM_DOMAIN, signed with the key pair.", Got: "It came as it was put."}
	if t.kept == "" {
		return nil
	}
	address, err := t.o.Downloads.Sign(ctx, t.kept, t.version)
	if err != nil {
		return []Finding{failed(f, err)}
	}
	bare, err := url.Parse(address)
	if err != nil {
		return []Finding{failed(f, errors.New("the signed address cannot be read"))} // its own words would hold the signature
	}
	bare.RawQuery = ""
	found := []Finding{judgeDownload(f, t.fetch(ctx, address))}
	open := Finding{Check: "exposure.download", Tried: "The same object was asked for through AWS_S3_CUSTOM_DOMAIN without a signature."}
	got := t.fetch(ctx, bare.String())
	switch {
	case got.status == http.StatusOK && bytes.Equal(got.body, trialBody):
		open.Level, open.Got, open.Means = Failure, "It was given away.", "The distribution is public: anybody who knows or guesses a key can read patients' files."
		open.Fix = &Fix{Say: "Whoever runs the distribution restricts viewer access in every cache behavior: Trusted key groups, with the key group of AWS_CLOUDFRONT_KEY_ID."}
	case got.status == http.StatusForbidden:
		open.Got = got.turned()
	default:
		open.Level, open.Got, open.Means = Note, got.said(), "The distribution gave no clear answer to a stranger."
	}
	return append(found, open)
}

// fetch asks the distribution.
func (t *trials) fetch(ctx context.Context, address string) answer {
	client := t.o.Downloads.Client
	if client == nil {
		client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	}
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return answer{err: err}
	}
	once := *client
	once.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	got, err := once.Do(r)
	if err != nil {
		return answer{err: bare(err)}
	}
	defer func() { _ = got.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(got.Body, mostAnswer))
	if err != nil {
		return answer{err: err}
	}
	return read(got, body)
}

// judgeDownload tells what is wrong with a signed download.
func judgeDownload(f Finding, got answer) Finding {
	if got.ok() && bytes.Equal(got.body, trialBody) {
		return f
	}
	f.Level, f.Got, f.Means = Failure, got.saidWhole(), "Downloads through the domain fail."
	f.Fix = &Fix{Say: "Whoever runs the distribution looks at its origin and behaviors; or AWS_S3_CUSTOM_DOMAIN is left empty, and downloads come from the bucket itself."}
	late := false
	if date, err := http.ParseTime(got.header.Get("Date")); err == nil {
		late = time.Since(date).Abs() > refusedSkew
	}
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(got.err, &certificate):
		f.Check += ".certificate"
		f.Means = "The domain's certificate is not valid for it."
		f.Fix.Say = "Whoever runs the distribution adds the domain as an alternate name, with a certificate that has it."
	case got.err != nil:
		f.Means = "Nothing answers at the domain."
		f.Fix.Say = "Look at AWS_S3_CUSTOM_DOMAIN, at its entry with the name service and whether the distribution is enabled."
	case got.code == "InvalidKey":
		f.Check += ".key"
		f.Means = "The distribution does not know the key, or the behavior does not trust its key group."
		f.Fix.Say = "Put the public key of AWS_CLOUDFRONT_KEY_ID into the key group that the behavior trusts, or mend AWS_CLOUDFRONT_KEY_ID."
	case got.isDenied() && late:
		f.Check += ".clock"
		f.Means = "This server's clock is off, so links have ended before they are used."
		f.Fix = &Fix{Say: "Set this machine's clock by time synchronization.", Command: syncClock}
	case got.isDenied() && got.header.Get("X-Amz-Request-Id") != "":
		f.Check += ".origin"
		f.Means = "The distribution took the signature, and the bucket refuses the distribution."
		f.Fix.Say = "Whoever manages the bucket lets the distribution read it: origin access control, and the statement for cloudfront.amazonaws.com in the bucket's policy."
	case got.isDenied():
		f.Check += ".signature"
		f.Means = "The distribution refuses the signature: the private key is not that of the key id."
		f.Fix.Say = "Set AWS_CLOUDFRONT_KEY_FILE to the private key whose public key AWS_CLOUDFRONT_KEY_ID names."
	case got.status == http.StatusNotFound:
		f.Check += ".origin"
		f.Means = "The distribution has another origin than this bucket, or an origin path."
		f.Fix.Say = "Whoever runs the distribution sets this bucket as its origin, without an origin path."
	case got.strange || got.status/100 == 3:
		f.Check += ".intercepted"
		f.Means = "Something that is not a store answers at the domain."
		f.Fix.Say = "Set AWS_S3_CUSTOM_DOMAIN to the distribution's own domain."
	case got.status == http.StatusOK:
		f.Check += ".origin"
		f.Got = fmt.Sprintf("%d other bytes came.", len(got.body))
		f.Means = "The distribution has another origin than this bucket, or an origin path."
		f.Fix.Say = "Whoever runs the distribution sets this bucket as its origin, without an origin path."
	}
	return f
}
