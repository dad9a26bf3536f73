package objectstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"dcdentals.com/caseload/internal/caseload"
)

// sync forces an object's bytes and attributes, and the names that lead to it, to the disk: versitygw itself never does.
func (e *Embedded) sync(key caseload.ObjectKey) error {
	name := string(key)
	if name == "" || strings.HasPrefix(name, ".") || strings.ContainsAny(name, "/\\\x00") {
		return caseload.Errorf(caseload.Internal, "Not an object key of ours.")
	}
	bucket := filepath.Join(e.objects, embeddedBucket)
	paths := []string{filepath.Join(bucket, name), bucket, e.objects}
	if e.sidecar != "" {
		err := filepath.WalkDir(filepath.Join(e.sidecar, embeddedBucket, name), func(path string, _ fs.DirEntry, err error) error {
			paths = append(paths, path)
			return err
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return folderError(err)
		}
		paths = append(paths, filepath.Join(e.sidecar, embeddedBucket), e.sidecar)
	}
	for _, path := range paths {
		if err := syncPath(path); err != nil {
			if errors.Is(err, fs.ErrNotExist) && path == paths[0] {
				return caseload.Errorf(caseload.NotFound, "The store does not hold this object.")
			}
			return folderError(err)
		}
	}
	return nil
}

func syncPath(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := file.Sync(); err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	return nil
}
