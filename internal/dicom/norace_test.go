//go:build !race

package dicom_test

// raced is how much more the program may allocate than by itself: the race detector moves to the heap what else is not there.
const raced = 1
