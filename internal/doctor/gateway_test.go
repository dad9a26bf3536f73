package doctor_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/doctor"
	"dcdentals.com/caseload/internal/objectstore"
	"dcdentals.com/caseload/internal/objectstore/s3test"
)

// grant is one statement of a bucket's policy.
type grant struct {
	Effect    string
	Principal any
	Action    []string
	Resource  []string
}

// gatewayPolicy gives an account of the gateway what the printed server policy gives, in a bucket's policy: the gateway
// knows no policies of accounts. Actions named in except are left out.
func gatewayPolicy(bucket doctor.Bucket, account string, except ...string) (grants []grant) {
	for _, s := range bucket.Policy(doctor.ServerPrincipal).Statement {
		s.Action = slices.DeleteFunc(s.Action, func(action string) bool { return slices.Contains(except, action) })
		grants = append(grants, grant{"Allow", map[string]any{"AWS": []string{account}}, s.Action, s.Resource})
	}
	return grants
}

// onGateway is a deployment on a real gateway with an account of its own, which may do what the bucket's policy says.
func onGateway(t *testing.T, server *s3test.Server, name string, versioned bool, policy func(b doctor.Bucket, account string) []grant) *deployment {
	t.Helper()
	c := newBucket(t, server, name)
	root := storeAt(t, c)
	if versioned {
		must(t, root.SetSetting(t.Context(), caseload.BucketVersioning, doctor.Versioning()))
	}
	for access, secret := range server.Users {
		c.AccessKey, c.SecretKey = access, secret
	}
	s := storeAt(t, c)
	d := &deployment{c: c, o: optionsFor(s, c), root: root, t: t}
	d.o.Bucket.Versioned = versioned
	if grants := policy(d.o.Bucket, c.AccessKey); len(grants) > 0 {
		document, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": grants})
		must(t, err)
		must(t, root.SetSetting(t.Context(), caseload.BucketPolicy, document))
	}
	return d
}

func whole(b doctor.Bucket, account string) []grant { return gatewayPolicy(b, account) }

// The printed server policy is enough on a real store, and each of its actions is missed when it lacks.
func TestThePrintedPolicyOnAGateway(t *testing.T) {
	server := s3test.StartWithUsers(t, 1)
	for _, versioned := range []bool{false, true} {
		kind := map[bool]string{false: "plain", true: "versioned"}[versioned]
		t.Run(kind+" and whole", func(t *testing.T) {
			onGateway(t, server, kind+"-whole", versioned, whole).diagnose(t, broken{}, true)
		})
		for i, p := range (doctor.Bucket{Name: "b", Versioned: versioned}).Permissions(doctor.ServerPrincipal) {
			if versioned && !strings.Contains(p.Action, "Version") {
				continue // the same as without versions
			}
			t.Run(kind+" without "+p.Action, func(t *testing.T) {
				d := onGateway(t, server, fmt.Sprintf("%s-%d", kind, i), versioned, func(b doctor.Bucket, account string) []grant {
					return gatewayPolicy(b, account, p.Action)
				})
				removes := !strings.HasPrefix(p.Action, "s3:Delete") && p.Action != "s3:AbortMultipartUpload"
				d.diagnose(t, broken{finds: []string{"failure store.permission." + p.Action}, says: "lack " + p.Action, fix: p.Action}, removes)
			})
		}
	}
}

