package objectstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/s3response"

	"dcdentals.com/caseload/internal/caseload"
)

// Folder is the embedded store's folder as plain files, for looking and for backups beside a process that serves from it:
// it takes no lock and changes nothing that is there. Objects are written once, so whatever it sees is whole.
type Folder struct {
	bucket  string // folder of the objects, absolute
	sidecar string // folder of their attributes, absolute; "" where the file system keeps them
}

// OpenFolder returns the view of the embedded store's folder (CASELOAD_DATA/store). NotFound when no embedded store was
// ever started there.
func OpenFolder(dir string) (*Folder, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("absolute path of the store's folder: %w", err)
	}
	f := &Folder{bucket: filepath.Join(dir, "objects", embeddedBucket), sidecar: filepath.Join(dir, "attributes")}
	if info, err := os.Stat(f.sidecar); err != nil || !info.IsDir() {
		f.sidecar = ""
	}
	if info, err := os.Stat(f.bucket); errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
		return nil, caseload.Errorf(caseload.NotFound, "There is no embedded store in this data folder.").
			WithHint("Name the data folder with --data.")
	} else if err != nil {
		return nil, folderError(err)
	}
	return f, nil
}

// NewFolder makes the folder of an embedded store, with the bucket as the gateway makes it, for Place to fill. As with
// StartEmbedded, the process's working directory is in it afterwards.
func NewFolder(ctx context.Context, dir string, log *slog.Logger) (*Folder, error) {
	e, err := StartEmbedded(ctx, dir, log)
	if err != nil {
		return nil, err
	}
	if err := e.Close(ctx); err != nil {
		return nil, err
	}
	return OpenFolder(dir)
}

// Walk visits every object whose key is after the given one, in the byte order of the keys, with the moment it was
// written. What vanishes while it walks is passed over. The memory it takes does not grow with the number of objects.
func (f *Folder) Walk(ctx context.Context, after caseload.ObjectKey, visit func(o caseload.Object, at time.Time) error) error {
	for more := true; more; {
		var names []string
		var err error
		if names, more, err = NamesAfter(ctx, f.bucket, string(after)); err != nil {
			return err
		}
		for _, name := range names {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			after = caseload.ObjectKey(name)
			if !ours(name) {
				continue
			}
			o, at, err := f.look(after)
			if caseload.KindOf(err) == caseload.NotFound {
				continue
			}
			if err == nil {
				err = visit(o, at)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// ours tells whether a name in the bucket's folder can be an object's: the gateway's own begin with a dot.
func ours(name string) bool {
	return name != "" && name[0] != '.' && !strings.ContainsAny(name, "/\\\x00")
}

// Head returns what the folder holds under the key. NotFound when it holds nothing.
func (f *Folder) Head(_ context.Context, key caseload.ObjectKey, _ string) (caseload.Object, error) {
	o, _, err := f.look(key)
	return o, err
}

func (f *Folder) look(key caseload.ObjectKey) (caseload.Object, time.Time, error) {
	if !ours(string(key)) {
		return caseload.Object{}, time.Time{}, caseload.Errorf(caseload.Internal, "Not an object key of ours.")
	}
	info, err := os.Lstat(filepath.Join(f.bucket, string(key)))
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
		return caseload.Object{}, time.Time{}, noObject()
	}
	if err != nil {
		return caseload.Object{}, time.Time{}, folderError(err)
	}
	o := caseload.Object{Key: key, Size: info.Size()}
	attributes, err := f.Attributes(key)
	if err != nil {
		return caseload.Object{}, time.Time{}, err
	}
	o.ETag = strings.Trim(string(attributes["etag"]), `"`)
	var sums s3response.Checksum // a damaged attribute is the same as none: the checksum then differs
	if json.Unmarshal(attributes["checksums"], &sums) == nil && sums.CRC64NVME != nil {
		o.CRC64NVME = *sums.CRC64NVME
	}
	return o, info.ModTime(), nil
}

func noObject() error {
	return caseload.Errorf(caseload.NotFound, "The store does not hold this object.")
}

// Stream opens the object's file. NotFound when there is none.
func (f *Folder) Stream(ctx context.Context, o caseload.Object) (io.ReadCloser, error) {
	if !ours(string(o.Key)) {
		return nil, caseload.Errorf(caseload.Internal, "Not an object key of ours.")
	}
	file, err := os.Open(filepath.Join(f.bucket, string(o.Key)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, noObject()
	}
	if err != nil {
		return nil, folderError(err)
	}
	return struct {
		io.Reader
		io.Closer
	}{endedBy(ctx, file), file}, nil
}

// keeper returns what keeps the attributes, and the name it knows the bucket's folder by.
func (f *Folder) keeper() (meta.MetadataStorer, string) {
	if f.sidecar == "" {
		return meta.XattrMeta{}, f.bucket
	}
	kept, err := meta.NewSideCar(f.sidecar)
	if err != nil {
		return meta.XattrMeta{}, f.bucket
	}
	return kept, embeddedBucket
}

// Attributes returns what the gateway keeps about an object beside its bytes, by name: its ETag, checksums and type.
func (f *Folder) Attributes(key caseload.ObjectKey) (map[string][]byte, error) {
	kept, bucket := f.keeper()
	names, err := kept.ListAttributes(bucket, string(key))
	attributes := make(map[string][]byte, len(names))
	for _, name := range names {
		var value []byte
		if value, err = kept.RetrieveAttribute(nil, bucket, string(key), name); errors.Is(err, meta.ErrNoSuchKey) {
			err = nil // it went with the object
			continue
		}
		if err != nil {
			break
		}
		attributes[name] = value
	}
	if err != nil && errors.Is(err, fs.ErrNotExist) {
		return nil, noObject()
	}
	if err != nil {
		return nil, folderError(err)
	}
	return attributes, nil
}

// Place writes an object with the attributes it had where it was, durably. Conflict when the key is taken. The store must
// not be running.
func (f *Folder) Place(ctx context.Context, key caseload.ObjectKey, body io.Reader, attributes map[string][]byte) (err error) {
	if !ours(string(key)) {
		return caseload.Errorf(caseload.Internal, "Not an object key of ours.")
	}
	path := filepath.Join(f.bucket, string(key))
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return caseload.Errorf(caseload.Conflict, "The store holds an object of that key already.")
	}
	if err != nil {
		return folderError(err)
	}
	defer func() {
		if closed := file.Close(); err == nil && closed != nil {
			err = folderError(closed)
		}
	}()
	if _, err := io.Copy(file, endedBy(ctx, body)); err != nil {
		var own *caseload.Error
		if errors.As(err, &own) || ctx.Err() != nil {
			return err
		}
		return folderError(err)
	}
	kept, bucket := f.keeper()
	for name, value := range attributes {
		if err := kept.StoreAttribute(nil, bucket, string(key), name, value); err != nil {
			return folderError(err)
		}
	}
	if err := file.Sync(); err != nil {
		return folderError(err)
	}
	return nil
}

// Sync makes the names of what was placed durable, too.
func (f *Folder) Sync() error {
	folders := []string{f.bucket, filepath.Dir(f.bucket)}
	if f.sidecar != "" {
		folders = append(folders, filepath.Join(f.sidecar, embeddedBucket), f.sidecar)
	}
	for _, path := range folders {
		if err := syncPath(path); err != nil {
			return folderError(err)
		}
	}
	return nil
}
