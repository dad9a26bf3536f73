package doctor_test

import (
	"context"
	"encoding/xml"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/doctor"
	"dcdentals.com/caseload/internal/objectstore"
	"dcdentals.com/caseload/internal/objectstore/s3test"
)

// deployment is one that is broken in one way. It is sound until broken is called.
type deployment struct {
	*amazon
	c    objectstore.Config // as our credentials reach it
	o    doctor.StoreOptions
	root *objectstore.Store // as its owner reaches it, past everything that is played
	t    *testing.T
}

// broken is one case of the suite.
type broken struct {
	name  string
	does  func(d *deployment)
	finds []string // all that is wrong, by name
	says  string   // part of what the worst of them means
	fix   string   // part of how it is mended
}

// always answers every request in the store's place.
func always(s said) func(d *deployment) {
	return func(d *deployment) { d.answers = func(request) *said { return &s } }
}

// without takes one permission away.
func without(action string) func(d *deployment) {
	return func(d *deployment) { delete(d.allowed, action) }
}

// reading lets the credentials look at the bucket's settings, and sets one of them.
func reading(setting, document string) func(d *deployment) {
	return func(d *deployment) {
		d.may(false)
		d.settings[setting] = document
	}
}

// takes makes the store take what it refuses: any PUT for which the function says so.
func takes(which func(r request, code string) bool) func(d *deployment) {
	return func(d *deployment) {
		d.mends = func(r request, status int, h http.Header, body []byte) (int, []byte) {
			var s struct{ Code string }
			if status >= 400 && xml.Unmarshal(body, &s) == nil && which(r, s.Code) {
				h.Set("ETag", `"d41d8cd98f00b204e9800998ecf8427e"`)
				return http.StatusOK, nil
			}
			return status, body
		}
	}
}

// answersTo changes the answers to browsers' preflights.
func answersTo(change func(h http.Header, r request) int) func(d *deployment) {
	return func(d *deployment) {
		d.mends = func(r request, status int, h http.Header, body []byte) (int, []byte) {
			if r.Method == http.MethodOptions {
				return change(h, r), nil
			}
			return status, body
		}
	}
}

func corsRules(rule string) func(d *deployment) {
	return func(d *deployment) {
		must(d.t, d.root.SetSetting(d.t.Context(), caseload.BucketCORS, []byte(`{"CORSRules":[`+rule+`]}`)))
	}
}

func isPart(r request) bool { return r.URL.Query().Has("partNumber") }

// Each deployment is started for real and broken in one way, which is named, and nothing else is.
func TestEachBrokenDeploymentIsDiagnosedByName(t *testing.T) {
	server := s3test.StartWithUsers(t, 0)
	for i, b := range slices.Concat(brokenWays, brokenOwners, brokenRights, brokenGuards, brokenPages, brokenDoors, brokenKeeping) {
		t.Run(b.name, func(t *testing.T) {
			d := newDeployment(t, server, fmt.Sprintf("broken-%d", i))
			b.does(d)
			d.diagnose(t, b, d.removes())
		})
	}
}

func newDeployment(t *testing.T, server *s3test.Server, bucket string) *deployment {
	t.Helper()
	a, c := newAmazon(t, server, bucket)
	s := storeAt(t, c)
	d := &deployment{amazon: a, c: c, o: optionsFor(s, c), t: t}
	d.o.AWS = true
	direct := server.Config()
	direct.Bucket = bucket
	d.o.Setup = s
	d.root = storeAt(t, direct)
	return d
}

// removes tells whether the trials may remove what they make.
func (d *deployment) removes() bool {
	return d.allowed["s3:DeleteObject"] && d.allowed["s3:AbortMultipartUpload"] && d.allowed["s3:DeleteObjectVersion"]
}