// What people do to a bucket to get rid of a 403, and other faults, on a real store.
func TestBrokenDeploymentsOnAGateway(t *testing.T) {
	server := s3test.StartWithUsers(t, 1)
	everybody := func(actions []string, resource string) func(b doctor.Bucket, account string) []grant {
		return func(b doctor.Bucket, account string) []grant {
			return append(gatewayPolicy(b, account), grant{"Allow", "*", actions, []string{"arn:aws:s3:::" + b.Name + resource}})
		}
	}
	for i, c := range []struct {
		broken
		policy func(b doctor.Bucket, account string) []grant
	}{
		{
			broken{name: "no right at all", finds: []string{"failure bucket.access"}, says: "may do nothing", fix: "caseload bucket policy print"},
			func(doctor.Bucket, string) []grant { return nil },
		},
		{
			broken{name: "everybody may read", finds: []string{"failure exposure.read"}, says: "can read patients' files", fix: "public statement"},
			everybody([]string{"s3:GetObject"}, "/*"),
		},
		{
			broken{name: "everybody may write", finds: []string{"failure exposure.write"}, says: "overwrite", fix: "public statement"},
			everybody([]string{"s3:PutObject"}, "/*"),
		},
		{
			broken{name: "everybody may list", finds: []string{"failure exposure.list"}, says: "list every key", fix: "public statement"},
			everybody([]string{"s3:ListBucket"}, ""),
		},
		{
			broken{name: "deleting is denied to everybody", finds: []string{"failure store.permission.s3:DeleteObject"}, says: "s3:DeleteObject", fix: "s3:DeleteObject"},
			func(b doctor.Bucket, account string) []grant {
				return append(gatewayPolicy(b, account), grant{"Deny", "*", []string{"s3:DeleteObject"}, []string{"arn:aws:s3:::" + b.Name + "/*"}})
			},
		},
		{broken{name: "the secret is wrong", finds: []string{"failure bucket.contact.signature"}, says: "not this secret", fix: "AWS_SECRET_ACCESS_KEY", does: func(d *deployment) {
			d.c.SecretKey = "wrong"
			d.reopen()
		}}, whole},
		{broken{name: "the key is unknown", finds: []string{"failure bucket.contact.key"}, says: "does not know the access key", fix: "AWS_ACCESS_KEY_ID", does: func(d *deployment) {
			d.c.AccessKey = "NOBODY"
			d.reopen()
		}}, whole},
		{broken{name: "the bucket's name is misspelt", finds: []string{"failure bucket.exists"}, says: "no bucket of this name", fix: "AWS_STORAGE_BUCKET_NAME", does: func(d *deployment) {
			d.c.Bucket += "s"
			d.reopen()
		}}, whole},
		{broken{name: "the region is another", finds: []string{"failure bucket.region"}, says: "us-east-1", fix: "AWS_S3_REGION_NAME=us-east-1", does: func(d *deployment) {
			d.c.Region = "eu-west-3"
			d.reopen()
		}}, whole},
		{broken{name: "no CORS rule", finds: []string{"failure cors.origin"}, says: "no CORS rule", fix: "caseload bucket cors apply", does: func(d *deployment) {
			must(d.t, d.root.SetSetting(d.t.Context(), caseload.BucketCORS, []byte(`{"CORSRules":[]}`)))
		}}, whole},
		{broken{name: "a CORS rule for everybody", finds: []string{"warning cors.foreign"}, says: "every origin", fix: "caseload bucket cors apply", does: func(d *deployment) {
			must(d.t, d.root.SetSetting(d.t.Context(), caseload.BucketCORS, []byte(`{"CORSRules":[{"AllowedOrigins":["*"],"AllowedMethods":["PUT","POST","GET"],"AllowedHeaders":["*"],"ExposeHeaders":["ETag","Location","x-amz-checksum-crc64nvme"]}]}`)))
		}}, whole},
		{broken{name: "a proxy takes no large bodies", finds: []string{"failure store.large"}, says: "no part of a large file", fix: "client_max_body_size", does: func(d *deployment) {
			d.behind(func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
				if r.ContentLength > 1<<20 {
					w.Header().Set("Content-Type", "text/html")
					w.Header().Set("Connection", "close")
					http.Error(w, "<html><h1>413 Request Entity Too Large</h1></html>", http.StatusRequestEntityTooLarge)
					return
				}
				pass.ServeHTTP(w, r)
			})
		}}, whole},
		{broken{name: "what is deleted is locked", finds: []string{"warning store.lock"}, says: "Object Lock", fix: "s3:PutBucketObjectLockConfiguration", does: func(d *deployment) {
			d.behind(func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
				if r.Method == http.MethodDelete && r.URL.Query().Get("uploadId") == "" {
					(&said{status: 403, code: "AccessDenied", message: "Access Denied because object protected by object lock."}).write(w, r)
					return
				}
				pass.ServeHTTP(w, r)
			})
		}}, whole},
		{broken{name: "the administrator's own credentials", finds: []string{"warning store.wide"}, says: "may do more", fix: "a user of its own", does: func(d *deployment) {
			d.c.AccessKey, d.c.SecretKey = server.AccessKey, server.SecretKey
			d.reopen()
		}}, whole},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := onGateway(t, server, fmt.Sprintf("gateway-%d", i), false, c.policy)
			if c.does != nil {
				c.does(d)
			}
			d.diagnose(t, c.broken, c.name != "deleting is denied to everybody" && c.name != "what is deleted is locked")
		})
	}
}

