package preview_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/corpus"
)

// Every image of the corpus is drawn in its true size, or has a reason; most are drawn.
func TestImagesOfTheCorpusAreDrawn(t *testing.T) {
	folder, files := corpus.Files[struct {
		File   string
		Expect string
		Truth  struct {
			Rows, Columns     int
			TransferSyntaxUID string
		}
	}](t)
	drawn, left := 0, 0
	for _, f := range files {
		if f.Expect != "record" || f.Truth.Rows == 0 || !strings.HasSuffix(f.File, ".dcm") {
			continue
		}
		t.Run(f.File, func(t *testing.T) {
			b, err := os.ReadFile(filepath.Join(folder, f.File))
			if err != nil {
				t.Fatal(err)
			}
			made := newDesk(b).series(t, false).draw(t)
			switch made.State {
			case caseload.PreviewMade:
				drawn++
				p := made.Pictures[0]
				if p.View == "image" && f.Truth.Columns <= 512 && f.Truth.Rows <= 512 && (p.Width != f.Truth.Columns && p.Height != f.Truth.Rows) {
					t.Errorf("%d × %d, truly %d × %d", p.Width, p.Height, f.Truth.Columns, f.Truth.Rows)
				}
			case caseload.PreviewBrowser:
				left++
			default:
				if t.Logf("%s: %s", f.Truth.TransferSyntaxUID, made.Reason); made.Reason == "" {
					t.Error("there is no reason")
				}
			}
		})
	}
	if t.Logf("%d drawn, %d left to browsers", drawn, left); drawn < 10 || left < 2 {
		t.Errorf("only %d were drawn and %d left to browsers", drawn, left)
	}
}