// diagnose runs the checks and compares what they find with what the case says. When they may remove what they make,
// nothing of it is left.
func (d *deployment) diagnose(t *testing.T, b broken, removes bool) {
	t.Helper()
	wereThere := left(t, d.root)
	r := run(t, d.o)
	found := wrongs(r)
	if !reflect.DeepEqual(found, b.finds) {
		t.Fatalf("found %q, want %q\n%s", found, b.finds, shown(r))
	}
	if now := left(t, d.root); removes && !slices.Equal(now, wereThere) {
		t.Errorf("before there were %q, now there are %q", wereThere, now)
	}
	if len(b.finds) == 0 {
		return
	}
	worst := max(0, slices.IndexFunc(b.finds, func(found string) bool { return strings.HasPrefix(found, "failure ") }))
	_, name, _ := strings.Cut(b.finds[worst], " ")
	at := slices.IndexFunc(r.Findings, func(f doctor.Finding) bool {
		return f.Check == name && f.Level >= doctor.Warning && f.Level != doctor.Untried
	})
	f := r.Findings[at]
	if !strings.Contains(f.Got+" "+f.Means, b.says) {
		t.Errorf("it says %q and %q, not %q", f.Got, f.Means, b.says)
	}
	if f.Fix == nil || !strings.Contains(f.Fix.Say+"\n"+f.Fix.Command+"\n"+f.Fix.Document+"\n"+strings.Join(f.Fix.Needs, "\n"), b.fix) {
		t.Errorf("the fix is %+v, without %q", f.Fix, b.fix)
	}
}

// A sound deployment has nothing to mend, whatever kind of store it is.
func TestSoundDeploymentsHaveNothingToMend(t *testing.T) {
	server := s3test.StartWithUsers(t, 0)
	for i, sound := range []broken{
		{name: "the server's own rights", does: func(*deployment) {}},
		{name: "somebody who may look at everything", does: func(d *deployment) { d.may(false) }},
		{name: "the account is known and the bucket's own", does: func(d *deployment) {
			d.o.Account = func(context.Context) string { return "111122223333" }
			d.answers = func(r request) *said {
				if r.Header.Get("x-amz-expected-bucket-owner") == "111122223333" {
					return &said{status: 200, document: "<ListBucketResult><Name>b</Name></ListBucketResult>"}
				}
				return nil
			}
		}},
		{name: "the bucket is our database's, and addresses live long", does: func(d *deployment) {
			d.o.Expiry = time.Hour
			d.o.Belongs = func(context.Context) (marked, ours string, err error) { return "one", "one", nil }
		}},
		{name: "the store has no time now and then", does: func(d *deployment) {
			var asked atomic.Int64
			d.answers = func(r request) *said {
				if !r.anonymous && r.Header.Get("Authorization") != "" && r.action != "s3:CreateBucket" && asked.Add(1)%10 == 0 {
					return &said{status: 503, code: "SlowDown", message: "Please reduce your request rate."}
				}
				return nil
			}
		}},
		{name: "rules that no file meets", does: reading("lifecycle", lifecycleOf(abortRule,
			`<Rule><ID>logs</ID><Status>Enabled</Status><Filter><Prefix>logs/</Prefix></Filter><Expiration><Days>3</Days></Expiration></Rule>`,
			`<Rule><ID>tagged</ID><Status>Enabled</Status><Filter><Tag><Key>temporary</Key><Value>yes</Value></Tag></Filter><Expiration><Days>3</Days></Expiration></Rule>`,
			`<Rule><ID>off</ID><Status>Disabled</Status><Filter></Filter><Expiration><Days>3</Days></Expiration></Rule>`,
			`<Rule><ID>markers</ID><Status>Enabled</Status><Filter></Filter><Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration></Rule>`,
			`<Rule><ID>tier</ID><Status>Enabled</Status><Filter></Filter><Transition><Days>30</Days><StorageClass>GLACIER_IR</StorageClass></Transition></Rule>`))},
		{name: "a policy that gives a CDN the right to read", does: reading("policy", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"cloudfront.amazonaws.com"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}}`)},
		{name: "a rule that ends old versions late", does: func(d *deployment) {
			reading("lifecycle", lifecycleOf(abortRule, `<Rule><ID>tidy</ID><Status>Enabled</Status><Filter></Filter><NoncurrentVersionExpiration><NoncurrentDays>7</NoncurrentDays></NoncurrentVersionExpiration></Rule>`))(d)
			d.o.Bucket.UndoWindow = 7 * 24 * time.Hour
		}},
		{name: "rules for old versions that spare the newest, or come late", does: func(d *deployment) {
			reading("lifecycle", lifecycleOf(abortRule,
				`<Rule><ID>few</ID><Status>Enabled</Status><Filter></Filter><NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays><NewerNoncurrentVersions>3</NewerNoncurrentVersions></NoncurrentVersionExpiration></Rule>`,
				`<Rule><ID>cold</ID><Status>Enabled</Status><Filter></Filter><NoncurrentVersionTransition><NoncurrentDays>30</NoncurrentDays><StorageClass>GLACIER</StorageClass></NoncurrentVersionTransition></Rule>`))(d)
			d.o.Bucket.UndoWindow = 7 * 24 * time.Hour
		}},
		{name: "a policy for everybody of one network", does: reading("policy", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*","Condition":{"StringEquals":{"aws:SourceVpce":"vpce-1a2b3c4d"}}}]}`)},
		{name: "pages of several names and ports", does: func(d *deployment) {
			d.o.Bucket.Origins = []string{"https://scans.clinic.example", "https://stranger.clinic.example", "http://localhost:5173", "https://192.0.2.7:8443", "https://[2001:db8::1]", "http://scans.clinic.example"}
			must(d.t, d.root.SetSetting(d.t.Context(), caseload.BucketCORS, doctor.CORS(d.o.Bucket.Origins, doctor.CLIForm)))
		}},
		{name: "a policy for everybody of one organization", does: reading("policy", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-123"}}}]}`)},
	} {
		t.Run(sound.name, func(t *testing.T) {
			d := newDeployment(t, server, fmt.Sprintf("sound-%d", i))
			sound.does(d)
			d.diagnose(t, sound, true)
		})
	}
}

