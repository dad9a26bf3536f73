package child

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os/exec"
	"time"

	"dcdentals.com/caseload/internal/pixels"
)

// DefaultWall is how long a job may take in all; the store may be slow to give the bytes.
const DefaultWall = 2 * time.Minute

// Runner starts children. Path is required.
type Runner struct {
	Path string        // of the binary
	Args []string      // that make it call Main; nil: "decode"
	Wall time.Duration // 0: DefaultWall
}

// feedError marks an error of whoever gives the bytes.
type feedError struct{ error }

func (e feedError) Unwrap() error { return e.error }

// Run does one job in a child. feed writes the bytes that the job announces; it is called at most once, and its writer
// fails once the child has seen enough. The error is feed's, the context's, or that no child can be started; whatever
// becomes of the child is Result.Refused.
func (r Runner) Run(ctx context.Context, job pixels.Job, feed func(w io.Writer) error) (pixels.Result, error) {
	wall := r.Wall
	if wall == 0 {
		wall = DefaultWall
	}
	args := r.Args
	if args == nil {
		args = []string{"decode"}
	}
	bounded, cancel := context.WithTimeout(ctx, wall)
	defer cancel()
	cmd := exec.CommandContext(bounded, r.Path, args...)
	cmd.Env = []string{} // nothing of ours: no secret, no setting
	cmd.Dir = "/"
	ownGroup(cmd)
	cmd.Cancel = func() error { return killGroup(cmd) }
	cmd.WaitDelay = 5 * time.Second
	complaint := &tail{}
	cmd.Stderr = complaint
	in, err := cmd.StdinPipe()
	if err != nil {
		return pixels.Result{}, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return pixels.Result{}, err
	}
	if err := cmd.Start(); err != nil {
		return pixels.Result{}, err
	}
	fed := make(chan error, 1)
	go func() {
		fed <- give(in, job, feed)
	}()
	var result pixels.Result
	readErr := readMessage(out, maxResult, &result)
	_ = killGroup(cmd) // it has said all it may say; whatever else it does is over
	_ = out.Close()
	_ = in.Close() // ends a feed that still writes
	feedErr := <-fed
	waitErr := cmd.Wait()
	if own, ok := errors.AsType[feedError](feedErr); ok { // also when the child took the end of the bytes for the file's
		return pixels.Result{}, own.error
	}
	switch {
	case readErr == nil:
		return result, nil
	case ctx.Err() != nil:
		return pixels.Result{}, ctx.Err()
	case bounded.Err() != nil:
		return refused(pixels.TooSlow, "Making the preview takes too long."), nil
	}
	return refusalOf(waitErr, complaint.b), nil
}

// give writes the job and its bytes. An error of the pipe is not feed's: the child is done, or dead.
func give(in io.WriteCloser, job pixels.Job, feed func(w io.Writer) error) error {
	defer in.Close()
	if err := writeMessage(in, job); err != nil {
		return err
	}
	w := &pipe{w: in}
	if err := feed(w); err != nil && w.err == nil {
		return feedError{err}
	}
	return w.err
}

// pipe remembers its own error.
type pipe struct {
	w   io.Writer
	err error
}

func (p *pipe) Write(b []byte) (int, error) {
	n, err := p.w.Write(b)
	if err != nil {
		p.err = err
	}
	return n, err
}

func refused(code pixels.Code, reason string) pixels.Result {
	return pixels.Result{Refused: &pixels.Refused{Code: code, Reason: reason}}
}

// refusalOf says why a child ended without a result.
func refusalOf(err error, complaint []byte) pixels.Result {
	switch {
	case bytes.Contains(complaint, []byte("out of memory")) || bytes.Contains(complaint, []byte("cannot allocate memory")):
		return refused(pixels.TooMuch, "Making the preview takes too much memory.")
	case outOfTime(err):
		return refused(pixels.TooSlow, "Making the preview takes too long.")
	}
	return refused(pixels.Crashed, "The decoder failed on this file.")
}

// tail keeps the first few bytes of what a child complains of. They are only looked at, never shown: they may quote the file.
type tail struct{ b []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p[:min(len(p), 4<<10-len(t.b))]...)
	return len(p), nil
}
