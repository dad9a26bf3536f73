//go:build !linux

package pgtest

import "errors"

type cluster struct{ port int }

func start(bool) (*cluster, error) {
	return nil, errors.New("the throwaway PostgreSQL is made for Linux")
}

func (c *cluster) stop() {}

func (c *cluster) tail() string { return "" }
