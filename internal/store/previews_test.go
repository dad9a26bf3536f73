package store

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// claim claims the preview that is due after a while; it must be there.
func (b *bench) claimPreview(t *testing.T) caseload.PreviewOrder {
	t.Helper()
	b.pass(time.Minute)
	o, ok, err := b.s.ClaimPreview(t.Context(), "test", b.now(), b.now().Add(time.Minute))
	must(t, err)
	if !ok {
		t.Fatal("no preview is due")
	}
	return o
}

func (b *bench) nothingDue(t *testing.T) {
	t.Helper()
	b.pass(time.Minute)
	if o, ok, err := b.s.ClaimPreview(t.Context(), "test", b.now(), b.now().Add(time.Minute)); err != nil || ok {
		t.Fatalf("a preview is due: %+v %v", o, err)
	}
}

func picture(view string) caseload.Picture {
	return caseload.Picture{View: view, Media: "image/png", Width: 2, Height: 3, SHA256: strings.Repeat("a", 64), Bytes: []byte{0, 1, 0xFF}}
}

func photo() caseload.Findings {
	return caseload.Findings{Kind: caseload.KindJPEG, Contents: caseload.Contents{Photos: 1}}
}

func TestAPreviewIsOrderedMadeAndShown(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		c := b.newCase("1", "")
		f := b.as(c.ID, caseload.Reading)
		must(t, b.s.SaveMetadata(ctx, f.ID, 1, slicesOf(3)))
		before, err := b.s.Case(ctx, b.admin, c.ID)
		must(t, err)
		o := b.claimPreview(t)
		if o.Series == "" || o.File != "" || len(o.Members) != 3 || o.Files[f.ID].Object != f.Object || o.Scan.Modality != "CT" || o.Tries != 1 {
			t.Fatalf("the order is %+v", o)
		}
		b.nothingDueAt(t, b.now())
		o.State, o.Facts = caseload.PreviewMade, caseload.PreviewFacts{Triangles: 7, High: [3]float64{1.5, 2, 3}, Closed: true}
		o.Pictures = []caseload.Picture{picture("sagittal"), picture("axial")}
		must(t, b.s.SavePreview(ctx, o, o.Preview))
		all, err := b.s.CasePreviews(ctx, b.admin, c.ID)
		must(t, err)
		if len(all) != 1 || all[0].State != caseload.PreviewMade || all[0].Facts != o.Facts || len(all[0].Pictures) != 2 || all[0].Pictures[0].View != "axial" {
			t.Fatalf("shown: %+v", all)
		}
		p, err := b.s.Picture(ctx, b.admin, o.ID, "axial", strings.Repeat("a", 64))
		must(t, err)
		if string(p.Bytes) != "\x00\x01\xff" || p.Width != 2 || p.Height != 3 {
			t.Fatalf("the picture is %+v", p)
		}
		after, err := b.s.Case(ctx, b.admin, c.ID)
		must(t, err)
		if after.Revision <= before.Revision {
			t.Error("whoever looks at the case is not told")
		}
		b.nothingDue(t)
	})
}

func (b *bench) nothingDueAt(t *testing.T, now time.Time) {
	t.Helper()
	if o, ok, err := b.s.ClaimPreview(t.Context(), "other", now, now.Add(time.Minute)); err != nil || ok {
		t.Fatalf("claimed by another as well: %+v %v", o, err)
	}
}

// Nothing of one organization is another's.
func TestPreviewsAreOfOneOrganization(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		c := b.newCase("1", "")
		f := b.as(c.ID, caseload.Reading)
		must(t, b.s.SaveMetadata(ctx, f.ID, 1, photo()))
		o := b.claimPreview(t)
		o.State, o.Pictures = caseload.PreviewBrowser, []caseload.Picture{picture("image")}
		must(t, b.s.SavePreview(ctx, o, o.Preview))
		stranger := caseload.User{ID: b.admin.ID, Organization: caseload.NewID[caseload.OrganizationID](b.now()), Role: caseload.Admin}
		if all, err := b.s.CasePreviews(ctx, stranger, c.ID); err != nil || len(all) != 0 {
			t.Errorf("a stranger sees %+v %v", all, err)
		}
		_, err := b.s.Picture(ctx, stranger, o.ID, "image", strings.Repeat("a", 64))
		wantKind(t, err, caseload.NotFound)
		wantKind(t, b.s.OfferPicture(ctx, stranger, o.ID, "image", []byte("x")), caseload.NotFound)
		wantKind(t, b.s.ClaimOffer(ctx, stranger, o.ID, b.now().Add(time.Minute)), caseload.NotFound)
		wantKind(t, b.s.ReleaseOffer(ctx, stranger, o.ID), caseload.NotFound)
		_, err = b.s.OfferSource(ctx, stranger, o.ID)
		wantKind(t, err, caseload.NotFound)
		must(t, b.s.OfferPicture(ctx, b.admin, o.ID, "image", []byte("x")))
		if again := b.claimPreview(t); string(again.Offers["image"]) != "x" {
			t.Errorf("the offer is %+v", again.Offers)
		}
	})
}

