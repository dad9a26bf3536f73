package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/ingest"
	"dcdentals.com/caseload/internal/objectstore"
)

func inspectCommand() *cobra.Command {
	cmd := dataFlag(&cobra.Command{
		Use: "inspect PATH|s3://BUCKET/KEY", Short: "Show what a file, folder, ZIP or stored object is: patients, series, gaps, header", Args: cobra.ExactArgs(1),
		Long: `Reads a file, a folder, a ZIP or an object of the configured store as the server would, by content, and shows
patients, studies, series, their geometry, and what is wrong. Nothing is sent and nothing is changed. Meshes,
photos, documents and other archives are recognised.

--header shows every element of a DICOM header, private ones and nested sequences too; --tag (again and again)
only those elements, by tag or keyword; --search only lines that hold every word in tag, name or value. Of a
ZIP it is the header of its first image, or of the entry that --entry names. Control characters of the files
never reach the terminal.

Exit codes: 0 read · 1 not readable, not what was asked for, or nothing found · 2 wrong command line · 69 the
store cannot be reached · 78 wrong settings.`,
		RunE: inspect,
	})
	f := cmd.Flags()
	f.Bool("json", false, "as JSON")
	f.Bool("header", false, "the DICOM header")
	f.StringArray("tag", nil, "of the header only this element, such as 00100020 or PatientID")
	f.String("search", "", "of the header only lines that hold these words")
	f.String("entry", "", "with --header: which entry of a ZIP")
	return cmd
}

// inspected is one object to look at.
type inspected struct {
	name string
	size int64
	io.ReaderAt
}

func inspect(cmd *cobra.Command, args []string) error {
	ctx, cancel := untilInterrupted(cmd.Context())
	defer cancel()
	query, wanted, err := headerQuery(cmd)
	if err != nil {
		return err
	}
	if info, err := os.Stat(args[0]); err == nil && info.IsDir() {
		if wanted {
			return &usageError{errors.New("a header is shown of one file or ZIP, not of a folder")}
		}
		return interrupted(ctx, inspectFolder(ctx, cmd, args[0]))
	}
	object, done, err := openInspected(ctx, cmd, args[0])
	if err != nil {
		return err
	}
	defer done()
	found, err := ingest.Look(ctx, object, object.size)
	if err != nil {
		return interrupted(ctx, unreadableFile(err))
	}
	if wanted {
		return interrupted(ctx, showHeader(ctx, cmd, object, found, query))
	}
	r := inspection{Files: 1, Bytes: object.size}
	r.add("1", object.name, found)
	return r.show(cmd, map[caseload.FileID]caseload.Findings{"1": found})
}

// headerQuery is what the flags ask of the header, and whether they ask for one.
func headerQuery(cmd *cobra.Command) (q ingest.HeaderQuery, wanted bool, err error) {
	f := cmd.Flags()
	wanted, _ = f.GetBool("header")
	q.Tags, _ = f.GetStringArray("tag")
	q.Text, _ = f.GetString("search")
	q.Longest, q.Most = 1000, 1<<20
	wanted = wanted || len(q.Tags) > 0 || q.Text != ""
	if entry, _ := f.GetString("entry"); entry != "" && !wanted {
		err = &usageError{errors.New("--entry goes with --header, --tag or --search")}
	}
	return q, wanted, err
}

