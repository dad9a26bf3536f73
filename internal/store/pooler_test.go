package store

import (
	"errors"
	"net"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// pooler stands before PostgreSQL and gives its few connections to whoever has a transaction, the last that became free
// first, as PgBouncer does with pool_mode = transaction.
type pooler struct {
	listener net.Listener

	mu    sync.Mutex
	idle  []*pgconn.HijackedConn
	freed *sync.Cond
}

// startPooler returns the pooler's address in the form of url's.
func startPooler(t *testing.T, url string, connections int) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	p := &pooler{listener: listener}
	p.freed = sync.NewCond(&p.mu)
	config, err := pgconn.ParseConfig(url)
	must(t, err)
	for range connections {
		c, err := pgconn.ConnectConfig(t.Context(), config)
		must(t, err)
		hijacked, err := c.Hijack()
		must(t, err)
		p.idle = append(p.idle, hijacked)
		t.Cleanup(func() { _ = hijacked.Conn.Close() })
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = conn.Close() })
			go func() { _ = p.serve(conn) }() // it ends with the connection
		}
	}()
	return "postgres://" + config.User + "@" + listener.Addr().String() + "/" + config.Database + "?sslmode=disable"
}

func (p *pooler) take() *pgconn.HijackedConn {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.idle) == 0 {
		p.freed.Wait()
	}
	c := p.idle[len(p.idle)-1]
	p.idle = p.idle[:len(p.idle)-1]
	return c
}

func (p *pooler) give(c *pgconn.HijackedConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = append(p.idle, c)
	p.freed.Signal()
}

// serve takes what one client sends until it leaves.
// https://www.postgresql.org/docs/current/protocol-flow.html
func (p *pooler) serve(conn net.Conn) error {
	client := pgproto3.NewBackend(conn, conn)
	if _, err := client.ReceiveStartupMessage(); err != nil {
		return err
	}
	for _, m := range []pgproto3.BackendMessage{
		&pgproto3.AuthenticationOk{}, &pgproto3.ParameterStatus{Name: "client_encoding", Value: "UTF8"},
		&pgproto3.ParameterStatus{Name: "standard_conforming_strings", Value: "on"},
		&pgproto3.BackendKeyData{ProcessID: 1, SecretKey: []byte{0, 0, 0, 1}}, &pgproto3.ReadyForQuery{TxStatus: 'I'},
	} {
		client.Send(m)
	}
	if err := client.Flush(); err != nil {
		return err
	}
	var held *pgconn.HijackedConn
	for {
		m, err := client.Receive()
		if err != nil {
			return err
		}
		if _, leaves := m.(*pgproto3.Terminate); leaves {
			return nil
		}
		if held == nil {
			held = p.take()
		}
		held.Frontend.Send(m)
		switch m.(type) {
		case *pgproto3.Sync, *pgproto3.Query:
		default:
			continue
		}
		if err := held.Frontend.Flush(); err != nil {
			return err
		}
		status, err := relay(held.Frontend, client)
		if err != nil {
			return err
		}
		if status == 'I' { // no transaction is open
			p.give(held)
			held = nil
		}
	}
}

// relay hands on answers until the server is ready for more, and returns in which state.
func relay(from *pgproto3.Frontend, to *pgproto3.Backend) (status byte, err error) {
	for {
		m, err := from.Receive()
		if err != nil {
			return 0, errors.Join(err, to.Flush())
		}
		to.Send(m)
		if ready, ok := m.(*pgproto3.ReadyForQuery); ok {
			return ready.TxStatus, to.Flush()
		}
	}
}

// A pooler that takes connections away between transactions is told from PostgreSQL itself and from a pool that is large
// enough not to show it at once.
func TestAPoolerIsToldFromPostgreSQL(t *testing.T) {
	for _, e := range engines {
		url := e.url(t)
		if pooled, err := unmigrated(t, url).Pooled(t.Context()); err != nil || pooled {
			t.Errorf("%s: pooled %t, %v", e.name, pooled, err)
		}
		if e.name != Postgres {
			continue
		}
		through := unmigrated(t, startPooler(t, url, 4))
		if pooled, err := through.Pooled(t.Context()); err != nil || !pooled {
			t.Errorf("through a pooler: pooled %t, %v", pooled, err)
		}
	}
}
