package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/ingest"
)

// dryReport is what a dry run tells.
type dryReport struct {
	Case     string     `json:"case,omitempty"` // number
	Files    int        `json:"files"`
	Bytes    int64      `json:"bytes"`
	Contents contents   `json:"contents"`
	Patients []string   `json:"patients"`
	Studies  []dryStudy `json:"studies"`
	Warnings []warning  `json:"warnings"`
	Together []string   `json:"together"` // what is odd of everything together, and of the case
	LeftOut  int        `json:"left_out"`
	Failed   []warning  `json:"failed"` // would not be sent

	Received      int   `json:"received"` // files the case has already
	ReceivedBytes int64 `json:"received_bytes"`
	Unfinished    int   `json:"unfinished"` // files whose earlier upload would go on
	ToSend        int   `json:"to_send"`
	ToSendBytes   int64 `json:"to_send_bytes"`
}

// contents counts things by what they are.
type contents struct {
	Images    int `json:"images"` // DICOM objects
	Meshes    int `json:"meshes"`
	Photos    int `json:"photos"`
	Documents int `json:"documents"`
	Others    int `json:"others"`
}

type dryStudy struct {
	Patient     string      `json:"patient"`
	PatientID   string      `json:"patient_id"`
	Date        string      `json:"date"` // DICOM DA
	Description string      `json:"description"`
	Series      []drySeries `json:"series"`
}

type drySeries struct {
	Modality    string  `json:"modality"`
	Description string  `json:"description"`
	Images      int     `json:"images"`
	Columns     int     `json:"columns"`
	Rows        int     `json:"rows"`
	Spacing     float64 `json:"spacing"` // mm; 0: unknown
	Complete    bool    `json:"complete"`
	Note        string  `json:"note"`
}

type warning struct {
	Path string `json:"path"`
	Text string `json:"text"`
}

// lookersAtOnce is how many files a dry run reads at a time.
const lookersAtOnce = 4

// dryRun reads the files as the server would and tells what they are and what would be sent. client nil: no server is
// asked.
func dryRun(cmd *cobra.Command, client *api.Client, to api.Case, found *gathered) error {
	p := dryReport{Case: to.Number, Files: len(found.sources), Bytes: found.bytes, LeftOut: found.junk + len(found.left), Patients: []string{}, Studies: []dryStudy{}, Warnings: []warning{}, Together: []string{}, Failed: []warning{}}
	for _, f := range found.failed {
		p.Failed = append(p.Failed, warning{f.path, sentence(f.err)})
	}
	looked, err := lookAll(cmd.Context(), found, &p)
	if err != nil {
		return err
	}
	var sources []api.Source
	var named []caseload.File
	for i, s := range found.sources {
		if _, ok := looked[lookedID(i)]; ok {
			sources = append(sources, s)
			named = append(named, caseload.File{ID: lookedID(i), Name: shown(s)})
		}
	}
	studies := ingest.Group(looked)
	p.describe(studies)
	for _, w := range ingest.Warn(caseload.Case{Patient: to.Patient}, studies, named) {
		p.Together = append(p.Together, w.Text)
	}
	if err := p.compare(cmd.Context(), client, to.ID, sources); err != nil {
		return err
	}
	for _, f := range p.Failed {
		fmt.Fprintf(cmd.ErrOrStderr(), "caseload: %s: %s\n", legible(f.Path), f.Text)
	}
	if asJSON, _ := cmd.Flags().GetBool("json"); asJSON {
		encoder := json.NewEncoder(cmd.OutOrStdout())
		encoder.SetIndent("", "  ")
		err = encoder.Encode(p)
	} else {
		p.print(cmd.OutOrStdout())
	}
	if err == nil && len(p.Failed) > 0 {
		err = caseload.Errorf(caseload.Invalid, "%s could not be sent; the lines above say why.", plural(len(p.Failed), "file"))
	}
	return err
}

// lookAll reads every file.
func lookAll(ctx context.Context, found *gathered, p *dryReport) (map[caseload.FileID]caseload.Findings, error) {
	var mu sync.Mutex
	looked := map[caseload.FileID]caseload.Findings{}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(lookersAtOnce)
	for i, source := range found.sources {
		group.Go(func() error {
			f, err := lookAt(ctx, found.paths[i], source.Size)
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				p.Failed = append(p.Failed, warning{found.paths[i], sentence(err)})
				return nil
			}
			looked[lookedID(i)] = f
			for _, text := range f.Warnings {
				p.Warnings = append(p.Warnings, warning{shown(source), text})
			}
			c := f.Contents
			p.Contents.Images += c.Images
			p.Contents.Meshes += c.Meshes
			p.Contents.Photos += c.Photos
			p.Contents.Documents += c.Documents
			p.Contents.Others += c.Others
			return nil
		})
	}
	err := group.Wait()
	slices.SortFunc(p.Warnings, func(a, b warning) int { return strings.Compare(a.Path, b.Path) })
	slices.SortFunc(p.Failed, func(a, b warning) int { return strings.Compare(a.Path, b.Path) })
	return looked, err
}

// lookedID stands for the id that the i-th source does not have yet.
func lookedID(i int) caseload.FileID { return caseload.FileID(fmt.Sprintf("%09d", i)) }

