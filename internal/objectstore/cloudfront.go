package objectstore

import (
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/cloudfront/sign"

	"dcdentals.com/caseload/internal/caseload"
)

// cloudFront signs downloads for a distribution over the bucket, with a canned policy: exactly this URL, until then.
// The distribution must forward response-content-disposition, response-content-type and versionId to the bucket (origin
// request policy), and trust the key group of the key id.
// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-creating-signed-url-canned-policy.html
type cloudFront struct {
	domain string
	signer *sign.URLSigner
}

// newCloudFront returns nil when no custom domain is set.
func newCloudFront(c Config) (*cloudFront, error) {
	if c.CustomDomain == "" {
		return nil, nil
	}
	refuse := func(why string) *caseload.Error {
		return caseload.Errorf(caseload.Invalid, "Downloads through CloudFront (AWS_S3_CUSTOM_DOMAIN) cannot be signed: %s.", why).
			WithHint("Unsigned links would be open to everybody. Set AWS_CLOUDFRONT_KEY_ID to the id of the public key and " +
				"AWS_CLOUDFRONT_KEY_FILE to its RSA private key (PEM), or unset AWS_S3_CUSTOM_DOMAIN.")
	}
	domain := strings.TrimSuffix(strings.TrimPrefix(c.CustomDomain, "https://"), "/")
	if u, err := url.Parse("https://" + domain); err != nil || u.Host != domain {
		return nil, refuse("the domain is not a host name")
	}
	if c.CloudFrontKeyID == "" || c.CloudFrontKeyFile == "" {
		return nil, refuse("the key id or the key file is not set")
	}
	file, err := os.Open(c.CloudFrontKeyFile)
	if err != nil {
		return nil, refuse("the key file cannot be read").WithCause(err)
	}
	defer file.Close()
	key, err := sign.LoadPEMPrivKeyPKCS8AsSigner(file)
	if err != nil {
		if _, seekErr := file.Seek(0, 0); seekErr != nil {
			return nil, refuse("the key file cannot be read").WithCause(seekErr)
		}
		rsaKey, rsaErr := sign.LoadPEMPrivKey(file)
		if rsaErr != nil {
			return nil, refuse("the key file holds no RSA private key in PEM") // the parser's words could quote the file
		}
		key = rsaKey
	}
	return &cloudFront{domain: domain, signer: sign.NewURLSigner(c.CloudFrontKeyID, key)}, nil
}

func (c *cloudFront) sign(key, versionID, disposition, contentType string, expires time.Time) (string, error) {
	query := url.Values{"response-content-disposition": {disposition}, "response-content-type": {contentType}}
	if versionID != "" {
		query.Set("versionId", versionID)
	}
	// CloudFront and S3 read %20, not +, as a space in these values.
	address := url.URL{Scheme: "https", Host: c.domain, Path: "/" + key, RawQuery: strings.ReplaceAll(query.Encode(), "+", "%20")}
	signed, err := c.signer.Sign(address.String(), expires)
	if err != nil {
		return "", caseload.Errorf(caseload.Internal, "The download link could not be signed.").WithCause(err)
	}
	return signed, nil
}
