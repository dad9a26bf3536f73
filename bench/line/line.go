// Package line is the long, narrow line of the figures: what one direction of it does to packets (rate, delay, a queue
// that overflows, loss, stalls, a cut) and the two network devices the packets come from and go to. It knows nothing of
// uploads. Only the figures use it; it needs root, network namespaces and /dev/net/tun (Linux).
package line

import (
	"math/rand/v2"
	"time"
)

// Setting says what one direction of the line is like.
type Setting struct {
	Rate       float64       `json:"rate"`        // bits a second, of whole IP packets; 0 is without bound
	Delay      time.Duration `json:"delay"`       // one way, after the last bit has left
	Queue      time.Duration `json:"queue"`       // a packet that would wait longer than this for its turn is dropped
	Loss       float64       `json:"loss"`        // share of the packets that is lost on the way, after taking their turn
	StallEvery time.Duration `json:"stall_every"` // between the begins of two stalls; 0: there are none
	StallFor   time.Duration `json:"stall_for"`   // nothing leaves for so long; packets wait in the queue
}

// Fate is what becomes of a packet.
type Fate int

// The fates. Overflowed and Cut packets take no time on the line, Lost ones do.
const (
	Passed Fate = iota
	Lost
	Overflowed
	Cut
)

// Counts of one direction since its beginning. Bytes are of IP packets as they would be on a wire.
type Counts struct {
	Packets    int64 `json:"packets"`
	Bytes      int64 `json:"bytes"`
	Lost       int64 `json:"lost"`
	Overflowed int64 `json:"overflowed"`
	Cut        int64 `json:"cut"`
	Payload    int64 `json:"payload"` // bytes of TCP streams offered to the line, each byte once however often it was sent
}

// burst is how far the line may catch up when the process got no CPU in time. Without it every late wake-up would lower
// the rate.
const burst = 4 * time.Millisecond

// Direction applies a setting to packets. It is not safe for concurrent use; moments are durations since any fixed one.
type Direction struct {
	Counts   Counts
	setting  Setting
	busy     time.Duration // until when the line carries what it has taken
	cutUntil time.Duration
	random   *rand.Rand
}

// NewDirection returns a direction whose losses depend on nothing but seed and the number of packets.
func NewDirection(s Setting, seed uint64) *Direction {
	return &Direction{setting: s, random: rand.New(rand.NewPCG(seed, 1))}
}

// Set changes the setting for the packets to come.
func (d *Direction) Set(s Setting) { d.setting = s }

// CutUntil makes the direction swallow every packet before that moment.
func (d *Direction) CutUntil(moment time.Duration) { d.cutUntil = moment }

// Pass takes packets of together so many bytes at a moment and returns when the last bit arrives, if it does. packets > 1
// are segments of one stream handed over at once; they share their fate, so settings with loss want them one by one.
func (d *Direction) Pass(now time.Duration, packets, bytes int) (arrives time.Duration, fate Fate) {
	count := int64(packets)
	d.Counts.Packets += count
	d.Counts.Bytes += int64(bytes)
	if now < d.cutUntil {
		d.Counts.Cut += count
		return 0, Cut
	}
	start := max(d.busy, now-burst)
	if d.setting.Queue > 0 && start-now > d.setting.Queue {
		d.Counts.Overflowed += count
		return 0, Overflowed
	}
	d.busy = d.afterStall(start) + d.takes(bytes)
	if d.setting.Loss > 0 && d.random.Float64() < d.setting.Loss {
		d.Counts.Lost += count
		return 0, Lost
	}
	return max(d.busy, now) + d.setting.Delay, Passed
}

func (d *Direction) takes(bytes int) time.Duration {
	if d.setting.Rate <= 0 {
		return 0
	}
	return time.Duration(float64(bytes) * 8 / d.setting.Rate * float64(time.Second))
}

// afterStall returns the moment itself, or the end of the stall it falls into. A stall ends each period.
func (d *Direction) afterStall(moment time.Duration) time.Duration {
	if d.setting.StallEvery <= 0 {
		return moment
	}
	into := moment % d.setting.StallEvery
	if into < d.setting.StallEvery-d.setting.StallFor {
		return moment
	}
	return moment - into + d.setting.StallEvery
}
