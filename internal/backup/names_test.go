package backup

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// A folder's names come in order, each once, however few of them are kept at a time.
func TestNamesComeInOrderInPages(t *testing.T) {
	dir := t.TempDir()
	var want []string
	for i := range 57 {
		name := fmt.Sprintf("f%03d", i*37%57)
		want = append(want, name)
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(want)
	for _, limit := range []int{1, 7, 28, 57, 1000} {
		var got []string
		after, pages := "", 0
		for more := true; more; pages++ {
			names, left, err := namesAfter(dir, after, limit)
			if err != nil || len(names) > 2*limit || pages > len(want) {
				t.Fatalf("%d names at a time: page %d has %d (%v)", limit, pages, len(names), err)
			}
			if more = left; len(names) > 0 {
				after = names[len(names)-1]
			}
			got = append(got, names...)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d names at a time: %q", limit, got)
		}
	}
}
