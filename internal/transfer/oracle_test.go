package transfer_test

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// judge is the oracle at the end of a run.
func (m *machine) judge() {
	t := m.rt
	for range 2 { // nothing stuck (I5): a week and a day later everything is stored, abandoned or deleted
		m.advance(8 * 24 * time.Hour)
		m.sweep(t)
	}
	for _, u := range m.urls { // frozen (I3): no address given out before takes a byte any more
		if send(m.t, u.signed, partOf(u.f.File, u.f.version[1-u.version], u.part)) == http.StatusOK ||
			send(m.t, u.signed, partOf(u.f.File, u.f.version[u.version], u.part)) == http.StatusOK {
			t.Fatal("an old address took bytes")
		}
	}
	for _, f := range m.files {
		m.judgeFile(f)
	}
	if _, err := m.store.VerifyAudit(context.Background(), m.admin.Organization); err != nil {
		t.Fatal(err)
	}
	// Clean-up: the case goes, and after the trash window the store holds nothing of it.
	m.want(m.DeleteCase(context.Background(), m.admin, m.c), success)
	m.advance(m.Limits.TrashWindow + 3*time.Hour)
	if _, err := m.Sweep(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, f := range m.files {
		if _, err := theStore.Head(context.Background(), f.Object, ""); caseload.KindOf(err) != caseload.NotFound {
			t.Fatalf("an object is left of a file that was %s: %v", f.state, err)
		}
		if f.uploadID == "" {
			continue
		}
		if parts, err := theStore.ListParts(context.Background(), f.Object, f.uploadID); len(parts) > 0 || err != nil && caseload.KindOf(err) != caseload.NotFound {
			t.Fatalf("%d parts are left of a file that was %s: %v", len(parts), f.state, err)
		}
	}
}

func (m *machine) judgeFile(f *expected) {
	t := m.rt
	for i := 1; i < len(f.path); i++ {
		if !caseload.CanMove(f.path[i-1], f.path[i]) {
			t.Fatalf("states went %v", f.path)
		}
	}
	once := map[caseload.Action]int{}
	for _, s := range f.path {
		switch s {
		case caseload.Sending:
			once[caseload.FileSending] = 1
		case caseload.Stored:
			once[caseload.FileStored] = 1
		case caseload.Abandoned:
			once[caseload.FileAbandoned] = 1
		case caseload.Deleted:
			once[caseload.FileDeleted] = 1
		}
	}
	for _, action := range []caseload.Action{caseload.FileSending, caseload.FileStored, caseload.FileAbandoned, caseload.FileDeleted} {
		if n := m.events(f.ID, action); n != once[action] { // I8
			t.Fatalf("%d events %s after %v", n, action, f.path)
		}
	}
	if wasStored := slices.Contains(f.path, caseload.Stored); wasStored != (m.jobs(f.ID) > 0) { // I7
		t.Fatalf("%d jobs after %v", m.jobs(f.ID), f.path)
	}
	switch {
	case f.state.Arriving():
		t.Fatalf("stuck at %s", f.state)
	case f.state.Acknowledged(): // I1, I2
		row := m.file(f.ID)
		if row.Object == "" || row.ETag == "" || row.Size != int64(len(f.bytes)) || row.CRC64NVME != checksum(f.bytes) {
			t.Fatalf("a phantom: %+v", row)
		}
		if b, err := m.download(f.ID); err != nil || !bytes.Equal(b, f.bytes) {
			t.Fatalf("an acknowledged file cannot be read: %d bytes, %v", len(b), err)
		}
	}
}
