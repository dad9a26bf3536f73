package ledger

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/store"
)

// world is a database with two organizations, a bucket, and what the ledger ought to say of them: the oracle writes down
// what each thing is when it is made, and knows nothing of how the ledger finds out.
type world struct {
	t      testing.TB
	r      *rand.Rand
	store  *store.Store
	bucket *bucket
	users  []caseload.User
	cases  []caseload.Case

	sums  map[caseload.LedgerSum]caseload.LedgerSum
	lines map[string]caseload.Class // by key, version and upload
	ids   int
}

func newWorld(t testing.TB, seed uint64, versions bool) *world {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{URL: "sqlite:" + t.TempDir() + "/caseload.db"})
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	must(t, s.Migrate(t.Context()))
	w := &world{
		t: t, r: rand.New(rand.NewPCG(seed, 2)), store: s, bucket: &bucket{versions: versions},
		sums: map[caseload.LedgerSum]caseload.LedgerSum{}, lines: map[string]caseload.Class{},
	}
	first, err := s.CreateFirstAdmin(t.Context(), "Clinic", caseload.User{Email: "a@clinic.example"}, "hash")
	must(t, err)
	other, err := s.CreateOrganization(t.Context(), "Other")
	must(t, err)
	second, err := s.CreateUser(t.Context(), "", caseload.User{Organization: other.ID, Email: "b@other.example", Role: caseload.Admin}, "hash")
	must(t, err)
	for _, u := range []caseload.User{first, second} {
		c, err := s.CreateCase(t.Context(), u, caseload.Case{Number: "1"})
		must(t, err)
		w.users, w.cases = append(w.users, u), append(w.cases, c)
	}
	return w
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) service() *Service {
	return &Service{
		Records: w.store, Objects: w.bucket, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		sizes: &sizes{keys: 1 + w.r.IntN(6), rows: 1 + w.r.IntN(8), uploads: 1 + w.r.IntN(3)},
	}
}

// is writes down what a thing is.
func (w *world) is(org int, class caseload.Class, source caseload.Source, bytes int64) {
	key := caseload.LedgerSum{Class: class, Source: source}
	if org >= 0 {
		key.Organization = w.users[org].Organization
	}
	sum, known := w.sums[key]
	if !known {
		sum = key
	}
	sum.Objects, sum.Bytes = sum.Objects+1, sum.Bytes+bytes
	w.sums[key] = sum
}

func (w *world) strange(class caseload.Class, key caseload.ObjectKey, version, upload string) {
	w.lines[string(key)+" "+version+" "+upload] = class
}

// row is one file as the test writes it.
type row struct {
	org        int
	state      caseload.State
	object     caseload.ObjectKey
	size       int64
	upload     string
	version    string
	superseded bool
	stored     bool
	loose      bool
	intent     string // the object an open delete-intent speaks of
}

// insert writes the file straight into the database: what it takes to reach a state is not the ledger's matter.
func (w *world) insert(r row) caseload.FileID {
	w.t.Helper()
	ctx, now := context.Background(), time.Now()
	id := caseload.NewID[caseload.FileID](now)
	at, storedAt, reading, owner, reason, family := now.UnixMilli(), int64(0), int64(0), "", "", ""
	if r.stored || r.state.Acknowledged() {
		storedAt = at
	}
	if r.state == caseload.Reading {
		reading, owner = at, "w"
	}
	if r.state == caseload.Rejected || r.state == caseload.Abandoned {
		reason = "why"
	}
	if r.superseded {
		family = string(id)
	}
	flag := map[bool]int{true: 1}
	_, err := w.store.DB().ExecContext(ctx, `INSERT INTO files (id, organization_id, case_id, name, path, size, content_type, modified_at, fingerprint,
		state, reason, route, object, upload_id, part_size, sent_bytes, deadline, crc64nvme, etag, version_id, sha256, kind, attempt, owner, reading_until,
		created_by, created_at, changed_at, stored_at, metadata_at, ready_at, loose, family, superseded)
		VALUES ($1,$2,$3,'x','',$4,'',0,'',$5,$6,'direct',$7,$8,5,$4,$9,'c','e',$10,$11,'zip',1,$12,$13,$14,$9,$9,$15,$9,$9,$16,$17,$18)`,
		string(id), string(w.users[r.org].Organization), string(w.cases[r.org].ID), r.size, string(r.state), reason, string(r.object), r.upload, at,
		r.version, fmt.Sprintf("%064d", 0), owner, reading, string(w.users[r.org].ID), storedAt, flag[r.loose], family, flag[r.superseded])
	must(w.t, err)
	if r.intent == "form" {
		r.intent = string(id)
	}
	if r.intent != "" {
		_, err := w.store.DB().ExecContext(ctx, `INSERT INTO intents (id, organization_id, file_id, object, upload_id, version_id, reason, state, due_at, created_at)
			VALUES ($1,$2,$3,$4,$5,$6,'x','open',$7,$7)`, string(caseload.NewID[caseload.IntentID](now)), string(w.users[r.org].Organization), string(id), r.intent, r.upload, r.version, at)
		must(w.t, err)
	}
	return id
}