func lookAt(ctx context.Context, name string, size int64) (caseload.Findings, error) {
	if size == 0 {
		return caseload.Findings{}, caseload.Errorf(caseload.Invalid, "The file is empty.").WithHint("Check that it was copied completely.")
	}
	f, err := os.Open(name)
	if err != nil {
		var at *os.PathError
		if errors.As(err, &at) {
			err = at.Err
		}
		return caseload.Findings{}, caseload.Errorf(caseload.Invalid, "The file cannot be read.").WithCause(err)
	}
	defer func() { _ = f.Close() }()
	return ingest.Look(ctx, f, size)
}

func (p *dryReport) describe(studies []caseload.Study) {
	for _, s := range studies {
		study := dryStudy{Patient: s.PatientName, PatientID: s.PatientID, Date: s.Date, Description: s.Description}
		who := strings.TrimSpace(s.PatientName + " " + parenthesis(s.PatientID))
		if who != "" && !slices.Contains(p.Patients, who) {
			p.Patients = append(p.Patients, who)
		}
		for _, x := range s.Series {
			study.Series = append(study.Series, drySeries{
				Modality: x.Modality, Description: or(x.Description, "Series "+x.Number), Images: x.Images, Columns: x.Columns, Rows: x.Rows,
				Spacing: x.Spacing, Complete: x.Complete, Note: x.Note,
			})
		}
		p.Studies = append(p.Studies, study)
	}
}

func parenthesis(s string) string {
	if s == "" {
		return ""
	}
	return "(" + s + ")"
}

// compare asks the server, if there is one, what it has of the files, and what it would refuse.
func (p *dryReport) compare(ctx context.Context, client *api.Client, id string, sources []api.Source) error {
	states := make([]api.Standing, len(sources))
	if client != nil {
		var err error
		if states, err = client.Compare(ctx, id, sources); err != nil {
			return err
		}
	}
	for i, s := range sources {
		switch state := states[i]; {
		case state.Err != nil:
			p.Failed = append(p.Failed, warning{shown(s), sentence(state.Err)})
			continue
		case state.Received:
			p.Received++
			p.ReceivedBytes += s.Size
			continue
		case state.Unfinished:
			p.Unfinished++
		}
		p.ToSend++
		p.ToSendBytes += s.Size
	}
	return nil
}

// print writes the report for people.
func (p *dryReport) print(w io.Writer) {
	fmt.Fprintf(w, "%s, %s", plural(p.Files, "file"), humanBytes(p.Bytes))
	if p.LeftOut > 0 {
		fmt.Fprintf(w, "; %d left out", p.LeftOut)
	}
	series, images := 0, 0
	for _, s := range p.Studies {
		series += len(s.Series)
		for _, x := range s.Series {
			images += x.Images
		}
	}
	fmt.Fprintf(w, "\n%s, %s, %d series, %s", plural(len(p.Patients), "patient"), strings.Replace(plural(len(p.Studies), "study"), "studys", "studies", 1), series, plural(images, "image"))
	for _, c := range []struct {
		n    int
		name string
	}{{p.Contents.Meshes, "mesh"}, {p.Contents.Photos, "photo"}, {p.Contents.Documents, "document"}, {p.Contents.Others, "other"}} {
		if c.n > 0 {
			fmt.Fprint(w, ", "+strings.Replace(plural(c.n, c.name), "meshs", "meshes", 1))
		}
	}
	fmt.Fprintln(w)
	for _, text := range p.Together {
		fmt.Fprintf(w, "!! %s\n", legible(text))
	}
	for _, s := range p.Studies {
		fmt.Fprintf(w, "\n%s  %s  %s\n", or(strings.TrimSpace(s.Patient+" "+parenthesis(s.PatientID)), "(no patient)"), or(dashed(s.Date), "(no date)"), s.Description)
		for _, x := range s.Series {
			fmt.Fprintf(w, "  %-3s %s: %s", x.Modality, x.Description, plural(x.Images, "image"))
			if x.Columns > 0 {
				fmt.Fprintf(w, ", %d × %d", x.Columns, x.Rows)
			}
			if x.Spacing > 0 {
				fmt.Fprintf(w, ", every %.3g mm", x.Spacing)
			}
			if x.Complete {
				fmt.Fprint(w, ", complete")
			}
			if x.Note != "" {
				fmt.Fprintf(w, "\n      %s", x.Note)
			}
			fmt.Fprintln(w)
		}
	}
	if len(p.Warnings) > 0 {
		fmt.Fprintln(w)
		for _, x := range p.Warnings {
			fmt.Fprintf(w, "%s: %s\n", x.Path, x.Text)
		}
	}
	fmt.Fprintf(w, "\nwould send %s, %s", plural(p.ToSend, "file"), humanBytes(p.ToSendBytes))
	if p.Case != "" {
		fmt.Fprintf(w, " to case %s", p.Case)
	}
	if p.Received > 0 {
		fmt.Fprintf(w, "; %s (%s) received already", plural(p.Received, "file"), humanBytes(p.ReceivedBytes))
	}
	if p.Unfinished > 0 {
		fmt.Fprintf(w, "; %d of them would go on from an earlier try", p.Unfinished)
	}
	fmt.Fprintln(w, ".\nNothing was sent.")
}
