package dicom

import (
	"math"
	"slices"
)

// The planes of the body that images lie in, by name.
const (
	Axial    = "Axial"
	Coronal  = "Coronal"
	Sagittal = "Sagittal"
	Oblique  = "Oblique" // more than 15° from each of the others
)

const (
	maxPlanes   = 16    // of a series; images in further ones are counted with the last
	samePlane   = 0.999 // cosine of the angle between normals: 2.6°
	namedWithin = 15    // degrees
)

// plane is the images of a series with the same orientation.
type plane struct {
	normal []float64
	places []place
}

// place is where one image (a slice, or a frame of a multi-frame instance) lies.
type place struct {
	slice  int       // index of the input
	at     float64   // mm along the normal
	beside []float64 // mm, of the position within the plane; nil of a frame
}

// planesOf sorts the positioned images by their orientation. What has no orientation or no position is in none.
func planesOf(stack []Slice) []plane {
	var planes []plane
	for i, slice := range stack {
		normal := normalOf(slice.Orientation)
		if normal == nil || len(slice.Position) != 3 && len(slice.FramePositions) == 0 {
			continue
		}
		at := slices.IndexFunc(planes, func(p plane) bool { return math.Abs(dot(p.normal, normal)) > samePlane })
		switch {
		case at >= 0:
		case len(planes) < maxPlanes:
			planes, at = append(planes, plane{normal: normal}), len(planes)
		default:
			at = maxPlanes - 1
		}
		planes[at].add(i, slice)
	}
	return planes
}

// add takes the images of one slice, unless a place cannot be meant.
func (p *plane) add(i int, slice Slice) {
	switch {
	case len(slice.FramePositions) > 0:
		if slices.ContainsFunc(slice.FramePositions, outOfReach) {
			return
		}
		for _, at := range slice.FramePositions {
			p.places = append(p.places, place{slice: i, at: at})
		}
	case slice.Frames <= 1:
		at := dot(slice.Position, p.normal)
		if outOfReach(at) || slices.ContainsFunc(slice.Position, outOfReach) {
			return
		}
		beside := []float64{slice.Position[0] - at*p.normal[0], slice.Position[1] - at*p.normal[1], slice.Position[2] - at*p.normal[2]}
		p.places = append(p.places, place{i, at, beside})
	}
}

// outOfReach reports whether a coordinate cannot be meant: a kilometre from the origin, or no number.
func outOfReach(mm float64) bool { return !(math.Abs(mm) < 1e6) }

// sorted returns the places in mm, the lowest first.
func (p plane) sorted() []float64 {
	places := make([]float64, len(p.places))
	for i := range places {
		places[i] = p.places[i].at
	}
	slices.Sort(places)
	return places
}

// ends returns the lowest and the highest place; false unless every image has a position and they lie apart.
func (p plane) ends() (first, last place, ok bool) {
	first, last = p.places[0], p.places[0]
	for _, at := range p.places {
		if at.beside == nil {
			return first, last, false
		}
		if at.at < first.at {
			first = at
		}
		if at.at > last.at {
			last = at
		}
	}
	return first, last, last.at-first.at > samePlace
}

func (p plane) group() Group {
	g := Group{Plane: p.name(), Images: len(p.places)}
	for _, at := range p.places {
		if n := len(g.Slices); n == 0 || g.Slices[n-1] != at.slice {
			g.Slices = append(g.Slices, at.slice)
		}
	}
	return g
}

// name is the plane's name in the patient's coordinates (PS3.3 C.7.6.2.1.1: x to the left, y to the back, z to the head).
func (p plane) name() string {
	for axis, name := range []string{Sagittal, Coronal, Axial} {
		if angle(p.normal[axis]) <= namedWithin {
			return name
		}
	}
	return Oblique
}

// fromAxial is the angle between the plane and the axial one, in degrees.
func (p plane) fromAxial() float64 { return angle(p.normal[2]) }

// angle returns the degrees between two lines of which c is the cosine.
func angle(c float64) float64 { return math.Acos(min(1, math.Abs(c))) * 180 / math.Pi }

// normalOf returns the unit normal of an orientation (row × column), nil when it has none.
func normalOf(o []float64) []float64 {
	if len(o) != 6 {
		return nil
	}
	n := []float64{o[1]*o[5] - o[2]*o[4], o[2]*o[3] - o[0]*o[5], o[0]*o[4] - o[1]*o[3]}
	length := math.Sqrt(dot(n, n))
	if !(length > 0.1) || math.IsInf(length, 0) {
		return nil
	}
	return []float64{n[0] / length, n[1] / length, n[2] / length}
}

func dot(a, b []float64) float64 { return a[0]*b[0] + a[1]*b[1] + a[2]*b[2] }

func minus(a, b []float64) []float64 { return []float64{a[0] - b[0], a[1] - b[1], a[2] - b[2]} }