func (w *world) id(prefix string) string {
	w.ids++
	return fmt.Sprintf("%s%04d", prefix, w.ids)
}

var received = []caseload.State{caseload.Stored, caseload.Reading, caseload.Ready, caseload.Rejected}

// something makes one more thing of a random sort, in the database, the bucket, or both.
func (w *world) something() {
	org, size, key := w.r.IntN(2), int64(1+w.r.IntN(5000)), caseload.NewObjectKey()
	version := ""
	if w.bucket.versions {
		version = w.id("v")
	}
	o := caseload.Listed{Mark: caseload.Mark{Key: key, ID: version}, Size: size, Current: true}
	r := row{org: org, object: key, size: size}
	kinds := 14
	if w.bucket.versions {
		kinds = 17
	}
	switch w.r.IntN(kinds) {
	case 0, 1, 2:
		r.state, r.version, r.superseded = received[w.r.IntN(4)], version, w.r.IntN(3) == 0
		w.insert(r)
		w.bucket.put(o)
		class := caseload.ClassLive
		if r.superseded {
			class = caseload.ClassOlder
		}
		w.is(org, class, caseload.SourceObject, size)
		for w.bucket.versions && w.r.IntN(2) == 0 { // older ones beneath it
			beneath := caseload.Listed{Mark: caseload.Mark{Key: key, ID: w.id("o")}, Size: 7}
			w.bucket.put(beneath)
			w.is(org, caseload.ClassReplaced, caseload.SourceVersion, 7)
		}
	case 3: // on its way, the object is there, the row does not know yet
		r.state = caseload.Sending
		w.insert(r)
		w.bucket.put(o)
		w.is(org, caseload.ClassInFlight, caseload.SourceObject, size)
	case 4: // nothing has come yet
		r.state = caseload.Planned
		w.insert(r)
	case 5: // in parts
		r.state, r.upload = caseload.Sending, w.id("u")
		w.insert(r)
		w.bucket.begin(upload{caseload.ListedUpload{Mark: caseload.Mark{Key: key, ID: r.upload}, BegunAt: time.Now()}, size})
		w.is(org, caseload.ClassInFlight, caseload.SourceUpload, size)
	case 6: // given up: its parts wait to be erased
		r.state, r.upload, r.intent = caseload.Abandoned, w.id("u"), string(key)
		w.insert(r)
		w.bucket.begin(upload{caseload.ListedUpload{Mark: caseload.Mark{Key: key, ID: r.upload}}, size})
		w.is(org, caseload.ClassAbandoned, caseload.SourceUpload, size)
	case 7: // in the trash
		r.state, r.version, r.stored, r.intent = caseload.Deleted, version, true, string(key)
		w.insert(r)
		w.bucket.put(o)
		w.is(org, caseload.ClassTrash, caseload.SourceObject, size)
	case 8: // erased, and nothing is left
		r.state, r.stored = caseload.Deleted, true
		w.insert(r)
	case 9: // erased, and here all the same
		r.state, r.stored = caseload.Deleted, true
		w.insert(r)
		w.bucket.put(o)
		w.is(org, caseload.ClassUnexplained, caseload.SourceObject, size)
		w.strange(caseload.ClassUnexplained, key, version, "")
	case 10: // nobody's
		w.bucket.put(o)
		w.is(-1, caseload.ClassUnexplained, caseload.SourceObject, size)
		w.strange(caseload.ClassUnexplained, key, version, "")
	case 11: // the object is lost
		r.state, r.version = received[w.r.IntN(4)], version
		w.insert(r)
		w.is(org, caseload.ClassMissing, caseload.SourceRow, size)
		w.strange(caseload.ClassMissing, key, version, "")
	case 12: // an upload of nobody, or of a file that uses another
		u := upload{caseload.ListedUpload{Mark: caseload.Mark{Key: key, ID: w.id("u")}, BegunAt: time.Now().Add(-2 * young)}, size}
		w.bucket.begin(u)
		w.strange(caseload.ClassUnexplained, key, "", u.ID)
		if w.r.IntN(2) == 0 {
			w.is(-1, caseload.ClassUnexplained, caseload.SourceUpload, size)
			return
		}
		r.state, r.upload = caseload.Sending, w.id("u") // its own is not in the store any more
		w.insert(r)
		w.is(org, caseload.ClassUnexplained, caseload.SourceUpload, size)
	case 13: // a form, waiting or taken over; or a test's leftover
		if w.r.IntN(2) == 0 {
			o.Key = caseload.ObjectKey(caseload.TrialPrefix + w.id("trial"))
			w.is(-1, caseload.ClassTrial, caseload.SourceObject, size)
		} else {
			r.state, r.loose, r.intent = caseload.Ready, true, "form"
			r.version = version
			w.bucket.put(o)
			w.is(org, caseload.ClassLive, caseload.SourceObject, size)
			o.Key = caseload.ObjectKey(w.insert(r))
			if o.ID != "" {
				o.ID = w.id("v")
			}
			w.is(org, caseload.ClassAbandoned, caseload.SourceObject, size)
		}
		w.bucket.put(o)
	case 14: // hidden by a delete marker, by whoever deletes past the program
		r.state, r.version = received[w.r.IntN(4)], version
		w.insert(r)
		o.Current = false
		w.bucket.put(o)
		w.is(org, caseload.ClassLive, caseload.SourceVersion, size)
		w.bucket.put(caseload.Listed{Mark: caseload.Mark{Key: key, ID: w.id("m")}, Current: true, Hides: true})
		w.is(org, caseload.ClassMarker, caseload.SourceVersion, 0)
	case 15: // markers of nobody, and what lies beneath them
		for n := range 1 + w.r.IntN(3) {
			w.bucket.put(caseload.Listed{Mark: caseload.Mark{Key: key, ID: w.id("m")}, Current: n == 0, Hides: true})
			w.is(-1, caseload.ClassMarker, caseload.SourceVersion, 0)
		}
		beneath := caseload.Listed{Mark: caseload.Mark{Key: key, ID: w.id("o")}, Size: size}
		w.bucket.put(beneath)
		w.is(-1, caseload.ClassUnexplained, caseload.SourceVersion, size)
		w.strange(caseload.ClassUnexplained, key, beneath.ID, "")
	case 16: // received before the bucket kept versions, and perhaps put over, or lost, since
		r.state = received[w.r.IntN(4)]
		w.insert(r)
		over, lost := w.r.IntN(2) == 0, w.r.IntN(3) == 0
		if over {
			w.bucket.put(o)
			w.is(org, caseload.ClassUnexplained, caseload.SourceObject, size)
			w.strange(caseload.ClassUnexplained, key, version, "")
		}
		if lost {
			w.is(org, caseload.ClassMissing, caseload.SourceRow, size)
			w.strange(caseload.ClassMissing, key, "", "")
			return
		}
		w.bucket.put(caseload.Listed{Mark: caseload.Mark{Key: key, ID: caseload.NullVersion}, Size: size, Current: !over})
		w.is(org, caseload.ClassLive, map[bool]caseload.Source{true: caseload.SourceVersion, false: caseload.SourceObject}[over], size)
	}
}

