// Package mustrun decides what becomes of a test whose surroundings are missing: it is left out loudly, or it fails where
// CASELOAD_TEST_MUST_RUN, a list with commas, names the thing it lacks. For tests only.
package mustrun

import (
	"os"
	"strings"
	"testing"
)

// Skip ends the test for lack of the thing ("postgres", "corpus"); why says what was not there and how to have it.
func Skip(t testing.TB, thing, why string) {
	t.Helper()
	for _, name := range strings.Split(os.Getenv("CASELOAD_TEST_MUST_RUN"), ",") {
		if strings.TrimSpace(name) == thing {
			t.Fatalf("%s must run (CASELOAD_TEST_MUST_RUN): %s", thing, why)
		}
	}
	t.Skipf("SKIPPED: %s: %s", thing, why)
}
