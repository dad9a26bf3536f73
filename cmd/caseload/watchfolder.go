package main

import (
	"cmp"
	"encoding/binary"
	"errors"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// folder is what a watch knows of the folder it watches: of each entry that is in it now, whether it still changes and
// whether it has been sent. It keeps some hundred bytes an entry and forgets those that are gone.
type folder struct {
	path    string
	only    bool          // subfolders only
	settle  time.Duration // how long an entry must stay as it is before it counts as complete
	newer   time.Duration // entries that have not changed for longer are left alone; 0: none are
	entries map[string]*entry
}

// entry is a file or a subfolder of the folder.
type entry struct {
	name    string
	dir     bool
	files   int
	changed time.Time // the newest date in it

	own    time.Time // of the entry itself, when it was last looked through
	looked time.Time
	sign   uint64    // of names, sizes and dates in it
	since  time.Time // since when it is so
	sent   uint64    // the sign it was sent under; 0: not yet
	tries  int       // that failed, under this sign
	after  time.Time // not to be tried before
}

// lookAgain is how often an entry that was sent is looked through although its own date has not changed.
const lookAgain = 15 * time.Minute

// unfinishedNames are those that programs give files they are still writing; hidden ones are nobody's scan.
var unfinishedNames = regexp.MustCompile(`(?i)(^[.~]|\.(part|partial|filepart|crdownload|download|tmp|temp)$)`)

// look reads the folder as it is now.
func (f *folder) look(now time.Time) error {
	found, err := os.ReadDir(f.path)
	if err != nil {
		return err
	}
	there := map[string]bool{}
	for _, d := range found {
		name := d.Name()
		plain := d.Type().IsRegular() && !f.only && !junkFiles.MatchString(name)
		if unfinishedNames.MatchString(name) || !(plain || d.IsDir() && !junkFolders.MatchString(name)) {
			continue
		}
		there[name] = true
		e := f.entries[name]
		if e == nil {
			e = &entry{name: name, dir: d.IsDir()}
			f.entries[name] = e
		}
		f.update(e, now)
	}
	for name := range f.entries {
		if !there[name] {
			delete(f.entries, name)
		}
	}
	return nil
}

// update looks through an entry, unless there is no reason to.
func (f *folder) update(e *entry, now time.Time) {
	own := time.Time{}
	if info, err := os.Lstat(filepath.Join(f.path, e.name)); err == nil {
		own = info.ModTime()
	}
	if e.sent != 0 && e.sent == e.sign && own.Equal(e.own) && now.Sub(e.looked) < lookAgain {
		return
	}
	sign, files, changed := signOf(filepath.Join(f.path, e.name))
	e.own, e.looked, e.files, e.changed = own, now, files, changed
	if sign != e.sign {
		e.sign, e.since, e.tries, e.after = sign, now, 0, time.Time{}
	}
}

// signOf is a number that changes when a name, a size or a date under a path does.
func signOf(root string) (sign uint64, files int, newest time.Time) {
	h := fnv.New64a()
	_ = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error { // what cannot be read now is part of the sign
		_, _ = h.Write([]byte(name))
		if err != nil {
			_, _ = h.Write([]byte(err.Error()))
			if d != nil && d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() {
			return nil
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		} else if err != nil {
			_, _ = h.Write([]byte(err.Error()))
			return nil
		}
		files++
		if info.ModTime().After(newest) {
			newest = info.ModTime()
		}
		var b [16]byte
		binary.BigEndian.PutUint64(b[:], uint64(info.Size()))
		binary.BigEndian.PutUint64(b[8:], uint64(info.ModTime().UnixNano()))
		_, _ = h.Write(b[:])
		return nil
	})
	return max(h.Sum64(), 1), files, newest
}

// ready returns the entries that are complete and not sent, the newest first: a scan that was just made does not wait
// for those of last year.
func (f *folder) ready(now time.Time) (ready []*entry) {
	for _, e := range f.entries {
		if f.due(e, now) && now.Sub(e.since) >= f.settle && !now.Before(e.after) {
			ready = append(ready, e)
		}
	}
	slices.SortFunc(ready, func(a, b *entry) int {
		return cmp.Or(b.changed.Compare(a.changed), strings.Compare(a.name, b.name))
	})
	return ready
}

// waiting counts the entries that will be ready later.
func (f *folder) waiting(now time.Time) (n int) {
	for _, e := range f.entries {
		if f.due(e, now) {
			n++
		}
	}
	return n
}

// due tells whether an entry is to be sent, once it is complete.
func (f *folder) due(e *entry, now time.Time) bool {
	return e.files > 0 && e.sign != e.sent && (f.newer == 0 || now.Sub(e.changed) <= f.newer)
}

// again puts off an entry that could not be sent, for longer each time.
func (e *entry) again(now time.Time) (pause time.Duration) {
	pause = min(time.Minute<<min(e.tries, 10), time.Hour)
	e.tries++
	e.after = now.Add(pause)
	return pause
}
