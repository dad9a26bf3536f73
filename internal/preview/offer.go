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

func (w *work) codedFrame() (caseload.CodedFrame, error) {
	s := w.stack()
	if len(s.places) == 0 {
		return caseload.CodedFrame{}, &unreadable{"There are no pixels to show."}
	}
	middle := s.places[len(s.places)/2]
	image, err := w.locate(middle.member)
	if err != nil {
		return caseload.CodedFrame{}, err
	}
	if !leftToBrowsers[image.TransferSyntax] || !image.pixels.Encapsulated {
		return caseload.CodedFrame{}, &unreadable{"Images of this transfer syntax have no preview."}
	}
	f, err := image.place(middle.frame)
	if err != nil {
		return caseload.CodedFrame{}, err
	}
	if f.Size > pixels.MaxCoded {
		return caseload.CodedFrame{}, caseload.Errorf(caseload.TooLarge, "The compressed image is larger than 64 MB.")
	}
	return caseload.CodedFrame{
		TransferSyntax: image.TransferSyntax, Rows: f.Rows, Columns: f.Columns, Samples: f.Samples, Photometric: f.Photometric,
		BitsAllocated: f.BitsAllocated, BitsStored: f.BitsStored, Signed: f.Signed,
		Slope: f.Slope, Intercept: f.Intercept, Center: f.Center, Width: f.Width,
		RowSpacing: f.RowSpacing, ColumnSpacing: f.ColumnSpacing, Palette: f.Palette, First: f.First,
		Size: f.Size, Write: f.write,
	}, nil
}

// drawOffer draws anew what a browser handed in: nothing of it is kept but the pixels. What cannot be drawn, or has not the
// shape of the image, leaves the preview to the next browser.
func (w *work) drawOffer() (caseload.Preview, error) {
	all := caseload.Preview{State: caseload.PreviewBrowser, Reason: leftToBrowser}
	f, err := w.codedFrame()
	if err != nil {
		return all, err
	}
	width, height := pixels.PictureSize(f.Columns, f.Rows, f.ColumnSpacing, f.RowSpacing)
	offer, ok := w.order.Offers[string(pixels.Image)]
	if !ok {
		return all, nil
	}
	made, err := w.decode(pixels.Job{Photo: &pixels.Photo{Size: int64(len(offer))}}, func(to io.Writer) error {
		_, err := to.Write(offer)
		return err
	})
	if err != nil || len(made.Pictures) != 1 {
		return all, err
	}
	if p := made.Pictures[0]; p.Width != width || p.Height != height {
		w.Log.InfoContext(w.ctx, "an offered preview has another shape than the image", slog.String("preview", string(w.order.ID)))
		return all, nil
	}
	return caseload.Preview{State: caseload.PreviewMade, Pictures: made.Pictures}, nil
}
