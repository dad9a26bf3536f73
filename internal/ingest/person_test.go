package ingest

import (
	"testing"

	"dcdentals.com/caseload/internal/caseload"
)

// The cases are those of ui/test/unit/preflight-drop.test.ts, with names in their readable form.
func TestNamesAreComparedAsPeopleWould(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want likeness
	}{
		{"Kim, Minji", "MINJI, KIM", alike},
		{"Müller, Jürgen", "Mueller, Juergen", alike},
		{"Müller, Jürgen", "Muller Jurgen", alike},
		{"임대석", "임 대석", alike},
		{"Hong, Gildong (홍길동)", "홍 길동", alike},
		{"Kim, Min-ji", "Kim, Minji", alike},
		{"Kim, Minji", "Kim, Soyeon", unlike},
		{"김민지", "Kim, Minji", unknown},
		{"Kim, Minji", "", unknown},
	} {
		if got := compareNames(c.a, c.b); got != c.want {
			t.Errorf("%s and %s: %d, want %d", c.a, c.b, got, c.want)
		}
	}
	for _, c := range []struct {
		label, name string
		want        likeness
	}{
		{"", "Kim, Minji", unknown},
		{"Kim Minji, implant 26", "KIM, MIN JI", alike},
		{"김민지 26번 임플란트", "김민지", alike},
		{"김민지", "Kim, Minji", unknown},
		{"김민지", "Kim, Minji (김민지)", alike},
		{"Kim", "Kim, Minji", alike},
		{"Park Seojun", "Kim, Minji", unlike},
		{"Kim Soyeon", "Kim, Minji", unlike},
		{"Adams, John", "Adams, Rev. John Robert Q, PhD", alike},
		{"2026-11 / PH-7", "Kim, Minji", alike},
		{"26", "Kim, Minji", unknown},
		{"<b>Kim Minji</b>", "Kim, Minji", alike},
	} {
		if got := compareToLabel(c.label, caseload.Patient{Name: c.name, ID: "PH-7"}); got != c.want {
			t.Errorf("%s: %s: %d, want %d", c.label, c.name, got, c.want)
		}
	}
	minji := caseload.Patient{Name: "Kim, Minji", ID: "1", BirthDate: "19800101"}
	for other, want := range map[caseload.Patient]likeness{
		{Name: "Kim, Minji", ID: "2"}:                        alike,
		{Name: "Kim, Minji", ID: "2", BirthDate: "19900101"}: unlike,
		{Name: "Kim, Minji", ID: "1", BirthDate: "19900101"}: alike,
		{Name: "김민지", ID: "1"}:                               alike,
		{Name: "김민지", ID: "2"}:                               unknown,
		{Name: "Park", ID: "1"}:                              unlike,
	} {
		if got := comparePatients(minji, other); got != want {
			t.Errorf("%+v: %d, want %d", other, got, want)
		}
	}
}
