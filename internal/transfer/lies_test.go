package transfer_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/transfer"
)

func TestPlanAnswersEachBadFileWithItsOwnError(t *testing.T) {
	onBothEngines(t, func(t *testing.T, r *realRig) {
		good := transfer.FileSpec{Name: "good.zip", Size: 5}
		cases := []struct {
			what  string
			spec  transfer.FileSpec
			kind  caseload.Kind
			field string
			says  string
		}{
			{"size 0", transfer.FileSpec{Name: "a", Size: 0}, caseload.Invalid, "size", "The file is empty."},
			{"negative size", transfer.FileSpec{Name: "a", Size: -1}, caseload.Invalid, "size", "-1 bytes"},
			{"over the limit", transfer.FileSpec{Name: "a", Size: 12<<20 + 1}, caseload.TooLarge, "size", "12 MiB"},
			{"absurdly large", transfer.FileSpec{Name: "a", Size: 1<<63 - 1}, caseload.TooLarge, "size", "12 MiB"},
			{"no name", transfer.FileSpec{Name: " ", Size: 1}, caseload.Invalid, "name", "no readable name"},
			{"only bidi characters", transfer.FileSpec{Name: "\u202e\u2066", Size: 1}, caseload.Invalid, "name", "no readable name"},
			{"name of 300 bytes", transfer.FileSpec{Name: strings.Repeat("가", 100), Size: 1}, caseload.Invalid, "name", "255 bytes"},
			{"NUL in the name", transfer.FileSpec{Name: "a.zip\x00.exe", Size: 1}, caseload.Invalid, "name", "NUL"},
			{"name not UTF-8", transfer.FileSpec{Name: "a\xff", Size: 1}, caseload.Invalid, "name", "UTF-8"},
			{"only dots", transfer.FileSpec{Name: "../..", Size: 1}, caseload.Invalid, "name", "no readable name"},
			{"long fingerprint", transfer.FileSpec{Name: "a", Size: 1, Fingerprint: strings.Repeat("f", 129)}, caseload.Invalid, "fingerprint", "128"},
			{"fingerprint not ASCII", transfer.FileSpec{Name: "a", Size: 1, Fingerprint: "é"}, caseload.Invalid, "fingerprint", "ASCII"},
		}
		specs := []transfer.FileSpec{good}
		for _, c := range cases {
			specs = append(specs, c.spec, good)
		}
		planned, _, err := r.Plan(t.Context(), r.admin, r.c, "", specs)
		r.must(err)
		for i, p := range planned {
			if i%2 == 0 {
				if p.Err != nil || p.File.Name != "good.zip" || p.File.State != caseload.Planned {
					t.Errorf("a good file between the bad ones: %+v", p)
				}
				continue
			}
			c := cases[i/2]
			t.Run(c.what, func(t *testing.T) {
				wantKind(t, p.Err, c.kind)
				if e, ok := errors.AsType[*caseload.Error](p.Err); !ok || e.Field != c.field || !strings.Contains(e.Message, c.says) {
					t.Errorf("got %#v, want field %q and words %q", p.Err, c.field, c.says)
				}
				if p.File.ID != "" {
					t.Error("a row was made")
				}
			})
		}
		files, err := r.store.CaseFiles(t.Context(), r.admin, r.c)
		if err != nil || len(files) != len(cases)+1 {
			t.Errorf("%d rows, %v; want %d", len(files), err, len(cases)+1)
		}
	})
}

