// Command peer is the other end of the line where the figures need one that does nothing else:
//
//	peer serve -addr HOST:PORT    swallows TCP streams on PORT and echoes datagrams there; on PORT+1 it is an HTTP server
//	                              that swallows PUTs and answers GETs with an empty page
//	peer probe -to HOST:PORT      measures the line: round trips, loss, and what plain TCP streams carry; prints JSON
package main

import (
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "peer:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("serve or probe")
	}
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	addr := flags.String("addr", "127.0.0.1:9000", "address to serve on")
	to := flags.String("to", "127.0.0.1:9000", "address to probe")
	long := flags.Duration("for", 5*time.Second, "how long streams are sent")
	streams := flags.Int("streams", 6, "TCP streams at once")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	switch args[0] {
	case "serve":
		return serve(*addr)
	case "probe":
		return probe(*to, *long, *streams)
	}
	return fmt.Errorf("serve or probe, not %q", args[0])
}

func serve(addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	datagrams, err := net.ListenPacket("udp", addr)
	if err != nil {
		return err
	}
	web, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(number+1)))
	if err != nil {
		return err
	}
	go swallow(listener)
	go echo(datagrams)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // it ends with its parent
		os.Exit(0)
	}()
	fmt.Println("ready")
	server := &http.Server{Handler: http.HandlerFunc(sink), ReadHeaderTimeout: time.Minute}
	return server.Serve(web)
}

func sink(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<!doctype html><title>sink</title>")
		return
	}
	buffer := make([]byte, 256<<10)
	if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, r.Body, buffer); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}

// swallow reads streams to their end and answers each with the number of bytes it had.
func swallow(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			buffer := make([]byte, 256<<10)
			var total uint64
			for {
				n, err := conn.Read(buffer)
				total += uint64(n)
				if err != nil {
					break
				}
			}
			_ = binary.Write(conn, binary.BigEndian, total)
		}()
	}
}

func echo(conn net.PacketConn) {
	buffer := make([]byte, 2048)
	for {
		n, from, err := conn.ReadFrom(buffer)
		if err != nil {
			return
		}
		_, _ = conn.WriteTo(buffer[:n], from)
	}
}

type measured struct {
	Rate      float64 `json:"rate"`       // bits of payload a second after the first third of the time, when streams are up to speed
	RoundTrip float64 `json:"round_trip"` // milliseconds, median of datagrams on the idle line
	Worst     float64 `json:"worst"`      // milliseconds, 99 of 100 were faster
	Loss      float64 `json:"loss"`       // share of datagrams without echo, lost on either way
}

func probe(to string, long time.Duration, streams int) error {
	var m measured
	if err := m.datagrams(to, 2000); err != nil {
		return err
	}
	if err := m.stream(to, long, streams); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(m)
}

// datagrams sends so many, one a millisecond, and waits a second for the last echoes.
func (m *measured) datagrams(to string, count int) error {
	conn, err := net.Dial("udp", to)
	if err != nil {
		return err
	}
	defer conn.Close()
	began := time.Now()
	trips := make(chan []float64, 1)
	go func() {
		var all []float64
		var datagram [8]byte
		for len(all) < count {
			if _, err := conn.Read(datagram[:]); err != nil {
				break
			}
			sent := time.Duration(binary.BigEndian.Uint64(datagram[:]))
			all = append(all, float64(time.Since(began)-sent)/float64(time.Millisecond))
		}
		trips <- all
	}()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for range count {
		<-tick.C
		if err := binary.Write(conn, binary.BigEndian, uint64(time.Since(began))); err != nil {
			return err
		}
	}
	if err := conn.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	all := <-trips
	if len(all) == 0 {
		return fmt.Errorf("no datagram came back from %s", to)
	}
	slices.Sort(all)
	m.RoundTrip, m.Worst, m.Loss = all[len(all)/2], all[len(all)*99/100], 1-float64(len(all))/float64(count)
	return nil
}

// stream sends on so many connections at once; the kernel's record of acknowledged bytes tells what arrived.
func (m *measured) stream(to string, long time.Duration, streams int) error {
	conns := make([]*net.TCPConn, streams)
	for i := range conns {
		conn, err := net.Dial("tcp", to)
		if err != nil {
			return err
		}
		defer conn.Close()
		conns[i] = conn.(*net.TCPConn)
		go fill(conns[i])
	}
	time.Sleep(long / 3)
	before, err := acknowledged(conns)
	if err != nil {
		return err
	}
	began := time.Now()
	time.Sleep(long * 2 / 3)
	after, err := acknowledged(conns)
	m.Rate = float64(after-before) * 8 / time.Since(began).Seconds()
	return err
}

// fill writes until the connection is closed.
func fill(conn net.Conn) {
	block := make([]byte, 64<<10)
	for {
		if _, err := conn.Write(block); err != nil {
			return
		}
	}
}
