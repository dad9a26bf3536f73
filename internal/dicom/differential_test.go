package dicom_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dcdentals.com/caseload/internal/corpus"
	"dcdentals.com/caseload/internal/dicom"
	"dcdentals.com/caseload/internal/dicom/dicomtest"
	"dcdentals.com/caseload/internal/mustrun"
)

// element is one element of a DICOM JSON object, as far as two programs must agree on it.
type element struct {
	VR           string `json:"vr"`
	Value        []any  `json:"Value"`
	InlineBinary string `json:"InlineBinary"`
}

// peer is another program that writes the JSON of files.
type peer struct {
	name, missing string
	json          func(paths []string) [][]byte // one a file, nil for those it refuses; a nil function when it is not installed
}

const pydicomScript = `
import json, sys, warnings
warnings.simplefilter("ignore")
import pydicom
for path in sys.argv[1:]:
    d = pydicom.dcmread(path, stop_before_pixels=True)
    d.decode()
    print(json.dumps(d.to_json_dict(suppress_invalid_tags=True)))
`

func peers(t *testing.T) []peer {
	pydicom := peer{name: "pydicom", missing: "install python3-pydicom"}
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(python, "-c", "import pydicom").Run() == nil {
			pydicom.json = func(paths []string) [][]byte {
				out, err := exec.Command(python, append([]string{"-c", pydicomScript}, paths...)...).Output()
				if err != nil {
					t.Fatal(err)
				}
				return bytes.Split(bytes.TrimSpace(out), []byte("\n"))
			}
			break
		}
	}
	dcmtk := peer{name: "dcm2json", missing: "install dcmtk"}
	if path, err := exec.LookPath("dcm2json"); err == nil {
		dcmtk.json = func(files []string) (out [][]byte) {
			for _, file := range files {
				text, err := exec.Command(path, "-q", file).Output()
				if err != nil {
					text = nil // it writes no compressed images, and no text in ISO 2022
				}
				out = append(out, text)
			}
			return out
		}
	}
	return []peer{pydicom, dcmtk}
}