func TestPlanKeepsNamesReadableAndHarmless(t *testing.T) {
	onBothEngines(t, func(t *testing.T, r *realRig) {
		modified := time.Date(2026, 3, 4, 5, 6, 7, 890_123_456, time.FixedZone("KST", 9*3600))
		specs := []transfer.FileSpec{
			{Name: "\u110b\u1175\u11b7\u1103\u1162\u1109\u1165\u11a8.zip", Size: 1}, // 임대석 in NFD, as macOS gives it
			{Name: "../../etc/passwd", Path: "../../etc", Size: 1},
			{Name: "photo\u202egpj.exe", Path: "a//b\\c/./d\u0000", Size: 1},
			{Name: "a\r\nb.stl", ContentType: "model/stl; charset=x", ModifiedAt: modified, Fingerprint: "f-1", Size: 999},
			{Name: "b", ContentType: "text/html\r\nSet-Cookie: a=b", Size: 1000},
			{Name: "c", ContentType: "nonsense", ModifiedAt: time.Unix(-1, 0), Size: 1},
		}
		planned, _, err := r.Plan(t.Context(), r.admin, r.c, "", specs)
		r.must(err)
		want := []caseload.File{
			{Name: "임대석.zip", Route: caseload.Small},
			{Name: "passwd", Path: "etc", Route: caseload.Small},
			{Name: "photogpj.exe", Path: "a/b/c/d", Route: caseload.Small},
			{Name: "ab.stl", ContentType: "model/stl", ModifiedAt: modified.UTC().Truncate(time.Millisecond), Fingerprint: "f-1", Route: caseload.Small},
			{Name: "b", Route: caseload.Direct, PartSize: 8 << 20},
			{Name: "c", Route: caseload.Small},
		}
		keys := map[caseload.ObjectKey]bool{}
		for i, w := range want {
			r.must(planned[i].Err)
			got := r.file(planned[i].File.ID)
			if got.Name != w.Name || got.Path != w.Path || got.ContentType != w.ContentType || !got.ModifiedAt.Equal(w.ModifiedAt) ||
				got.Fingerprint != w.Fingerprint || got.Route != w.Route || got.PartSize != w.PartSize {
				t.Errorf("%q was kept as %+v", specs[i].Name, got)
			}
			if keys[got.Object] || len(got.Object) != 33 || strings.Contains(string(got.Object), "/") {
				t.Errorf("key %q", got.Object)
			}
			keys[got.Object] = true
		}
	})
}

// lie is one wrong thing a client may ask; the verb must answer the kind and nothing may change.
type lie struct {
	what string
	kind caseload.Kind
	ask  func() error
}

func tell(t *testing.T, lies []lie) {
	t.Helper()
	for _, l := range lies {
		t.Run(l.what, func(t *testing.T) { wantKind(t, l.ask(), l.kind) })
	}
}

