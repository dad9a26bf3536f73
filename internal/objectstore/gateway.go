package objectstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3api"
	"github.com/versity/versitygw/s3api/middlewares"
	"github.com/versity/versitygw/s3api/utils"

	"dcdentals.com/caseload/internal/caseload"
)

const (
	gatewayConnections = 8192
	gatewayParts       = 10_000    // S3's own limit of parts
	gatewayBuffer      = 128 << 10 // bytes per request in work: 1,000 uploads at once take 128 MB, not the default's 1 GB
	copyThreshold      = 5 << 30   // S3's own limit; versitygw's zero value refuses every copy
)

// gateway is versitygw without its admin API, web pages and logs.
type gateway struct {
	server  *s3api.S3ApiServer
	files   *backend
	network string
	address string
	drafts  *drafts
	scratch string // folder of the socket when it could not lie in the store's; "" otherwise
	ending  atomic.Bool
	served  chan error
}

// startGateway returns when the gateway listens on the socket, or on loopback when a socket is impossible.
func startGateway(ctx context.Context, root, sidecar, socket, access, secret string, log *slog.Logger) (*gateway, error) {
	g := &gateway{network: "unix", address: socket, served: make(chan error, 1)}
	if err := g.place(); err != nil {
		return nil, folderError(err)
	}
	var attributes meta.MetadataStorer = meta.XattrMeta{}
	if sidecar != "" {
		store, err := meta.NewSideCar(sidecar)
		if err != nil {
			return nil, folderError(err)
		}
		attributes = store
	}
	options := posix.PosixOpts{
		CopyObjectThreshold: copyThreshold,
		IOBufferSize:        gatewayBuffer,
		ValidateBucketNames: true,
		DataIntegrityEtag:   true, // no MD5: the CRC-64/NVME that we send is computed and checked anyway
	}
	options.SetNewDirPerm(0o700)
	options.SetNewFilePerm(0o600)
	files, err := posix.New(root, attributes, options)
	if err != nil {
		return nil, folderError(err)
	}
	utils.SetBucketNameValidationStrict(true)
	g.drafts = newDrafts(filepath.Join(root, embeddedBucket))
	g.files = newBackend(files, g.drafts, log)
	listening := make(chan struct{})
	g.server, err = s3api.New(
		g.files,
		middlewares.RootUserConfig{Access: access, Secret: secret},
		embeddedRegion,
		auth.NewIAMServiceSingle(auth.Account{Access: access, Secret: secret, Role: auth.RoleAdmin}),
		nil, nil, nil, nil,
		s3api.WithQuiet(),
		s3api.WithKeepAlive(),
		s3api.WithDisableACL(),
		s3api.WithConcurrencyLimiter(gatewayConnections, gatewayConnections),
		s3api.WithMpMaxParts(gatewayParts),
		s3api.WithSocketPerm(0o600),
		s3api.WithOnListen(func() { close(listening) }),
	)
	if err != nil {
		return nil, fmt.Errorf("set up the embedded store: %w", err)
	}
	go func() {
		err := g.server.ServeMultiPort([]string{g.address})
		if !g.ending.Load() {
			log.Error("objectstore: the embedded store's gateway ended by itself", "error", fmt.Sprint(err))
		}
		g.served <- err
	}()
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	select {
	case <-listening:
		return g, nil
	case err := <-g.served:
		g.served <- err
		return nil, caseload.Errorf(caseload.Unavailable, "The embedded store cannot listen.").WithCause(err)
	case <-ctx.Done():
		_ = g.close(context.WithoutCancel(ctx))
		return nil, caseload.Errorf(caseload.Unavailable, "The embedded store did not start in time.").WithCause(ctx.Err())
	}
}

// place decides the address: the wanted socket; a socket in a folder of its own when the wanted path is too long; a
// free port of loopback when the system has no UNIX sockets.
func (g *gateway) place() error {
	if g.address == "" {
		dir, err := os.MkdirTemp("", "caseload-") // made with 0700
		if err != nil {
			return err
		}
		g.scratch, g.address = dir, filepath.Join(dir, "s3.sock")
	}
	if err := os.Remove(g.address); err != nil && !errors.Is(err, os.ErrNotExist) { // left by a killed process
		return err
	}
	trial, err := net.Listen("unix", g.address)
	if err == nil {
		return trial.Close()
	}
	loopback, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	g.network, g.address = "tcp", loopback.Addr().String()
	return loopback.Close()
}

func (g *gateway) dial(ctx context.Context) (net.Conn, error) {
	return (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, g.network, g.address)
}

// close ends the gateway: it lets requests under way finish (versitygw waits ten seconds for them).
func (g *gateway) close(ctx context.Context) error {
	g.ending.Store(true)
	ended := make(chan error, 1)
	go func() { ended <- g.server.ShutDown() }()
	var err error
	select {
	case err = <-ended:
	case <-ctx.Done():
		err = ctx.Err()
	}
	g.drafts.close()
	if g.scratch != "" {
		_ = os.RemoveAll(g.scratch)
	}
	if err != nil {
		return fmt.Errorf("end the embedded store: %w", err)
	}
	return nil
}

// hasAttributes tells whether the folder's file system keeps extended attributes, by trying.
func hasAttributes(dir string) bool {
	trial, err := os.CreateTemp(dir, ".attributes-")
	if err != nil {
		return true // the real cause shows when the gateway starts
	}
	defer os.Remove(trial.Name())
	defer trial.Close()
	return meta.XattrMeta{}.StoreAttribute(trial, "", filepath.Base(trial.Name()), "trial", []byte("x")) == nil
}

// renameBack undoes what a kill in the middle of a completion leaves: versitygw has renamed the upload's folder to
// "<uploadId>.<token>.inprogress" and would from then on answer "done" for an object that does not exist. With its old
// name the upload is simply not completed yet. It returns how many there were.
func renameBack(root string) (int, error) {
	if root == "" {
		return 0, nil
	}
	left, err := filepath.Glob(filepath.Join(root, embeddedBucket, posix.MetaTmpMultipartDir, "*", "*.inprogress"))
	if err != nil {
		return 0, err
	}
	for _, path := range left {
		uploadID, _, _ := strings.Cut(filepath.Base(path), ".")
		if err := os.Rename(path, filepath.Join(filepath.Dir(path), uploadID)); err != nil {
			return 0, err
		}
	}
	return len(left), nil
}
