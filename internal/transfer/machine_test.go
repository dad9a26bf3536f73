package transfer_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net/http"
	"testing"
	"time"

	"pgregory.net/rapid"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/transfer"
)

// TestAnyOrderOfVerbsKeepsTheInvariants lets chance call the verbs in any order, honestly and not, while the clock runs,
// over a real database and the real store. A model of what must be so is compared after every step, and at the end an
// oracle goes through the invariants I1 to I8.
func TestAnyOrderOfVerbsKeepsTheInvariants(t *testing.T) {
	if checks := flag.Lookup("rapid.checks"); checks.Value.String() == checks.DefValue {
		if err := flag.Set("rapid.checks", "15"); err != nil {
			t.Fatal(err)
		}
		defer flag.Set("rapid.checks", checks.DefValue) //nolint:errcheck // it was valid before
	}
	onBothEngines(t, func(t *testing.T, r *realRig) {
		r.Limits.PartSize = caseload.MinPartSize
		n := 0
		rapid.Check(t, func(rt *rapid.T) {
			n++
			m := &machine{realRig: r, rt: rt, c: r.newCase(fmt.Sprintf("M-%d", n))}
			rt.Repeat(map[string]func(*rapid.T){
				"plan": m.plan, "plan again": m.planAgain, "sign": m.sign, "put": m.put, "relay": m.relay, "receive": m.receiveSmall, "complete": m.complete,
				"abort": m.abort, "delete": m.deleteFile, "link": m.link, "held": m.held, "sweep": m.sweep, "wait": m.wait,
				"": m.compare,
			})
			m.judge()
		})
	})
}

type machine struct {
	*realRig
	rt    *rapid.T
	c     caseload.CaseID
	files []*expected
	urls  []address
}

// expected is what must be so of one file. Its bytes come in two versions, as if it were changed while it is sent; held
// and said tell by part which version the store has and the manifest speaks of.
type expected struct {
	caseload.File
	version    [2][]byte
	state      caseload.State
	path       []caseload.State // every state it was seen in
	held, said map[int]int
	bytes      []byte // once stored
	uploadID   string
	lastSign   time.Time
	resumed    bool // it has several parts and was planned twice: only a client can say that it is whole
}

type address struct {
	f       *expected
	part    int
	version int
	signed  caseload.SignedRequest
}

func (f *expected) whole() bool {
	for n := 1; n <= f.Parts(); n++ {
		said, ok := f.said[n]
		held, there := f.held[n]
		if !ok || !there || said != held {
			return false
		}
	}
	return f.Parts() > 0
}

// store puts the model's file where a successful completion puts it.
func (f *expected) store() {
	f.moved(caseload.Stored)
	f.bytes = nil
	for n := 1; n <= f.Parts(); n++ {
		f.bytes = append(f.bytes, partOf(f.File, f.version[f.said[n]], n)...)
	}
}

func (f *expected) moved(to caseload.State) {
	f.state = to
	f.path = append(f.path, to)
}

func (m *machine) pick() *expected {
	if len(m.files) == 0 {
		m.rt.Skip("no file yet")
	}
	return rapid.SampledFrom(m.files).Draw(m.rt, "file")
}

// want checks the kind of an error; -1 stands for success.
func (m *machine) want(err error, kind caseload.Kind) {
	m.rt.Helper()
	if kind < 0 && err != nil || kind >= 0 && (err == nil || caseload.KindOf(err) != kind) {
		m.rt.Fatalf("error %v (%s), want kind %d", err, caseload.KindOf(err), kind)
	}
}

const success caseload.Kind = -1

// arriving is the kind a verb about sending answers for the file's state.
func (f *expected) arriving() caseload.Kind {
	switch {
	case f.state.Arriving():
		return success
	case f.state == caseload.Deleted:
		return caseload.Gone
	default:
		return caseload.Conflict
	}
}

