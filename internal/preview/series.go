package preview

import (
	"cmp"
	"io"
	"math"
	"slices"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/pixels"
)

// How much of a volume is read for its planes.
const (
	fewestSlices = 8        // of a series that has planes
	mostSlices   = 256      // read, evenly through the volume
	mostBytes    = 48 << 20 // of native pixels
	mostDecoded  = 96 << 20 // pixels of compressed slices

	mostDrawn   = 24 << 20 // pixels of the slices that a browser decodes
	mostHanded  = 64       // slices that a browser decodes
	largestHand = 3 << 20  // pixels of one of them: a volume of larger slices has no planes there
)

// drawSeries makes the preview of a series: three planes where it is a volume, else its middle image.
func (w *work) drawSeries() (caseload.Preview, error) {
	s := w.stack()
	if len(s.places) == 0 {
		if m := w.order.Members; len(m) > 0 && !slices.ContainsFunc(m, func(m caseload.Instance) bool { return m.PixelOffset >= 0 }) {
			return none(imageless(m[0].SOPClassUID)), nil
		}
		if slices.ContainsFunc(w.order.Members, sizeless) {
			return none("The images do not say in front of their pixels how many rows and columns they have."), nil
		}
		return none("There are no pixels to show."), nil
	}
	middle := s.places[len(s.places)/2]
	if m := middle.member; leftToBrowsers[m.TransferSyntax] && (m.PixelEncapsulated || m.PixelOffset < 0) {
		return caseload.Preview{State: caseload.PreviewBrowser, Reason: leftToBrowser}, nil
	}
	image, err := w.openImage(middle.member)
	if err != nil {
		return caseload.Preview{}, err
	}
	if there := s.there(image); len(there) > 0 {
		s.places = there
		if middle = there[len(there)/2]; middle.member.ID != image.of {
			if image, err = w.openImage(middle.member); err != nil {
				return caseload.Preview{}, err
			}
		}
	}
	if s.volume(w.order.Scan.Modality, image) {
		made, err := w.drawVolume(s, image)
		if err != nil || made.State == caseload.PreviewMade {
			return made, err
		}
	}
	frame, err := image.place(middle.frame)
	if err != nil {
		return caseload.Preview{}, err
	}
	return w.decode(pixels.Job{Frame: &frame.Frame}, frame.write)
}

// sizeless tells whether an image has pixels but no size: without rows or columns, or with them behind compressed pixels, all of
// which would have to be read to get there (PS3.5 7.1 puts them in front).
func sizeless(m caseload.Instance) bool {
	return m.PixelOffset > 0 && (m.Rows < 1 || m.Columns < 1)
}

// there returns the places without the frames of an image that its file does not hold: of a multi-frame file that was cut off.
func (s stack) there(i *image) []place {
	return slices.DeleteFunc(slices.Clone(s.places), func(p place) bool { return p.member.ID == i.of && p.frame >= i.index.Count })
}

// place is one image of the series: a frame of an instance.
type place struct {
	member caseload.Instance
	frame  int
	along  float64 // mm along the normal
}

// stack is the images of a series that belong together, in order.
type stack struct {
	places  []place
	spacing float64 // mm between neighbours; 0: unknown
	sorted  bool    // by position
}

// stack takes the images of the most frequent size, each once, and puts them in order: by position along the normal
// (PS3.3 C.7.6.2.1.1) if all have one, else by number.
func (w *work) stack() stack {
	sizes, best := map[[2]int]int{}, [2]int{}
	var images []caseload.Instance
	seen := map[string]bool{}
	for _, m := range w.order.Members {
		if m.Rows < 1 || m.Columns < 1 || seen[m.SOPInstanceUID] {
			continue
		}
		seen[m.SOPInstanceUID] = true
		images = append(images, m)
		size := [2]int{m.Rows, m.Columns}
		if sizes[size] += max(m.Frames, 1); sizes[size] > sizes[best] {
			best = size
		}
	}
	var s stack
	s.sorted = true
	for _, m := range images {
		if m.Rows != best[0] || m.Columns != best[1] {
			continue
		}
		normal, ok := normalOf(m.Orientation)
		frames := m.Frames > 1 && len(m.FramePositions) == m.Frames
		if !frames && (len(m.Position) != 3 || !ok || m.Frames > 1) {
			s.sorted = false
		}
		for frame := range min(max(m.Frames, 1), 1<<16) {
			p := place{member: m, frame: frame}
			switch {
			case frames:
				p.along = m.FramePositions[frame]
			case s.sorted:
				p.along = normal[0]*m.Position[0] + normal[1]*m.Position[1] + normal[2]*m.Position[2]
			}
			s.places = append(s.places, p)
		}
	}
	if n := len(s.places); s.sorted && n > 1 {
		slices.SortStableFunc(s.places, func(a, b place) int { return cmp.Compare(a.along, b.along) })
		s.spacing = (s.places[n-1].along - s.places[0].along) / float64(n-1)
	} else if n > 1 {
		s.spacing = cmp.Or(s.places[0].member.SpacingBetween, s.places[0].member.SliceThickness)
	}
	return s
}

