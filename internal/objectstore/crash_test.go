package objectstore_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/objectstore"
)

// childVariable makes this test binary a process that runs the embedded store and can be killed. Its value is a child.
const childVariable = "CASELOAD_OBJECTSTORE_CHILD"

type child struct {
	Dir    string
	Step   string // "upload": send the parts; "complete": complete; "look": Head; "hold": wait for the end of stdin
	Key    caseload.ObjectKey
	Upload string
	Object caseload.Object
	Err    string
}

const crashParts, crashPart = 12, 16 * mib

func TestMain(m *testing.M) {
	said := os.Getenv(childVariable)
	if said == "" {
		os.Exit(m.Run())
	}
	var c child
	if err := json.Unmarshal([]byte(said), &c); err != nil {
		panic(err)
	}
	if err := c.run(context.Background()); err != nil {
		c.Err = err.Error()
	}
	_ = json.NewEncoder(os.Stdout).Encode(c)
	os.Exit(0)
}

func (c *child) run(ctx context.Context) error {
	e, err := objectstore.StartEmbedded(ctx, c.Dir, nil)
	if err != nil {
		return err
	}
	defer e.Close(ctx)
	store := e.Store()
	data := randomBytes(crashPart)
	switch c.Step {
	case "hold":
		fmt.Println("holding")
		_, err = io.Copy(io.Discard, os.Stdin)
	case "upload":
		c.Key = caseload.NewObjectKey()
		if c.Upload, err = store.CreateMultipart(ctx, c.Key); err != nil {
			return err
		}
		for n := 1; n <= crashParts; n++ {
			if err := store.PutPart(ctx, c.Key, c.Upload, caseload.Part{Number: n, Size: crashPart, CRC64NVME: crc(data)}, bytes.NewReader(data)); err != nil {
				return err
			}
		}
	case "complete":
		parts, err := store.ListParts(ctx, c.Key, c.Upload)
		if err != nil {
			return err
		}
		whole := crc(bytes.Repeat(data, crashParts))
		fmt.Println("completing")
		return store.CompleteMultipart(ctx, c.Key, c.Upload, parts, crashParts*crashPart, whole)
	}
	if c.Step == "look" {
		c.Object, err = store.Head(ctx, c.Key, "")
		if err == nil {
			err = store.Sync(ctx, c.Key)
		}
	}
	return err
}

// start runs the child; its answers come line by line.
func (c child) start(t *testing.T) (*exec.Cmd, *bufio.Reader, io.Closer) {
	t.Helper()
	said, err := json.Marshal(c)
	must(t, err)
	process := exec.Command(os.Args[0])
	process.Env = append(os.Environ(), childVariable+"="+string(said))
	process.Stderr = os.Stderr
	stdin, err := process.StdinPipe()
	must(t, err)
	stdout, err := process.StdoutPipe()
	must(t, err)
	must(t, process.Start())
	t.Cleanup(func() { _ = process.Process.Kill(); _ = process.Wait() })
	return process, bufio.NewReader(stdout), stdin
}

// do runs the child to its end.
func (c child) do(t *testing.T) child {
	t.Helper()
	process, out, _ := c.start(t)
	for {
		line, err := out.ReadString('\n')
		must(t, err)
		if strings.HasPrefix(line, "{") {
			must(t, json.Unmarshal([]byte(line), &c))
			must(t, process.Wait())
			return c
		}
	}
}

// Killed in the middle of Complete, versitygw would from then on answer 200 for an object that does not exist.
func TestAKillInsideCompleteLosesNothing(t *testing.T) {
	caught := 0
	for range 3 {
		c := child{Dir: t.TempDir(), Step: "upload"}.do(t)
		if c.Err != "" {
			t.Fatal(c.Err)
		}
		c.Step = "complete"
		process, out, _ := c.start(t)
		for line := ""; line != "completing\n"; {
			var err error
			line, err = out.ReadString('\n')
			must(t, err)
		}
		// The claimed upload's folder is the sign that Complete is at work.
		claimed := filepath.Join(c.Dir, "objects/caseload-files/.sgwtmp/multipart/*/*.inprogress")
		object := filepath.Join(c.Dir, "objects/caseload-files", string(c.Key))
		for deadline := time.Now().Add(20 * time.Second); ; {
			if found, _ := filepath.Glob(claimed); len(found) > 0 {
				break
			}
			if _, err := os.Stat(object); err == nil || time.Now().After(deadline) {
				break
			}
		}
		must(t, process.Process.Kill())
		_ = process.Wait()
		if found, _ := filepath.Glob(claimed); len(found) > 0 {
			caught++
		}
		again := c.do(t)
		if again.Err != "" {
			t.Errorf("complete after the kill: %s", again.Err)
		}
		c.Step = "look"
		seen := c.do(t)
		if want := crc(bytes.Repeat(randomBytes(crashPart), crashParts)); seen.Err != "" || seen.Object.Size != crashParts*crashPart || seen.Object.CRC64NVME != want {
			t.Errorf("after the kill the store holds %+v (%s), want checksum %s", seen.Object, seen.Err, want)
		}
	}
	if caught == 0 {
		t.Error("no kill fell inside Complete: the test proved nothing")
	}
	t.Logf("%d of 3 kills fell inside Complete", caught)
}

func TestAFolderBelongsToOneProcess(t *testing.T) {
	c := child{Dir: t.TempDir(), Step: "hold"}
	process, out, stdin := c.start(t)
	line, err := out.ReadString('\n')
	must(t, err)
	if line != "holding\n" {
		t.Fatalf("the child said %q", line)
	}
	_, err = objectstore.StartEmbedded(t.Context(), c.Dir, nil)
	wantKind(t, err, caseload.Conflict)
	must(t, stdin.Close())
	_, _ = io.Copy(io.Discard, out)
	must(t, process.Wait())
	e, err := objectstore.StartEmbedded(t.Context(), c.Dir, nil)
	must(t, err)
	must(t, e.Close(t.Context()))
}
