package backup

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash"
	"os"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// format is the version of the folder's form.
const format = 1

// header is the manifest's first line.
type header struct {
	Format   int       `json:"caseload_backup"`
	Made     time.Time `json:"made"`
	Program  string    `json:"program"`
	Database string    `json:"database_sha256"`
}

// held is one object's line; they come in the byte order of their keys.
type held struct {
	Key        caseload.ObjectKey `json:"key"`
	Size       int64              `json:"size"`
	SHA256     string             `json:"sha256"`
	CRC64NVME  string             `json:"crc64nvme"`
	Attributes map[string][]byte  `json:"attributes,omitempty"`
	Trouble    string             `json:"trouble,omitempty"` // it was lost or damaged when the backup was made
	Lost       bool               `json:"lost,omitempty"`    // there are no bytes
}

// footer is the last line.
type footer struct {
	End     bool   `json:"end"`
	Objects int64  `json:"objects"`
	Bytes   int64  `json:"bytes"`
	SHA256  string `json:"sha256"` // of all lines before
}

// manifestWriter writes a manifest beside its place, and puts it there when it is whole.
type manifestWriter struct {
	path string
	file *os.File
	out  *bufio.Writer
	sum  hash.Hash
	foot footer
}

func writeManifest(path string, h header) (*manifestWriter, error) {
	file, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, folderError(err)
	}
	w := &manifestWriter{path: path, file: file, out: bufio.NewWriter(file), sum: sha256.New()}
	if err := w.line(h); err != nil {
		_ = file.Close()
		return nil, err
	}
	return w, nil
}

func (w *manifestWriter) line(value any) error {
	b, err := json.Marshal(value)
	if err != nil {
		return err
	}
	b = append(b, '\n')
	_, _ = w.sum.Write(b)
	if _, err := w.out.Write(b); err != nil {
		return folderError(err)
	}
	return nil
}

func (w *manifestWriter) add(h held) error {
	w.foot.Objects, w.foot.Bytes = w.foot.Objects+1, w.foot.Bytes+h.Size
	return w.line(h)
}

// finish writes the last line, durably, and puts the manifest in its place.
func (w *manifestWriter) finish() error {
	w.foot.End, w.foot.SHA256 = true, hex.EncodeToString(w.sum.Sum(nil))
	err := w.line(w.foot)
	if err == nil {
		err = w.out.Flush()
	}
	if err == nil {
		err = w.file.Sync()
	}
	if closed := w.file.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(w.path+".new", w.path)
	}
	if err != nil {
		return folderError(err)
	}
	return nil
}

func (w *manifestWriter) drop() { _ = w.file.Close() }

// manifestReader reads a manifest line by line.
type manifestReader struct {
	header
	file *os.File
	in   *bufio.Scanner
	sum  hash.Hash
	next *held // not asked for yet
	foot footer
}

// readManifest opens a manifest and reads its first line. Invalid when it is none, or of a later form.
func readManifest(path string) (*manifestReader, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, folderError(err)
	}
	m := &manifestReader{file: file, in: bufio.NewScanner(file), sum: sha256.New()}
	m.in.Buffer(make([]byte, 64<<10), 16<<20)
	if !m.in.Scan() || json.Unmarshal(m.in.Bytes(), &m.header) != nil || m.Format == 0 {
		m.close()
		return nil, damagedManifest()
	}
	if m.Format > format {
		m.close()
		return nil, caseload.Errorf(caseload.Invalid, "The backup is of a later form, %d; this caseload knows %d.", m.Format, format).WithHint("Use the caseload that made it, or a newer one.")
	}
	m.took()
	return m, nil
}

func (m *manifestReader) took() {
	_, _ = m.sum.Write(m.in.Bytes())
	_, _ = m.sum.Write([]byte{'\n'})
}

func (m *manifestReader) close() { _ = m.file.Close() }

func damagedManifest() error {
	return caseload.Errorf(caseload.Invalid, "The backup's MANIFEST is damaged or cut off.").WithHint("Use an older backup of the folder; what this one holds can still be read by hand.")
}

// read returns the next object, nil after the last one: then the manifest was whole. Invalid when it is not.
func (m *manifestReader) read() (*held, error) {
	if h := m.next; h != nil {
		m.next = nil
		return h, nil
	}
	if m.foot.End {
		return nil, nil
	}
	if !m.in.Scan() {
		return nil, damagedManifest()
	}
	var line held
	var last footer
	sum := hex.EncodeToString(m.sum.Sum(nil))
	if json.Unmarshal(m.in.Bytes(), &line) != nil || json.Unmarshal(m.in.Bytes(), &last) != nil {
		return nil, damagedManifest()
	}
	m.took()
	if last.End {
		if last.SHA256 != sum || m.in.Scan() {
			return nil, damagedManifest()
		}
		m.foot = last
		return nil, nil
	}
	if line.Key == "" {
		return nil, damagedManifest()
	}
	return &line, nil
}

// find returns the object of that key, nil when there is none. Keys must be asked for in order.
func (m *manifestReader) find(key caseload.ObjectKey) (*held, error) {
	if m == nil {
		return nil, nil
	}
	for {
		h, err := m.read()
		if err != nil || h == nil {
			return nil, err
		}
		if h.Key < key {
			continue
		}
		if h.Key > key {
			m.next = h
			return nil, nil
		}
		return h, nil
	}
}