// volume tells whether planes through the stack show anything: enough grey images behind each other, of a machine that
// makes volumes, and a known distance. In a ZIP that lies compressed in a ZIP each image would be searched from the
// beginning, and so would each frame of one file that is compressed as a whole; there is one of them.
func (s stack) volume(modality string, i *image) bool {
	if modality != "CT" && modality != "MR" || len(s.places) == 0 || s.places[0].member.Entry.Within.Size > 0 {
		return false
	}
	oneFile := s.places[0].member.SOPInstanceUID == s.places[len(s.places)-1].member.SOPInstanceUID
	if oneFile && i.pixels.Inflated {
		return false
	}
	return len(s.places) >= fewestSlices && s.spacing > 0 && (s.sorted || oneFile) && i.frame.Samples == 1 && i.frame.Photometric != "PALETTE COLOR"
}

// chosen returns the images to read, evenly through the stack, and which of them is the middle.
func (s stack) chosen(i *image) (chosen []place, middle int) {
	size := int64(i.Rows) * int64(i.Columns)
	n := int64(mostDecoded) / size
	switch {
	case i.frame.Coding == pixels.Native:
		n = mostBytes / (size * int64(max(i.BitsAllocated, 8)) / 8)
	case leftToBrowsers[i.TransferSyntax]:
		n = min(mostDrawn/size, mostHanded)
	}
	n = min(max(n, fewestSlices), mostSlices, int64(len(s.places)))
	for k := range n {
		chosen = append(chosen, s.places[k*int64(len(s.places)-1)/(n-1)])
	}
	return chosen, int(n / 2)
}

// drawVolume reads some of the slices and has the planes drawn.
func (w *work) drawVolume(s stack, middle *image) (caseload.Preview, error) {
	chosen, at := s.chosen(middle)
	volume := s.through(chosen, at, middle)
	return w.decode(pixels.Job{Volume: &volume}, func(to io.Writer) error {
		for _, p := range chosen {
			image := middle
			if p.member.ID != middle.of {
				var err error
				if image, err = w.openImage(p.member); err != nil {
					return err
				}
			}
			frame, err := image.place(p.frame)
			if err != nil {
				return err
			}
			if err := pixels.WriteFrame(to, frame.Frame); err != nil {
				return err
			}
			if err := frame.write(to); err != nil {
				return err
			}
		}
		return nil
	})
}

// through says how the chosen images lie behind each other.
func (s stack) through(chosen []place, at int, middle *image) pixels.Volume {
	normal, ok := normalOf(middle.Orientation)
	volume := pixels.Volume{
		Count: len(chosen), Middle: at, Normal: normal,
		Spacing: s.spacing * float64(len(s.places)-1) / float64(len(chosen)-1),
	}
	if ok {
		volume.Along, volume.Down = [3]float64(middle.Orientation[:3]), [3]float64(middle.Orientation[3:])
	} else { // nobody says: what nearly all machines write
		volume.Along, volume.Down, volume.Normal = [3]float64{1, 0, 0}, [3]float64{0, 1, 0}, [3]float64{0, 0, 1}
	}
	return volume
}

// normalOf returns the direction of the slices' order (row × column); false when the orientation is none.
func normalOf(o []float64) (n [3]float64, ok bool) {
	if len(o) != 6 {
		return n, false
	}
	n = [3]float64{o[1]*o[5] - o[2]*o[4], o[2]*o[3] - o[0]*o[5], o[0]*o[4] - o[1]*o[3]}
	length := math.Sqrt(n[0]*n[0] + n[1]*n[1] + n[2]*n[2])
	if !(length > 0.1) || math.IsInf(length, 0) {
		return n, false
	}
	return [3]float64{n[0] / length, n[1] / length, n[2] / length}, true
}