// With any one right of the printed policy taken away, that right is named and no other.
func TestEachMissingRightIsNamed(t *testing.T) {
	server := s3test.StartWithUsers(t, 0)
	for i, p := range (doctor.Bucket{Name: "b"}).Permissions(doctor.ServerPrincipal) {
		t.Run(p.Action, func(t *testing.T) {
			d := newDeployment(t, server, fmt.Sprintf("missing-%d", i))
			without(p.Action)(d)
			d.diagnose(t, broken{finds: []string{"failure store.permission." + p.Action}, says: "lack " + p.Action, fix: `"` + p.Action + `"`}, d.removes())
		})
	}
}

// A call that gets no answer, as in a slow moment, says nothing of the right to it: no right is said to be missing, and
// nobody is told that all is well.
func TestACallWithoutAnAnswerIsNoMissingRight(t *testing.T) {
	d := newDeployment(t, s3test.StartWithUsers(t, 0), "unanswered")
	d.answers = func(r request) *said {
		if r.Method == http.MethodPut && !r.anonymous {
			panic(http.ErrAbortHandler)
		}
		return nil
	}
	r := run(t, d.o)
	if found := wrongs(r); len(found) > 0 {
		t.Errorf("found %q\n%s", found, shown(r))
	}
	if f, _ := find(r, "store.permission.s3:PutObject"); f.Level != doctor.Untried || !strings.Contains(f.Means, "nothing is known of the right") {
		t.Errorf("%+v", f)
	}
	if r.Worst() != doctor.Failure {
		t.Errorf("the worst is %s", r.Worst())
	}
}

// left lists what lies in the bucket, as its owner sees it: the keys of objects, and of uploads with a word before.
func left(t testing.TB, root *objectstore.Store) (found []string) {
	t.Helper()
	list := func(query string, into any) {
		trial := root.Trial()
		u, err := trial.Address(t.Context(), false, "")
		must(t, err)
		u.RawQuery = query
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
		must(t, err)
		must(t, trial.Sign(ctx, r))
		got, err := trial.Do(r)
		must(t, err)
		defer got.Body.Close()
		must(t, xml.NewDecoder(got.Body).Decode(into))
	}
	var o struct{ Contents []struct{ Key string } }
	list("list-type=2", &o)
	for _, each := range o.Contents {
		found = append(found, each.Key)
	}
	var u struct{ Upload []struct{ Key string } }
	list("uploads=", &u)
	for _, each := range u.Upload {
		found = append(found, "upload "+each.Key)
	}
	return found
}