func (m *machine) plan(rt *rapid.T) {
	if len(m.files) >= 6 {
		rt.Skip("enough files")
	}
	size := rapid.SampledFrom([]int{1, 999, 1000, 2500, 2500, caseload.MinPartSize + 1}).Draw(rt, "size")
	m.planSpec(transfer.FileSpec{Name: fmt.Sprintf("a%d", len(m.files)), Size: int64(size), Fingerprint: "print", ModifiedAt: m.now()})
}

// planSpec plans one file beside one that cannot be, and holds the answer against the model: bytes that were received are
// not sent again, an unfinished upload of the same file goes on, anything else is a new row.
func (m *machine) planSpec(spec transfer.FileSpec) {
	planned, _, err := m.Plan(context.Background(), m.admin, m.c, "", []transfer.FileSpec{spec, {Name: "b"}})
	m.want(err, success)
	m.want(planned[1].Err, caseload.Invalid)
	got := planned[0]
	var received, unfinished []*expected
	for _, f := range m.files {
		apart := f.ModifiedAt.Sub(spec.ModifiedAt).Abs()
		switch {
		case f.state.Acknowledged() && spec.CRC64NVME == checksum(f.bytes):
			received = append(received, f)
		case f.state.Arriving() && f.Name == spec.Name && f.Size == spec.Size && f.Fingerprint == spec.Fingerprint && apart <= 2*time.Second:
			unfinished = append(unfinished, f)
		}
	}
	among := func(files []*expected) bool {
		for _, f := range files {
			if f.ID == got.File.ID {
				f.lastSign = m.now()
				return true
			}
		}
		return false
	}
	switch {
	case len(received) > 0:
		if got.Match != caseload.MatchReceived || !among(received) {
			m.rt.Fatalf("received already, planned as %q", got.Match)
		}
	case len(unfinished) > 0:
		if got.Match != caseload.MatchUnfinished || !among(unfinished) {
			m.rt.Fatalf("unfinished, planned as %q", got.Match)
		}
		for _, f := range unfinished {
			f.resumed = f.resumed || f.ID == got.File.ID && f.Parts() > 1
		}
	default:
		if got.Match != caseload.MatchNone {
			m.rt.Fatalf("a new file is taken for %s (%q)", got.File.ID, got.Match)
		}
		f := &expected{File: got.File, held: map[int]int{}, said: map[int]int{}, lastSign: m.now()}
		n := uint64(len(m.files))
		f.version = [2][]byte{randomBytes(n, int(f.Size)), randomBytes(n+100, int(f.Size))}
		f.moved(caseload.Planned)
		m.files = append(m.files, f)
	}
}

// planAgain drops a file of before again, as it was or changed.
func (m *machine) planAgain(rt *rapid.T) {
	f := m.pick()
	if len(m.files) >= 9 {
		rt.Skip("enough files")
	}
	spec := transfer.FileSpec{Name: f.Name, Size: f.Size, Fingerprint: f.Fingerprint, ModifiedAt: f.ModifiedAt}
	switch rapid.SampledFrom([]string{"same", "same", "rounded", "edited", "other print", "checksum known"}).Draw(rt, "copy") {
	case "rounded":
		spec.ModifiedAt = spec.ModifiedAt.Add(-1900 * time.Millisecond)
	case "edited":
		spec.ModifiedAt = spec.ModifiedAt.Add(3 * time.Second)
	case "other print":
		spec.Fingerprint += "'"
	case "checksum known":
		spec.CRC64NVME = checksum(f.version[0])
	}
	m.planSpec(spec)
}

func (m *machine) drawPart(f *expected) (n, version int) {
	return rapid.IntRange(1, max(1, f.Parts())).Draw(m.rt, "part"), rapid.SampledFrom([]int{0, 0, 0, 1}).Draw(m.rt, "version")
}

// signing notes what a successful Sign or Relay changes.
func (m *machine) signing(f *expected, n, version int) {
	if f.state == caseload.Planned {
		f.moved(caseload.Sending)
	}
	f.said[n], f.lastSign = version, m.now()
	f.uploadID = m.file(f.ID).UploadID
}

