package web

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

// Every sentence that the doctor can say has its Korean: taken out of its source, so that a new one without it fails here.
func TestWhatTheDoctorSaysHasItsKorean(t *testing.T) {
	found := 0
	for _, form := range sentencesOf(t, "../doctor", "documents_check.go", "documents_change.go", "documents.go", "roundtrip.go") {
		found++
		if _, ok := korean().sayWith(sampleOf(form), true); !ok {
			t.Errorf("no Korean for %q", form)
		}
	}
	if found < 350 {
		t.Errorf("only %d sentences were found: the test looks in the wrong place", found)
	}
}

// What fills a place is said in Korean too, and what the store itself said stays as it said it.
func TestPartsOfTheDoctorsSentencesAreSaidInKorean(t *testing.T) {
	for sentence, want := range map[string]string{
		`The rule "old" deletes objects after 30 days.`:                                                              `규칙 "old"이(가) 30일 뒤에 객체를 삭제합니다.`,
		"The credentials lack s3:PutObject, which Caseload needs to keep what is sent, whole or in parts.":           "자격 증명에 s3:PutObject 권한이 없습니다. Caseload는 보낸 것을 통째로 또는 조각으로 보관하는 데 이 권한이 필요합니다.",
		"AWS_STORAGE_BUCKET_NAME is empty. AWS_BUCKET_NAME is set, which Caseload does not read.":                    "AWS_STORAGE_BUCKET_NAME이 비어 있습니다. AWS_BUCKET_NAME이(가) 설정되어 있지만 Caseload는 읽지 않습니다.",
		"This machine is 20 min behind.":                                                                             "이 컴퓨터가 20분 늦습니다.",
		"Asking the store, as a browser does, for every header that is needed.":                                      "브라우저처럼, 필요한 헤더마다 저장소에 물었습니다.",
		"Not allowed: https://a.example. The store says: 403 AccessForbidden: CORSResponse: This CORS is not known.": "허용되지 않음: https://a.example. 저장소의 말: 403 AccessForbidden: CORSResponse: This CORS is not known.",
		"What is stored is as encrypted as the store's disks are. R2 always encrypts; there is nothing to set.":      "저장된 것은 저장소의 디스크만큼 암호화되어 있습니다. R2는 항상 암호화합니다. 설정할 것이 없습니다.",
	} {
		if got := korean().saying(sentence); got.Text != want || got.Lang != "" {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := korean().saying("403 AccessDenied: Access Denied"); got.Lang != "en" {
		t.Errorf("the store's own words became %q", got)
	}
}

// sentencesOf returns the sentences in the source of a package, with places for what is filled in: "In {region}.". Files
// named in but say nothing on the page.
func sentencesOf(t *testing.T, folder string, but ...string) (forms []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(here, folder, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatal(folder, err)
	}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") || slices.Contains(but, filepath.Base(path)) {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			e, ok := n.(ast.Expr)
			if !ok {
				return true
			}
			form, literal := formed(e)
			if literal && isSentence(form) {
				forms = append(forms, form)
			}
			return !literal // what it is put together of is no sentence by itself
		})
	}
	slices.Sort(forms)
	return slices.Compact(forms)
}

// isSentence tells what is said to people from commands, names and patterns.
func isSentence(form string) bool {
	return strings.Contains(form, " ") && strings.ContainsFunc(places.ReplaceAllString(form, ""), unicode.IsLetter) && (unicode.IsUpper([]rune(form)[0]) || form[0] == '{' || strings.HasPrefix(form, "versitygw ")) && strings.HasSuffix(form, ".") && !strings.HasPrefix(form, "PRIVATE")
}

var (
	formatVerb = regexp.MustCompile(`%[-+0-9.]*[a-z]`)
	notName    = regexp.MustCompile(`[^a-z]+`)
)

// formed returns an expression of text as a form, and whether there is any text in it.
func formed(e ast.Expr) (form string, literal bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind == token.STRING {
			text, err := strconv.Unquote(e.Value)
			return text, err == nil
		}
	case *ast.ParenExpr:
		return formed(e.X)
	case *ast.BinaryExpr:
		if e.Op == token.ADD {
			left, l := formed(e.X)
			right, r := formed(e.Y)
			return left + right, l || r
		}
	case *ast.CallExpr:
		if name := nameOf(e.Fun); name == "sprintf" && len(e.Args) > 0 {
			format, ok := formed(e.Args[0])
			at := 0
			return formatVerb.ReplaceAllStringFunc(format, func(verb string) string {
				at++
				if verb[len(verb)-1] == 'd' {
					return "{n}"
				}
				if at < len(e.Args) {
					return "{" + nameOf(e.Args[at]) + "}"
				}
				return "{what}"
			}), ok
		}
	}
	return "{" + nameOf(e) + "}", false
}

// nameOf is a name for what an expression fills in.
func nameOf(e ast.Expr) string {
	name := ""
	switch e := e.(type) {
	case *ast.Ident:
		name = e.Name
	case *ast.SelectorExpr:
		name = e.Sel.Name
	case *ast.CallExpr:
		name = nameOf(e.Fun)
	case *ast.IndexExpr:
		name = nameOf(e.X)
	}
	if name = notName.ReplaceAllString(strings.ToLower(name), ""); name == "" || name == "n" {
		return "what"
	}
	return name
}

// sampleOf fills the places of a form with what may stand there.
func sampleOf(form string) string {
	return places.ReplaceAllStringFunc(form, func(place string) string {
		if place == "{n}" {
			return "7"
		}
		return "s3:Some, other"
	})
}
