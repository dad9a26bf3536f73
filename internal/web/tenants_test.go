package web_test

import (
	"strings"
	"testing"

	"dcdentals.com/caseload/internal/api"
)

// A drop, a checksum and a fingerprint are words of the client's: none of them is a way into another case or organization.
func TestWhatAClientSaysOpensNoOtherCase(t *testing.T) {
	h := open(t)
	ctx := t.Context()
	member, stranger := h.client("member"), h.client("foreign-admin")
	mine, other := h.openCase(), h.openCase()
	foreign, err := stranger.CreateCase(ctx, api.NewCase{Patient: "P"})
	must(t, err)
	secret := []byte("secret")
	sum := crcOf(t, secret)
	planned, err := member.Plan(ctx, mine.ID, "", []api.FileSpec{
		{Name: "IM10", Path: "scan", Size: 6}, {Name: "IM2", Path: "scan", Size: 6}, {Name: "begun.zip", Size: 50 << 20, Fingerprint: "f"},
	})
	must(t, err)
	for _, p := range planned.Files[:2] {
		if status, answers := h.sendBatch(mine.ID, framed(h.whole(p.File.ID, string(secret)))); status != 200 || kinds(answers) != "stored" {
			t.Fatal(status, kinds(answers))
		}
	}

	same := []api.FileSpec{{Name: "IM2", Path: "scan", Size: 6, CRC64NVME: sum}, {Name: "begun.zip", Size: 50 << 20, Fingerprint: "f"}}
	for who, ask := range map[string]struct {
		client     *api.Client
		caseID     string
		drop       string
		wantInCase bool
	}{
		"the same case":        {member, mine.ID, planned.Drop, true},
		"another case":         {member, other.ID, "", false},
		"another organization": {stranger, foreign.ID, planned.Drop, false},
	} {
		again, err := ask.client.Plan(ctx, ask.caseID, ask.drop, same)
		must(t, err)
		if again.Files[0].Received != ask.wantInCase || again.Files[1].Resumed != ask.wantInCase {
			t.Errorf("%s: received %t, resumed %t", who, again.Files[0].Received, again.Files[1].Resumed)
		}
		matched, err := ask.client.Match(ctx, ask.caseID, []int64{6})
		must(t, err)
		if (len(matched.Received) > 0) != ask.wantInCase {
			t.Errorf("%s: matched %+v", who, matched.Received)
		}
	}
	if _, err := member.Plan(ctx, other.ID, planned.Drop, same); err == nil {
		t.Error("another case's drop was taken")
	}

	receipt, err := member.DropReceipt(ctx, planned.Drop)
	must(t, err)
	var names []string
	for _, f := range receipt.Files {
		names = append(names, f.Name)
	}
	if got := strings.Join(names, " "); got != "begun.zip IM2 IM10" { // by folder, and as people count
		t.Errorf("the receipt holds %q", got)
	}
	theirs, err := stranger.DropReceipt(ctx, planned.Drop)
	must(t, err)
	if len(theirs.Files) != 2 || theirs.Case.ID != foreign.ID || theirs.Organization.ID == receipt.Organization.ID {
		t.Errorf("the stranger's receipt of the same drop: %+v", theirs)
	}
	for _, f := range theirs.Files {
		if f.SHA256 != "" || f.CRC64NVME != "" || f.State != "planned" {
			t.Errorf("it tells of a file of ours: %+v", f)
		}
	}
}
