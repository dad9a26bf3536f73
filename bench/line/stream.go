package line

import "encoding/binary"

// streams counts the bytes of TCP streams in one direction, each once: what was sent again by TCP does not count twice,
// what an application sent again does.
type streams struct {
	highest map[uint32]uint32 // by ports: one past the highest sequence number seen
}

// shape is what the line has to know of one frame: how many packets it is on a wire, and how many bytes these are.
type shape struct{ packets, bytes int }

// syn is the flag of TCP that begins a stream (RFC 9293, 3.1).
const syn = 1 << 1

// look returns the shape of an IPv4 packet (RFC 791) and how many bytes of a TCP stream it carries for the first time.
// segment is the payload of one packet on the wire when the kernel hands over many as one, else 0.
func (s *streams) look(packet []byte, segment int) (on shape, fresh int64) {
	on = shape{1, len(packet)}
	if len(packet) < 20 || packet[0]>>4 != 4 || packet[9] != 6 {
		return on, 0
	}
	header := int(packet[0]&15) * 4
	if len(packet) < header+20 {
		return on, 0
	}
	tcp := packet[header:]
	headers := header + int(tcp[12]>>4)*4
	payload := len(packet) - headers
	if payload < 0 {
		return on, 0
	}
	if segment > 0 && payload > segment {
		on.packets = (payload + segment - 1) / segment
		on.bytes += (on.packets - 1) * headers
	}
	ports, first, flags := binary.BigEndian.Uint32(tcp), binary.BigEndian.Uint32(tcp[4:]), tcp[13]
	if flags&syn != 0 {
		s.highest[ports] = first + 1
		return on, 0
	}
	next := first + uint32(payload)
	highest, known := s.highest[ports]
	if !known {
		highest = first
	}
	if ahead := int32(next - highest); ahead > 0 {
		fresh, highest = int64(ahead), next
	}
	s.highest[ports] = highest
	return on, fresh
}
