//go:build !linux

package main

import (
	"errors"
	"net"
)

func acknowledged([]*net.TCPConn) (int64, error) {
	return 0, errors.New("acknowledged bytes are read as Linux tells them")
}
