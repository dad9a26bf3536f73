//go:build race

package child

// raced: the race detector keeps memory of its own, which no bound on a child may count.
const raced = true
