package pgtest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// cluster is one running postgres and its folder.
type cluster struct {
	port    int
	folder  string // of everything: data, socket, log
	process *os.Process
	exited  chan error // closed when postgres is gone
}

const folderPrefix = "caseload-pgtest-" // then the test's pid

// start makes a cluster in a temporary folder and waits until it answers.
func start(durable bool) (*cluster, error) {
	initdb, err := binary("initdb")
	if err != nil {
		return nil, err
	}
	postgres, err := binary("postgres")
	if err != nil {
		return nil, err
	}
	who, err := runAs()
	if err != nil {
		return nil, err
	}
	removeOrphans()
	c := &cluster{exited: make(chan error)}
	if c.folder, err = os.MkdirTemp("", folderPrefix+strconv.Itoa(os.Getpid())+"-"); err != nil {
		return nil, err
	}
	ready := false
	defer func() {
		if !ready {
			c.stop()
		}
	}()
	data := filepath.Join(c.folder, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		return nil, err
	}
	if who != nil {
		for _, path := range []string{c.folder, data} {
			if err := os.Chown(path, int(who.Uid), int(who.Gid)); err != nil {
				return nil, err
			}
		}
	}
	create := exec.Command(initdb, "--pgdata="+data, "--username=caseload", "--auth=trust", "--encoding=UTF8",
		"--locale-provider=icu", "--icu-locale=en-US", "--locale=C.UTF-8", "--no-sync", "--no-instructions")
	create.Dir = c.folder
	create.SysProcAttr = &syscall.SysProcAttr{Credential: who}
	if out, err := create.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	for range 5 { // the free port may be somebody else's by the time postgres listens
		if err = c.launch(postgres, data, who, durable); err == nil {
			ready = true
			return c, nil
		}
	}
	return nil, err
}

// launch starts postgres once. Its parent-death signal is tied to the thread that forks it, so that thread is kept for
// as long as postgres lives.
func (c *cluster) launch(postgres, data string, who *syscall.Credential, durable bool) error {
	port, err := freePort()
	if err != nil {
		return err
	}
	c.port = port
	log, err := os.OpenFile(filepath.Join(c.folder, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	settings := []string{
		"listen_addresses=127.0.0.1", "port=" + strconv.Itoa(port), "unix_socket_directories=" + c.folder,
		"max_connections=200", "shared_buffers=128MB", "autovacuum_naptime=5s", "timezone=UTC",
	}
	if !durable {
		settings = append(settings, "fsync=off", "synchronous_commit=off", "full_page_writes=off")
	}
	args := []string{"-D", data}
	for _, s := range settings {
		args = append(args, "-c", s)
	}
	command := exec.Command(postgres, args...)
	command.Dir, command.Stdout, command.Stderr = c.folder, log, log
	command.SysProcAttr = &syscall.SysProcAttr{Credential: who, Pdeathsig: syscall.SIGQUIT, Setpgid: true}
	begun, exited := make(chan error), make(chan error)
	go func() {
		runtime.LockOSThread()
		err := command.Start()
		begun <- err
		if err == nil {
			_ = command.Wait() // how it ended is in its log
		}
		close(exited)
	}()
	if err := <-begun; err != nil {
		return err
	}
	c.process, c.exited = command.Process, exited
	return c.await()
}

// await asks until postgres answers or is gone.
func (c *cluster) await() error {
	deadline := time.After(30 * time.Second)
	for {
		err := c.run("SELECT 1")
		if err == nil {
			return nil
		}
		select {
		case <-c.exited:
			return fmt.Errorf("postgres ended at start\n%s", c.tail())
		case <-deadline:
			c.halt()
			return fmt.Errorf("postgres does not answer: %w\n%s", err, c.tail())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// halt ends postgres (immediate shutdown) and waits until it is gone.
func (c *cluster) halt() {
	if c.process == nil {
		return
	}
	_ = c.process.Signal(syscall.SIGQUIT)
	select {
	case <-c.exited:
	case <-time.After(10 * time.Second):
		_ = c.process.Kill()
		<-c.exited
	}
	c.process = nil
}

func (c *cluster) stop() {
	c.halt()
	_ = os.RemoveAll(c.folder)
}

// tail returns the end of the server's log.
func (c *cluster) tail() string {
	log, err := os.ReadFile(filepath.Join(c.folder, "log"))
	if err != nil {
		return err.Error()
	}
	return string(log[max(0, len(log)-4000):])
}

// binary finds one of PostgreSQL's programs, of the newest version there is.
func binary(name string) (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err == nil && len(found) > 0 {
		sort.Slice(found, func(i, j int) bool { return version(found[i]) < version(found[j]) })
		return found[len(found)-1], nil
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("no %s found (Debian: apt-get install postgresql)", name)
	}
	return path, nil
}

func version(path string) int {
	n, _ := strconv.Atoi(strings.Split(path, "/")[4]) // 0 sorts an odd one first
	return n
}

// runAs returns whom postgres runs as: it refuses root.
func runAs() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return nil, err
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			return nil, err
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("postgres does not run as root, and there is neither a user postgres nor nobody")
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// removeOrphans removes the folders of test processes that are gone.
func removeOrphans() {
	folders, err := filepath.Glob(filepath.Join(os.TempDir(), folderPrefix+"*"))
	if err != nil {
		return
	}
	for _, folder := range folders {
		digits, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(folder), folderPrefix), "-")
		pid, err := strconv.Atoi(digits)
		if err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			_ = os.RemoveAll(folder)
		}
	}
}
