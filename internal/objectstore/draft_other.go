//go:build !linux

package objectstore

import (
	"errors"
	"os"
)

// fileStamp is empty: no draft is ever made here.
type fileStamp struct{ size int64 }

func stampOf(*os.File) (fileStamp, error) { return fileStamp{}, errors.ErrUnsupported }

func openNameless(string) (*os.File, error) { return nil, errors.ErrUnsupported }

func replaceFile(_, _ *os.File) error { return errors.ErrUnsupported }

func duplicate(*os.File) (*os.File, error) { return nil, errors.ErrUnsupported }

func freeBytes(*os.File) (uint64, error) { return 0, errors.ErrUnsupported }

func startWriteOut(*os.File, int64, int64) {}