func (m *machine) sign(rt *rapid.T) {
	f := m.pick()
	n, version := m.drawPart(f)
	want := f.arriving()
	if want == success && f.Route == caseload.Small {
		want = caseload.Conflict
	}
	spec := transfer.PartSpec{Number: n, CRC64NVME: checksum(f.version[version])}
	if f.Route == caseload.Direct {
		spec.CRC64NVME = checksum(partOf(f.File, f.version[version], n))
	}
	requests, err := m.Sign(context.Background(), m.admin, f.ID, theStore.origin, []transfer.PartSpec{spec})
	m.want(err, want)
	if err == nil {
		m.signing(f, n, version)
		m.urls = append(m.urls, address{f, n, version, requests[0]})
	}
}

// put uses any address given out so far, however late, sometimes with bytes that were not signed.
func (m *machine) put(rt *rapid.T) {
	if len(m.urls) == 0 {
		rt.Skip("nothing signed yet")
	}
	u := rapid.SampledFrom(m.urls).Draw(rt, "address")
	body := partOf(u.f.File, u.f.version[u.version], u.part)
	honest := rapid.IntRange(0, 3).Draw(rt, "lie") > 0
	if !honest {
		body = rapid.SampledFrom([][]byte{body[:len(body)-1], append(bytes.Clone(body), 0), bytes.Repeat([]byte{7}, len(body))}).Draw(rt, "body")
	}
	taken := send(m.t, u.signed, body) == http.StatusOK
	if want := honest && u.f.state == caseload.Sending; taken != want {
		rt.Fatalf("the store took it: %v, want %v (state %s)", taken, want, u.f.state)
	}
	if taken {
		u.f.held[u.part] = u.version
	}
}

func (m *machine) relay(rt *rapid.T) {
	f := m.pick()
	if f.Route == caseload.Small {
		rt.Skip("small route")
	}
	n, version := m.drawPart(f)
	body := partOf(f.File, f.version[version], n)
	_, err := m.Relay(context.Background(), m.admin, f.ID, transfer.PartSpec{Number: n, CRC64NVME: checksum(body)}, bytes.NewReader(body), int64(len(body)))
	m.want(err, f.arriving())
	if err == nil {
		m.signing(f, n, version)
		f.held[n] = version
	}
}

func (m *machine) receiveSmall(rt *rapid.T) {
	f := m.pick()
	_, version := m.drawPart(f)
	body := f.version[version]
	sum := checksum(body)
	lie := rapid.IntRange(0, 3).Draw(rt, "lie") == 0
	want := f.arriving()
	switch {
	case f.state != caseload.Deleted && f.Route == caseload.Direct:
		want = caseload.Conflict
	case f.state.Acknowledged() && bytes.Equal(f.bytes, body):
		want = success // told once more
	case want == success && lie:
		want = caseload.Invalid
	}
	sent := body
	if lie {
		sent = body[:len(body)-1]
	}
	_, err := m.Receive(context.Background(), m.admin, f.ID, bytes.NewReader(sent), int64(len(body)), sum)
	m.want(err, want)
	if want == success || want == caseload.Invalid {
		if f.state == caseload.Planned {
			f.moved(caseload.Sending)
		}
		f.lastSign = m.now()
	}
	if err == nil && f.state == caseload.Sending {
		f.moved(caseload.Stored)
		f.bytes = body
	}
}

func (m *machine) complete(*rapid.T) {
	f := m.pick()
	want := f.arriving()
	if f.state.Acknowledged() {
		want = success
	} else if want == success && !f.whole() {
		want = caseload.Conflict
	}
	got, err := m.Complete(context.Background(), m.admin, f.ID, "")
	m.want(err, want)
	if err == nil && !f.state.Acknowledged() {
		f.store()
	}
	if err == nil && (got.State != caseload.Stored || got.CRC64NVME != checksum(f.bytes)) {
		m.rt.Fatalf("acknowledged as %s with checksum %s", got.State, got.CRC64NVME)
	}
}