// One browser at a time draws a preview; the first picture is kept and ends the claim, and so does what changes in the
// series: that is the server's turn at once.
func TestABrowsersClaimEndsWithItsPictureOrWithAChange(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		c := b.newCase("1", "")
		f := b.as(c.ID, caseload.Reading)
		must(t, b.s.SaveMetadata(ctx, f.ID, 1, slicesOf(2)))
		o := b.claimPreview(t)
		wantKind(t, b.s.ClaimOffer(ctx, b.admin, o.ID, b.now().Add(time.Minute)), caseload.Conflict) // not left to browsers
		o.State, o.Reason = caseload.PreviewBrowser, "A browser does."
		must(t, b.s.SavePreview(ctx, o, o.Preview))
		source, err := b.s.OfferSource(ctx, b.admin, o.ID)
		if must(t, err); len(source.Members) != 2 || len(source.Files) != 1 {
			t.Errorf("it is made of %+v", source)
		}
		claim := func() error { return b.s.ClaimOffer(ctx, b.admin, o.ID, b.now().Add(time.Minute)) }
		must(t, claim())
		wantKind(t, claim(), caseload.Conflict)
		b.pass(61 * time.Second)
		must(t, claim()) // it lapsed
		must(t, b.s.ReleaseOffer(ctx, b.admin, o.ID))
		must(t, claim()) // it was given back

		more := slicesOf(4)
		more.Found = more.Found[2:]
		g := b.as(c.ID, caseload.Reading)
		must(t, b.s.SaveMetadata(ctx, g.ID, 1, more))
		wantKind(t, b.s.OfferPicture(ctx, b.admin, o.ID, "image", []byte("of two slices")), caseload.Conflict)
		b.pass(previewAgain)
		again := b.claimPreview(t)
		if again.ID != o.ID || len(again.Offers) > 0 {
			t.Fatalf("what changed waits for the browser's claim: %+v", again)
		}
		again.State, again.Reason = caseload.PreviewBrowser, "A browser does."
		must(t, b.s.SavePreview(ctx, again, again.Preview))
		must(t, claim())
		must(t, b.s.OfferPicture(ctx, b.admin, o.ID, "coronal", []byte("a plane")))
		b.pass(62 * time.Second)
		if _, due, err := b.s.ClaimPreview(ctx, "test", b.now(), b.now().Add(time.Minute)); due || err != nil {
			t.Fatalf("one plane of three is drawn: %v", err)
		}
		must(t, b.s.OfferPicture(ctx, b.admin, o.ID, "image", []byte("of four slices")))
		wantKind(t, b.s.OfferPicture(ctx, b.admin, o.ID, "axial", []byte("a plane")), caseload.Conflict)
		wantKind(t, b.s.OfferPicture(ctx, b.admin, o.ID, "image", []byte("another")), caseload.Conflict)
		if last := b.claimPreview(t); string(last.Offers["image"]) != "of four slices" {
			t.Errorf("the offer is %q", last.Offers["image"])
		}
	})
}

// An attempt whose claim another took over changes nothing; what changed in the meantime is made again.
func TestAnOldAttemptChangesNoPreview(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		c := b.newCase("1", "")
		f := b.as(c.ID, caseload.Reading)
		must(t, b.s.SaveMetadata(ctx, f.ID, 1, slicesOf(2)))
		old := b.claimPreview(t)
		b.pass(2 * time.Minute) // the claim lapses
		now := b.claimPreview(t)
		if now.ID != old.ID || now.Attempt != old.Attempt+1 || now.Tries != 2 {
			t.Fatalf("taken over as %+v", now)
		}
		old.State, old.Pictures = caseload.PreviewMade, []caseload.Picture{picture("image")}
		wantKind(t, b.s.SavePreview(ctx, old, old.Preview), caseload.Conflict)
		wantKind(t, b.s.PostponePreview(ctx, old, b.now(), true), caseload.Conflict)
		if all, err := b.s.CasePreviews(ctx, b.admin, c.ID); err != nil || all[0].State != caseload.PreviewWaiting || len(all[0].Pictures) != 0 {
			t.Fatalf("an old attempt was kept: %+v %v", all, err)
		}
		more := slicesOf(4) // a further file brings two more slices while the preview is made
		more.Found = more.Found[2:]
		g := b.as(c.ID, caseload.Reading)
		must(t, b.s.SaveMetadata(ctx, g.ID, 1, more))
		now.State, now.Pictures = caseload.PreviewMade, []caseload.Picture{picture("image")}
		must(t, b.s.SavePreview(ctx, now, now.Preview))
		if again := b.claimPreview(t); again.ID != now.ID || len(again.Members) != 4 || again.State != caseload.PreviewMade {
			t.Fatalf("again: %+v", again)
		}
	})
}

