package doctor

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"
	"strings"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// Store is the bare way to one bucket: it makes and signs requests as the rest of the program does, and gives every
// answer back as it came.
type Store interface {
	Bucket() string
	Region() string
	// Address returns the address of an object, or of the bucket with the key "", as the server reaches it or as browsers do.
	Address(ctx context.Context, public bool, key caseload.ObjectKey) (*url.URL, error)
	// Service returns the address of the store above the bucket.
	Service(ctx context.Context) (*url.URL, error)
	Sign(ctx context.Context, r *http.Request) error
	Presign(ctx context.Context, r *http.Request, at time.Time, lifetime time.Duration) error
	// Form signs a form that posts one object of size bytes; its method is PUT when the store takes none.
	Form(ctx context.Context, key caseload.ObjectKey, size int64) (caseload.SignedForm, error)
	Do(r *http.Request) (*http.Response, error)
}

// Setup reads and writes what is set on the bucket as a whole, as JSON in the form of the store's command line: nil when
// nothing is set. It answers Forbidden without the rights, and errors.ErrUnsupported when the store has no such setting.
type Setup interface {
	LookAtBucket(ctx context.Context) (caseload.BucketLook, error)
	Setting(ctx context.Context, which caseload.BucketSetting) ([]byte, error)
	SetSetting(ctx context.Context, which caseload.BucketSetting, document []byte) error
}

// StoreOptions says which store is tried and what is expected of it.
type StoreOptions struct {
	Store     Store
	Setup     Setup
	Bucket    Bucket                           // what the documents that mend it are made from; its Origins are those whose pages send
	AWS       bool                             // the store is AWS S3 itself
	Embedded  bool                             // it is the store inside this program: nobody but us has an account or settings there
	Account   func(ctx context.Context) string // the AWS account of our credentials, 12 digits, or ""; nil: not known
	Principal Principal                        // whose credentials they are meant to be: the server's, which is the zero value, or SetupPrincipal
	// Belongs returns the id of the database that the bucket was marked by, "" when by none, and that of ours; nil: not asked.
	Belongs   func(ctx context.Context) (marked, ours string, err error)
	Downloads *Downloads    // nil: downloads come from the bucket itself
	Expiry    time.Duration // how long signed addresses live; 0: a minute
	LeftAfter time.Duration // what an earlier run left is removed when it is older; 0: 15 minutes
}

// trials is one run of the store's checks: what is tried, and what was learned on the way.
type trials struct {
	o         StoreOptions
	kind      caseload.StoreKind // the software that answers
	reached   bool               // the bucket is ours, and something is allowed
	run       string             // what this run's keys begin with
	inside    bool               // the address of browsers is not reached from here: the server's own is taken
	kept      caseload.ObjectKey // an object that was put; "" when none could be
	version   string             // its version, when the bucket keeps them
	versioned bool
	blocked   bool            // Block Public Access is on
	fallen    []string        // guards that do not hold
	barred    string          // the finding that something between answers calls of some methods itself; "": none does
	denied    map[string]bool // actions that were refused
	made      []made          // what is to be removed again
	unseen    []string        // settings of the bucket that these credentials may not look at
}

// trialPrefix is what every key of these trials begins with, and no other key. What a killed run leaves behind is found by it and removed by the next.
const trialPrefix = caseload.TrialPrefix + "doctor-"

// key returns a key of this run: nothing lies under it.
func (t *trials) key(name string) caseload.ObjectKey { return caseload.ObjectKey(t.run + name) }

func newTrials(o StoreOptions) *trials {
	return &trials{o: o, run: trialPrefix + strings.ToLower(rand.Text()[:12]) + "-", denied: map[string]bool{}}
}

// StoreChecks returns the checks of the store, in the order in which they stand on each other. They put, read and delete
// objects of a few bytes under keys of their own, about a hundred requests in all.
func StoreChecks(o StoreOptions) []Check {
	if o.Principal == SetupPrincipal {
		return setupChecks(o)
	}
	t := newTrials(o)
	reached := reachedBucket
	after := func(names ...string) []string { return append(names, reached...) }
	writes := after("store.permission.s3:PutObject", "store.permission.kms:GenerateDataKey", "store.key", "store.encryption-header", "store.full")
	whole := append(after("store.permission.s3:GetObject", "store.permission.s3:DeleteObject", "store.permission.kms:Decrypt"), writes...)
	parts := append(after("store.permission.s3:ListMultipartUploadParts", "store.permission.s3:AbortMultipartUpload"), whole...)
	own := !o.Embedded // in the embedded store nobody but us has an account, a policy or a setting
	checks := []Check{
		{Name: "bucket.contact", Needs: grounds, Run: t.contact},
		{Name: "bucket.owner", Run: t.whenReached(t.owner)},
	}
	if o.Belongs != nil {
		checks = append(checks, Check{Name: "bucket.database", Needs: after("database.reachable", "database.pooling", "database.rights", "database.schema", "store.permission.s3:GetObject"), Run: t.belongs})
	}
	if own {
		checks = append(checks, Check{Name: "bucket.keeping", Needs: reached, Run: t.keeping})
	}
	checks = append(checks,
		Check{Name: "store.leftovers", Run: t.whenReached(t.leftovers)},
		Check{Name: "store.permission", Needs: reached, Run: t.permissions},
	)
	if own {
		checks = append(checks, Check{Name: "store.wide", Needs: reached, Run: t.wide})
	}
	checks = append(checks,
		Check{Name: "store.public", Needs: reached, Run: t.public},
		Check{Name: "store.signed", Needs: append(after("store.public"), whole...), Run: t.signed},
		Check{Name: "store.form", Needs: append(after("store.public"), whole...), Run: t.form},
		Check{Name: "store.multipart", Needs: append(after("store.public"), parts...), Run: t.parts},
	)
	if o.Downloads != nil {
		checks = append(checks, Check{Name: "store.download", Needs: whole, Run: t.downloads})
	}
	if own || len(o.Bucket.Origins) > 0 {
		checks = append(checks, Check{Name: "cors", Needs: after("store.public"), Run: t.crossOrigin})
	}
	if own {
		checks = append(checks,
			Check{Name: "exposure", Needs: reached, Run: t.exposure},
		)
	}
	return append(checks, Check{Name: "store.tidy", Run: t.whenReached(t.tidy)})
}

