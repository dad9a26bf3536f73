// Command slices writes a folder of CT slices of 512 × 512 pixels (0.5 MB each), as a scanner exports them.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"dcdentals.com/caseload/e2e/phantom"
)

func main() {
	dir := flag.String("dir", "", "existing folder")
	count := flag.Int("count", 1000, "slices")
	flag.Parse()
	scan := phantom.Scan{Seed: 21, Patient: "Line^Long", ID: "L-1", Slices: *count, Size: 512}
	for n := 1; n <= *count; n++ {
		if err := os.WriteFile(filepath.Join(*dir, fmt.Sprintf("IM%04d", n)), scan.Slice(n), 0o600); err != nil {
			fmt.Fprintln(os.Stderr, "slices:", err)
			os.Exit(1)
		}
	}
}
