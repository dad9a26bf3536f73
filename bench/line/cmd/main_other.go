//go:build !linux

// Command cmd runs a line between two network namespaces; only Linux has them.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "line: this needs the network namespaces of Linux")
	os.Exit(1)
}
