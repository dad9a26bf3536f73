// Package ui holds what the browser is given: the templates of the pages, the catalogue of words in every language, and
// the script and style that npm run build puts into dist. It knows nothing of HTTP, sessions or cases.
package ui

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"sync"
)

//go:embed templates words.json all:dist
var files embed.FS

// Templates returns the page templates, by file name.
func Templates() fs.FS { return sub("templates") }

// Assets returns the built script and style, by file name. Without a build it is empty but for a marker.
func Assets() fs.FS { return sub("dist") }

// Words returns the catalogue: a JSON object of key → {language → text}.
func Words() []byte {
	words, err := files.ReadFile("words.json")
	if err != nil {
		panic("ui: " + err.Error()) // embedded at build time
	}
	return words
}

// Sum is the checksum of all assets together, 16 hex digits. It stands in their address, so that they may be kept by
// browsers for ever and a new build is fetched at once.
var Sum = sync.OnceValue(func() string {
	sum := sha256.New()
	err := fs.WalkDir(Assets(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := fs.ReadFile(Assets(), path)
		if err != nil {
			return err
		}
		sum.Write([]byte(path + "\x00"))
		sum.Write(content)
		return nil
	})
	if err != nil {
		panic("ui: " + err.Error()) // reads embedded memory only
	}
	return hex.EncodeToString(sum.Sum(nil))[:16]
})

func sub(folder string) fs.FS {
	f, err := fs.Sub(files, folder)
	if err != nil {
		panic("ui: " + err.Error()) // a constant, valid path
	}
	return f
}
