package dicom_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"dcdentals.com/caseload/internal/dicom"
	"dcdentals.com/caseload/internal/dicom/dicomtest"
)

// asJSON is the header as WriteJSON writes it, checked to be JSON with each key once.
func asJSON(t testing.TB, h *dicom.Header, opt dicom.JSONOptions) string {
	t.Helper()
	var out bytes.Buffer
	if err := h.WriteJSON(&out, opt); err != nil && !errors.Is(err, dicom.ErrJSONCut) {
		t.Fatal(err)
	}
	if !json.Valid(out.Bytes()) {
		t.Fatalf("no JSON: %.2000s", out.String())
	}
	return out.String()
}

func TestTheHeaderAsDICOMJSON(t *testing.T) {
	for _, syntax := range []string{dicomtest.ImplicitLE, dicomtest.ExplicitLE, dicomtest.ExplicitBE, dicomtest.Deflated} {
		h := read(t, dicomtest.CT(dicomtest.CTOptions{
			Syntax: syntax, Charset: []string{"", "ISO 2022 IR 149"}, Patient: []byte("Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf"),
			BeforePixels: func(e *dicomtest.Encoder) {
				e.Raw(0x00280000, "UL", []byte{1, 2, 3, 4})
				e.Raw(0x00280106, "US", nil)
				e.Text(0x00281050, "DS", "+40", "040", "-.5", "1e3", "", "abc")
				e.Text(0x00281052, "DS", "-1024.000")
				e.Text(0x00281055, "LO", ` "bone" `, "", `<b>`)
				e.Text(0x00281056, "CS", " ")
				e.Raw(0x00283010, "SQ", nil)
				e.Sequence(0x00400555, true, func(e *dicomtest.Encoder) {
					e.FL(0x00720076, 0.5, float32(math.NaN()))
					e.UV(0x00720083, 1<<63+1)
				}, func(*dicomtest.Encoder) {})
				e.Words(0x00660016, "OF", 0x3F800000)
				e.Text(0x00081080, "LO", "out of order")
				e.Text(0x00081080, "LO", "and twice")
			},
		}))
		got := asJSON(t, h, dicom.JSONOptions{Only: func(tag dicom.Tag) bool {
			return tag.Group() >= 0x0028 || tag == 0x00080005 || tag == 0x00081080 || tag == 0x00100010
		}})
		want := `{"00080005":{"vr":"CS","Value":["ISO_IR 192"]},"00081080":{"vr":"LO","Value":["out of order"]},` +
			`"00100010":{"vr":"PN","Value":[{"Alphabetic":"Hong^Gildong","Ideographic":"洪^吉洞","Phonetic":"홍^길동"}]},` +
			`"00280002":{"vr":"US","Value":[1]},"00280004":{"vr":"CS","Value":["MONOCHROME2"]},"00280010":{"vr":"US","Value":[16]},` +
			`"00280011":{"vr":"US","Value":[16]},"00280030":{"vr":"DS","Value":[0.25,0.3]},"00280100":{"vr":"US","Value":[16]},` +
			`"00280101":{"vr":"US","Value":[12]},"00280106":{"vr":"US"},"00281050":{"vr":"DS","Value":[40,40,-0.5,1e3,null,"abc"]},` +
			`"00281052":{"vr":"DS","Value":[-1024.000]},"00281055":{"vr":"LO","Value":["\"bone\"",null,"\u003cb\u003e"]},"00281056":{"vr":"CS"},` +
			`"00283010":{"vr":"SQ"},"00400555":{"vr":"SQ","Value":[{"00720076":{"vr":"FL","Value":[0.5,null]},` +
			`"00720083":{"vr":"UV","Value":[9223372036854775809]}},{}]},"00660016":{"vr":"OF","InlineBinary":"AACAPw=="}}`
		if got != want {
			t.Errorf("%s:\n%s\nwant\n%s", syntax, got, want)
		}
	}
}

func TestLongValuesHaveAnAddressOrAreLeftOut(t *testing.T) {
	h := read(t, dicomtest.CT(dicomtest.CTOptions{BeforePixels: func(e *dicomtest.Encoder) {
		e.Sequence(0x00880200, true, func(*dicomtest.Encoder) {}, func(e *dicomtest.Encoder) { e.Raw(0x7FE00010, "OW", make([]byte, 100<<10)) })
		e.Raw(0x00991001, "OB", make([]byte, 50))
	}}))
	if got := asJSON(t, h, dicom.JSONOptions{MaxInline: 40}); strings.Contains(got, "7FE00010") || strings.Contains(got, "00991001") {
		t.Errorf("not left out: %s", got)
	}
	var paths []string
	got := asJSON(t, h, dicom.JSONOptions{MaxInline: 40, BulkDataURI: func(e *dicom.Element, path string) string {
		paths = append(paths, path)
		return "../bulk/" + path
	}})
	if !reflect.DeepEqual(paths, []string{"00880200/2/7FE00010", "00991001", "7FE00010"}) {
		t.Errorf("paths %q", paths)
	}
	if !strings.Contains(got, `{"vr":"OW","BulkDataURI":"../bulk/00880200/2/7FE00010"}`) {
		t.Errorf("got %s", got)
	}
}

func TestJSONEndsAtItsLimitAndIsStillJSON(t *testing.T) {
	h := read(t, dicomtest.CT(dicomtest.CTOptions{BeforePixels: func(e *dicomtest.Encoder) {
		e.Sequence(0x00400555, true, func(e *dicomtest.Encoder) {
			for range 10_000 {
				e.Text(0x0040A160, "UT", "twice the same tag and never the end")
			}
		})
		for i := range 10_000 {
			e.Text(0x00990000+uint32(0x1000+i), "UT", "and never the end")
		}
	}}))
	whole := len(asJSON(t, h, dicom.JSONOptions{}))
	for _, limit := range []int64{1, 1000, 100_000} {
		var out bytes.Buffer
		err := h.WriteJSON(&out, dicom.JSONOptions{MaxBytes: limit})
		if !errors.Is(err, dicom.ErrJSONCut) || !json.Valid(out.Bytes()) || int64(out.Len()) > limit+1000 {
			t.Errorf("limit %d: %d of %d bytes, %v", limit, out.Len(), whole, err)
		}
	}
	broken := errors.New("the reader went away")
	if err := h.WriteJSON(failing{broken}, dicom.JSONOptions{}); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestTheMetaInformationIsWrittenOnlyWhenWanted(t *testing.T) {
	h := read(t, dicomtest.CT(dicomtest.CTOptions{}))
	if strings.Contains(asJSON(t, h, dicom.JSONOptions{}), "00020010") || !strings.Contains(asJSON(t, h, dicom.JSONOptions{Meta: true}), `"00020010":{"vr":"UI","Value":["1.2.840.10008.1.2.1"]}`) {
		t.Error("the meta information is there when it should not be, or missing")
	}
}