// agrees compares the last ledger with the oracle.
func (w *world) agrees() {
	w.t.Helper()
	u, err := w.store.UsageOfAll(context.Background())
	must(w.t, err)
	if u.Ledger == nil || u.Running != nil {
		w.t.Fatalf("the ledger is not done: %+v, %+v", u.Ledger, u.Running)
	}
	found := map[caseload.LedgerSum]caseload.LedgerSum{}
	for _, sum := range u.Sums {
		found[caseload.LedgerSum{Organization: sum.Organization, Class: sum.Class, Source: sum.Source}] = sum
	}
	for key, want := range w.sums {
		if found[key] != want {
			w.t.Errorf("the ledger says %+v, want %+v", found[key], want)
		}
		delete(found, key)
	}
	for _, sum := range found {
		w.t.Errorf("the ledger says %+v, of which there is nothing", sum)
	}
	var shown []string
	for _, line := range u.Lines {
		name := string(line.Object) + " " + line.VersionID + " " + line.UploadID
		shown = append(shown, name)
		if w.lines[name] != line.Class {
			w.t.Errorf("the line %q is %s, want %q: %s", name, line.Class, w.lines[name], line.Why)
		}
	}
	for name := range w.lines {
		if !slices.Contains(shown, name) {
			w.t.Errorf("%q has no line", name)
		}
	}
}
