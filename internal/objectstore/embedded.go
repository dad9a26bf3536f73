package objectstore

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"dcdentals.com/caseload/internal/caseload"
)

const (
	embeddedBucket = "caseload-files" // reserved: no page's route may take it
	embeddedRegion = "us-east-1"
	readyTimeout   = 10 * time.Second
)

// running is set while this process runs a gateway: versitygw keeps package-level state and the process's working
// directory, so there can be but one.
var running atomic.Bool

// Embedded is the store inside this process: a versitygw gateway over a folder, reached by a UNIX socket only this user
// can open, with random credentials that never leave the folder. Objects lie in the folder as plain files, encrypted
// only if the disk is. It never listens on a network address, except on loopback where UNIX sockets do not work.
type Embedded struct {
	dir, objects, sidecar string // absolute; sidecar "" where the file system has extended attributes
	log                   *slog.Logger
	lock                  *os.File
	gateway               *gateway
	gate                  gate // of the proxy and of this process's own calls
	store                 *Store
	proxy                 *proxy
	closeOnce             sync.Once
	closeErr              error
}

// StartEmbedded runs the gateway over dir, making it (0700), its credentials (0600) and the bucket when they are not
// there. ctx bounds the start only; Close ends the gateway. Because the gateway lives in the process's working
// directory, that becomes dir/objects: make every other path absolute before. It answers Conflict when another process
// uses dir, or this one runs a gateway already.
func StartEmbedded(ctx context.Context, dir string, log *slog.Logger) (*Embedded, error) {
	if log == nil {
		log = slog.Default()
	}
	if !running.CompareAndSwap(false, true) {
		return nil, caseload.Errorf(caseload.Conflict, "This process runs an embedded store already.").
			WithHint("Close the first one before starting another.")
	}
	e := &Embedded{log: log}
	if err := e.start(ctx, dir); err != nil {
		_ = e.Close(context.WithoutCancel(ctx))
		return nil, err
	}
	return e, nil
}

func (e *Embedded) start(ctx context.Context, dir string) error {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("absolute path of the store's folder: %w", err)
	}
	e.dir, e.objects = absolute, filepath.Join(absolute, "objects")
	if err := os.MkdirAll(e.objects, 0o700); err != nil {
		return folderError(err)
	}
	if err := os.Chmod(e.dir, 0o700); err != nil {
		return folderError(err)
	}
	if e.lock, err = lockFolder(e.dir); err != nil {
		return err
	}
	access, secret, err := ownCredentials(filepath.Join(e.dir, "credentials.json"))
	if err != nil {
		return err
	}
	if !hasAttributes(e.objects) {
		e.sidecar = filepath.Join(e.dir, "attributes")
		if err := os.MkdirAll(e.sidecar, 0o700); err != nil {
			return folderError(err)
		}
	}
	for _, root := range []string{e.objects, e.sidecar} {
		recovered, err := renameBack(root)
		if err != nil {
			return folderError(err)
		}
		if recovered > 0 {
			e.log.WarnContext(ctx, "objectstore: uploads whose completion was cut off can be completed again", "uploads", recovered)
		}
	}
	if e.gateway, err = startGateway(ctx, e.objects, e.sidecar, socketPath(e.dir), access, secret, e.log); err != nil {
		return err
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) { return e.gateway.dial(ctx) }
	within := &inside{gate: &e.gate, files: e.gateway.files}
	e.store = newStore(embeddedBucket, e.log,
		aws.Config{Region: embeddedRegion, Credentials: credentials.NewStaticCredentialsProvider(access, secret, "")},
		dial, func(o *s3.Options) {
			o.UsePathStyle = true
			o.BaseEndpoint = aws.String("http://store.internal") // a name for the signature only; dial decides
		})
	e.store.embedded = e
	e.store.inside = within
	e.proxy = newProxy(dial, &e.gate, newSignedParts(within, aws.Credentials{AccessKeyID: access, SecretAccessKey: secret}, e.store.pace.Stall))
	return e.store.ensureBucket(ctx)
}