func TestAPostponedPreviewComesBack(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		f := b.as(b.newCase("1", "").ID, caseload.Reading)
		must(t, b.s.SaveMetadata(ctx, f.ID, 1, photo()))
		for tries, forgive := range []bool{false, true, false} {
			o := b.claimPreview(t)
			if want := []int{1, 2, 2}[tries]; o.Tries != want {
				t.Fatalf("claim %d is try %d, want %d", tries, o.Tries, want)
			}
			must(t, b.s.PostponePreview(ctx, o, b.now().Add(time.Second), forgive))
			b.nothingDueAt(t, b.now())
		}
		o := b.claimPreview(t)
		must(t, b.s.EndLeases(ctx, b.now()))
		if again, ok, err := b.s.ClaimPreview(ctx, "test", b.now(), b.now().Add(time.Minute)); err != nil || !ok || again.ID != o.ID {
			t.Fatalf("a killed process keeps its claim: %v %v", ok, err)
		}
	})
}

// With the file goes its preview, with its last file a series', and with the case all of them; what is left of a series
// is drawn again.
func TestDeletingTakesPreviewsAlong(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		c := b.newCase("1", "")
		rows := func() (n int) {
			for _, table := range []string{"previews", "preview_pictures"} {
				var k int
				must(t, b.s.db.QueryRowContext(ctx, `SELECT count(*) FROM `+table).Scan(&k))
				n += k
			}
			return n
		}
		var files []caseload.File
		for i := range 3 {
			f := b.as(c.ID, caseload.Reading)
			found := photo()
			if i < 2 {
				found = slicesOf(2)
				for k := range found.Found {
					found.Found[k].Instance.SOPInstanceUID += fmt.Sprint(".", i)
				}
			}
			must(t, b.s.SaveMetadata(ctx, f.ID, 1, found))
			files = append(files, f)
		}
		for range 2 {
			o := b.claimPreview(t)
			o.State, o.Pictures = caseload.PreviewMade, []caseload.Picture{picture("image")}
			must(t, b.s.SavePreview(ctx, o, o.Preview))
		}
		if rows() != 4 {
			t.Fatalf("%d rows", rows())
		}
		must(t, b.s.DeleteFile(ctx, b.admin, files[2].ID, b.inAnHour()))
		if rows() != 2 {
			t.Fatalf("%d rows after the photo went", rows())
		}
		must(t, b.s.DeleteFile(ctx, b.admin, files[0].ID, b.inAnHour()))
		if o := b.claimPreview(t); len(o.Members) != 2 {
			t.Fatalf("of the series is left %+v", o.Members)
		}
		must(t, b.s.DeleteFile(ctx, b.admin, files[1].ID, b.inAnHour()))
		if rows() != 0 {
			t.Fatalf("%d rows after the series went", rows())
		}
		f := b.as(c.ID, caseload.Reading)
		must(t, b.s.SaveMetadata(ctx, f.ID, 1, photo()))
		must(t, b.s.DeleteCase(ctx, b.admin, c.ID, b.inAnHour()))
		if rows() != 0 {
			t.Fatalf("%d rows after the case went", rows())
		}
	})
}

// The database refuses what no preview can be, whatever the program does.
func TestTheSchemaBoundsPictures(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		f := b.as(b.newCase("1", "").ID, caseload.Reading)
		must(t, b.s.SaveMetadata(ctx, f.ID, 1, photo()))
		o := b.claimPreview(t)
		for name, change := range map[string]func(p *caseload.Picture){
			"too many bytes": func(p *caseload.Picture) { p.Bytes = make([]byte, caseload.MaxPicture+1) },
			"a page":         func(p *caseload.Picture) { p.Media = "text/html" },
			"another view":   func(p *caseload.Picture) { p.View = "front" },
			"too large":      func(p *caseload.Picture) { p.Width = 513 },
		} {
			p := picture("image")
			change(&p)
			o.State, o.Pictures = caseload.PreviewMade, []caseload.Picture{p}
			if err := b.s.SavePreview(ctx, o, o.Preview); err == nil {
				t.Errorf("%s was kept", name)
			}
		}
	})
}
