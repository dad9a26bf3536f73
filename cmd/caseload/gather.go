package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"

	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/caseload"
)

// gathered is what a person named on the command line, as a flat list of files.
type gathered struct {
	sources []api.Source
	paths   []string // of the sources, as this computer names them
	bytes   int64
	junk    int           // files that systems leave behind: left out
	left    []leftOut     // other things that are not sent
	failed  []failedEntry // what could not be read
	seen    map[string]bool
}

// leftOut is something that is not sent, on purpose.
type leftOut struct{ path, why string }

// failedEntry is something that could not be read.
type failedEntry struct {
	path string
	err  error
}

// junkFolders and junkFiles are what operating systems leave in folders and nobody means to send (as ui/src/dropped.ts).
var (
	junkFolders = regexp.MustCompile(`^(__MACOSX|\.Spotlight-V100|\.Trashes|\$RECYCLE\.BIN|System Volume Information)$`)
	junkFiles   = regexp.MustCompile(`(?i)^(\.DS_Store|\.localized|Thumbs\.db|ehthumbs\.db|desktop\.ini|\._.*)$`)
)

// gather walks through what was named. A link that was named is followed, one that lies in a folder is not.
func gather(names []string) *gathered {
	g := &gathered{seen: map[string]bool{}}
	for _, name := range names {
		info, err := os.Stat(name)
		switch {
		case err != nil:
			g.fail(name, err)
		case info.IsDir():
			g.folder(name)
		default:
			g.file(name, "")
		}
	}
	return g
}

// folder takes everything under a folder, shown under the folder's own name.
func (g *gathered) folder(root string) {
	real, err := filepath.Abs(root)
	if err != nil {
		g.fail(root, err)
		return
	}
	before := len(g.sources) + len(g.failed)
	_ = filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error { // never fails: every error is noted
		rest, _ := filepath.Rel(root, name)
		switch {
		case err != nil:
			g.fail(name, err)
			if entry != nil && entry.IsDir() {
				return fs.SkipDir
			}
		case entry.IsDir():
			if name != root && junkFolders.MatchString(entry.Name()) {
				g.junk++
				return fs.SkipDir
			}
		case entry.Type()&fs.ModeSymlink != 0:
			g.left = append(g.left, leftOut{name, "a link is not followed"})
		case !entry.Type().IsRegular():
			g.left = append(g.left, leftOut{name, "not a plain file"})
		case junkFiles.MatchString(entry.Name()):
			g.junk++
		default:
			g.file(name, path.Join(filepath.Base(real), filepath.ToSlash(filepath.Dir(rest))))
		}
		return nil
	})
	if len(g.sources)+len(g.failed) == before {
		g.failed = append(g.failed, failedEntry{root, caseload.Errorf(caseload.Invalid, "The folder holds no file to send.")})
	}
}

// file takes one file, once.
func (g *gathered) file(name, folder string) {
	if real, err := filepath.Abs(name); err == nil {
		if g.seen[real] {
			return
		}
		g.seen[real] = true
	}
	source, err := api.FileSource(name, folder)
	if err != nil {
		g.failed = append(g.failed, failedEntry{name, err})
		return
	}
	g.sources = append(g.sources, source)
	g.paths = append(g.paths, name)
	g.bytes += source.Size
}

func (g *gathered) fail(name string, err error) {
	what := caseload.Errorf(caseload.Invalid, "It cannot be read.")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		what = caseload.Errorf(caseload.NotFound, "There is no such file or folder.")
	case errors.Is(err, fs.ErrPermission):
		what = caseload.Errorf(caseload.Invalid, "It may not be read: permission denied.")
	default:
		what = what.WithCause(err)
	}
	g.failed = append(g.failed, failedEntry{name, what})
}

// shown is how a source is called when people are told of it: its path within what was sent.
func shown(s api.Source) string { return legible(path.Join(s.Path, s.Name)) }

// legible is a name as it may stand in a line: what would steer a terminal or begin a line of its own is replaced.
func legible(name string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, name)
}

// sentence is an error for people: what happened and what to do. It holds no signed address.
func sentence(err error) string {
	var known *caseload.Error
	if !errors.As(err, &known) {
		return legible(lineCause(err).Error())
	}
	text := known.Message
	if known.Err != nil {
		text = fmt.Sprintf("%s (%s)", strings.TrimSuffix(text, "."), legible(lineCause(known.Err).Error()))
	}
	if known.Hint != "" {
		text = strings.TrimSuffix(text, ".") + ". " + known.Hint
	}
	return text
}

// drop leaves out the files whose names match.
func (g *gathered) drop(names *regexp.Regexp) {
	kept, paths := g.sources[:0], g.paths[:0]
	for i, s := range g.sources {
		if names.MatchString(s.Name) {
			g.bytes -= s.Size
			continue
		}
		kept, paths = append(kept, s), append(paths, g.paths[i])
	}
	g.sources, g.paths = kept, paths
}
