package web_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/caseload"
)

// TestThousandUploadsAreGivenUpInOneCall: those that arrive go, what was received or is another case's stays, and who may
// not write may not do it.
func TestThousandUploadsAreGivenUpInOneCall(t *testing.T) {
	h := open(t)
	ctx, member := t.Context(), h.client("member")
	c, other := h.openCase(), h.openCase()
	var specs []api.FileSpec
	for i := range 998 {
		specs = append(specs, api.FileSpec{Name: fmt.Sprintf("IM%04d", i), Path: "CBCT", Size: 1000})
	}
	planned, err := member.Plan(ctx, c.ID, "", specs)
	must(t, err)
	elsewhere, err := member.Plan(ctx, other.ID, "", specs[:1])
	must(t, err)
	received := h.stored(c.ID, "there.txt", []byte("there"))
	var ids []string
	for _, p := range planned.Files {
		ids = append(ids, p.File.ID)
	}
	all := append(slices.Clone(ids), elsewhere.Files[0].File.ID, received.ID, "no id")

	_, err = h.client("viewer").AbortAll(ctx, c.ID, all)
	if caseload.KindOf(err) != caseload.Forbidden {
		t.Errorf("a viewer: %v", err)
	}
	gone, err := member.AbortAll(ctx, c.ID, all)
	must(t, err)
	slices.Sort(gone)
	slices.Sort(ids)
	if !slices.Equal(gone, ids) {
		t.Errorf("%d of %d were given up", len(gone), len(ids))
	}
	if again, err := member.AbortAll(ctx, c.ID, all); err != nil || len(again) != 0 {
		t.Errorf("once more: %d, %v", len(again), err)
	}
	files, err := member.Files(ctx, c.ID)
	must(t, err)
	left := 0
	for _, f := range files {
		if f.State != string(caseload.Abandoned) {
			left++
		}
	}
	if f, err := member.File(ctx, elsewhere.Files[0].File.ID); err != nil || f.State != string(caseload.Planned) || left != 1 {
		t.Errorf("another case's file is %s (%v), %d are left here", f.State, err, left)
	}
	many := make([]string, 1001)
	for i := range many {
		many[i] = string(caseload.NewID[caseload.FileID](h.clock.now()))
	}
	var p *api.Problem
	if _, err = member.AbortAll(ctx, c.ID, many); !errors.As(err, &p) || p.Status != http.StatusRequestEntityTooLarge {
		t.Errorf("1,001 at once: %v", err)
	}
}
