package main

import (
	"net"

	"golang.org/x/sys/unix"
)

// acknowledged returns how many bytes the other ends have confirmed in all.
func acknowledged(conns []*net.TCPConn) (total int64, err error) {
	for _, conn := range conns {
		raw, err := conn.SyscallConn()
		if err != nil {
			return 0, err
		}
		var info *unix.TCPInfo
		var asked error
		if err := raw.Control(func(fd uintptr) { info, asked = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO) }); err != nil {
			return 0, err
		}
		if asked != nil {
			return 0, asked
		}
		total += int64(info.Bytes_acked)
	}
	return total, nil
}
