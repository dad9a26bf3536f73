// Command cmd prints, as one line of JSON for each file named, what package dicom finds in it; null when it is no DICOM
// object. The front end's tests hold their own small reader against it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"dcdentals.com/caseload/internal/dicom"
)

type facts struct {
	Directory                             bool
	PatientName, PatientID                string
	Study, Series, Instance               string
	Modality                              string
	Number, Rows, Columns, Frames         int
	Position, Orientation, FramePositions []float64
}

func main() {
	out := json.NewEncoder(os.Stdout)
	for _, path := range os.Args[1:] {
		found, err := read(path)
		if err == nil {
			err = out.Encode(found)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// read returns nil when the file is no DICOM object.
func read(path string) (*facts, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	h, err := dicom.Read(context.Background(), f, info.Size(), dicom.Options{})
	if errors.Is(err, dicom.ErrNotDICOM) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	in := dicom.Describe(h)
	return &facts{
		h.IsDICOMDIR, in.PatientName, in.PatientID, in.StudyInstanceUID, in.SeriesInstanceUID, in.SOPInstanceUID, in.Modality,
		in.InstanceNumber, in.Rows, in.Columns, in.Frames, in.Position, in.Orientation, in.FramePositions,
	}, nil
}
