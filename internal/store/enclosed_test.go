package store

import (
	"testing"

	"dcdentals.com/caseload/internal/caseload"
)

// packedUp is what reading a ZIP of a slice, a mesh and a photo finds.
func packedUp() caseload.Findings {
	found := slicesOf(1)
	found.Contents.Enclosed = []caseload.Enclosed{
		{Kind: caseload.KindSTL, EntryRef: caseload.EntryRef{Index: 1, Name: "upper.stl", DataOffset: 900, Compressed: 134, Size: 134}},
		{Kind: caseload.KindJPEG, EntryRef: caseload.EntryRef{Index: 2, Name: "smile.jpg", Method: 8, DataOffset: 1100, Compressed: 50, Size: 90}},
	}
	return found
}

// Each thing in a ZIP that is looked at by itself has a preview of its own, after the scans; they go with the file.
func TestWhatAZIPHoldsHasPreviews(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		c := b.newCase("1", "")
		f := b.as(c.ID, caseload.Reading)
		must(t, b.s.SaveMetadata(ctx, f.ID, 1, packedUp()))
		o := b.claimPreview(t)
		if o.Series == "" {
			t.Fatalf("the scan does not go first: %+v", o)
		}
		o.State, o.Pictures = caseload.PreviewMade, []caseload.Picture{picture("image")}
		must(t, b.s.SavePreview(ctx, o, o.Preview))
		seen := map[int]bool{}
		for range 2 {
			o := b.claimPreview(t)
			if o.File != f.ID || o.Entry < 1 || o.Entry > 2 || o.Files[f.ID].Contents.Enclosed[o.Entry-1] != packedUp().Contents.Enclosed[o.Entry-1] {
				t.Fatalf("the order is %+v", o)
			}
			seen[o.Entry] = true
			o.State, o.Pictures = caseload.PreviewMade, []caseload.Picture{picture("image")}
			must(t, b.s.SavePreview(ctx, o, o.Preview))
		}
		if len(seen) != 2 {
			t.Errorf("made of %v", seen)
		}
		must(t, b.s.SaveMetadata(ctx, f.ID, 1, packedUp())) // the same once more
		if made := b.enclosed(t, c.ID); made[1] != caseload.PreviewMade || made[2] != caseload.PreviewMade {
			t.Errorf("reading the same again forgot what was made: %v", made)
		}
		less := packedUp()
		less.Contents.Enclosed = less.Contents.Enclosed[1:]
		must(t, b.s.SaveMetadata(ctx, f.ID, 1, less))
		if left := b.enclosed(t, c.ID); len(left) != 1 || left[1] != caseload.PreviewWaiting {
			t.Errorf("what is at another place now shows %v", left)
		}
		must(t, b.s.DeleteFile(ctx, b.admin, f.ID, b.inAnHour()))
		if all, err := b.s.CasePreviews(ctx, b.admin, c.ID); err != nil || len(all) != 0 {
			t.Errorf("after deleting: %+v %v", all, err)
		}
	})
}

// enclosed returns the state of the previews of what ZIPs of the case hold.
func (b *bench) enclosed(t *testing.T, id caseload.CaseID) map[int]caseload.PreviewState {
	t.Helper()
	all, err := b.s.CasePreviews(t.Context(), b.admin, id)
	must(t, err)
	states := map[int]caseload.PreviewState{}
	for _, p := range all {
		if p.Entry > 0 {
			states[p.Entry] = p.State
		}
	}
	return states
}
