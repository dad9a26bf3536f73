// Package corpus finds the DICOM files and archives of known truth that the readers are held against. They are not kept
// in this repository: their manifest is named by CASELOAD_CORPUS or lies beside a developer's checkout. For tests only.
package corpus

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"dcdentals.com/caseload/internal/mustrun"
)

// here is taken before an embedded store moves the process's working directory: the tested package's folder.
var here, _ = os.Getwd()

// Files returns the folder and the entries of the manifest, or skips the test when there is none. T is as much of an
// entry as the test wants to know.
func Files[T any](t *testing.T) (folder string, files []T) {
	t.Helper()
	path := os.Getenv("CASELOAD_CORPUS")
	if path == "" {
		path = filepath.Join(here, "..", "..", "..", "shared", "data", "dicom", "manifest.json")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		mustrun.Skip(t, "corpus", "no DICOM corpus at "+path+" (set CASELOAD_CORPUS to its manifest.json)")
	}
	var manifest struct {
		Files []T `json:"files"`
	}
	if err := json.Unmarshal(text, &manifest); err != nil {
		t.Fatal(err)
	}
	return filepath.Dir(path), manifest.Files
}