// openInspected opens a file of this computer, or an object of the configured store.
func openInspected(ctx context.Context, cmd *cobra.Command, name string) (inspected, func(), error) {
	if address, remote := strings.CutPrefix(name, "s3://"); remote {
		bucket, key, _ := strings.Cut(address, "/")
		return openStored(ctx, cmd, bucket, key)
	}
	f, err := os.Open(name)
	if err != nil {
		return inspected{}, nil, unreadableFile(err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a plain file")
	}
	if err == nil && info.Size() == 0 {
		err = errors.New("the file is empty")
	}
	if err != nil {
		_ = f.Close()
		return inspected{}, nil, unreadableFile(err)
	}
	return inspected{name, info.Size(), f}, func() { _ = f.Close() }, nil
}

// unreadableFile is what is said of something that cannot be opened or read.
func unreadableFile(err error) error {
	var at *os.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	if known := caseload.KindOf(err); known != caseload.Internal {
		return err
	}
	return caseload.Errorf(caseload.Invalid, "It cannot be read.").WithCause(err)
}

// openStored opens an object of the configured store for reading by range.
func openStored(ctx context.Context, cmd *cobra.Command, bucket, key string) (inspected, func(), error) {
	c, err := loadQuietly(cmd)
	if err != nil {
		return inspected{}, nil, err
	}
	a := newApplication(newLog(c))
	if !c.UseS3 {
		if _, err := os.Stat(c.Data); err != nil {
			return inspected{}, nil, caseload.Errorf(caseload.NotFound, "There is no data folder here.").WithHint("Name it with --data, or set USE_S3 for an external store.")
		}
		if a.unlock, err = lockData(c.Data); err != nil {
			return inspected{}, nil, err // the running server has the embedded store, and says so
		}
	}
	done := func() { _ = a.stop(context.WithoutCancel(ctx)) }
	objects, err := a.openObjects(ctx, c)
	if err == nil && bucket != objects.Bucket() {
		err = caseload.Errorf(caseload.Invalid, "The configured store's bucket is %q, not %q.", objects.Bucket(), bucket)
	}
	var head caseload.Object
	if err == nil {
		head, err = objects.Head(ctx, caseload.ObjectKey(key), "")
	}
	if err != nil {
		done()
		return inspected{}, nil, err
	}
	return inspected{key, head.Size, &storedObject{ctx, objects, head}}, done, nil
}

// storedObject reads an object by range.
type storedObject struct {
	ctx     context.Context
	objects *objectstore.Store
	object  caseload.Object
}

func (s *storedObject) ReadAt(p []byte, off int64) (int, error) {
	return s.objects.ReadRange(s.ctx, s.object, p, off)
}

// inspectFolder looks at everything under a folder.
func inspectFolder(ctx context.Context, cmd *cobra.Command, name string) error {
	found := gather([]string{name})
	r := inspection{Files: len(found.sources), Bytes: found.bytes}
	var dry dryReport
	looked, err := lookAll(ctx, found, &dry)
	if err != nil {
		return err
	}
	for _, f := range found.failed {
		r.Failed = append(r.Failed, warning{f.path, sentence(f.err)})
	}
	r.Failed = append(r.Failed, dry.Failed...)
	for i, s := range found.sources {
		if f, ok := looked[lookedID(i)]; ok {
			r.add(lookedID(i), shown(s), f)
		}
	}
	return r.show(cmd, looked)
}

// showHeader prints the header of the object, or of one image in it.
func showHeader(ctx context.Context, cmd *cobra.Command, object inspected, found caseload.Findings, query ingest.HeaderQuery) error {
	name, _ := cmd.Flags().GetString("entry")
	at := caseload.EntryRef{Index: -1}
	if found.Kind == caseload.KindZIP || name != "" {
		image, err := imageOf(found, name)
		if err != nil {
			return err
		}
		at = image.Entry
	}
	view, err := ingest.ReadHeader(ctx, object, object.size, at, query)
	if err != nil {
		return unreadableFile(err)
	}
	if asJSON, _ := cmd.Flags().GetBool("json"); asJSON {
		err = encodeHeader(cmd.OutOrStdout(), at.Name, view)
	} else {
		for _, w := range view.Warnings {
			fmt.Fprintf(cmd.ErrOrStderr(), "caseload: %s\n", legible(w))
		}
		for _, line := range view.Lines {
			if _, err = fmt.Fprintln(cmd.OutOrStdout(), legible(line.String())); err != nil {
				break
			}
		}
	}
	if err == nil && view.Found == 0 {
		err = caseload.Errorf(caseload.NotFound, "No element matches.")
	}
	return err
}

// imageOf finds the image of a ZIP whose header is asked for.
func imageOf(found caseload.Findings, entry string) (caseload.Instance, error) {
	for _, f := range found.Found {
		if entry == "" || f.Instance.Entry.Name == entry {
			return f.Instance, nil
		}
	}
	if entry != "" {
		return caseload.Instance{}, caseload.Errorf(caseload.NotFound, "No image of the ZIP has that name.")
	}
	return caseload.Instance{}, caseload.Errorf(caseload.Invalid, "The ZIP holds no DICOM image.")
}

// headerElement is one line of --header --json.
type headerElement struct {
	Depth   int    `json:"depth"`
	Item    int    `json:"item,omitempty"`
	Tag     string `json:"tag"`
	VR      string `json:"vr,omitempty"`
	Keyword string `json:"keyword,omitempty"`
	Name    string `json:"name,omitempty"`
	Creator string `json:"creator,omitempty"`
	Length  int64  `json:"length"` // bytes; -1: delimited
	Offset  int64  `json:"offset"`
	Value   string `json:"value"`
	Cut     bool   `json:"cut,omitempty"`
}

func encodeHeader(w io.Writer, entry string, view ingest.HeaderView) error {
	out := struct {
		Entry    string          `json:"entry,omitempty"`
		Elements []headerElement `json:"elements"`
		Warnings []string        `json:"warnings"`
	}{entry, []headerElement{}, append([]string{}, view.Warnings...)}
	for _, l := range view.Lines {
		out.Elements = append(out.Elements, headerElement{l.Depth, l.Item, l.Tag.Hex(), string(l.VR), l.Keyword, l.Name, l.Creator, l.Length, l.Offset, l.Text, l.Cut})
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(out)
}
