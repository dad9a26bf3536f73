package store

import (
	"fmt"
	"os"
	"sort"
	"strconv"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// benchSize returns how many cases and files the list is measured over: CASELOAD_BENCH_CASES and CASELOAD_BENCH_FILES,
// 5,000 and 50,000 by default; the figures of docs/benchmarks.md are for 100000 and 1000000.
func benchSize(b *testing.B) (cases, files int) {
	read := func(name string, usual int) int {
		value := os.Getenv(name)
		if value == "" {
			return usual
		}
		n, err := strconv.Atoi(value)
		must(b, err)
		return n
	}
	return read("CASELOAD_BENCH_CASES", 5000), read("CASELOAD_BENCH_FILES", 50000)
}

var (
	families = []string{"김", "이", "박", "최", "정", "Kim", "Lee", "Garcia", "Müller", "Nguyen", "Smith", "Okafor", "Иванов", "Rossi", "Silva"}
	givens   = []string{"철수", "영희", "민준", "Anna", "Bruno", "Chloé", "Dmitri", "Elena", "Femi", "Grace", "Hugo", "Ines", "Jonas"}
)

// fillList writes cases, files, studies and terms in bulk, as the verbs would have left them: one file in a hundred needs
// attention, one in two hundred is arriving.
func (b *bench) fillList(cases, files int) {
	b.t.Helper()
	ctx := b.t.Context()
	org, user := string(b.admin.Organization), string(b.admin.ID)
	ids := make([]string, cases)
	start := b.now().Add(-time.Duration(cases) * time.Minute)
	const batch = 5000
	if b.s.Engine() == SQLite { // only the filling: the questions are asked of the reading pool
		_, err := b.s.db.ExecContext(ctx, `PRAGMA cache_size = -400000`)
		must(b.t, err)
		_, err = b.s.db.ExecContext(ctx, `PRAGMA synchronous = OFF`)
		must(b.t, err)
	}
	for from := 0; from < cases; from += batch {
		to := min(from+batch, cases)
		must(b.t, b.s.write(ctx, func(t *tx) error {
			var found [][2]string
			patients := make([]string, to-from)
			for i := from; i < to; i++ {
				ids[i] = string(caseload.NewID[caseload.CaseID](start))
				patients[i-from] = fmt.Sprintf("%s%s p%06d", families[i%len(families)], givens[i/7%len(givens)], i)
				if i%5 > 1 {
					patients[i-from] = fmt.Sprintf("%s %s p%06d", families[i%len(families)], givens[i/7%len(givens)], i)
				}
				words := map[string]bool{}
				terms(fmt.Sprintf("2026-%05d", i), true, words)
				terms(patients[i-from], true, words)
				terms(fmt.Sprintf("1.2.840.113619.2.%d.%d", i*7919%100003, i), false, words)
				for w := range words {
					found = append(found, [2]string{ids[i], w})
				}
			}
			err := t.insertRows(ctx, `INSERT INTO cases (id, organization_id, number, patient, note, created_by, created_at, changed_at, revision)`,
				"", to-from, 9, func(i int) []any {
					at := toMS(start.Add(time.Duration(from+i) * time.Minute))
					return []any{ids[from+i], org, fmt.Sprintf("2026-%05d", from+i), patients[i], "", user, at, at, 1}
				})
			if err != nil {
				return err
			}
			return t.insertRows(ctx, `INSERT INTO case_terms (case_id, term, organization_id)`, "", len(found), 3,
				func(i int) []any { return []any{found[i][0], found[i][1], org} })
		}))
	}
	for from := 0; from < files; from += batch {
		to := min(from+batch, files)
		must(b.t, b.s.write(ctx, func(t *tx) error {
			return t.insertRows(ctx, `INSERT INTO files (id, organization_id, case_id, name, path, size, content_type, modified_at, fingerprint,
				state, reason, route, object, part_size, sent_bytes, deadline, crc64nvme, etag, sha256, kind, warned, warnings, images, created_by, created_at,
				changed_at, stored_at, metadata_at, ready_at)`, "", to-from, 29, func(i int) []any {
				i += from
				at := toMS(start)
				row := []any{
					string(caseload.NewID[caseload.FileID](start)), org, ids[i%cases], fmt.Sprintf("IM%06d.dcm", i), "DICOM/SER1", 524288, "application/dicom", at,
					"fp" + strconv.Itoa(i), "ready", "", "small", string(caseload.NewObjectKey()), 0, 524288, 0, "AAAAAAAAAAA=", "etag", string(make64()), "dicom", 0, "[]", 1,
					user, at, at, at, at, at,
				}
				switch j := i * 7919 % 1000; { // spread over the cases
				case j < 5:
					row[9], row[14], row[15] = "sending", 1000, at
				case j < 10:
					row[9], row[10], row[15] = "rejected", "It cannot be read.", 0
				case j < 15:
					row[20], row[21] = 1, `["odd"]`
				}
				return row
			})
		}))
	}
	for from := 0; from < cases; from += batch {
		to := min(from+batch, cases)
		must(b.t, b.s.write(ctx, func(t *tx) error {
			studies := make([]string, to-from)
			err := t.insertRows(ctx, `INSERT INTO studies (id, organization_id, case_id, study_uid, patient_name, patient_id, birth_date, sex, study_date,
				study_time, description, accession_number)`, "", to-from, 12, func(i int) []any {
				studies[i] = string(caseload.NewID[caseload.StudyID](start))
				return []any{studies[i], org, ids[from+i], "1.2.840." + strconv.Itoa(from+i), "", "", "", "", "", "", "", ""}
			})
			if err != nil {
				return err
			}
			return t.insertRows(ctx, `INSERT INTO series (id, case_id, study_id, series_uid, series_number, modality, description, manufacturer, model)`,
				"", to-from, 9, func(i int) []any {
					return []any{string(caseload.NewID[caseload.SeriesID](start)), ids[from+i], studies[i], "1.2", "1", "CT", "", "", ""}
				})
		}))
	}
	if b.s.Engine() == Postgres { // what autovacuum does in the first minutes
		_, err := b.s.db.ExecContext(ctx, `VACUUM ANALYZE`)
		must(b.t, err)
	}
}

// BenchmarkCaseList prints the median and the longest time of each class of question to the case list.
//
//	CASELOAD_BENCH_CASES=100000 CASELOAD_BENCH_FILES=1000000 go test -run=^$ -bench=CaseList -benchtime=1x -timeout=30m ./internal/store
func BenchmarkCaseList(b *testing.B) {
	cases, files := benchSize(b)
	for _, e := range engines {
		b.Run(e.name, func(b *testing.B) {
			bed := newBench(b, e.url(b))
			begun := time.Now()
			bed.fillList(cases, files)
			fmt.Printf("%s: %d cases and %d files written in %.0f s\n", e.name, cases, files, time.Since(begun).Seconds())
			var deep string
			for range 100 {
				page, err := bed.s.Cases(b.Context(), bed.admin, CaseQuery{Cursor: deep})
				must(b, err)
				if page.Next == "" {
					break
				}
				deep = page.Next
			}
			ask := func(q CaseQuery) func(int) CaseQuery { return func(int) CaseQuery { return q } }
			for _, class := range []struct {
				name  string
				query func(i int) CaseQuery
			}{
				{"first page", ask(CaseQuery{})},
				{"page 100 by cursor", ask(CaseQuery{Cursor: deep})},
				{"search narrow: one case", func(i int) CaseQuery {
					return CaseQuery{Text: fmt.Sprintf("p%06d", (i*7919+13)%cases)}
				}},
				{"search: about 1 % of the cases", ask(CaseQuery{Text: "p0001"})},
				{"search broad: a family name", ask(CaseQuery{Text: "garcia"})},
				{"search broad: everything", ask(CaseQuery{Text: "2026"})},
				{"search: Korean given name", ask(CaseQuery{Text: "철수"})},
				{"search: broad and narrow word", ask(CaseQuery{Text: "2026 p0001"})},
				{"search: two broad words", ask(CaseQuery{Text: "garcia anna"})},
				{"search: two broad words, never together", ask(CaseQuery{Text: "müller okafor"})},
				{"search: nothing", ask(CaseQuery{Text: "zzzz"})},
				{"state arriving", ask(CaseQuery{State: "arriving"})},
				{"state reading (none)", ask(CaseQuery{State: "reading"})},
				{"state ready", ask(CaseQuery{State: "ready"})},
				{"state attention", ask(CaseQuery{State: "attention"})},
				{"state attention, family name", ask(CaseQuery{State: "attention", Text: "garcia"})},
			} {
				b.Run(class.name, func(b *testing.B) {
					var took []time.Duration
					hits := 0
					for b.Loop() {
						for i := range 40 {
							begun := time.Now()
							page, err := bed.s.Cases(b.Context(), bed.admin, class.query(i))
							must(b, err)
							took = append(took, time.Since(begun))
							hits = len(page.Cases)
						}
					}
					sort.Slice(took, func(i, j int) bool { return took[i] < took[j] })
					ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
					b.ReportMetric(ms(took[len(took)/2]), "p50-ms")
					b.ReportMetric(ms(took[len(took)-1]), "max-ms")
					b.ReportMetric(float64(hits), "cases")
					b.ReportMetric(0, "ns/op")
				})
			}
			begun = time.Now()
			_, err := bed.s.Stats(b.Context())
			must(b, err)
			fmt.Printf("%s: Stats took %d ms\n", e.name, time.Since(begun).Milliseconds())
		})
	}
}

// BenchmarkPlanFiles plans a CBCT folder of 1,000 files, with fingerprints and checksums, into a case that holds 20,000
// received and 20,000 unfinished files already; the limit is 200 ms. First files the case has not seen, then the same
// ones again soon after, then again a day later, when each needs a new sign of life.
func BenchmarkPlanFiles(b *testing.B) {
	for _, e := range engines {
		bed := newBench(b, e.url(b))
		bed.fillList(1, 20_000)
		page, err := bed.s.Cases(b.Context(), bed.admin, CaseQuery{})
		must(b, err)
		c := page.Cases[0].ID
		folder := func(name string) []caseload.Proposal {
			files := make([]caseload.Proposal, 1000)
			for i := range files {
				files[i] = caseload.Proposal{File: bed.scan(fmt.Sprintf("%s%06d.dcm", name, i)), Checksum: fmt.Sprintf("%s-%d", name, i)}
			}
			return files
		}
		for i := range 20 {
			_, _, err := bed.s.PlanFiles(b.Context(), bed.admin, c, "", folder(fmt.Sprint("other", i)))
			must(b, err)
		}
		run := func(what string, files func(i int) []caseload.Proposal, want caseload.Match) {
			b.Run(e.name+"/"+what, func(b *testing.B) {
				var worst time.Duration
				for i := 0; b.Loop(); i++ {
					batch := files(i)
					began := time.Now()
					placed, _, err := bed.s.PlanFiles(b.Context(), bed.admin, c, "", batch)
					worst = max(worst, time.Since(began))
					must(b, err)
					if placed[999].Match != want {
						b.Fatalf("%q, want %q", placed[999].Match, want)
					}
				}
				b.ReportMetric(float64(worst.Microseconds())/1000, "ms-worst")
			})
		}
		run("new", func(i int) []caseload.Proposal { return folder(fmt.Sprint("new", b.N, time.Now().UnixNano(), i)) }, caseload.MatchNone)
		again := func(fresh time.Duration) func(int) []caseload.Proposal {
			return func(int) []caseload.Proposal {
				files := folder("other7")
				for i := range files {
					files[i].Fresh = bed.now().Add(-fresh)
				}
				return files
			}
		}
		run("soon again", again(7*time.Hour), caseload.MatchUnfinished)
		run("a day later", again(-time.Second), caseload.MatchUnfinished)
	}
}

// BenchmarkSaveMetadata saves a ZIP of 500 slices, again and again as a new attempt would.
func BenchmarkSaveMetadata(b *testing.B) {
	for _, e := range engines {
		b.Run(e.name, func(b *testing.B) {
			bed := newBench(b, e.url(b))
			f := bed.as(bed.newCase("1", "").ID, caseload.Reading)
			found := slicesOf(500)
			for b.Loop() {
				must(b, bed.s.SaveMetadata(b.Context(), f.ID, 1, found))
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(b.N), "ms/500-slices")
		})
	}
}
