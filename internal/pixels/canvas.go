package pixels

import "math"

// canvas draws triangles with a depth buffer, seen from the front and above, lit by two lamps.
type canvas struct {
	depth  []float32 // nearest so far; larger is nearer
	light  []float32
	turn   [3][3]float64
	center [3]float64
	scale  float64
	work   int64 // pixels looked at
}

const (
	canvasSide = 768 // drawn at twice the size and averaged: edges are smooth
	canvasWork = 6e7 // pixels looked at in all, about a second; what takes more is made to take time
)

// backdrop and surface are the colours of nothing and of a fully lit face.
var (
	backdrop = [3]float32{20, 24, 29}
	surface  = [3]float32{236, 228, 212}
)

func newCanvas(low, high vertex) *canvas {
	c := &canvas{depth: make([]float32, canvasSide*canvasSide), light: make([]float32, canvasSide*canvasSide)}
	for i := range c.depth {
		c.depth[i] = float32(math.Inf(-1))
	}
	radius := 0.0
	for i := range c.center {
		c.center[i] = (float64(low[i]) + float64(high[i])) / 2
		radius += (float64(high[i]) - float64(low[i])) * (float64(high[i]) - float64(low[i])) / 4
	}
	if radius = math.Sqrt(radius); radius == 0 {
		radius = 1
	}
	c.scale = 0.48 * canvasSide / radius
	// Round the vertical by 25°, then forward by 55°: the biting surface of a jaw and its front are both seen.
	s, k := math.Sincos(25 * math.Pi / 180)
	t, l := math.Sincos(-55 * math.Pi / 180)
	c.turn = [3][3]float64{{k, -s, 0}, {s * l, k * l, -t}, {s * t, k * t, l}}
	return c
}

// point is a vertex as seen: x to the right, y down, z towards the eye, in pixels of the canvas.
type point [3]float64

func (c *canvas) place(v vertex) (p point) {
	for i := range p {
		for j := range v {
			p[i] += c.turn[i][j] * (float64(v[j]) - c.center[j])
		}
		p[i] *= c.scale
	}
	p[0], p[1] = canvasSide/2+p[0], canvasSide/2-p[1]
	return p
}

// draw puts one triangle on the canvas.
func (c *canvas) draw(va, vb, vd vertex) error {
	a, b, d := c.place(va), c.place(vb), c.place(vd)
	area := (b[0]-a[0])*(d[1]-a[1]) - (b[1]-a[1])*(d[0]-a[0])
	if math.Abs(area) < 1e-9 {
		return nil
	}
	light := c.shade(a, b, d)
	left, right := clip(min(a[0], b[0], d[0])), clip(max(a[0], b[0], d[0]))
	top, bottom := clip(min(a[1], b[1], d[1])), clip(max(a[1], b[1], d[1]))
	if c.work += int64(right-left+1) * int64(bottom-top+1); c.work > canvasWork {
		return refuse(TooLarge, "The mesh takes too long to draw.")
	}
	for y := top; y <= bottom; y++ {
		for x := left; x <= right; x++ {
			px, py := float64(x)+0.5, float64(y)+0.5
			u := ((b[0]-px)*(d[1]-py) - (b[1]-py)*(d[0]-px)) / area
			v := ((d[0]-px)*(a[1]-py) - (d[1]-py)*(a[0]-px)) / area
			w := 1 - u - v
			if u < 0 || v < 0 || w < 0 {
				continue
			}
			i := y*canvasSide + x
			if z := float32(u*a[2] + v*b[2] + w*d[2]); z > c.depth[i] {
				c.depth[i], c.light[i] = z, light
			}
		}
	}
	return nil
}

func clip(v float64) int { return int(min(max(v, 0), canvasSide-1)) }

// shade returns how bright a flat face is, whichever way its corners go round.
func (c *canvas) shade(a, b, d point) float32 {
	u, v := point{b[0] - a[0], a[1] - b[1], b[2] - a[2]}, point{d[0] - a[0], a[1] - d[1], d[2] - a[2]}
	n := point{u[1]*v[2] - u[2]*v[1], u[2]*v[0] - u[0]*v[2], u[0]*v[1] - u[1]*v[0]}
	length := math.Sqrt(n[0]*n[0] + n[1]*n[1] + n[2]*n[2])
	if n[2] < 0 {
		length = -length
	}
	lamp := func(x, y, z float64) float64 { return max(0, (n[0]*x+n[1]*y+n[2]*z)/length) }
	return float32(min(1, 0.12+0.68*lamp(-0.41, 0.55, 0.73)+0.3*lamp(0.64, -0.2, 0.74)))
}

// sheet returns the drawing at its final size.
func (c *canvas) sheet() sheet {
	small := newReducerTo(canvasSide/2, canvasSide/2, canvasSide, canvasSide, 3)
	line := make([]float32, 3*canvasSide)
	for y := range canvasSide {
		for x := range canvasSide {
			i := y*canvasSide + x
			for k := range 3 {
				if line[3*x+k] = backdrop[k]; !math.IsInf(float64(c.depth[i]), -1) {
					line[3*x+k] = surface[k] * c.light[i]
				}
			}
		}
		small.add(y, line)
	}
	return small.sheet()
}
