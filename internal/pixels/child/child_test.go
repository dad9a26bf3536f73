//go:build linux

package child

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"image"
	"image/png"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/pixels"
)

// The test binary is its own child: the first argument says which kind.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		if do := children[os.Args[1]]; do != nil {
			os.Exit(do())
		}
	}
	os.Exit(m.Run())
}

var children = map[string]func() int{
	"decode": func() int { return Main(os.Stdin, os.Stdout) },
	"hungry": func() int { // takes memory until it gets none
		_ = confine()
		var kept [][]byte
		for {
			b := make([]byte, 16<<20)
			for i := 0; i < len(b); i += 4096 {
				b[i] = 1
			}
			kept = append(kept, b)
			if len(kept) > 1000 {
				return 0
			}
		}
	},
	"killed": func() int { // in the middle of its work, from outside or by the kernel
		var job pixels.Job
		_ = readMessage(os.Stdin, maxJob, &job)
		_, _ = io.CopyN(io.Discard, os.Stdin, 100)
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	},
	"panics": func() int { panic("decoder") },
	"stuck":  func() int { time.Sleep(time.Hour); return 0 },
	"talks": func() int { // more than a result
		_, _ = os.Stdout.Write(binary.BigEndian.AppendUint32(nil, 1<<32-1))
		_, _ = io.Copy(os.Stdout, zeros{})
		return 0
	},
	"tries": func() int { // what it may not
		if err := confine(); err != nil {
			return 9
		}
		var could []string
		if name := "/tmp/caseload-child-test"; os.WriteFile(name, []byte("x"), 0o600) == nil {
			could = append(could, "write a file")
			_ = os.Remove(name)
		}
		for range 64 {
			f, err := os.Open("/dev/null")
			if err != nil {
				break
			}
			defer f.Close()
			if f.Fd() > 60 {
				could = append(could, "open many files")
			}
		}
		if env := os.Environ(); len(env) > 0 {
			could = append(could, "see "+strings.Join(env, " "))
		}
		_ = writeMessage(os.Stdout, pixels.Result{Refused: &pixels.Refused{Code: "tried", Reason: strings.Join(could, ", ")}})
		return 0
	},
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func runner(t *testing.T, kind string) Runner {
	t.Helper()
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Runner{Path: own, Args: []string{kind}, Wall: 30 * time.Second}
}

// frame is a job of n bytes, one a pixel.
func frame(rows, columns int) pixels.Job {
	return pixels.Job{Frame: &pixels.Frame{
		Coding: pixels.Native, Rows: rows, Columns: columns, Samples: 1, Photometric: "MONOCHROME2",
		BitsAllocated: 8, BitsStored: 8, HighBit: 7, Size: int64(rows * columns),
	}}
}

func give0(n int64) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.CopyN(w, zeros{}, n)
		return err
	}
}

func TestAChildDrawsAndEnds(t *testing.T) {
	result, err := runner(t, "decode").Run(t.Context(), frame(100, 100), give0(10_000))
	if err != nil || result.Refused != nil || len(result.Pictures) != 1 {
		t.Fatalf("%+v %v", result, err)
	}
	img, err := png.Decode(bytes.NewReader(result.Pictures[0].Bytes))
	if err != nil || img.Bounds() != image.Rect(0, 0, 100, 100) {
		t.Fatal(img, err)
	}
}

// Whatever becomes of a child is a reason why there is no preview, and nothing else: neither an error nor a wait.
func TestAChildThatFailsIsAReason(t *testing.T) {
	for kind, want := range map[string]pixels.Code{
		"killed": pixels.Crashed, "panics": pixels.Crashed, "talks": pixels.Crashed, "stuck": pixels.TooSlow,
	} {
		t.Run(kind, func(t *testing.T) {
			r := runner(t, kind)
			if kind == "stuck" {
				r.Wall = 300 * time.Millisecond
			}
			result, err := r.Run(t.Context(), frame(1000, 1000), give0(1_000_000))
			if err != nil || result.Refused == nil || result.Refused.Code != want {
				t.Fatalf("%+v %v, want %s", result.Refused, err, want)
			}
		})
	}
}

// A child sees nothing of ours and can leave nothing behind.
func TestAChildIsConfined(t *testing.T) {
	t.Setenv("CASELOAD_SECRET", "canary")
	result, err := runner(t, "tries").Run(t.Context(), frame(1, 1), give0(1))
	if err != nil || result.Refused == nil || result.Refused.Code != "tried" {
		t.Fatalf("%+v %v", result, err)
	}
	if result.Refused.Reason != "" {
		t.Errorf("the child could %s", result.Refused.Reason)
	}
}

// An error of the store is told as it is, so that the preview is made later; the end of the context, too.
func TestTheStoresErrorIsNotTheChilds(t *testing.T) {
	outage := errors.New("the store is away")
	_, err := runner(t, "decode").Run(t.Context(), frame(100, 100), func(w io.Writer) error {
		_, _ = w.Write(make([]byte, 50))
		return outage
	})
	if !errors.Is(err, outage) {
		t.Fatalf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err = runner(t, "decode").Run(ctx, frame(100, 100), func(io.Writer) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
}
