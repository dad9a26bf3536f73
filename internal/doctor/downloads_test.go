package doctor_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/doctor"
	"dcdentals.com/caseload/internal/objectstore/s3test"
)

// distribution plays CloudFront before the deployment's bucket. broken answers in its place; nil: it is sound.
func distribution(d *deployment, broken func(signed bool) *said) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		signed := r.URL.Query().Get("Signature") == "good"
		if broken != nil {
			if s := broken(signed); s != nil {
				s.write(w, r)
				return
			}
		}
		if !signed && broken == nil {
			http.Error(w, "", http.StatusForbidden)
			return
		}
		d.give(w, r)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	d.t.Cleanup(server.Close)
	d.o.Downloads = &doctor.Downloads{Client: server.Client(), Sign: func(_ context.Context, key caseload.ObjectKey, _ string) (string, error) {
		return server.URL + "/" + string(key) + "?Expires=1&Signature=good&Key-Pair-Id=K", nil
	}}
}

// give answers with the object, as the bucket's owner reads it.
func (d *deployment) give(w http.ResponseWriter, r *http.Request) {
	trial := d.root.Trial()
	u, err := trial.Address(r.Context(), false, caseload.ObjectKey(strings.TrimPrefix(r.URL.Path, "/")))
	if err == nil {
		var ask *http.Request
		if ask, err = http.NewRequestWithContext(r.Context(), http.MethodGet, u.String(), http.NoBody); err == nil {
			if err = trial.Sign(r.Context(), ask); err == nil {
				var got *http.Response
				if got, err = trial.Do(ask); err == nil {
					defer got.Body.Close()
					w.WriteHeader(got.StatusCode)
					_, err = io.Copy(w, got.Body)
				}
			}
		}
	}
	if err != nil {
		panic(http.ErrAbortHandler)
	}
}

// toSigned is what the distribution answers to a signed request; a stranger is refused.
func toSigned(s said) func(d *deployment) {
	return func(d *deployment) {
		distribution(d, func(signed bool) *said {
			if signed {
				return &s
			}
			return &said{status: 403, code: "MissingKey", message: "Missing Key-Pair-Id query parameter or cookie value"}
		})
	}
}

// Each distribution is broken in one way, which is named, and nothing else is; a sound one raises no alarm.
func TestEachBrokenDistributionIsDiagnosedByName(t *testing.T) {
	server := s3test.StartWithUsers(t, 0)
	ago := map[string]string{"Date": time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat), "X-Amz-Request-Id": ""}
	for i, b := range []broken{
		{name: "a sound one", does: func(d *deployment) { distribution(d, nil) }},
		{"it is public", func(d *deployment) { distribution(d, func(bool) *said { return nil }) }, []string{"failure exposure.download"}, "public", "Trusted key groups"},
		{"it does not trust the key group", toSigned(said{status: 403, code: "InvalidKey", message: "Unknown Key"}), []string{"failure store.download.key"}, "does not trust", "AWS_CLOUDFRONT_KEY_ID"},
		{"the clock is off", toSigned(said{status: 403, code: "AccessDenied", message: "Access denied", header: ago}), []string{"failure store.download.clock"}, "clock is off", "timedatectl"},
		{"the bucket refuses it", toSigned(said{status: 403, code: "AccessDenied", message: "Access Denied"}), []string{"failure store.download.origin"}, "bucket refuses", "origin access control"},
		{"it has another origin", toSigned(said{status: 404, code: "NoSuchKey", message: "The specified key does not exist."}), []string{"failure store.download.origin"}, "another origin", "origin path"},
		{"it gives other bytes", toSigned(said{status: 200, document: "<other/>"}), []string{"failure store.download.origin"}, "another origin", "origin path"},
		{"a page answers", toSigned(said{status: 200, page: "<html>Welcome</html>"}), []string{"failure store.download.intercepted"}, "not a store", "AWS_S3_CUSTOM_DOMAIN"},
		{"its certificate is not known", func(d *deployment) {
			distribution(d, nil)
			d.o.Downloads.Client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		}, []string{"failure store.download.certificate"}, "certificate", "alternate name"},
	} {
		t.Run(b.name, func(t *testing.T) {
			d := newDeployment(t, server, fmt.Sprintf("distribution-%d", i))
			b.does(d)
			d.diagnose(t, b, d.removes())
		})
	}
}

// cloudFront is a distribution that verifies signatures as CloudFront does: of the key it knows, over the whole address.
// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-creating-signed-url-canned-policy.html
func cloudFront(d *deployment, keyID string, key *rsa.PublicKey) *httptest.Server {
	refused := func(code, message string) *said {
		return &said{status: 403, code: code, message: message, header: map[string]string{"X-Amz-Request-Id": "", "Server": "CloudFront"}}
	}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		resource, _, _ := strings.Cut("https://"+r.Host+r.URL.RequestURI(), "&Expires=")
		query := r.URL.Query()
		signature, err := base64.StdEncoding.DecodeString(strings.NewReplacer("-", "+", "_", "=", "~", "/").Replace(query.Get("Signature")))
		policy := sha1.Sum(fmt.Appendf(nil, `{"Statement":[{"Resource":"%s","Condition":{"DateLessThan":{"AWS:EpochTime":%s}}}]}`, resource, query.Get("Expires")))
		switch {
		case query.Get("Key-Pair-Id") == "":
			refused("MissingKey", "Missing Key-Pair-Id query parameter or cookie value").write(w, r)
		case query.Get("Key-Pair-Id") != keyID:
			refused("InvalidKey", "Unknown Key").write(w, r)
		case err != nil || rsa.VerifyPKCS1v15(key, crypto.SHA1, policy[:], signature) != nil:
			refused("AccessDenied", "Access denied").write(w, r)
		default:
			d.give(w, r)
		}
	}))
	d.t.Cleanup(server.Close)
	return server
}

// Signed as the program signs: with the right key pair downloads come, with another private key or id that is named.
func TestAWrongCloudFrontKeyIsNamed(t *testing.T) {
	store := s3test.StartWithUsers(t, 0)
	right, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	another, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	for i, c := range []struct {
		broken
		id  string
		key *rsa.PrivateKey
	}{
		{broken{name: "the right key pair"}, "K1", right},
		{broken{name: "another private key", finds: []string{"failure store.download.signature"}, says: "not that of the key id", fix: "AWS_CLOUDFRONT_KEY_FILE"}, "K1", another},
		{broken{name: "another id", finds: []string{"failure store.download.key"}, says: "does not know the key", fix: "AWS_CLOUDFRONT_KEY_ID"}, "K2", right},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDeployment(t, store, fmt.Sprintf("cloudfront-%d", i))
			server := cloudFront(d, "K1", &right.PublicKey)
			d.c.CustomDomain, d.c.CloudFrontKeyID, d.c.CloudFrontKeyFile = strings.TrimPrefix(server.URL, "https://"), c.id, filepath.Join(t.TempDir(), "key.pem")
			must(t, os.WriteFile(d.c.CloudFrontKeyFile, pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(c.key)}), 0o600))
			s := storeAt(t, d.c)
			d.o.Downloads = &doctor.Downloads{Client: server.Client(), Sign: func(ctx context.Context, key caseload.ObjectKey, version string) (string, error) {
				signed, err := s.SignGet(ctx, "", key, version, "trial", "application/octet-stream", time.Minute)
				return signed.URL, err
			}}
			d.diagnose(t, c.broken, true)
		})
	}
}
