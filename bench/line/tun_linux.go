package line

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// headerLength is that of struct virtio_net_hdr, which the kernel puts before each packet (linux/virtio_net.h).
const headerLength = 10

// longest is the largest frame a device hands over: a header and an IPv4 packet of 64 KiB.
const longest = headerLength + 1<<16

// device is a TUN network device; what the kernel sends into it can be read here, and what is written arrives there.
type device struct{ fd int }

// openDevice makes a device of that name in the namespace, with an address and a way to its peer.
func openDevice(namespace, name, address string, mtu int) (*device, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open /dev/net/tun: %w", err)
	}
	request, err := unix.NewIfreq(name)
	if err != nil {
		return nil, err
	}
	request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
		return nil, fmt.Errorf("make the device %s: %w", name, err)
	}
	const backlog = 20_000 // packets the kernel holds while this process waits for the CPU
	err = run(
		"ip link set "+name+" netns "+namespace,
		"ip -n "+namespace+" link set "+name+" mtu "+strconv.Itoa(mtu)+" txqueuelen "+strconv.Itoa(backlog)+" up",
		"ip -n "+namespace+" address add "+address+" dev "+name,
	)
	return &device{fd}, err
}

// gather lets the kernel hand over many segments of a stream as one packet, or stops it.
func (d *device) gather(on bool) error {
	features := unix.TUN_F_CSUM
	if on {
		features |= unix.TUN_F_TSO4
	}
	return unix.IoctlSetInt(d.fd, unix.TUNSETOFFLOAD, features)
}

// run carries out commands, words separated by spaces, until one fails.
func run(commands ...string) error {
	for _, command := range commands {
		words := strings.Fields(command)
		cmd := exec.Command(words[0], words[1:]...)
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s: %w", command, err)
		}
	}
	return nil
}
