// Package phantom makes the synthetic files that the journeys send: CT slices (PS3.10, explicit VR little endian) of a
// jaw that never was, ZIPs of them, an STL and a JPEG. The same seed gives the same bytes.
package phantom

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
)

// Scan describes one CT series.
type Scan struct {
	Seed    uint64
	Patient string // DICOM PN, UTF-8
	ID      string
	Slices  int
	Size    int // rows and columns of a slice
}

const (
	ctImageStorage       = "1.2.840.10008.5.1.4.1.1.2"
	explicitLittleEndian = "1.2.840.10008.1.2.1"
)

func (s Scan) uid(parts ...int) string {
	uid := "2.25." + strconv.FormatUint(s.Seed, 10)
	for _, p := range parts {
		uid += "." + strconv.Itoa(p)
	}
	return uid
}

// StudyUID returns the scan's Study Instance UID.
func (s Scan) StudyUID() string { return s.uid(1) }

// Slice returns DICOM slice n, from 1.
func (s Scan) Slice(n int) []byte {
	var head, body, out bytes.Buffer
	instance := s.uid(1, 1, n)
	element(&head, 0x0002, 0x0001, "OB", []byte{0, 1})
	element(&head, 0x0002, 0x0002, "UI", text(ctImageStorage, 0))
	element(&head, 0x0002, 0x0003, "UI", text(instance, 0))
	element(&head, 0x0002, 0x0010, "UI", text(explicitLittleEndian, 0))
	element(&head, 0x0002, 0x0012, "UI", text("2.25.1", 0))

	element(&body, 0x0008, 0x0005, "CS", text("ISO_IR 192", ' '))
	element(&body, 0x0008, 0x0016, "UI", text(ctImageStorage, 0))
	element(&body, 0x0008, 0x0018, "UI", text(instance, 0))
	element(&body, 0x0008, 0x0020, "DA", text("20260115", ' '))
	element(&body, 0x0008, 0x0030, "TM", text("101500", ' '))
	element(&body, 0x0008, 0x0060, "CS", text("CT", ' '))
	element(&body, 0x0008, 0x0070, "LO", text("Phantom", ' '))
	element(&body, 0x0008, 0x1030, "LO", text("CBCT lower jaw", ' '))
	element(&body, 0x0008, 0x103e, "LO", text("Volume 0.3 mm", ' '))
	element(&body, 0x0010, 0x0010, "PN", text(s.Patient, ' '))
	element(&body, 0x0010, 0x0020, "LO", text(s.ID, ' '))
	element(&body, 0x0010, 0x0030, "DA", text("19800229", ' '))
	element(&body, 0x0010, 0x0040, "CS", text("O", ' '))
	element(&body, 0x0018, 0x0050, "DS", text("0.3", ' '))
	element(&body, 0x0020, 0x000d, "UI", text(s.StudyUID(), 0))
	element(&body, 0x0020, 0x000e, "UI", text(s.uid(1, 1), 0))
	element(&body, 0x0020, 0x0011, "IS", text("1", ' '))
	element(&body, 0x0020, 0x0013, "IS", text(strconv.Itoa(n), ' '))
	element(&body, 0x0020, 0x0032, "DS", text(fmt.Sprintf(`-45\-45\%.1f`, 0.3*float64(n)), ' '))
	element(&body, 0x0020, 0x0037, "DS", text(`1\0\0\0\1\0`, ' '))
	element(&body, 0x0020, 0x0052, "UI", text(s.uid(2), 0))
	element(&body, 0x0028, 0x0002, "US", short(1))
	element(&body, 0x0028, 0x0004, "CS", text("MONOCHROME2", ' '))
	element(&body, 0x0028, 0x0010, "US", short(s.Size))
	element(&body, 0x0028, 0x0011, "US", short(s.Size))
	element(&body, 0x0028, 0x0030, "DS", text(`0.3\0.3`, ' '))
	element(&body, 0x0028, 0x0100, "US", short(16))
	element(&body, 0x0028, 0x0101, "US", short(16))
	element(&body, 0x0028, 0x0102, "US", short(15))
	element(&body, 0x0028, 0x0103, "US", short(0))
	element(&body, 0x7fe0, 0x0010, "OW", s.pixels(n))

	out.Write(make([]byte, 128))
	out.WriteString("DICM")
	element(&out, 0x0002, 0x0000, "UL", binary.LittleEndian.AppendUint32(nil, uint32(head.Len())))
	out.Write(head.Bytes())
	out.Write(body.Bytes())
	return out.Bytes()
}

// pixels are noise: they neither compress nor repeat, as a real scan hardly does.
func (s Scan) pixels(n int) []byte {
	r := rand.New(rand.NewPCG(s.Seed, uint64(n)))
	b := make([]byte, 0, 2*s.Size*s.Size+8)
	for len(b) < 2*s.Size*s.Size {
		b = binary.LittleEndian.AppendUint64(b, r.Uint64())
	}
	return b[:2*s.Size*s.Size]
}

// WriteZIP writes all slices into a ZIP, stored, in a folder as scanners make it.
func (s Scan) WriteZIP(w io.Writer) error {
	z := zip.NewWriter(w)
	for n := 1; n <= s.Slices; n++ {
		e, err := z.CreateHeader(&zip.FileHeader{Name: fmt.Sprintf("DICOM/CT/IM%04d", n), Method: zip.Store})
		if err != nil {
			return err
		}
		if _, err := e.Write(s.Slice(n)); err != nil {
			return err
		}
	}
	return z.Close()
}

// STL returns a binary STL of that many triangles.
func STL(triangles int) []byte {
	b := append(make([]byte, 0, 84+50*triangles), []byte(strings.Repeat(" ", 80))...)
	b = binary.LittleEndian.AppendUint32(b, uint32(triangles))
	for i := range triangles {
		for j := range 12 {
			b = binary.LittleEndian.AppendUint32(b, uint32(0x3f800000+i*12+j))
		}
		b = append(b, 0, 0)
	}
	return b
}

// Photo returns a JPEG.
func Photo(width, height int) []byte {
	m := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			m.Set(x, y, color.RGBA{uint8(x), uint8(y), uint8(x ^ y), 255})
		}
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, m, nil); err != nil {
		panic(err) // a bytes.Buffer takes everything
	}
	return out.Bytes()
}

// Noise returns size bytes that are nothing in particular.
func Noise(seed uint64, size int) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, 0, size+8)
	for len(b) < size {
		b = binary.LittleEndian.AppendUint64(b, r.Uint64())
	}
	return b[:size]
}

// element writes one data element (PS3.5, 7.1.2).
func element(w *bytes.Buffer, group, number uint16, vr string, value []byte) {
	head := binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(nil, group), number)
	head = append(head, vr...)
	switch vr {
	case "OB", "OW":
		head = binary.LittleEndian.AppendUint32(append(head, 0, 0), uint32(len(value)))
	default:
		head = binary.LittleEndian.AppendUint16(head, uint16(len(value)))
	}
	w.Write(head)
	w.Write(value)
}

// text pads to an even length (PS3.5, 6.2).
func text(s string, pad byte) []byte {
	b := []byte(s)
	if len(b)%2 == 1 {
		b = append(b, pad)
	}
	return b
}

func short(n int) []byte { return binary.LittleEndian.AppendUint16(nil, uint16(n)) }
