package line

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// The two ends of the line. Both addresses are of RFC 5737's block for examples: nothing real is reached.
const (
	ClientSpace   = "caseload-bench-client"
	ServerSpace   = "caseload-bench-server"
	ClientAddress = "192.0.2.1"
	ServerAddress = "192.0.2.2"
)

// Profile is a line in both directions.
type Profile struct {
	Up   Setting `json:"up"`   // client to server
	Down Setting `json:"down"` // server to client
	// Gather hands over many segments as one, and what is due within a millisecond together, as a network card does: far less
	// work, but losses would take many at once.
	Gather bool `json:"gather"`
	// Congestion is the algorithm of TCP's congestion control in both namespaces; "" leaves the kernel's default.
	Congestion string `json:"congestion"`
}

// Pair is two network namespaces joined by a line, and nothing else: no way leads out of them.
type Pair struct {
	began          time.Time
	client, server *device
	up, down       *flow
	algorithm      string // of congestion control: the kernel's default
	allowed        string // algorithms that namespaces could choose before
}

// NewPair makes the namespaces and devices and begins to pass packets. It answers an error when it may not (it needs
// root and /dev/net/tun) or when another pair of this machine is in use.
func NewPair(mtu int) (*Pair, error) {
	for _, space := range []string{ClientSpace, ServerSpace} {
		if err := newNamespace(space); err != nil {
			return nil, err
		}
	}
	p := &Pair{began: time.Now()}
	if err := p.openAlgorithms(); err != nil {
		return nil, err
	}
	var err error
	if p.client, err = openDevice(ClientSpace, "line-c", ClientAddress+"/30", mtu); err != nil {
		return nil, err
	}
	if p.server, err = openDevice(ServerSpace, "line-s", ServerAddress+"/30", mtu); err != nil {
		return nil, err
	}
	p.up = newFlow(p, p.client, p.server, 1)
	p.down = newFlow(p, p.server, p.client, 2)
	return p, nil
}

// newNamespace makes a namespace; one that a killed run left behind is removed first, one in use is left alone.
func newNamespace(name string) error {
	if _, err := os.Stat("/run/netns/" + name); err == nil {
		if processes, err := exec.Command("ip", "netns", "pids", name).Output(); err != nil || len(processes) > 0 {
			return fmt.Errorf("the namespace %s is in use; end its processes first: %s", name, processes)
		}
		if err := run("ip netns delete " + name); err != nil {
			return err
		}
	}
	return run(
		"ip netns add "+name,
		"ip -n "+name+" link set lo up",
		"ip netns exec "+name+" sysctl -q -w net.ipv4.tcp_no_metrics_save=1", // a run must not learn from the one before
	)
}

const proc = "/proc/sys/net/ipv4/"

// openAlgorithms lets the namespaces choose among all algorithms of congestion control that the kernel has.
func (p *Pair) openAlgorithms() error {
	said := make(map[string]string)
	for _, name := range []string{"tcp_congestion_control", "tcp_allowed_congestion_control", "tcp_available_congestion_control"} {
		text, err := os.ReadFile(proc + name)
		if err != nil {
			return err
		}
		said[name] = strings.TrimSpace(string(text))
	}
	p.algorithm, p.allowed = said["tcp_congestion_control"], said["tcp_allowed_congestion_control"]
	return os.WriteFile(proc+"tcp_allowed_congestion_control", []byte(said["tcp_available_congestion_control"]), 0)
}

// Remove ends the namespaces, the devices go with them, and puts back what was changed outside.
func (p *Pair) Remove() error {
	if err := os.WriteFile(proc+"tcp_allowed_congestion_control", []byte(p.allowed), 0); err != nil {
		return err
	}
	return run("ip netns delete "+ClientSpace, "ip netns delete "+ServerSpace)
}

// Set makes the line so, for the packets to come, and starts its losses from the beginning of their sequence.
func (p *Pair) Set(profile Profile) error {
	for _, d := range []*device{p.client, p.server} {
		if err := d.gather(profile.Gather); err != nil {
			return err
		}
	}
	algorithm := profile.Congestion
	if algorithm == "" {
		algorithm = p.algorithm
	}
	for _, space := range []string{ClientSpace, ServerSpace} {
		if err := run("ip netns exec " + space + " sysctl -q -w net.ipv4.tcp_congestion_control=" + algorithm); err != nil {
			return err
		}
	}
	p.up.set(profile.Up, profile.Gather)
	p.down.set(profile.Down, profile.Gather)
	return nil
}

