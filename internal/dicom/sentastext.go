package dicom

import (
	"bytes"
	"errors"
)

// What tells that a file was sent as text: this many line feeds at least among its first bytes, each with a carriage return before it.
const (
	textSample  = 32 << 10 // bytes
	textLeastLF = 8
)

// sentAsText warns when a damaged file looks as FTP in its ASCII mode leaves one (RFC 959 3.1.1.1): a carriage return stands before
// every line feed. In bytes that are no text one in 256 line feeds has one.
func (w *walker) sentAsText() error {
	if !w.h.damaged() {
		return nil
	}
	b := make([]byte, min(textSample, w.file.size))
	n, err := w.file.readAt(b, 0)
	if errors.Is(err, errBudget) {
		return nil
	} else if err != nil {
		return err
	}
	feeds := bytes.Count(b[:n], []byte{'\n'})
	if feeds >= textLeastLF && bytes.Count(b[:n], []byte("\r\n")) == feeds {
		w.h.warn(WarnSentAsText, 0, 0, "a carriage return stands before every line feed, as after a transfer as text; send the file again in binary mode")
	}
	return nil
}

// damaged tells whether a warning is one of those that lost or added bytes lead to.
func (h *Header) damaged() bool {
	for _, w := range h.Warnings {
		switch w.Code {
		case WarnTruncated, WarnUnreadable, WarnLength, WarnMetaLength, WarnBadVR, WarnSequence:
			return true
		}
	}
	return false
}
