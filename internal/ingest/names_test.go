package ingest_test

import (
	"slices"
	"testing"

	"dcdentals.com/caseload/internal/dicom/dicomtest"
	"dcdentals.com/caseload/internal/store"
)

func TestPatientsAreFoundByEachWritingOfTheirName(t *testing.T) {
	patients := []struct {
		name, bytes string
		charset     []string
		finds       []string
	}{
		{
			"Korean, ISO 2022", "Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
			[]string{"", "ISO 2022 IR 149"},
			[]string{"hong", "gildong hong", "홍길동", "길동", "홍 길동", "洪吉洞", "吉洞", "洪 吉洞"},
		},
		{
			"Japanese, ISO 2022", "Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
			[]string{"", "ISO 2022 IR 87"},
			[]string{"yamada", "山田太郎", "山田 太郎", "山田　太郎", "太郎", "やまだたろう", "やまだ", "たろう"},
		},
		{
			"Japanese, half-width katakana", "\xbb\xc4\xb3^\xca\xc5\xba=\x1b$B:4F#\x1b(J^\x1b$B2V;R\x1b(J",
			[]string{"ISO 2022 IR 13", "ISO 2022 IR 87"},
			[]string{"サトウ", "ｻﾄｳ", "サトウハナコ", "佐藤花子", "佐藤", "花子"},
		},
		{
			"Chinese, GB18030", "Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab",
			[]string{"GB18030"},
			[]string{"wang", "xiaodong", "王小东", "小东", "王 小东"},
		},
		{
			"Chinese, UTF-8", "Li^Ming=李^明",
			[]string{"ISO_IR 192"},
			[]string{"李明", "李", "li ming"},
		},
		{
			"Korean, nothing declared", "\xb1\xe8^\xc3\xb6\xbc\xf6", nil, []string{"김철수", "철수", "김 철수"},
		},
	}
	onRealParts(t, func(c *clinic) {
		s := c.reader(c.store, c.objects)
		for i, p := range patients {
			id, files := c.stored(dicomtest.CT(dicomtest.CTOptions{Charset: p.charset, Patient: []byte(p.bytes), Study: "2.25.7" + string(rune('0'+i))}))
			must(c.t, s.Ingest(c.t.Context(), files[0]))
			for _, text := range p.finds {
				page, err := c.store.Cases(c.t.Context(), c.user, store.CaseQuery{Text: text})
				must(c.t, err)
				var found []string
				for _, f := range page.Cases {
					found = append(found, string(f.ID))
				}
				if !slices.Equal(found, []string{string(id)}) {
					all, _ := c.store.CaseStudies(c.t.Context(), c.user, id)
					c.t.Errorf("%s: %q finds %d cases; the name is kept as %q", p.name, text, len(found), all[0].PatientName)
				}
			}
		}
	})
}