func (m *machine) abort(*rapid.T) {
	f := m.pick()
	want := f.arriving()
	if f.state == caseload.Abandoned {
		want = success
	}
	_, err := m.Abort(context.Background(), m.admin, f.ID)
	m.want(err, want)
	if err == nil && f.state != caseload.Abandoned {
		f.moved(caseload.Abandoned)
	}
}

func (m *machine) deleteFile(*rapid.T) {
	f := m.pick()
	want := success
	if f.state == caseload.Deleted {
		want = caseload.Gone
	}
	m.want(m.DeleteFile(context.Background(), m.admin, f.ID), want)
	if f.state != caseload.Deleted {
		f.moved(caseload.Deleted)
	}
}

func (m *machine) link(*rapid.T) {
	f := m.pick()
	if f.state.Acknowledged() {
		if b, err := m.download(f.ID); err != nil || !bytes.Equal(b, f.bytes) {
			m.rt.Fatalf("download: %d bytes, %v; want %d", len(b), err, len(f.bytes))
		}
		return
	}
	want := caseload.Conflict
	if f.state == caseload.Deleted {
		want = caseload.Gone
	}
	_, err := m.Link(context.Background(), m.viewer, f.ID, theStore.origin)
	m.want(err, want)
}

func (m *machine) held(*rapid.T) {
	f := m.pick()
	if f.Route == caseload.Small {
		m.rt.Skip("small route")
	}
	parts, err := m.Held(context.Background(), m.viewer, f.ID)
	m.want(err, f.arriving())
	if err != nil {
		return
	}
	for _, p := range parts {
		if version, ok := f.held[p.Number]; !ok || p.CRC64NVME != checksum(partOf(f.File, f.version[version], p.Number)) {
			m.rt.Fatalf("the store is said to hold part %d as %s", p.Number, p.CRC64NVME)
		}
	}
	if len(parts) != len(f.held) {
		m.rt.Fatalf("%d parts, want %d", len(parts), len(f.held))
	}
}

func (m *machine) wait(rt *rapid.T) {
	m.advance(rapid.SampledFrom([]time.Duration{time.Minute, 61 * time.Minute, 3 * time.Hour, 8 * 24 * time.Hour}).Draw(rt, "time"))
}

// sweep may store what is whole and abandon what was silent for a week, nothing else. Of what was resumed nobody but a
// client says that it is whole.
func (m *machine) sweep(*rapid.T) {
	if _, err := m.Sweep(context.Background()); err != nil {
		m.rt.Fatal(err)
	}
	for _, f := range m.files {
		if !f.state.Arriving() {
			continue
		}
		whole := f.whole() && !f.resumed
		switch now := m.file(f.ID).State; {
		case now == caseload.Stored && whole:
			f.store()
		case now == caseload.Abandoned && !whole && m.now().Sub(f.lastSign) >= m.Limits.AbandonAfter:
			f.moved(caseload.Abandoned)
		case now != f.state:
			m.rt.Fatalf("sweep moved a file from %s to %s (whole: %v, resumed: %v)", f.state, now, f.whole(), f.resumed)
		}
	}
}

// compare holds every row against the model (I4, I5), and the moves the model saw against the table.
func (m *machine) compare(rt *rapid.T) {
	m.rt = rt
	for _, f := range m.files {
		row, err := m.store.File(context.Background(), m.admin, f.ID)
		if f.state == caseload.Deleted {
			m.want(err, caseload.Gone)
			continue
		}
		m.want(err, success)
		if row.State != f.state {
			rt.Fatalf("row is %s, want %s", row.State, f.state)
		}
		if !row.State.Terminal() && row.Deadline.IsZero() {
			rt.Fatalf("a row at %s has no deadline", row.State)
		}
	}
}
