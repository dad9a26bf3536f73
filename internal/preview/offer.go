package preview

import (
	"context"
	"errors"
	"io"
	"log/slog"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/pixels"
)

// Frame finds the image that a browser is to draw for a preview that is left to browsers: the middle one of the series. The
// header is read by range, and so are the bytes when Write is called; nothing is decoded. Invalid when there is no such
// frame, TooLarge when it has more than pixels.MaxCoded bytes; else errors are those of the store and the context.
func (s *Service) Frame(ctx context.Context, o caseload.PreviewOrder) (caseload.CodedFrame, error) {
	w := &work{Service: s, ctx: ctx, order: o}
	f, err := w.codedFrame()
	if reason, ok := errors.AsType[*unreadable](err); ok {
		return caseload.CodedFrame{}, caseload.Errorf(caseload.Invalid, "%s", reason.text)
	}
	return f, err
}

// Slices gives the slices that a browser draws the planes of a preview from, in order, as many as Frame's Volume says. One that
// cannot be found or is too large comes with a Size of 0: its neighbour stands in. Invalid when the preview has no planes;
// else errors are each's, and those of the store and the context.
func (s *Service) Slices(ctx context.Context, o caseload.PreviewOrder, each func(caseload.CodedFrame) error) error {
	w := &work{Service: s, ctx: ctx, order: o}
	stack, middle, err := w.coded()
	if reason, ok := errors.AsType[*unreadable](err); ok {
		return caseload.Errorf(caseload.Invalid, "%s", reason.text)
	}
	if err != nil {
		return err
	}
	if !stack.drawn(o.Scan.Modality, middle.image) {
		return caseload.Errorf(caseload.Invalid, "There are no planes to draw.")
	}
	chosen, _ := stack.chosen(middle.image)
	image, of, sent := middle.image, stack.places[len(stack.places)/2].member.ID, int64(0)
	for _, p := range chosen {
		if p.member.ID != of {
			if image, err = w.locate(p.member); err == nil && (image.TransferSyntax != middle.image.TransferSyntax || !image.pixels.Encapsulated) {
				err = &unreadable{"The slice is coded in another way than the others."}
			}
			of = p.member.ID
		}
		var f located
		if err == nil {
			f, err = image.place(p.frame)
		}
		reason, unread := errors.AsType[*unreadable](err)
		if err != nil && !unread {
			return err
		}
		if unread || f.Size > maxSlice || sent+f.Size > mostSent {
			w.Log.InfoContext(ctx, "a slice is left out of a preview", slog.String("preview", string(o.ID)), slog.Any("reason", reason))
			f = located{Frame: middle.Frame}
			f.Size = 0
		}
		sent += f.Size
		if err := each(f.coded(middle.image.TransferSyntax)); err != nil {
			return err
		}
		if unread {
			image, of, err = middle.image, "", nil // the next one is looked for anew
		}
	}
	return nil
}

// What a browser is sent of the slices of one preview, in bytes.
const (
	maxSlice = 8 << 20
	mostSent = 64 << 20
)

// coded finds the middle image of the series.
func (w *work) coded() (s stack, f located, err error) {
	s = w.stack()
	if len(s.places) == 0 {
		return s, f, &unreadable{"There are no pixels to show."}
	}
	middle := s.places[len(s.places)/2]
	image, err := w.locate(middle.member)
	if err != nil {
		return s, f, err
	}
	if !leftToBrowsers[image.TransferSyntax] || !image.pixels.Encapsulated {
		return s, f, &unreadable{"Images of this transfer syntax have no preview."}
	}
	f, err = image.place(middle.frame)
	return s, f, err
}

func (w *work) codedFrame() (caseload.CodedFrame, error) {
	s, f, err := w.coded()
	if err != nil {
		return caseload.CodedFrame{}, err
	}
	if f.Size > pixels.MaxCoded {
		return caseload.CodedFrame{}, caseload.Errorf(caseload.TooLarge, "The compressed image is larger than 64 MB.")
	}
	coded := f.coded(f.image.TransferSyntax)
	if s.drawn(w.order.Scan.Modality, f.image) {
		chosen, at := s.chosen(f.image)
		volume := s.through(chosen, at, f.image)
		coded.Volume = &caseload.CodedVolume{Count: volume.Count, Middle: volume.Middle}
		for i, p := range volume.Planes(f.Frame) {
			coded.Volume.Planes[i] = caseload.CodedPlane{
				View: string(p.View), Width: p.Width, Height: p.Height, Turned: p.Turned, Mirrored: p.Mirrored, Over: p.Over,
			}
		}
	}
	return coded, nil
}

// drawn tells whether a browser draws planes of the stack.
func (s stack) drawn(modality string, i *image) bool {
	return s.volume(modality, i) && int64(i.Rows)*int64(i.Columns) <= largestHand
}

// coded describes the frame for a browser.
func (f *located) coded(syntax string) caseload.CodedFrame {
	return caseload.CodedFrame{
		TransferSyntax: syntax, Rows: f.Rows, Columns: f.Columns, Samples: f.Samples, Photometric: f.Photometric,
		BitsAllocated: f.BitsAllocated, BitsStored: f.BitsStored, Signed: f.Signed,
		Slope: f.Slope, Intercept: f.Intercept, Center: f.Center, Width: f.Width,
		RowSpacing: f.RowSpacing, ColumnSpacing: f.ColumnSpacing, Palette: f.Palette, First: f.First,
		Size: f.Size, Write: f.write,
	}
}

// drawOffer draws anew what a browser handed in: nothing of it is kept but the pixels. What cannot be drawn, or has not the
// shape that the headers give, leaves the preview to the next browser.
func (w *work) drawOffer() (caseload.Preview, error) {
	all := caseload.Preview{State: caseload.PreviewBrowser, Reason: leftToBrowser}
	f, err := w.codedFrame()
	if err != nil {
		return all, err
	}
	drawn := caseload.Preview{State: caseload.PreviewMade}
	for _, want := range w.wanted(f) {
		offer := w.order.Offers[want.View]
		made, err := w.decode(pixels.Job{Photo: &pixels.Photo{Size: int64(len(offer))}}, func(to io.Writer) error {
			_, err := to.Write(offer)
			return err
		})
		if err != nil || len(made.Pictures) != 1 {
			return all, err
		}
		p := made.Pictures[0]
		if p.Width != want.Width || p.Height != want.Height {
			w.Log.InfoContext(w.ctx, "an offered preview has another shape than the image", slog.String("preview", string(w.order.ID)))
			return all, nil
		}
		p.View = want.View
		drawn.Pictures = append(drawn.Pictures, p)
	}
	if len(drawn.Pictures) == 0 {
		return all, nil
	}
	return drawn, nil
}

// wanted returns what is made of the offers, with the shapes that the headers give: all planes when all were handed in, else
// the image; nothing when it is neither.
func (w *work) wanted(f caseload.CodedFrame) []caseload.CodedPlane {
	if v := f.Volume; v != nil {
		handed := 0
		for _, p := range v.Planes {
			if len(w.order.Offers[p.View]) > 0 {
				handed++
			}
		}
		if handed == len(v.Planes) {
			return v.Planes[:]
		}
	}
	if len(w.order.Offers[string(pixels.Image)]) == 0 {
		return nil
	}
	width, height := pixels.PictureSize(f.Columns, f.Rows, f.ColumnSpacing, f.RowSpacing)
	return []caseload.CodedPlane{{View: string(pixels.Image), Width: width, Height: height}}
}
