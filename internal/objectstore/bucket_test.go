package objectstore_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/doctor"
	"dcdentals.com/caseload/internal/objectstore"
	"dcdentals.com/caseload/internal/objectstore/miniotest"
	"dcdentals.com/caseload/internal/objectstore/s3test"
)

// What each store we can run says to each setting: set and read again as it was set, or a refusal that is told apart from
// every other error.
func TestBucketSettingsOnEachStore(t *testing.T) {
	const (
		keeps   = "keeps what is set"
		has     = "has nothing of the kind"
		cannot  = "can be asked but not set"
		refuses = "does not take ours"
	)
	for name, c := range map[string]struct {
		kind caseload.StoreKind
		open func(t *testing.T) *objectstore.Store
		want map[caseload.BucketSetting]string
	}{
		"versitygw": {
			caseload.StoreVersity,
			func(t *testing.T) *objectstore.Store { return open(t, s3test.Start(t).Config()) },
			map[caseload.BucketSetting]string{
				caseload.BucketPublicAccess: has, caseload.BucketOwnership: keeps, caseload.BucketEncryption: has,
				caseload.BucketVersioning: cannot, caseload.BucketPolicy: keeps, caseload.BucketLifecycle: has, caseload.BucketCORS: keeps,
			},
		},
		"MinIO": {
			caseload.StoreMinIO,
			func(t *testing.T) *objectstore.Store { return open(t, miniotest.Start(t).Root()) },
			map[caseload.BucketSetting]string{
				caseload.BucketPublicAccess: has, caseload.BucketOwnership: has, caseload.BucketEncryption: cannot,
				caseload.BucketVersioning: keeps, caseload.BucketPolicy: keeps, caseload.BucketLifecycle: refuses, caseload.BucketCORS: cannot,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			store := c.open(t)
			look, err := store.LookAtBucket(t.Context())
			must(t, err)
			if !look.Exists || look.Store != c.kind {
				t.Fatalf("saw %+v", look)
			}
			bucket := doctor.Bucket{Name: store.Bucket(), Region: "us-east-1", Origins: []string{"https://caseload.example"}, Versioned: true}
			for _, setting := range caseload.BucketSettings() {
				want := c.want[setting]
				before, err := store.Setting(t.Context(), setting)
				if unsupported := errors.Is(err, errors.ErrUnsupported); unsupported != (want == has) || err != nil && !unsupported {
					t.Errorf("%s %s, but looking answered %v", setting, want, err)
				}
				if err != nil {
					continue
				}
				change, err := bucket.Change(setting, before)
				must(t, err)
				err = store.SetSetting(t.Context(), setting, change.Want)
				if (err == nil) != (want == keeps) || errors.Is(err, errors.ErrUnsupported) != (want == cannot) {
					t.Errorf("%s %s, but setting answered %v", setting, want, err)
				}
				after, err := store.Setting(t.Context(), setting)
				must(t, err)
				if again, err := bucket.Change(setting, after); err != nil || again.Needed() != (want != keeps) {
					t.Errorf("%s was set and is then to be changed again: %v\n%s%s", setting, err, again.Have, again.Want)
				}
			}
		})
	}
}

// The answers of AWS and its like that say where the fault lies.
func TestBucketErrorsNameWhatIsMissing(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		region string // of the answer's header
		code   string
		call   func(t *testing.T, s *objectstore.Store) error
		kind   caseload.Kind
		says   string
	}{
		"a setting that may not be looked at": {
			http.StatusForbidden, "", "AccessDenied",
			func(t *testing.T, s *objectstore.Store) error {
				_, err := s.Setting(t.Context(), caseload.BucketLifecycle)
				return err
			},
			caseload.Forbidden, "s3:GetLifecycleConfiguration",
		},
		"a setting that may not be set": {
			http.StatusForbidden, "", "AccessDenied",
			func(t *testing.T, s *objectstore.Store) error {
				return s.SetSetting(t.Context(), caseload.BucketCORS, doctor.CORS([]string{"https://a.example"}, doctor.CLIForm))
			},
			caseload.Forbidden, "s3:PutBucketCORS",
		},
		"a bucket that may not be made": {
			http.StatusForbidden, "", "AccessDenied",
			func(t *testing.T, s *objectstore.Store) error { return s.CreateBucket(t.Context()) },
			caseload.Forbidden, "s3:CreateBucket",
		},
		"a name that somebody else has": {
			http.StatusConflict, "", "BucketAlreadyExists",
			func(t *testing.T, s *objectstore.Store) error { return s.CreateBucket(t.Context()) },
			caseload.Conflict, "belongs to somebody else",
		},
		"a bucket of ours": {
			http.StatusConflict, "", "BucketAlreadyOwnedByYou",
			func(t *testing.T, s *objectstore.Store) error { return s.CreateBucket(t.Context()) }, caseload.Internal, "",
		},
		"a setting that is not set": {
			http.StatusNotFound, "", "NoSuchLifecycleConfiguration",
			func(t *testing.T, s *objectstore.Store) error {
				_, err := s.Setting(t.Context(), caseload.BucketLifecycle)
				return err
			}, caseload.Internal, "",
		},
		"no bucket": {
			http.StatusNotFound, "", "NoSuchBucket",
			func(t *testing.T, s *objectstore.Store) error {
				_, err := s.Setting(t.Context(), caseload.BucketLifecycle)
				return err
			}, caseload.NotFound, "caseload bucket create",
		},
		"another region": {
			http.StatusMovedPermanently, "eu-west-1", "PermanentRedirect",
			func(t *testing.T, s *objectstore.Store) error {
				_, err := s.LookAtBucket(t.Context())
				return err
			}, caseload.Conflict, "AWS_S3_REGION_NAME=eu-west-1",
		},
		"a method the store does not know": {
			http.StatusMethodNotAllowed, "", "MethodNotAllowed",
			func(t *testing.T, s *objectstore.Store) error {
				_, err := s.Setting(t.Context(), caseload.BucketOwnership)
				if !errors.Is(err, errors.ErrUnsupported) {
					t.Errorf("not told apart: %v", err)
				}
				return err
			}, caseload.Invalid, "GetBucketOwnershipControls",
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if c.region != "" {
					w.Header().Set("X-Amz-Bucket-Region", c.region)
				}
				w.WriteHeader(c.status)
				if r.Method != http.MethodHead {
					_, _ = w.Write([]byte("<Error><Code>" + c.code + "</Code><Message>no</Message></Error>"))
				}
			}))
			defer server.Close()
			err := c.call(t, open(t, objectstore.Config{
				Endpoint: server.URL, Region: "us-east-1", Bucket: "clinic-files", PathStyle: true, AccessKey: "a", SecretKey: "b",
			}))
			var known *caseload.Error
			switch {
			case c.says == "" && err != nil:
				t.Errorf("it is no error, but %v", err)
			case c.says != "" && (!errors.As(err, &known) || known.Kind != c.kind || !strings.Contains(known.Message+known.Hint, c.says)):
				t.Errorf("%v, want %v with %q", err, c.kind, c.says)
			}
		})
	}
}

// A word that nobody knows would be dropped in silence on its way to the store.
func TestADocumentWithAnUnknownWordIsRefused(t *testing.T) {
	store := open(t, s3test.Start(t).Config())
	err := store.SetSetting(t.Context(), caseload.BucketCORS, []byte(`{"CORSRules":[{"AllowedOrigin":["https://a.example"]}]}`))
	wantKind(t, err, caseload.Invalid)
}
