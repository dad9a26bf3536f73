package web

import (
	"encoding/json"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/ui"
)

func TestEveryWordIsThereInEveryLanguageWithTheSamePlaces(t *testing.T) {
	var byKey map[string]map[string]string
	if err := json.Unmarshal(ui.Words(), &byKey); err != nil {
		t.Fatal(err)
	}
	places := regexp.MustCompile(`\{\w+\}`)
	distinct := func(text string) map[string]bool {
		found := map[string]bool{}
		for _, p := range places.FindAllString(text, -1) {
			found[p] = true
		}
		return found
	}
	for key, texts := range byKey {
		for _, lang := range languages {
			if texts[lang] == "" {
				t.Errorf("%s is missing in %s", key, lang)
			}
			if got, want := distinct(texts[lang]), distinct(texts["en"]); len(got) != len(want) {
				t.Errorf("%s in %s has the places %v, want %v", key, lang, got, want)
			}
		}
		if len(texts) != len(languages) {
			t.Errorf("%s has %d languages, want %d", key, len(texts), len(languages))
		}
	}
}

func TestEveryWordThatATemplateNamesIsInTheCatalogue(t *testing.T) {
	named := regexp.MustCompile(`\b[tn] "([^"]+)"`)
	words := catalogue()["en"]
	seen := 0
	err := fs.WalkDir(ui.Templates(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(ui.Templates(), path)
		for _, m := range named.FindAllStringSubmatch(string(text), -1) {
			seen++
			if _, ok := words[m[1]]; !ok {
				t.Errorf("%s names %q, which is not in words.json", path, m[1])
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 100 {
		t.Errorf("only %d words found in the templates: the pattern no longer fits", seen)
	}
}

func TestEveryStateKindRoleAndErrorHasItsWord(t *testing.T) {
	words := catalogue()["ko"]
	var keys []string
	for _, s := range caseload.States() {
		keys = append(keys, "state."+string(s))
	}
	for _, r := range caseload.Roles() {
		keys = append(keys, "role."+string(r), "role."+string(r)+".help")
	}
	for _, k := range caseload.Kinds() {
		keys = append(keys, "error."+k.String())
	}
	for _, k := range []caseload.FileKind{
		caseload.KindUnknown, caseload.KindDICOM, caseload.KindDICOMDIR, caseload.KindZIP, caseload.KindSTL, caseload.KindPLY,
		caseload.KindOBJ, caseload.KindJPEG, caseload.KindPNG, caseload.KindPDF, caseload.KindOther,
	} {
		keys = append(keys, "kind."+string(k), "kind.short."+string(k))
	}
	for _, key := range keys {
		if words[key] == "" {
			t.Errorf("%s has no word", key)
		}
	}
}

func TestLanguageIsChosenByCookieThenByBrowser(t *testing.T) {
	for _, c := range []struct{ name, cookie, accept, want string }{
		{"nothing said", "", "", "en"},
		{"a Korean browser", "", "ko-KR,ko;q=0.9,en;q=0.5", "ko"},
		{"a browser of another language", "", "de-DE,de", "en"},
		{"a choice goes before the browser", "en", "ko", "en"},
		{"a choice that does not exist is no choice", "xx", "ko", "ko"},
		{"nonsense", "", ";;;q=,", "en"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/cases", nil)
			r.Header.Set("Accept-Language", c.accept)
			if c.cookie != "" {
				r.AddCookie(&http.Cookie{Name: languageCookie, Value: c.cookie})
			}
			if got := languageOf(r); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestTimesAreToldInTheBrowsersZone(t *testing.T) {
	in := func(lang, zone string) locale {
		r := httptest.NewRequest(http.MethodGet, "/cases", nil)
		r.AddCookie(&http.Cookie{Name: languageCookie, Value: lang})
		r.AddCookie(&http.Cookie{Name: zoneCookie, Value: zone})
		return localeOf(r)
	}
	now := time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC) // 10:00 in Seoul
	for _, c := range []struct {
		name, lang, zone string
		at               time.Time
		want             string
	}{
		{"today, over the date line of UTC", "en", "Asia%2FSeoul", time.Date(2026, 3, 1, 16, 5, 0, 0, time.UTC), "01:05"},
		{"the same moment seen from UTC", "en", "", time.Date(2026, 3, 1, 16, 5, 0, 0, time.UTC), "yesterday 16:05"},
		{"this year", "ko", "Asia%2FSeoul", time.Date(2026, 1, 9, 0, 0, 0, 0, time.UTC), "1월 9일 09:00"},
		{"an earlier year", "en", "", time.Date(2025, 12, 31, 12, 0, 0, 0, time.UTC), "31 Dec 2025"},
		{"a zone that does not exist", "en", "Mars%2FOlympus", time.Date(2026, 3, 2, 0, 30, 0, 0, time.UTC), "00:30"},
		{"a zone that is a path", "en", "..%2F..%2Fetc%2Fpasswd", time.Date(2026, 3, 2, 0, 30, 0, 0, time.UTC), "00:30"},
		{"never", "en", "", time.Time{}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := in(c.lang, c.zone).when(c.at, now).Text; got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestNumbersReadWell(t *testing.T) {
	sizes := map[int64]string{
		0: "0 B", 999: "999 B", 1000: "1.0 kB", 4_100: "4.1 kB", 999_499: "999 kB", 999_500: "1.0 MB", 318_000_000: "318 MB",
		1_073_741_824: "1.1 GB",
	}
	for bytes, want := range sizes {
		if got := formatSize(bytes); got != want {
			t.Errorf("formatSize(%d) = %q, want %q", bytes, got, want)
		}
	}
	limits := map[int64]string{
		1 << 30: "1 GiB", 5 << 30: "5 GiB", 100 << 20: "100 MiB", 3 << 29: "1,536 MiB", 1<<30 - 1: "1.07 GB", 50_000_000: "50 MB",
		2_000_000_000: "2 GB", 1_999_999_999: "1.99 GB", 0: "0 MB",
	}
	for bytes, want := range limits {
		if got := formatLimit(bytes); got != want {
			t.Errorf("formatLimit(%d) = %q, want %q", bytes, got, want)
		}
	}
	numbers := map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1234: "-1,234", -123: "-123"}
	for n, want := range numbers {
		if got := formatNumber(n); got != want {
			t.Errorf("formatNumber(%d) = %q, want %q", n, got, want)
		}
	}
	for _, c := range []struct{ done, whole, want int64 }{{0, 0, 0}, {5, 0, 0}, {999, 1000, 99}, {1000, 1000, 100}, {-1, 5, 0}, {7, 5, 100}} {
		if got := percent(c.done, c.whole); int64(got) != c.want {
			t.Errorf("percent(%d, %d) = %d, want %d", c.done, c.whole, got, c.want)
		}
	}
}

func TestNextLeadsNowhereElse(t *testing.T) {
	for next, want := range map[string]string{
		"/cases/x?q=1": "/cases/x?q=1", "": "/cases", "https://evil.example/": "/cases", "//evil.example": "/cases",
		`/\evil.example`: "/cases", "/\r\nSet-Cookie: x": "/cases", "cases": "/cases", "javascript:alert(1)": "/cases",
	} {
		if got := safeNext(next); got != want {
			t.Errorf("safeNext(%q) = %q, want %q", next, got, want)
		}
	}
}

func TestManyFilesAreOneLineOfActivity(t *testing.T) {
	at := func(minute int) time.Time { return time.Date(2026, 3, 2, 9, minute, 0, 0, time.UTC) }
	events := []caseload.Event{
		{At: at(30), Actor: "u1", Action: caseload.FileStored, File: "c"},
		{At: at(29), Actor: "system", Action: caseload.FileReady, File: "b"},
		{At: at(28), Actor: "u1", Action: caseload.FileStored, File: "b"},
		{At: at(27), Actor: "u1", Action: caseload.FileSending, File: "b"},
		{At: at(26), Actor: "u2", Action: caseload.FileStored, File: "x"},
		{At: at(5), Actor: "u1", Action: caseload.FileStored, File: "a"},
		{At: at(4), Actor: "u1", Action: caseload.FilesPlanned, Detail: `{"files":600}`},
	}
	var got []string
	l := locale{words: catalogue()["en"], lang: "en", zone: time.UTC}
	for _, d := range gather(events) {
		got = append(got, d.last.Actor+" "+l.told(d, string(d.last.File)))
	}
	want := []string{
		"u1 sent 2 files, received and verified", "system b was read", "u2 sent x, received and verified",
		"u1 sent a, received and verified", "u1 began to send 600 files",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestFoldersFoldAndWhatNeedsAPersonStaysInSight(t *testing.T) {
	s := &Server{Config: Config{Now: func() time.Time { return time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC) }}}
	l := locale{words: catalogue()["en"], lang: "en", zone: time.UTC}
	var files []caseload.File
	for i := range 40 {
		f := caseload.File{ID: caseload.FileID(string(rune('A' + i))), Name: "slice", Path: "Kim Minji/CBCT", State: caseload.Ready, Size: 1000}
		if i == 33 {
			f.State, f.Reason = caseload.Rejected, "It cannot be read."
		}
		files = append(files, f)
	}
	groups := s.groups(l, files, nil, "")
	if len(groups) != 1 || len(groups[0].Rows) != 1 || groups[0].Hidden != 39 || groups[0].Rows[0].State.Name != "rejected" {
		t.Fatalf("folded: %+v", groups)
	}
	if strings.Contains(groups[0].Key, "Kim") {
		t.Errorf("the folder's name stands in its address: %s", groups[0].Key)
	}
	if open := s.groups(l, files, nil, groups[0].Key); len(open[0].Rows) != 40 || open[0].Hidden != 0 {
		t.Errorf("open: %d rows, %d hidden", len(open[0].Rows), open[0].Hidden)
	}
}

func TestDeedsThatBeganEarlierSaySo(t *testing.T) {
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	events := []caseload.Event{{At: at.Add(time.Hour), Actor: "u1", Action: caseload.FileDeleted, File: "x"}}
	for len(events) < eventsTold {
		events = append(events, caseload.Event{At: at, Actor: "u1", Action: caseload.FileStored, File: "f"})
	}
	l := locale{words: catalogue()["en"], lang: "en", zone: time.UTC}
	var got []string
	for _, d := range gather(events) {
		got = append(got, l.told(d, "x"))
	}
	if want := "deleted x\nsent 499 files, received and verified, or more"; strings.Join(got, "\n") != want {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), want)
	}
}

func TestManyArrivingFilesAreCountedFewAreMeasured(t *testing.T) {
	l := locale{words: catalogue()["en"], lang: "en", zone: time.UTC}
	for arriving, want := range map[int]string{
		1: "sending 45 %", 2: "sending 2 files, 45 %", 3: "sending 3 files, 45 %", 4: "sending 4 files", 1000: "sending 1,000 files",
	} {
		got := l.caseState(caseload.CaseSummary{Files: arriving, Arriving: arriving, SentBytes: 45, DueBytes: 100}, arriving-1)
		if got.Text != want || got.Moving != (arriving < 4) {
			t.Errorf("%d arriving: %+v, want %q", arriving, got, want)
		}
	}
}

func TestMoreMayFollowOnlyWhileAFileIsUnknown(t *testing.T) {
	l := locale{words: catalogue()["en"], lang: "en", zone: time.UTC}
	seen := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	scan := caseload.File{ID: "a", State: caseload.Ready, MetadataAt: seen}
	studies := []caseload.Study{{ID: "s", Series: []caseload.Series{{Files: []caseload.FileID{"a"}}}}}
	for _, c := range []struct {
		name  string
		other caseload.File
		want  bool
	}{
		{"announced", caseload.File{State: caseload.Planned}, true},
		{"being sent", caseload.File{State: caseload.Sending}, true},
		{"a photo by its name", caseload.File{State: caseload.Sending, Name: "Front.JPG"}, false},
		{"received", caseload.File{State: caseload.Stored}, true},
		{"its first look", caseload.File{State: caseload.Reading}, true},
		{"known, in its whole pass", caseload.File{State: caseload.Reading, MetadataAt: seen}, false},
		{"ready", caseload.File{State: caseload.Ready, MetadataAt: seen}, false},
		{"cannot be read", caseload.File{State: caseload.Rejected}, false},
		{"never came", caseload.File{State: caseload.Abandoned}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := l.studies(studies, []caseload.File{scan, c.other})[0].Reading; got != c.want {
				t.Errorf("more may follow: %v, want %v", got, c.want)
			}
		})
	}
}
