package web

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"dcdentals.com/caseload/internal/caseload"
)

func korean() locale { return locale{words: catalogue()["ko"], lang: "ko", zone: time.UTC} }

func TestSentencesWithPlacesAreSaidInKorean(t *testing.T) {
	for sentence, want := range map[string]string{
		"7 slices are missing: 113–118, 200.":                                      "슬라이스 7개 누락: 113–118, 200.",
		"1 slice is missing: 4.":                                                   "슬라이스 1개 누락: 4.",
		"CT Jaw: 1 slice is missing: 4.":                                           "CT Jaw: 슬라이스 1개 누락: 4.",
		"3 slices are missing: 20–22 (by image number).":                           "슬라이스 3개 누락: 20–22 (영상 번호 기준).",
		"The case is of “김민지”, but 1 image is of Park: Seojun (P-2), in a: b.zip.": "이 케이스는 “김민지”의 것이지만 영상 1장은 Park: Seojun (P-2)의 것입니다: a: b.zip.",
		"The images are of 2 patients: Kim, Minji (20190312): 390 images in vol.dcm; Park: 1 image in a.dcm, b.dcm, … (7).":                                                        "영상이 환자 2명의 것입니다: Kim, Minji (20190312): vol.dcm의 영상 390장; Park: a.dcm, b.dcm, … (7)의 영상 1장.",
		"1 image was received more than once under one identifier (SOP Instance UID) with different bytes. All are kept. The first: no. 7 of CT Jaw, in a.zip (IM1) and in b.dcm.": "영상 1장이 같은 식별자(SOP Instance UID)로 내용이 다르게 다시 수신되었습니다. 모두 보관됩니다. 첫 번째: CT Jaw의 7번, a.zip (IM1) 및 b.dcm.",
		"A sentence nobody translated.":             "A sentence nobody translated.",
		strings.Repeat("1 slice is missing: ", 200): strings.Repeat("1 slice is missing: ", 200),
	} {
		if got := korean().said(sentence); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if got := (locale{words: catalogue()["en"], lang: "en"}).said(sentence); got != sentence {
			t.Errorf("in English it became %q", got)
		}
	}
}

// Days of birth are told as the reader writes dates; a patient ID or a file name of eight digits is none.
func TestWarningsTellDaysOfBirthInTheReadersForm(t *testing.T) {
	english := locale{words: catalogue()["en"], lang: "en", zone: time.UTC}
	for sentence, want := range map[string][2]string{
		"The images are of 2 patients: Kim (20190312, born 1980-01-31): 3 images in 2024-01-02.zip; Park: 1 image in b.dcm.": {
			"The images are of 2 patients: Kim (20190312, born 31 Jan 1980): 3 images in 2024-01-02.zip; Park: 1 image in b.dcm.",
			"영상이 환자 2명의 것입니다: Kim (20190312, 1980년 1월 31일생): 2024-01-02.zip의 영상 3장; Park: b.dcm의 영상 1장.",
		},
		"The images of Kim (P-1, born 1980-01-31) carry 3 dates of birth: 1980-01-31, 1981-02-03, 1980.": {
			"The images of Kim (P-1, born 31 Jan 1980) carry 3 dates of birth: 31 Jan 1980, 3 Feb 1981, 1980.",
			"Kim (P-1, 1980년 1월 31일생)의 영상에 생년월일이 3개 있습니다: 1980년 1월 31일, 1981년 2월 3일, 1980.",
		},
	} {
		if got := english.said(sentence); got != want[0] {
			t.Errorf("English: %q", got)
		}
		if got := korean().said(sentence); got != want[1] {
			t.Errorf("Korean: %q", got)
		}
	}
}