// Store returns the client side.
func (e *Embedded) Store() *Store { return e.store }

// Bucket returns the reserved bucket name; requests to /{bucket}/… belong to Handler.
func (e *Embedded) Bucket() string { return embeddedBucket }

// Handler answers the path-style requests that browsers send to our own address with URLs signed by Store.
func (e *Embedded) Handler() http.Handler { return e.proxy }

// Close waits, as long as ctx lives, for the requests under way, then ends the gateway and frees the folder.
func (e *Embedded) Close(ctx context.Context) error {
	e.closeOnce.Do(func() {
		e.gate.close(ctx)
		if e.proxy != nil {
			e.proxy.transport.CloseIdleConnections()
		}
		if e.store != nil {
			e.store.closeIdle()
		}
		if e.gateway != nil {
			e.closeErr = e.gateway.close(ctx)
		}
		if e.lock != nil {
			_ = e.lock.Close() // frees the lock
		}
		running.Store(false)
	})
	return e.closeErr
}

func (s *Store) closeIdle() {
	s.slow.CloseIdleConnections()
	s.bulk.CloseIdleConnections()
	if c, ok := s.client.Options().HTTPClient.(*http.Client); ok {
		c.CloseIdleConnections()
	}
}

func (s *Store) ensureBucket(ctx context.Context) error {
	_, err := s.client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &s.bucket})
	if err == nil {
		return nil
	}
	if caseload.KindOf(s.sorted("CreateBucket", err)) == caseload.Conflict {
		return s.Check(ctx) // it is there already
	}
	return s.sorted("CreateBucket", err)
}

// lockFolder takes the folder for this process; the lock ends with it.
func lockFolder(dir string) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, folderError(err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, caseload.Errorf(caseload.Conflict, "Another process uses the embedded store's folder.").
				WithHint("Stop it, or give this one a data folder of its own (CASELOAD_DATA).")
		}
		return nil, folderError(err)
	}
	return file, nil
}

// ownCredentials reads the gateway's only credentials, or makes them.
func ownCredentials(path string) (access, secret string, err error) {
	var kept struct {
		Access string `json:"access_key"`
		Secret string `json:"secret_key"`
	}
	data, err := os.ReadFile(path)
	switch {
	case err == nil:
		if err := json.Unmarshal(data, &kept); err != nil || kept.Access == "" || kept.Secret == "" {
			return "", "", caseload.Errorf(caseload.Internal, "The embedded store's credentials file is damaged.").
				WithHint("Delete credentials.json in the store's folder: new ones are made at the next start, nothing is lost.")
		}
		return kept.Access, kept.Secret, os.Chmod(path, 0o600)
	case !errors.Is(err, fs.ErrNotExist):
		return "", "", folderError(err)
	}
	kept.Access, kept.Secret = "CASELOAD"+rand.Text()[:12], rand.Text()+rand.Text()
	if data, err = json.Marshal(kept); err != nil {
		return "", "", err
	}
	unfinished := path + ".new" // a half-written file must never be taken for the credentials
	if err := os.WriteFile(unfinished, data, 0o600); err != nil {
		return "", "", folderError(err)
	}
	if err := os.Rename(unfinished, path); err != nil {
		return "", "", folderError(err)
	}
	return kept.Access, kept.Secret, nil
}

func folderError(err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		return caseload.Errorf(caseload.Full, "The disk of the embedded store is full.").WithHint("Free some space.").WithCause(err)
	}
	return caseload.Errorf(caseload.Unavailable, "The embedded store's folder cannot be used.").
		WithHint("Look at its owner and permissions, and whether the disk is there.").WithCause(err)
}

// socketPath returns where the gateway listens: in the folder, or "" when that path is longer than a UNIX socket's may be.
func socketPath(dir string) string {
	const longest = 100 // of 104 on some systems, 108 on Linux (unix(7))
	if path := filepath.Join(dir, "s3.sock"); len(path) <= longest {
		return path
	}
	return ""
}
