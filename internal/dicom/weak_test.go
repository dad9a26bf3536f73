package dicom_test

import (
	"bytes"
	"compress/gzip"
	"testing"

	"dcdentals.com/caseload/internal/dicom"
	"dcdentals.com/caseload/internal/dicom/dicomtest"
)

// What was damaged or written in a common wrong way is told by its own name, and what means the right thing is not complained of.
func TestCommonMistakesHaveTheirOwnVerdict(t *testing.T) {
	plain := dicomtest.CT(dicomtest.CTOptions{Rows: 128, Noise: 7})
	gzipped := func(name string) []byte {
		var out bytes.Buffer
		out.Write(dicomtest.Meta(dicomtest.Deflated, dicomtest.CTClass, "2.25.30.1"))
		w := gzip.NewWriter(&out)
		w.Name = name
		_, _ = w.Write(dropMeta(plain)) // into memory
		_ = w.Close()
		return out.Bytes()
	}
	size := func(tag uint32) []byte {
		return dicomtest.CT(dicomtest.CTOptions{BeforePixels: func(e *dicomtest.Encoder) { e.US(tag, 0) }, Tamper: func(b []byte) []byte {
			at := bytes.Index(b, []byte{byte(tag >> 16), byte(tag >> 24), byte(tag), byte(tag >> 8), 'U', 'S'})
			b[at+8] = 0
			return b
		}})
	}
	for name, c := range map[string]struct {
		file []byte
		want dicom.Code // "": no warning at all
	}{
		"no rows":                        {size(0x00280010), dicom.WarnPixels},
		"no columns":                     {size(0x00280011), dicom.WarnPixels},
		"gzip under the deflated syntax": {gzipped(""), ""},
		"gzip with a name":               {gzipped("IM0001"), ""},
		"frames 1.0":                     {framesWritten("1.0 "), ""},
		"frames 1.5":                     {framesWritten("1.5 "), dicom.WarnValue},
		"sent as text":                   {bytes.ReplaceAll(plain, []byte{10}, []byte{13, 10}), dicom.WarnSentAsText},
		"cut off":                        {plain[:len(plain)-1000], dicom.WarnTruncated},
	} {
		in := dicom.Describe(read(t, c.file))
		if c.want != "" && !hasWarning(in.Warnings, c.want) || c.want == "" && len(in.Warnings) > 0 || c.want != dicom.WarnSentAsText && in.PatientID != "PH-0001" {
			t.Errorf("%s: %q, %v", name, in.PatientID, in.Warnings)
		}
		if name == "cut off" && hasWarning(in.Warnings, dicom.WarnSentAsText) {
			t.Errorf("%s: %v", name, in.Warnings)
		}
	}
}

func framesWritten(n string) []byte {
	return dicomtest.CT(dicomtest.CTOptions{Frames: 1, Tamper: func(b []byte) []byte {
		return bytes.Replace(b, []byte("IS\x02\x001 \x28\x00\x10"), append([]byte{'I', 'S', byte(len(n)), 0}, n+"\x28\x00\x10"...), 1)
	}})
}
