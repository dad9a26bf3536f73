// Package child runs the decoders of package pixels in a process of its own: the same binary, started for one job, with
// bounds on its memory, processor time, wall time, files and output, an empty environment, and nothing open but two pipes
// and standard error. What a hostile file does to it, it does to nobody else: a crash or a bound that is met is a reason
// why there is no preview.
//
// What an operator should know. The command is "caseload decode"; it reads one job from standard input and writes one
// result to standard output. On Linux the kernel holds it to 240 MiB of data, 30 s of processor time, 16 files and no
// bytes written to any file; elsewhere the Go runtime alone keeps its memory low. It opens no file and no connection.
package child

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"

	"dcdentals.com/caseload/internal/pixels"
)

// maxProcessor is the processor time of a job, in seconds.
const maxProcessor = 30

// Bounds of the two messages, in bytes.
const (
	maxJob    = 1 << 20 // a frame with a palette
	maxResult = 1 << 20 // three pictures and room
)

// Main is the whole of the child: it bounds itself, reads a job from in, does it with the bytes that follow and writes
// the result to out. It returns the exit code.
func Main(in io.Reader, out io.Writer) int {
	if err := confine(); err != nil {
		return 3
	}
	var job pixels.Job
	if err := readMessage(in, maxJob, &job); err != nil {
		return 4
	}
	result, err := pixels.Run(job, in)
	if err != nil {
		return 5 // the other end is gone
	}
	if err := writeMessage(out, result); err != nil {
		return 5
	}
	return 0
}

// A message is its length in four bytes, the highest first, and as many bytes of JSON.
func writeMessage(w io.Writer, v any) error {
	encoded, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(encoded))), encoded...))
	return err
}

func readMessage(r io.Reader, most uint32, v any) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > most {
		return fmt.Errorf("child: a message of %d bytes, more than %d", n, most)
	}
	encoded := make([]byte, n)
	if _, err := io.ReadFull(r, encoded); err != nil {
		return err
	}
	return json.Unmarshal(encoded, v)
}