func TestEveryVerbRefusesStrangersViewersAndUnknownIds(t *testing.T) {
	onBothEngines(t, func(t *testing.T, r *realRig) {
		b := randomBytes(6, 2000)
		f := r.sent(b)
		small := r.planned(3)
		ctx := context.Background()
		part := []transfer.PartSpec{{Number: 1, CRC64NVME: checksum(b)}}
		verbs := map[string]func(user caseload.User, direct, small caseload.FileID, c caseload.CaseID) error{
			"Plan": func(u caseload.User, _, _ caseload.FileID, c caseload.CaseID) error {
				_, _, err := r.Plan(ctx, u, c, "", []transfer.FileSpec{{Name: "a", Size: 1}})
				return err
			},
			"Sign": func(u caseload.User, d, _ caseload.FileID, _ caseload.CaseID) error {
				_, err := r.Sign(ctx, u, d, theStore.origin, part)
				return err
			},
			"Receive": func(u caseload.User, _, s caseload.FileID, _ caseload.CaseID) error {
				_, err := r.Receive(ctx, u, s, strings.NewReader("abc"), 3, checksum([]byte("abc")))
				return err
			},
			"Relay": func(u caseload.User, d, _ caseload.FileID, _ caseload.CaseID) error {
				_, err := r.Relay(ctx, u, d, part[0], bytes.NewReader(b), int64(len(b)))
				return err
			},
			"Complete": func(u caseload.User, d, _ caseload.FileID, _ caseload.CaseID) error {
				_, err := r.Complete(ctx, u, d, "")
				return err
			},
			"Held": func(u caseload.User, d, _ caseload.FileID, _ caseload.CaseID) error {
				_, err := r.Held(ctx, u, d)
				return err
			},
			"Abort": func(u caseload.User, d, _ caseload.FileID, _ caseload.CaseID) error {
				_, err := r.Abort(ctx, u, d)
				return err
			},
			"Link": func(u caseload.User, d, _ caseload.FileID, _ caseload.CaseID) error {
				_, err := r.Link(ctx, u, d, theStore.origin)
				return err
			},
			"Content": func(u caseload.User, d, _ caseload.FileID, _ caseload.CaseID) error {
				body, _, err := r.Content(ctx, u, d)
				if err == nil {
					err = body.Close()
				}
				return err
			},
			"DeleteFile": func(u caseload.User, d, _ caseload.FileID, _ caseload.CaseID) error { return r.DeleteFile(ctx, u, d) },
			"DeleteCase": func(u caseload.User, _, _ caseload.FileID, c caseload.CaseID) error { return r.DeleteCase(ctx, u, c) },
		}
		unknown := caseload.NewID[caseload.FileID](time.Now())
		for name, verb := range verbs {
			t.Run(name, func(t *testing.T) {
				wantKind(t, verb(r.stranger, f.ID, small.ID, r.c), caseload.NotFound)
				wantKind(t, verb(r.admin, unknown, unknown, "00000000000000000000000000"), caseload.NotFound)
				wantKind(t, verb(r.admin, "' OR 1=1 --", "' OR 1=1 --", "' OR 1=1 --"), caseload.NotFound)
				switch name {
				case "Held":
					if err := verb(r.viewer, f.ID, small.ID, r.c); err != nil {
						t.Errorf("a viewer: %v", err)
					}
				case "Link", "Content":
					wantKind(t, verb(r.viewer, f.ID, small.ID, r.c), caseload.Conflict) // not received yet
				default:
					wantKind(t, verb(r.viewer, f.ID, small.ID, r.c), caseload.Forbidden)
				}
			})
		}
		wantKind(t, r.Report(ctx, r.viewer, nil), caseload.Forbidden)
		r.must(r.Report(ctx, r.stranger, []caseload.Progress{{File: f.ID, Sent: 77}}))
		if got := r.file(f.ID); got.State != caseload.Sending || got.SentBytes != 0 || r.file(small.ID).State != caseload.Planned {
			t.Errorf("something changed: %+v", got)
		}
		r.must(r.Report(ctx, r.admin, []caseload.Progress{{File: f.ID, Sent: 1234}, {File: small.ID, Sent: -5}, {File: "x", Sent: 1}}))
		if got := r.file(f.ID).SentBytes; got != 1234 {
			t.Errorf("sent bytes %d", got)
		}
	})
}

func TestLiesAboutPartsAreRefusedAndLeaveNothing(t *testing.T) {
	onBothEngines(t, func(t *testing.T, r *realRig) {
		ctx := context.Background()
		b := randomBytes(7, 2000)
		f, small := r.planned(len(b)), r.planned(3)
		sum := checksum(b)
		sign := func(id caseload.FileID, parts ...transfer.PartSpec) func() error {
			return func() error {
				_, err := r.Sign(ctx, r.admin, id, theStore.origin, parts)
				return err
			}
		}
		relay := func(n int, crc string, body []byte, length int) func() error {
			return func() error {
				_, err := r.Relay(ctx, r.admin, f.ID, transfer.PartSpec{Number: n, CRC64NVME: crc}, bytes.NewReader(body), int64(length))
				return err
			}
		}
		tell(t, []lie{
			{"no part", caseload.Invalid, sign(f.ID)},
			{"part 0", caseload.Invalid, sign(f.ID, transfer.PartSpec{Number: 0, CRC64NVME: sum})},
			{"part -1", caseload.Invalid, sign(f.ID, transfer.PartSpec{Number: -1, CRC64NVME: sum})},
			{"one part too many", caseload.Invalid, sign(f.ID, transfer.PartSpec{Number: 2, CRC64NVME: sum})},
			{"a part twice", caseload.Invalid, sign(f.ID, transfer.PartSpec{Number: 1, CRC64NVME: sum}, transfer.PartSpec{Number: 1, CRC64NVME: sum})},
			{"no checksum", caseload.Invalid, sign(f.ID, transfer.PartSpec{Number: 1})},
			{"a checksum of 4 bytes", caseload.Invalid, sign(f.ID, transfer.PartSpec{Number: 1, CRC64NVME: "AAAAAA=="})},
			{"a checksum that is no base64", caseload.Invalid, sign(f.ID, transfer.PartSpec{Number: 1, CRC64NVME: "not base64!!"})},
			{"101 parts", caseload.Invalid, sign(f.ID, make([]transfer.PartSpec, 101)...)},
			{"a file of the small route", caseload.Conflict, sign(small.ID, transfer.PartSpec{Number: 1, CRC64NVME: sum})},
			{"relayed with a wrong length", caseload.Invalid, relay(1, sum, b, len(b)-1)},
			{"relayed part 2 of 1", caseload.Invalid, relay(2, sum, b, len(b))},
			{"completed though nothing was sent", caseload.Conflict, func() error { _, err := r.Complete(ctx, r.admin, f.ID, ""); return err }},
			{"linked though nothing was sent", caseload.Conflict, func() error { _, err := r.Link(ctx, r.admin, f.ID, ""); return err }},
		})
		if got := r.file(f.ID); got.State != caseload.Planned || got.UploadID != "" {
			t.Errorf("row is %s with upload %q", got.State, got.UploadID)
		}
		tell(t, []lie{
			{"relayed wrong bytes", caseload.Invalid, relay(1, sum, randomBytes(8, len(b)), len(b))},
			{"relayed body too short", caseload.Invalid, relay(1, sum, b[:1999], len(b))},
			{"relayed body too long", caseload.Invalid, relay(1, sum, append(bytes.Clone(b), 'x'), len(b))},
			{"completed with the part missing", caseload.Conflict, func() error { _, err := r.Complete(ctx, r.admin, f.ID, ""); return err }},
		})
		r.nothingLeft(f, r.file(f.ID).UploadID)
	})
}

