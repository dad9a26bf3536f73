// Command cmd writes the files of the browser journeys into a folder: a large and a small scan as ZIPs, an STL and a
// photo.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"dcdentals.com/caseload/e2e/phantom"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: phantom FOLDER")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "phantom:", err)
		os.Exit(1)
	}
}

func write(dir string) error {
	large := phantom.Scan{Seed: 7001, Patient: "Kim^Minsu=김^민수", ID: "P-7001", Slices: 300, Size: 304} // 55 MB: the direct route
	small := phantom.Scan{Seed: 7002, Patient: "Kim^Minsu=김^민수", ID: "P-7002", Slices: 12, Size: 64}
	for name, scan := range map[string]phantom.Scan{"large.zip": large, "small.zip": small} {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		if err := scan.WriteZIP(f); err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	for name, content := range map[string][]byte{
		"lower.stl": phantom.STL(20_000), "photo.jpg": phantom.Photo(640, 480), "slice.dcm": small.Slice(1),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}
