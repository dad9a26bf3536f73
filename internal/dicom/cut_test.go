package dicom_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"dcdentals.com/caseload/internal/dicom"
	"dcdentals.com/caseload/internal/dicom/dicomtest"
)

// A file that was cut off, wherever that was, gives what it still holds and nothing else, and is never taken for whole.
func TestAFileCutAnywhereIsReadAsFarAsItGoes(t *testing.T) {
	nested := func(e *dicomtest.Encoder) {
		e.Sequence(0x00283010, true, func(e *dicomtest.Encoder) { e.Text(0x00283003, "LO", "a table") })
		e.Text(0x00290010, "LO", "MAKER")
		e.Raw(0x00291010, "UN", []byte{1, 2, 3, 4})
	}
	for name, opt := range map[string]dicomtest.CTOptions{
		"explicit":     {BeforePixels: nested},
		"implicit":     {BeforePixels: nested, Syntax: dicomtest.ImplicitLE},
		"big endian":   {BeforePixels: nested, Syntax: dicomtest.ExplicitBE},
		"deflated":     {BeforePixels: nested, Syntax: dicomtest.Deflated, Noise: 3},
		"in fragments": {Syntax: dicomtest.JPEG, Fragments: [][]byte{bytes.Repeat([]byte{7}, 90), bytes.Repeat([]byte{8}, 90)}, OffsetTable: []uint32{0}},
	} {
		t.Run(name, func(t *testing.T) {
			whole := dicomtest.CT(opt)
			last := len(whole)
			if opt.Syntax == dicomtest.Deflated {
				last -= 5 // of the block that ends the stream and holds nothing
			}
			for n := range last {
				r := bytes.NewReader(whole[:n])
				h, err := dicom.Read(context.Background(), r, int64(n), dicom.Options{})
				if errors.Is(err, dicom.ErrNotDICOM) && n < 160 {
					continue
				}
				if err != nil {
					t.Fatalf("%d bytes: %v", n, err)
				}
				in := dicom.Describe(h)
				for of, text := range map[string]string{"Phantom^Jaw": in.PatientName, "PH-0001": in.PatientID, "2.25.10": in.StudyInstanceUID} {
					if !strings.HasPrefix(of, text) {
						t.Fatalf("%d bytes: %q out of %q", n, text, of)
					}
				}
				told := in.Pixel == nil || len(in.Warnings) > 0
				if in.Pixel != nil && !told {
					index, err := h.IndexFrames(context.Background(), r, int64(n))
					if err != nil {
						t.Fatal(err)
					}
					told = index.Truncated || len(index.Warnings) > 0
				}
				if !told {
					t.Fatalf("%d bytes of %d are taken for the whole", n, len(whole))
				}
			}
		})
	}
}
