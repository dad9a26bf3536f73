package objectstore

import (
	"context"
	"errors"
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
	for _, atOnce := range []int{1, 7, 28, 57, 1000} {
		var got []string
		after, pages := "", 0
		for more := true; more; pages++ {
			names, left, err := namesAfter(t.Context(), dir, after, atOnce)
			if err != nil || len(names) > 2*atOnce || left && len(names) < atOnce || pages > len(want) {
				t.Fatalf("%d names at a time: page %d has %d, more: %v (%v)", atOnce, pages, len(names), left, err)
			}
			if more = left; len(names) > 0 {
				after = names[len(names)-1]
			}
			got = append(got, names...)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d names at a time: %q", atOnce, got)
		}
	}
}

// While the page is full a name that belongs into it takes the place of the last one, wherever in the folder it stands.
func TestAPageOfNamesHoldsTheFirst(t *testing.T) {
	dir := t.TempDir()
	for i := range 5000 { // more than are read at once
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("f%04d", (i*2741)%5000)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, after := range []string{"", "f0041x", "f4997"} {
		names, more, err := namesAfter(t.Context(), dir, after, 3)
		if err != nil {
			t.Fatal(err)
		}
		from := map[string]int{"": 0, "f0041x": 42, "f4997": 4998}[after]
		if more != (from < 4990) {
			t.Errorf("after %q: more: %v", after, more)
		}
		for i, name := range names {
			if want := fmt.Sprintf("f%04d", from+i); name != want {
				t.Fatalf("after %q: name %d is %s, want %s", after, i, name, want)
			}
		}
	}
	ended, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	cancel(enough)
	if _, _, err := namesAfter(ended, dir, "", 3); !errors.Is(err, enough) {
		t.Errorf("called off: %v", err)
	}
}