// behind puts a proxy before the store.
func (d *deployment) behind(handle func(w http.ResponseWriter, r *http.Request, pass http.Handler)) {
	target, err := url.Parse(d.c.Endpoint)
	must(d.t, err)
	pass := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // it is signed
		},
		Transport: &http.Transport{DisableCompression: true, DisableKeepAlives: true},
	}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handle(w, r, pass) }))
	d.t.Cleanup(front.Close)
	d.c.Endpoint = front.URL
	d.reopen()
}

// reopen opens the store anew after its configuration was changed.
func (d *deployment) reopen() {
	s := storeAt(d.t, d.c)
	d.o.Store, d.o.Setup = s.Trial(), s
	d.o.Bucket.Name, d.o.Bucket.Region = d.c.Bucket, d.c.Region
}

// The embedded store keeps every guard and has nothing to mend.
func TestTheEmbeddedStoreHasNothingToMend(t *testing.T) {
	e, err := objectstore.StartEmbedded(t.Context(), t.TempDir(), nil)
	must(t, err)
	defer func() { must(t, e.Close(t.Context())) }()
	s := e.Store()
	r := run(t, doctor.StoreOptions{Store: s.Trial(), Setup: s, Embedded: true, Bucket: doctor.Bucket{Name: s.Bucket()}})
	if found := wrongs(r); len(found) > 0 || len(r.Enforces) < 12 {
		t.Errorf("found %q and %d guards\n%s", found, len(r.Enforces), shown(r))
	}
	for _, g := range r.Enforces {
		if !g.Holds {
			t.Errorf("%s: %s", g.Name, g.Says)
		}
	}
	if now := left(t, s); len(now) > 0 {
		t.Errorf("left behind: %q", now)
	}
}

// What a killed run left behind is removed by the next, and nothing else is.
func TestWhatAKilledRunLeftIsRemoved(t *testing.T) {
	server := s3test.StartWithUsers(t, 1)
	d := onGateway(t, server, "killed", true, whole)
	for _, key := range []string{"caseload-doctor-old-object", "caseload-doctorat", "f0123456789", "doctor"} {
		d.put(t, key)
	}
	if _, err := d.root.CreateMultipart(t.Context(), "caseload-doctor-old-upload"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.root.CreateMultipart(t.Context(), "f123"); err != nil {
		t.Fatal(err)
	}
	run(t, d.o) // what is young may be another run's
	if now := left(t, d.root); len(now) != 6 {
		t.Fatalf("a run at work lost what it needs: %q", now)
	}
	d.o.LeftAfter = -time.Hour // everything
	run(t, d.o)
	if now := left(t, d.root); !slices.Equal(now, []string{"caseload-doctorat", "doctor", "f0123456789", "upload f123"}) {
		t.Errorf("left are %q", now)
	}
}

// put puts an object as the bucket's owner.
func (d *deployment) put(t *testing.T, key string) {
	t.Helper()
	trial := d.root.Trial()
	u, err := trial.Address(t.Context(), false, caseload.ObjectKey(key))
	must(t, err)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, u.String(), strings.NewReader("x"))
	must(t, err)
	must(t, trial.Sign(t.Context(), r))
	got, err := trial.Do(r)
	must(t, err)
	must(t, got.Body.Close())
	if got.StatusCode != http.StatusOK {
		t.Fatalf("put %s: %d", key, got.StatusCode)
	}
}
