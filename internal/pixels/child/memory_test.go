//go:build !race

// The race detector keeps memory of its own, which no bound can count: `make test-go` runs these without it, too.

package child

import (
	"bytes"
	"image"
	"image/png"
	"io"
	"os/exec"
	"syscall"
	"testing"

	"dcdentals.com/caseload/internal/pixels"
)

// A child that takes all the memory there is gets none, and there is no preview. Go's runtime says that there is no memory left, or
// falls over it.
func TestAHungryChildIsAReason(t *testing.T) {
	result, err := runner(t, "hungry").Run(t.Context(), frame(1000, 1000), give0(1_000_000))
	if err != nil || result.Refused == nil || result.Refused.Code != pixels.TooMuch && result.Refused.Code != pixels.Crashed {
		t.Fatalf("%+v %v, want %s or %s", result.Refused, err, pixels.TooMuch, pixels.Crashed)
	}
}

// The largest jobs that are taken at all end within the memory that a child has.
func TestTheLargestJobsFit(t *testing.T) {
	wide := frame(8192, 8192)
	wide.Frame.BitsAllocated, wide.Frame.BitsStored, wide.Frame.HighBit, wide.Frame.Size = 16, 16, 15, 128<<20
	planar := frame(4700, 4700)
	planar.Frame.Samples, planar.Frame.Photometric, planar.Frame.Planar, planar.Frame.Size = 3, "RGB", true, 3*4700*4700
	var photo bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&photo, image.NewNRGBA(image.Rect(0, 0, 5500, 5500))); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		job  pixels.Job
		feed func(io.Writer) error
	}{
		"64 million pixels of 16 bits": {wide, give0(128 << 20)},
		"22 million pixels in planes":  {planar, give0(planar.Frame.Size)},
		"a PNG of 30 million pixels": {pixels.Job{Photo: &pixels.Photo{Size: int64(photo.Len())}}, func(w io.Writer) error {
			_, err := w.Write(photo.Bytes())
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var stream, out bytes.Buffer
			if err := writeMessage(&stream, c.job); err != nil {
				t.Fatal(err)
			}
			reader, writer := io.Pipe()
			go func() { _ = writer.CloseWithError(c.feed(writer)) }()
			cmd := exec.Command(runner(t, "").Path, "decode")
			cmd.Stdin, cmd.Stdout, cmd.Env = io.MultiReader(&stream, reader), &out, []string{}
			if err := cmd.Run(); err != nil {
				t.Fatal(err)
			}
			var result pixels.Result
			if err := readMessage(&out, maxResult, &result); err != nil || len(result.Pictures) != 1 {
				t.Fatalf("%+v %v", result.Refused, err)
			}
			peak := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss >> 10
			t.Logf("%d MiB at most", peak)
			if peak > 256 {
				t.Errorf("%d MiB resident, more than 256", peak)
			}
		})
	}
}