// grounds is what the contact with the bucket stands on, reachedBucket what almost everything else does.
var (
	grounds       = []string{"config.bucket", "config.region", "config.endpoint", "config.credentials", "network", "clock.skew", "credentials"}
	reachedBucket = []string{"bucket.contact", "bucket.exists", "bucket.region", "bucket.access", "bucket.owner"}
)

// whenReached passes over what need not be said of a store that cannot be used at all.
func (t *trials) whenReached(run func(ctx context.Context) []Finding) func(ctx context.Context) []Finding {
	return func(ctx context.Context) []Finding {
		if !t.reached {
			return nil
		}
		return run(ctx)
	}
}

// public tells whether browsers' address of the store is reached from here. When it is not, the server's own is tried in its
// place: only a browser can tell about the other.
func (t *trials) public(ctx context.Context) []Finding {
	f := Finding{Check: "store.public", Level: Fine, Tried: "Asking the store at the address that browsers use."}
	got := t.send(ctx, ask{as: asBrowser, method: http.MethodGet, query: "list-type=2&max-keys=1&prefix=" + trialPrefix})
	f.Got = got.taken()
	switch {
	case got.err != nil:
		t.inside = true
		f.Level, f.Means = Note, "From this server that address does not answer, so the server's own was tried instead; the page Doctor tries it from a browser."
	case got.strange:
		f.Level, f.Got, f.Means = Failure, got.saidWhole(), "At the address that browsers use something else answers in the store's place."
		f.Fix = &Fix{Say: "Look at AWS_S3_PUBLIC_ENDPOINT_URL; a proxy before the store must pass every request on unchanged."}
	case got.code == "SignatureDoesNotMatch":
		f.Level, f.Got = Failure, got.saidWhole()
		f.Means = "The store's own address takes our signatures, the one that browsers use does not: something between changes the Host header or the path, which are signed."
		f.Fix = &Fix{Say: "Have the proxy before the store pass Host, path and query unchanged, or mend AWS_S3_PUBLIC_ENDPOINT_URL."}
	}
	return []Finding{f}
}

// meant is whose credentials are tried.
func (t *trials) meant() Principal {
	if t.o.Principal == "" {
		return ServerPrincipal
	}
	return t.o.Principal
}

// policy is the policy of those credentials on this bucket, as far as it is known what the bucket has, and printPolicy the
// command that prints it.
func (t *trials) policy(keyARN string) string {
	b := t.o.Bucket
	b.Versioned = b.Versioned || t.versioned
	if b.KMSKey == "" {
		b.KMSKey = keyARN
	}
	return string(b.Policy(t.meant()).JSON())
}

func (t *trials) printPolicy() string {
	return "caseload bucket policy print --principal " + string(t.meant())
}

// setUp is the fix of one setting: the document that it is set to, by which command, and by --fix; or, where the store is
// known not to have it, what is done there instead.
func (t *trials) setUp(which caseload.BucketSetting, say, command string, document []byte) *Fix {
	if knownToLack(t.kind, which) {
		return &Fix{Say: t.o.Bucket.Instead(t.kind, which)}
	}
	rights := settingActions[which]
	return &Fix{Say: say, Command: command, Document: string(document), Apply: t.apply(which), Needs: []string{rights.get, rights.put}}
}

// apply sets one setting as setting up does: what is there and not ours stays.
func (t *trials) apply(which caseload.BucketSetting) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		have, err := t.o.Setup.Setting(ctx, which)
		if err != nil {
			return err
		}
		change, err := t.o.Bucket.Change(which, have)
		if err != nil || !change.Needed() {
			return err
		}
		return t.o.Setup.SetSetting(ctx, which, change.Want)
	}
}
