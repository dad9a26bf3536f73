package line

import (
	"encoding/binary"
	"math"
	"testing"
	"time"
)

const packet = 1500

// drive offers packets evenly, at a multiple of the line's rate, for so long, and returns how many bits a second arrived.
func drive(d *Direction, s Setting, times float64, long time.Duration) float64 {
	gap := time.Duration(float64(packet*8) / (s.Rate * times) * float64(time.Second))
	arrived := 0
	for now := time.Duration(0); now < long; now += gap {
		if at, fate := d.Pass(now, 1, packet); fate == Passed && at-s.Delay <= long {
			arrived++
		}
	}
	return float64(arrived) * packet * 8 / long.Seconds()
}

func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if math.Abs(got-want) > within*want {
		t.Errorf("%s: %g, want %g within %g %%", what, got, want, within*100)
	}
}

func TestTheRateIsKeptAndNoMore(t *testing.T) {
	s := Setting{Rate: 50e6, Delay: 40 * time.Millisecond, Queue: 100 * time.Millisecond}
	near(t, "offered half", drive(NewDirection(s, 1), s, 0.5, 10*time.Second), 25e6, 0.01)
	near(t, "offered thrice", drive(NewDirection(s, 1), s, 3, 10*time.Second), 50e6, 0.01)
}

func TestAPacketTakesItsTimeAndTheDelay(t *testing.T) {
	d := NewDirection(Setting{Rate: 12e6, Delay: 40 * time.Millisecond, Queue: time.Second}, 1)
	for range burst / time.Millisecond { // what the line may catch up
		d.Pass(time.Second, 1, packet)
	}
	first, _ := d.Pass(time.Second, 1, packet)
	second, _ := d.Pass(time.Second, 1, packet)
	if second-first != time.Millisecond { // 12,000 bits at 12 Mbit/s
		t.Errorf("a packet of 12,000 bits took %v", second-first)
	}
	if first < time.Second+40*time.Millisecond {
		t.Errorf("it arrived after %v", first-time.Second)
	}
}

func TestTheQueueOverflowsAtItsLengthOnly(t *testing.T) {
	d := NewDirection(Setting{Rate: 12e6, Queue: 100 * time.Millisecond}, 1)
	kept := 0
	for range 1000 {
		if _, fate := d.Pass(time.Second, 1, packet); fate == Passed {
			kept++
		}
	}
	if most := 101 + int(burst/time.Millisecond); kept != most || d.Counts.Overflowed != int64(1000-most) {
		t.Errorf("%d packets of a millisecond each were kept by a queue of 100 ms, want %d", kept, most)
	}
}

func TestLossIsAsAskedAndRepeatable(t *testing.T) {
	s := Setting{Rate: 50e6, Queue: time.Second, Loss: 0.005}
	one, two := NewDirection(s, 7), NewDirection(s, 7)
	drive(one, s, 0.9, 100*time.Second)
	drive(two, s, 0.9, 100*time.Second)
	near(t, "loss", float64(one.Counts.Lost)/float64(one.Counts.Packets), 0.005, 0.05)
	if one.Counts != two.Counts {
		t.Errorf("the same seed gave %+v and %+v", one.Counts, two.Counts)
	}
}

func TestAStallHoldsAndACutSwallows(t *testing.T) {
	d := NewDirection(Setting{Rate: 12e6, Queue: 10 * time.Second, StallEvery: 10 * time.Second, StallFor: time.Second}, 1)
	if at, _ := d.Pass(9500*time.Millisecond, 1, packet); at != 10001*time.Millisecond {
		t.Errorf("a packet of the stall arrived at %v", at)
	}
	d.CutUntil(20 * time.Second)
	if _, fate := d.Pass(19*time.Second, 1, packet); fate != Cut {
		t.Error("a packet passed a cut line")
	}
	if _, fate := d.Pass(20*time.Second, 1, packet); fate != Passed {
		t.Error("the line stayed cut")
	}
}

// segmentOf is an IPv4 packet with a TCP segment.
func segmentOf(from, to uint16, sequence uint32, flags byte, payload int) []byte {
	p := make([]byte, 20+32+payload)
	p[0], p[9] = 0x45, 6
	binary.BigEndian.PutUint16(p[20:], from)
	binary.BigEndian.PutUint16(p[22:], to)
	binary.BigEndian.PutUint32(p[24:], sequence)
	p[32], p[33] = 8<<4, flags
	return p
}

func TestBytesOfAStreamCountOnce(t *testing.T) {
	s := &streams{highest: map[uint32]uint32{}}
	var total int64
	for _, p := range [][]byte{
		segmentOf(1, 80, math.MaxUint32-99, syn, 0), // the stream begins at -99 and wraps
		segmentOf(1, 80, math.MaxUint32-98, 0, 1000),
		segmentOf(1, 80, math.MaxUint32-98, 0, 1000), // sent again
		segmentOf(2, 80, 5, 0, 10),                   // a stream whose begin was not seen
		segmentOf(1, 80, 901, 0, 500),
		segmentOf(1, 80, 901, 0, 200), // sent again in part
		segmentOf(1, 80, 5, syn, 0),   // the ports are used again
		segmentOf(1, 80, 6, 0, 7),
	} {
		_, fresh := s.look(p, 0)
		total += fresh
	}
	if total != 1000+10+500+7 {
		t.Errorf("counted %d", total)
	}
}

func TestManySegmentsInOneCountTheirHeaders(t *testing.T) {
	s := &streams{highest: map[uint32]uint32{}}
	on, fresh := s.look(segmentOf(1, 80, 0, 0, 14481), 1448)
	if on.packets != 11 || on.bytes != 14481+11*52 || fresh != 14481 {
		t.Errorf("%+v, %d fresh", on, fresh)
	}
	if on, _ = s.look([]byte{0x45}, 0); on.packets != 1 || on.bytes != 1 {
		t.Errorf("a fragment of a packet: %+v", on)
	}
}
