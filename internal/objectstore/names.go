package objectstore

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
)

// namesAtOnce is how many names NamesAfter answers at least while there are more. Twice as many are in memory for a moment,
// some 7 MB of them; a million are read in some twenty turns.
const namesAtOnce = 50_000

// NamesAfter returns the names in a folder that come first behind the given one, in byte order, and whether there are more.
// While there are more the page is not empty. The folder is read anew each time, so what it
// takes in memory does not grow with the folder.
func NamesAfter(ctx context.Context, folder, after string) (names []string, more bool, err error) {
	return namesAfter(ctx, folder, after, namesAtOnce)
}

// namesAfter answers at least atOnce names while there are more, and at most twice as many.
func namesAfter(ctx context.Context, folder, after string, atOnce int) (names []string, more bool, err error) {
	dir, err := os.Open(folder)
	if err != nil {
		return nil, false, folderError(err)
	}
	defer dir.Close()
	for {
		read, err := dir.Readdirnames(1024)
		for _, name := range read {
			if name > after && (!more || name < names[atOnce-1]) {
				names = append(names, name)
			}
		}
		if len(names) >= 2*atOnce {
			slices.Sort(names)
			clear(names[atOnce:]) // what is left out is let go
			names, more = names[:atOnce], true
		}
		switch {
		case errors.Is(err, io.EOF):
			slices.Sort(names)
			return names, more, nil
		case err != nil:
			return nil, false, folderError(err)
		case ctx.Err() != nil:
			return nil, false, context.Cause(ctx)
		}
	}
}