// What is signed is refused by the store itself when the client sends anything else.
func TestTheStoreRefusesWhatWasNotSigned(t *testing.T) {
	r := newRealRig(t, sqliteURL(t))
	b := randomBytes(9, 2000)
	f := r.planned(len(b))
	signed, err := r.signed(f, b, 1)
	r.must(err)
	for what, body := range map[string][]byte{
		"a byte less": b[:1999], "a byte more": append(bytes.Clone(b), 'x'), "other bytes": randomBytes(10, 2000), "nothing": {},
	} {
		if status := send(t, signed, body); status == http.StatusOK {
			t.Errorf("%s: taken", what)
		}
	}
	changed := signed
	changed.URL = strings.Replace(signed.URL, "partNumber=1", "partNumber=2", 1)
	if status := send(t, changed, b); changed.URL == signed.URL || status != http.StatusForbidden {
		t.Errorf("another part number under the same signature: status %d", status)
	}
	r.nothingLeft(f, r.file(f.ID).UploadID)

	if status := send(t, signed, b); status != http.StatusOK {
		t.Fatalf("the signed bytes: status %d", status)
	}
	_, err = r.Complete(t.Context(), r.admin, f.ID, "")
	r.must(err)
	if status := send(t, signed, b); status == http.StatusOK {
		t.Error("a replay after completion was taken")
	}
	r.wantStored(f.ID, b)
}

func TestAnExpiredAddressIsRefusedByTheStore(t *testing.T) {
	r := newRealRig(t, sqliteURL(t))
	r.Limits.URLExpiry = time.Second
	b := randomBytes(11, 2000)
	f := r.planned(len(b))
	signed, err := r.signed(f, b, 1)
	r.must(err)
	if until := time.Until(signed.ExpiresAt); until > time.Second {
		t.Fatalf("expires in %v", until)
	}
	<-time.After(time.Until(signed.ExpiresAt) + 1100*time.Millisecond) // the store's clock cannot be set; S3 counts whole seconds
	if status := send(t, signed, b); status != http.StatusForbidden {
		t.Errorf("status %d", status)
	}
	r.Limits.URLExpiry = 5 * time.Hour // however it is set, never above the ceiling
	again, err := r.signed(f, b, 1)
	r.must(err)
	if until := time.Until(again.ExpiresAt); until > time.Hour+time.Second {
		t.Errorf("expires in %v", until)
	}
	if status := send(t, again, b); status != http.StatusOK { // fault 4: signed again, same upload
		t.Errorf("signed again: status %d", status)
	}
	_, err = r.Complete(t.Context(), r.admin, f.ID, "")
	r.must(err)
	r.wantStored(f.ID, b)
}

