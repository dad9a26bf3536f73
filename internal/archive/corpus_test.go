package archive_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dcdentals.com/caseload/internal/archive"
	"dcdentals.com/caseload/internal/corpus"
)

// TestCorpusArchivesHoldWhatTheirTruthSays opens the ZIPs of the manifest at CASELOAD_CORPUS, or of the one kept beside
// a developer's checkout.
func TestCorpusArchivesHoldWhatTheirTruthSays(t *testing.T) {
	type corpusFile struct {
		File, Expect string
		Truth        struct{ Slices int }
	}
	folder, files := corpus.Files[corpusFile](t)
	for _, f := range files {
		if f.Expect != "archive" {
			continue
		}
		t.Run(f.File, func(t *testing.T) {
			b, err := os.ReadFile(filepath.Join(folder, f.File))
			if err != nil {
				t.Fatal(err)
			}
			a := open(t, b)
			slices := 0
			err = a.Heads(context.Background(), archive.HeadOptions{Workers: 1}, func(h *archive.Head) error {
				head := h.Bytes()
				if len(head) > 132 && string(head[128:132]) == "DICM" && !strings.HasSuffix(h.Entry.Name, "DICOMDIR") {
					slices++
				}
				return h.Err
			})
			t.Logf("%d entries, %d slices, ignored %v; first %q", len(a.Entries), slices, a.IgnoredNames, a.Entries[0].Name)
			if err != nil || slices != f.Truth.Slices {
				t.Errorf("%d slices, want %d; %v", slices, f.Truth.Slices, err)
			}
			if err := verify(context.Background(), bytes.NewReader(b), a, func(e archive.Entry, err error) {
				if err != nil {
					t.Errorf("%s: %v", e.Name, err)
				}
			}); err != nil {
				t.Error(err)
			}
		})
	}
}
