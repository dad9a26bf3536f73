package main

import (
	"os"
	"testing"
)

// TestGeneratedDocsAreCurrent fails when docs/config.md or docs/cli.md no longer says what the program does.
func TestGeneratedDocsAreCurrent(t *testing.T) {
	for file, want := range map[string]string{"../../docs/config.md": configDoc(), "../../docs/cli.md": cliDoc(rootCommand())} {
		got, err := os.ReadFile(file)
		if err != nil {
			t.Error(err)
			continue
		}
		if string(got) != want {
			t.Errorf("%s is stale; run `make docs`", file)
		}
	}
}