// CutFor makes both directions swallow everything for so long from now.
func (p *Pair) CutFor(long time.Duration) {
	for _, f := range []*flow{p.up, p.down} {
		f.mu.Lock()
		f.direction.CutUntil(p.now() + long)
		f.mu.Unlock()
	}
}

// Counts returns what both directions have seen since the pair was made.
func (p *Pair) Counts() (up, down Counts) { return p.up.counts(), p.down.counts() }

func (p *Pair) now() time.Duration { return time.Since(p.began) }

// flow is one direction at work.
type flow struct {
	pair     *Pair
	from, to *device
	waiting  chan arrival

	mu        sync.Mutex
	direction *Direction
	streams   streams
	seed      uint64
	step      time.Duration // frames arrive at multiples of it
}

// arrival is a frame and when it is due.
type arrival struct {
	due    time.Duration
	frame  []byte
	pooled *[]byte
}

func newFlow(p *Pair, from, to *device, seed uint64) *flow {
	const most = 1 << 16 // frames under way: 1 Gbit/s for 780 ms
	f := &flow{
		pair: p, from: from, to: to, waiting: make(chan arrival, most), seed: seed,
		direction: NewDirection(Setting{}, seed), streams: streams{highest: map[uint32]uint32{}}, step: 1,
	}
	go f.take()
	go f.deliver()
	return f
}

func (f *flow) set(s Setting, gather bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.step = 1
	if gather {
		f.step = time.Millisecond
	}
	counts := f.direction.Counts
	f.direction = NewDirection(s, f.seed)
	f.direction.Counts = counts
}

func (f *flow) counts() Counts {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.direction.Counts
}

// take reads what one end sends and decides what becomes of it.
func (f *flow) take() {
	room := frames(longest)
	for {
		n, err := unix.Read(f.from.fd, *room)
		if err != nil {
			if errors.Is(err, unix.EINTR) {
				continue
			}
			fmt.Fprintln(os.Stderr, "line: read:", err)
			return
		}
		if n <= headerLength {
			continue
		}
		due, fate := f.pass((*room)[:n])
		if fate != Passed {
			continue
		}
		filled := room
		if n > small {
			room = frames(longest)
		} else {
			filled = frames(n)
			copy(*filled, (*room)[:n])
		}
		f.waiting <- arrival{due, (*filled)[:n], filled}
	}
}

func (f *flow) pass(frame []byte) (due time.Duration, fate Fate) {
	const gsoType, gsoSize = 1, 4 // offsets in struct virtio_net_hdr
	segment := 0
	if frame[gsoType] != 0 {
		segment = int(binary.NativeEndian.Uint16(frame[gsoSize:]))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	on, fresh := f.streams.look(frame[headerLength:], segment)
	f.direction.Counts.Payload += fresh
	due, fate = f.direction.Pass(f.pair.now(), on.packets, on.bytes)
	return (due + f.step - 1).Truncate(f.step), fate
}

// deliver writes each frame to the other end when it is due. The kernel's own sleep is used: Go's timers round up to a
// millisecond.
func (f *flow) deliver() {
	for a := range f.waiting {
		for {
			early := a.due - f.pair.now()
			if early <= 0 {
				break
			}
			pause := unix.NsecToTimespec(int64(early))
			_ = unix.Nanosleep(&pause, nil)
		}
		if _, err := unix.Write(f.to.fd, a.frame); err != nil && !errors.Is(err, unix.EINTR) {
			fmt.Fprintln(os.Stderr, "line: write:", err)
		}
		give(a.pooled)
	}
}

// Frames come in two sizes: those of one packet, and those of many.
const small = headerLength + 2048

var (
	smallFrames = sync.Pool{New: func() any { b := make([]byte, small); return &b }}
	largeFrames = sync.Pool{New: func() any { b := make([]byte, longest); return &b }}
)

func frames(length int) *[]byte {
	if length <= small {
		return smallFrames.Get().(*[]byte)
	}
	return largeFrames.Get().(*[]byte)
}

func give(frame *[]byte) {
	if len(*frame) == small {
		smallFrames.Put(frame)
	} else {
		largeFrames.Put(frame)
	}
}