// Every sentence that the readers of archives and series can say has its Korean: taken out of their source, so that a
// new one without it fails here.
func TestWhatTheReadersSayHasItsKorean(t *testing.T) {
	speakers := map[string]int{"refuse": 1, "passed": 1, "failed": 1, "remark": 1, "warn": 1, "none": 0} // function → its format's place
	walkers := map[string]int{"warn": 2, "stop": 2, "Sprintf": 0}                                        // the DICOM reader's, at least
	found := 0
	for _, folder := range []string{"../archive", "../ingest", "../pixels", "../preview", "../dicom"} {
		files, err := filepath.Glob(filepath.Join(here, folder, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatal(folder, err)
		}
		for _, path := range files {
			base := filepath.Base(path)
			if strings.HasSuffix(base, "_test.go") {
				continue
			}
			walks := folder == "../dicom" && base != "geometry.go"
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			check := func(e ast.Expr) {
				literal, ok := e.(*ast.BasicLit)
				if !ok || literal.Kind != token.STRING {
					return
				}
				text, err := strconv.Unquote(literal.Value)
				if err != nil {
					t.Fatal(err)
				}
				if strings.HasPrefix(text, "%s") { // begins with a counted thing; those have cases of their own
					return
				}
				found++
				sample := fillVerbs(text)
				if !strings.ContainsFunc(korean().said(sample), func(r rune) bool { return unicode.Is(unicode.Hangul, r) }) {
					t.Errorf("%s: no Korean for %q", base, sample)
				}
			}
			ast.Inspect(file, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.CallExpr:
					name := ""
					switch f := n.Fun.(type) {
					case *ast.Ident:
						name = f.Name
					case *ast.SelectorExpr:
						name = f.Sel.Name
					}
					if at, ok := walkers[name]; ok && walks {
						check(formatOf(n.Args[at:]))
					} else if at, ok := speakers[name]; ok && !walks && len(n.Args) > at {
						check(n.Args[at])
					}
				case *ast.CompositeLit:
					switch kind, _ := n.Type.(*ast.Ident); {
					case kind == nil || len(n.Elts) == 0:
					case kind.Name == "unreadable":
						check(n.Elts[0])
					case walks && kind.Name == "Warning":
						check(formatOf(n.Elts))
					}
				case *ast.ValueSpec:
					for i, name := range n.Names {
						if strings.HasPrefix(name.Name, "reason") && i < len(n.Values) {
							check(n.Values[i])
						}
					}
				}
				return true
			})
		}
	}
	if found < 170 {
		t.Errorf("only %d sentences were found: the test looks in the wrong place", found)
	}
	for _, sentence := range []string{
		"1 image lies in another plane (coronal), apart from the others, as scouts do.",
		"3 images lie in another plane (coronal, sagittal), apart from the others, as scouts do.",
		"2 images have no usable position in the body.", "1 image has no usable direction in the body: their planes are unknown.",
		"390 images have no usable pixel size: nothing can be measured in them.",
		`The position in the body cannot be used as it is written: "NaN\\0\\0".`, `2 images: the orientation in the body cannot be used as it is written: "0"`,
		`The pixel spacing cannot be used as it is written: "0\\0".`,
		"2 images have no position in the body.", "1 image lies at a place where another one already is.",
		"2 images have the number of another one.", "12 slices are missing: 1, 3, 5, 7, 9, ….",
		"2 images were sent more than once.", "3 entries of the ZIP are damaged. Copy the ZIP again from where it came from and send that.",
		"This is a picture in the format HEIC. It is kept, but not shown; send it as JPEG or PNG to have it shown.",
		"This is a RAR archive; its contents are not looked into. Unpack it and send the folder, or send a ZIP.",
		"2 images are in this file more than once under the same identifier (SOP Instance UID). All are kept.",
		"1 image was received more than once under one identifier (SOP Instance UID) with different bytes. All are kept. The first: no. 1 of CT Jaw, in a.dat and in b.dat.",
		"The images are not all of one size: 19 of 64 × 64, 1 of 96 × 128.", "The pixels are not all of one size: 19 of 0.3 mm, 1 of 0.25 mm.",
		"The ZIP is cut off after entry 412; 411 of its files could be read. Copy it again from where it came from and send that.",
		"The ZIP's list of contents is damaged; its entries were looked for one by one, and 500 of its files could be read. Copy it again from where it came from and send that.",
		"The ZIP inside is cut off after entry 3.", "The list of contents of the ZIP inside is damaged; its entries were looked for one by one.",
		"The ZIP begins behind 777 bytes of something else. Only the ZIP was looked into.",
	} {
		if got := korean().said(sentence); !strings.ContainsFunc(got, func(r rune) bool { return unicode.Is(unicode.Hangul, r) }) {
			t.Errorf("no Korean for %q", sentence)
		}
	}
}

