package objectstore

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
)

const (
	pieceSize    = 256 << 10 // bytes moved at once
	mostDiscards = 64 << 20  // bytes of a body already refused that are read for politeness
)

var buffers = sync.Pool{New: func() any {
	b := make([]byte, pieceSize)
	return &b
}}

type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// patient wraps the connections of dial.
func patient(dial dialFunc) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &patientConn{Conn: conn}, nil
	}
}

// patientConn is a connection for large bodies: it moves them in large pieces, and when the store answers and hangs up
// before it has read all (a refused signature), it swallows the rest. Without that the refusal itself would be lost: Go's
// transport gives up on the first failed write, and a browser behind our proxy sees a reset instead of the 403 that
// tells it to sign anew.
type patientConn struct {
	net.Conn
	sending   atomic.Bool // something was written since the last read: a failing write is not that of a stale connection
	deaf      bool
	discarded int64
}

func (c *patientConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.sending.Store(false)
	}
	return n, err
}

func (c *patientConn) Write(b []byte) (int, error) { return c.write(b, c.sending.Load()) }

// write hands b on; within says that it belongs to a request already begun.
func (c *patientConn) write(b []byte, within bool) (int, error) {
	if !c.deaf {
		n, err := c.Conn.Write(b)
		if err == nil {
			c.sending.Store(true)
			return n, nil
		}
		var timeout net.Error
		if errors.Is(err, net.ErrClosed) || (errors.As(err, &timeout) && timeout.Timeout()) || !within {
			return n, err
		}
		c.deaf = true
	}
	if c.discarded += int64(len(b)); c.discarded > mostDiscards {
		return 0, io.ErrClosedPipe
	}
	return len(b), nil
}

// ReadFrom is what the transport's copying of a body ends in, after the headers and the body's begin were written. The
// answer may have come meanwhile: the rest still belongs to the request.
func (c *patientConn) ReadFrom(r io.Reader) (int64, error) {
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	var moved int64
	for {
		n, err := r.Read(*buffer)
		if n > 0 {
			if _, err := c.write((*buffer)[:n], true); err != nil {
				return moved, err
			}
			moved += int64(n)
		}
		if errors.Is(err, io.EOF) {
			return moved, nil
		}
		if err != nil {
			return moved, err
		}
	}
}