func TestOurJSONSaysWhatPydicomAndDCMTKSay(t *testing.T) {
	type entry struct{ File, Expect string }
	for _, p := range peers(t) {
		t.Run(p.name, func(t *testing.T) {
			if p.json == nil {
				mustrun.Skip(t, p.name, p.name+" is not here ("+p.missing+")")
			}
			folder, files := corpus.Files[entry](t)
			var paths []string
			for _, f := range files {
				if f.Expect == "record" {
					paths = append(paths, filepath.Join(folder, f.File))
				}
			}
			if same := compareWith(t, p, paths); same < 1000 {
				t.Errorf("only %d elements are the same", same)
			}
		})
		t.Run(p.name+" on our own files", func(t *testing.T) {
			if p.json == nil {
				mustrun.Skip(t, p.name, p.name+" is not here ("+p.missing+")")
			}
			var paths []string
			for i, syntax := range []string{dicomtest.ImplicitLE, dicomtest.ExplicitLE, dicomtest.ExplicitBE, dicomtest.Deflated} {
				b := dicomtest.CT(dicomtest.CTOptions{Syntax: syntax, Charset: []string{"ISO_IR 100"}, Patient: []byte("M\xfcller^J\xf6rg"), BeforePixels: func(e *dicomtest.Encoder) {
					e.DS(0x00281050, 40, -1.5e-3)
					e.Text(0x00281055, "LO", "bone", "", "soft")
					e.Sequence(0x00400555, true, func(e *dicomtest.Encoder) { e.FL(0x00720076, 0.25, -2) }, func(*dicomtest.Encoder) {})
					e.Raw(0x00720026, "AT", nil)
				}})
				paths = append(paths, filepath.Join(t.TempDir(), fmt.Sprint(i)))
				if err := os.WriteFile(paths[i], b, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if same := compareWith(t, p, paths); same < 4*30 {
				t.Errorf("only %d elements are the same", same)
			}
		})
	}
}

// compareWith compares our JSON of the files with the peer's, element by element, and returns how many are the same.
func compareWith(t *testing.T, p peer, paths []string) (same int) {
	t.Helper()
	refused := 0
	for i, text := range p.json(paths) {
		if text == nil {
			refused++
			continue
		}
		var theirs, ours map[string]element
		b, err := os.ReadFile(paths[i])
		if err == nil {
			err = json.Unmarshal(text, &theirs)
		}
		if err == nil {
			err = json.Unmarshal([]byte(asJSON(t, read(t, b), dicom.JSONOptions{})), &ours)
		}
		if err != nil {
			t.Errorf("%s: %v", paths[i], err)
			continue
		}
		same += compareObjects(t, filepath.Base(paths[i]), ours, theirs)
	}
	t.Logf("%d files, of which %s refuses %d; %d elements are the same", len(paths), p.name, refused, same)
	return same
}

func compareObjects(t *testing.T, where string, ours, theirs map[string]element) (same int) {
	t.Helper()
	for tag, b := range theirs {
		a, ok := ours[tag]
		group := tag[:4]
		switch {
		case group == "0002" || strings.HasSuffix(tag, "0000") || tag >= "7FE00000" || tag == "00080005":
			continue
		case !ok && b.InlineBinary != "" || !ok && len(b.Value) == 0:
			continue // longer than we keep
		case !ok:
			t.Errorf("%s %s: we leave it out, they say %.200v", where, tag, b)
			continue
		case a.VR == "UN" || b.VR == "UN" || group[3]&1 == 1:
			continue // private, or known to one of us only
		case a.VR != b.VR && !(strings.Contains("OB OW US SS", a.VR) && strings.Contains("OB OW US SS", b.VR)):
			t.Errorf("%s %s is %s, they say %s", where, tag, a.VR, b.VR)
			continue
		case a.VR == "SQ":
			if len(a.Value) != len(b.Value) {
				t.Errorf("%s %s has %d items, they say %d", where, tag, len(a.Value), len(b.Value))
				continue
			}
			for i := range a.Value {
				same += compareObjects(t, fmt.Sprintf("%s %s/%d", where, tag, i+1), itemOf(t, a.Value[i]), itemOf(t, b.Value[i]))
			}
		case a.VR != b.VR:
			continue // US or SS by Pixel Representation, written in different forms
		case a.InlineBinary != b.InlineBinary || !slices.EqualFunc(plain(a.Value), plain(b.Value), equalValues):
			t.Errorf("%s %s %s: %.300v, they say %.300v", where, tag, a.VR, a, b)
			continue
		}
		same++
	}
	for tag, a := range ours {
		if _, ok := theirs[tag]; !ok && a.VR != "UN" && tag < "7FE00000" {
			t.Errorf("%s %s: we say %.200v, they leave it out", where, tag, a)
		}
	}
	return same
}

func itemOf(t *testing.T, v any) map[string]element {
	t.Helper()
	text, err := json.Marshal(v)
	out := map[string]element{}
	if err == nil && v != nil {
		err = json.Unmarshal(text, &out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// plain brings values to a form in which the programs do not differ: empty ones at the end do not count, nor does the padding
// of names.
func plain(values []any) []any {
	out := make([]any, len(values))
	for i, v := range values {
		switch v := v.(type) {
		case map[string]any:
			parts := map[string]any{}
			for key, part := range v {
				if text := strings.TrimRight(fmt.Sprint(part), "^ "); text != "" {
					parts[key] = text
				}
			}
			if len(parts) > 0 {
				out[i] = fmt.Sprint(parts)
			}
		case string:
			if text := strings.Trim(v, " \x00"); text != "" {
				out[i] = text
			}
		default:
			out[i] = v
		}
	}
	for len(out) > 0 && out[len(out)-1] == nil {
		out = out[:len(out)-1]
	}
	return out
}

func equalValues(a, b any) bool {
	x, okX := a.(float64)
	y, okY := b.(float64)
	if okX && okY {
		return x == y || math.Abs(x-y) <= 1e-6*math.Abs(y)
	}
	return bytes.Equal(fmt.Append(nil, a), fmt.Append(nil, b))
}
