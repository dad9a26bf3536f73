// Command cmd runs a line between two network namespaces until its standard input ends. Each line of standard input is
// one order as JSON, answered by one line of standard output with what both directions have seen until then:
//
//	{"profile": {…}}   makes the line so
//	{"cut": 60}        swallows everything for so many seconds from now
//	{}                 only asks
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"dcdentals.com/caseload/bench/line"
)

type order struct {
	Profile *line.Profile `json:"profile"`
	Cut     float64       `json:"cut"` // seconds
}

type answer struct {
	Error string       `json:"error,omitempty"`
	Up    *line.Counts `json:"up,omitempty"`
	Down  *line.Counts `json:"down,omitempty"`
}

func main() {
	mtu := flag.Int("mtu", 1500, "largest packet of the line in bytes")
	flag.Parse()
	pair, err := line.NewPair(*mtu)
	if err != nil {
		fmt.Fprintln(os.Stderr, "line:", err)
		os.Exit(1)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	ended := make(chan struct{})
	go func() { defer close(ended); obey(pair) }()
	select {
	case <-stop:
	case <-ended:
	}
	if err := pair.Remove(); err != nil {
		fmt.Fprintln(os.Stderr, "line:", err)
		os.Exit(1)
	}
}

func obey(pair *line.Pair) {
	orders, out := bufio.NewScanner(os.Stdin), json.NewEncoder(os.Stdout)
	fmt.Println("ready")
	for orders.Scan() {
		var o order
		var a answer
		err := json.Unmarshal(orders.Bytes(), &o)
		if err == nil && o.Profile != nil {
			err = pair.Set(*o.Profile)
		}
		if o.Cut > 0 {
			pair.CutFor(time.Duration(o.Cut * float64(time.Second)))
		}
		if err != nil {
			a.Error = err.Error()
		}
		up, down := pair.Counts()
		a.Up, a.Down = &up, &down
		_ = out.Encode(a)
	}
}
