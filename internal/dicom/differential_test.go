package dicom_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
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
		t.Run(p.name+" on random files", func(t *testing.T) {
			if p.json == nil {
				mustrun.Skip(t, p.name, p.name+" is not here ("+p.missing+")")
			}
			if same := compareWith(t, p, randomObjects(t, 11, 40)); same < 40*30 {
				t.Errorf("only %d elements are the same", same)
			}
		})
	}
}

// randomObjects are files whose elements and values follow from the seed: every representation, in items too, in each of four
// transfer syntaxes.
func randomObjects(t *testing.T, seed uint64, n int) (paths []string) {
	r := rand.New(rand.NewPCG(seed, 7))
	word := func(longest int) string {
		b := make([]byte, 1+r.IntN(longest))
		for i := range b {
			b[i] = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789_abcxyz"[r.IntN(41)]
		}
		return string(b)
	}
	several := func(longest int) (all []string) {
		for range 1 + r.IntN(3) {
			all = append(all, word(longest))
		}
		return all
	}
	number := func() float64 { return math.Round((r.Float64()-0.5)*math.Pow10(r.IntN(9))*1e4) / 1e4 }
	elements := []func(e *dicomtest.Encoder){ // in the order of their tags
		func(e *dicomtest.Encoder) { e.Text(0x00181000, "LO", word(60)) },
		func(e *dicomtest.Encoder) { e.Text(0x00181030, "LO", word(60)) },
		func(e *dicomtest.Encoder) { e.FD(0x00189073, number()) },
		func(e *dicomtest.Encoder) { e.Text(0x00204000, "LT", word(500)+"\r\n"+word(9)) },
		func(e *dicomtest.Encoder) { e.Text(0x00281053, "DS", strconv.FormatFloat(number(), 'g', 10, 64)) },
		func(e *dicomtest.Encoder) { e.Text(0x00281055, "LO", several(30)...) },
		func(e *dicomtest.Encoder) { e.Text(0x00321060, "LO", word(60)) },
		func(e *dicomtest.Encoder) { e.Text(0x00380300, "LO", word(60)) },
		func(e *dicomtest.Encoder) {
			e.Text(0x00400002, "DA", fmt.Sprintf("20%02d%02d%02d", r.IntN(100), 1+r.IntN(12), 1+r.IntN(28)))
		},
		func(e *dicomtest.Encoder) {
			e.Text(0x00400003, "TM", fmt.Sprintf("%02d%02d%02d", r.IntN(24), r.IntN(60), r.IntN(60)))
		},
		func(e *dicomtest.Encoder) {
			e.Sequence(0x00400555, r.IntN(2) == 0, func(e *dicomtest.Encoder) {
				e.Text(0x0040A160, "UT", word(300))
				e.FD(0x0040A161, number(), number())
			}, func(e *dicomtest.Encoder) {
				e.Sequence(0x00400555, r.IntN(2) == 0, func(e *dicomtest.Encoder) { e.Text(0x00400280, "ST", word(100)) })
			})
		},
		func(e *dicomtest.Encoder) { e.FL(0x00720076, float32(number()), float32(number())) },
		func(e *dicomtest.Encoder) { e.Words(0x00720078, "UL", r.Uint32(), r.Uint32()) },
	}
	for i := range n {
		syntax := []string{dicomtest.ImplicitLE, dicomtest.ExplicitLE, dicomtest.ExplicitBE, dicomtest.Deflated}[i%4]
		o := dicomtest.CTOptions{
			Syntax: syntax, Number: 1 + r.IntN(9999), Patient: []byte(word(30) + "^" + word(20)), PatientID: word(30),
			Position: []float64{number(), number(), number()}, Thickness: math.Abs(number()),
		}
		e := dicomtest.NewEncoder(syntax)
		for _, write := range elements {
			if r.IntN(3) > 0 {
				write(e)
			}
		}
		o.NoPixels = true
		o.BeforePixels = func(out *dicomtest.Encoder) { out.Write(e.Bytes()) }
		b := dicomtest.CT(o)
		paths = append(paths, filepath.Join(t.TempDir(), strconv.Itoa(i)))
		if err := os.WriteFile(paths[i], b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return paths
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