// Whatever may be answered to a person, on a page, in a form or in the tray, has its Korean.
func TestWhatIsRefusedHasItsKorean(t *testing.T) {
	found := 0
	for folder, silent := range map[string][]string{
		"../caseload": nil, "../transfer": nil, "../cleanup": nil, "../preview": nil,
		"../store": {"migrate.go", "copy.go", "sqlite.go", "store.go", "faults.go"},   // operators read these, by command
		".":        {"metrics.go", "metrics_usage.go", "monitor.go", "page_asset.go"}, // and these, in their monitoring
	} {
		for _, form := range sentencesOf(t, folder, silent...) {
			found++
			if _, ok := korean().sayWith(fillVerbs(sampleOf(form)), true); !ok {
				t.Errorf("%s: no Korean for %q", folder, form)
			}
		}
	}
	if found < 250 {
		t.Errorf("only %d sentences were found: the test looks in the wrong place", found)
	}
}

// formatOf returns the first of the expressions that is a sentence, if there is one; also when it is put together of pieces.
func formatOf(all []ast.Expr) ast.Expr {
	for _, e := range all {
		if sum, ok := e.(*ast.BinaryExpr); ok && sum.Op == token.ADD { // "the " + table + " does not …"
			first, last := sum.X.(*ast.BinaryExpr), sum.Y.(*ast.BasicLit)
			return &ast.BasicLit{Kind: token.STRING, Value: strings.TrimSuffix(first.X.(*ast.BasicLit).Value, `"`) + "%s" + strings.TrimPrefix(last.Value, `"`)}
		}
		if literal, ok := e.(*ast.BasicLit); ok && literal.Kind == token.STRING && strings.Contains(literal.Value, " ") {
			return e
		}
	}
	return nil
}

// What a file's page makes of a remark about its one image, or about several, is said in Korean too.
func TestRemarksAboutImagesAreSaidInKorean(t *testing.T) {
	for sentence, want := range map[string]string{
		"The file ends inside an element.":                                        "파일이 요소 중간에서 끝납니다.",
		"3 images: the file ends inside an element":                               "영상 3장: 파일이 요소 중간에서 끝납니다",
		"1 image: the value claims 70000 bytes, the file holds 12 more":           "영상 1장: 값이 70000바이트로 적혀 있으나 파일에는 12바이트만 남았습니다",
		`The character set "ISO 2022 JP" is not known.`:                           `문자 집합 "ISO 2022 JP"을(를) 알 수 없습니다.`,
		"The stream holds 5 × 4 pixels of 1 samples, the header says 8 × 8 of 1.": "데이터는 5 × 4 픽셀(샘플 1개)이고 헤더는 8 × 8(샘플 1개)입니다.",
	} {
		if got := korean().said(sentence); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if got := (locale{words: catalogue()["en"], lang: "en"}).said(sentence); got != sentence {
			t.Errorf("in English it became %q", got)
		}
	}
}

// On the pages of a file and of a header every remark is a sentence.
func TestRemarksAreSentences(t *testing.T) {
	english := locale{words: catalogue()["en"], lang: "en", zone: time.UTC}
	for text, want := range map[string][2]string{
		"the file ends inside an element": {"The file ends inside an element.", "파일이 요소 중간에서 끝납니다."},
		"The image ends too early.":       {"The image ends too early.", "영상이 중간에 끝납니다."},
		"":                                {"", ""},
	} {
		if got := english.remark(text); got != want[0] {
			t.Errorf("%q", got)
		}
		if got := korean().remark(text); got != want[1] {
			t.Errorf("%q", got)
		}
	}
}

// A report or a plan has no images, so nothing of it is counted or called complete.
func TestASeriesWithoutImagesIsNotCalledComplete(t *testing.T) {
	if v := korean().series(caseload.Series{Modality: "SR", Complete: true}); v.Complete || v.Images != "" {
		t.Errorf("%+v", v)
	}
	if v := korean().series(caseload.Series{Modality: "CT", Complete: true, Images: 3}); !v.Complete || v.Images != "3" {
		t.Errorf("%+v", v)
	}
}

// here is taken before an embedded store moves the working directory: this package's folder.
var here, _ = os.Getwd()

var verbs = regexp.MustCompile(`%[-+0-9.]*[a-z]`)

// fillVerbs makes a sentence of a format as the readers would.
func fillVerbs(format string) string {
	return verbs.ReplaceAllStringFunc(format, func(verb string) string {
		switch verb[len(verb)-1] {
		case 'd':
			return "7"
		case 'f', 'g':
			return "1.5"
		}
		return "7 images are" // reads well as a text, a size, and a counted thing
	})
}