func TestLiesAboutASmallFileAreRefusedAndLeaveNothing(t *testing.T) {
	onBothEngines(t, func(t *testing.T, r *realRig) {
		ctx := context.Background()
		b := randomBytes(12, 900)
		f, direct := r.planned(len(b)), r.planned(2000)
		receive := func(id caseload.FileID, body []byte, length int, crc string) func() error {
			return func() error {
				_, err := r.Receive(ctx, r.admin, id, bytes.NewReader(body), int64(length), crc)
				return err
			}
		}
		tell(t, []lie{
			{"a wrong length declared", caseload.Invalid, receive(f.ID, b, 899, checksum(b))},
			{"no length declared", caseload.Invalid, receive(f.ID, b, -1, checksum(b))},
			{"no checksum", caseload.Invalid, receive(f.ID, b, 900, "")},
			{"wrong bytes", caseload.Invalid, receive(f.ID, randomBytes(13, 900), 900, checksum(b))},
			{"a body too short", caseload.Invalid, receive(f.ID, b[:899], 900, checksum(b))},
			{"a body too long", caseload.Invalid, receive(f.ID, append(bytes.Clone(b), 'x'), 900, checksum(b))},
			{"a file of the direct route", caseload.Conflict, receive(direct.ID, b, 900, checksum(b))},
			{"completed though nothing arrived", caseload.Conflict, func() error { _, err := r.Complete(ctx, r.admin, f.ID, ""); return err }},
		})
		r.nothingLeft(f, "")
		if _, err := r.receive(f, b); err != nil {
			t.Fatal(err)
		}
		tell(t, []lie{
			{"other bytes after it was stored", caseload.Conflict, receive(f.ID, randomBytes(14, 900), 900, checksum(randomBytes(14, 900)))},
			{"aborted after it was stored", caseload.Conflict, func() error { _, err := r.Abort(ctx, r.admin, f.ID); return err }},
		})
		r.wantStored(f.ID, b)
	})
}

func TestWhatWasAbortedOrDeletedTakesNoMoreBytes(t *testing.T) {
	onBothEngines(t, func(t *testing.T, r *realRig) {
		ctx := context.Background()
		b, s := randomBytes(15, 2000), randomBytes(16, 900)
		ends := map[string]struct {
			kind caseload.Kind
			end  func(id caseload.FileID) error
		}{
			"aborted": {caseload.Conflict, func(id caseload.FileID) error { _, err := r.Abort(ctx, r.admin, id); return err }},
			"deleted": {caseload.Gone, func(id caseload.FileID) error { return r.DeleteFile(ctx, r.admin, id) }},
		}
		for name, e := range ends {
			f, small := r.sent(b), r.planned(len(s))
			signed, err := r.signed(f, b, 1)
			r.must(err)
			uploadID := r.file(f.ID).UploadID
			r.must(e.end(f.ID))
			r.must(e.end(small.ID))
			tell(t, []lie{
				{name + ", then signed", e.kind, func() error { _, err := r.signed(f, b, 1); return err }},
				{name + ", then completed", e.kind, func() error { _, err := r.Complete(ctx, r.admin, f.ID, ""); return err }},
				{name + ", then received", e.kind, func() error { _, err := r.receive(small, s); return err }},
				{name + ", then linked", e.kind, func() error { _, err := r.Link(ctx, r.admin, f.ID, ""); return err }},
				{name + ", then asked what is held", e.kind, func() error { _, err := r.Held(ctx, r.admin, f.ID); return err }},
			})
			if status := send(t, signed, b); status == http.StatusOK {
				t.Errorf("%s: the address still takes bytes", name)
			}
			r.nothingLeft(f, uploadID)
			r.nothingLeft(small, "")
		}
	})
}

func TestABatchIsBounded(t *testing.T) {
	r := newRealRig(t, sqliteURL(t))
	_, _, err := r.Plan(t.Context(), r.admin, r.c, "", nil)
	wantKind(t, err, caseload.Invalid)
	_, _, err = r.Plan(t.Context(), r.admin, r.c, "", make([]transfer.FileSpec, 1001))
	wantKind(t, err, caseload.TooLarge)
	wantKind(t, r.Report(t.Context(), r.admin, make([]caseload.Progress, 1001)), caseload.TooLarge)
}
