package web_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"image"
	"image/png"
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/dicom/dicomtest"
)

// smallPNG is a picture of one pixel.
func smallPNG(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	must(t, png.Encode(&b, image.NewGray(image.Rect(0, 0, 1, 1))))
	return b.Bytes()
}

// preview makes the preview of a photo in a case of the clinic's, in that state, with one picture.
func (h *house) preview(state caseload.PreviewState) caseload.Preview {
	h.t.Helper()
	ctx, now := h.t.Context(), time.Now()
	c, err := h.store.CreateCase(ctx, h.users["member"], caseload.Case{Number: fmt.Sprintf("%s-%d", canary, now.UnixNano()), Patient: canary})
	must(h.t, err)
	f, err := h.store.StartReading(ctx, caseload.FileID(h.stored(string(c.ID), canary+".png", smallPNG(h.t)).ID), "test", now, now.Add(time.Minute))
	must(h.t, err)
	must(h.t, h.store.SaveMetadata(ctx, f.ID, f.Attempt, caseload.Findings{Kind: caseload.KindPNG, Contents: caseload.Contents{Photos: 1}}))
	var o caseload.PreviewOrder
	for o.File != f.ID { // others may wait to be drawn anew
		var ok bool
		o, ok, err = h.store.ClaimPreview(ctx, "test", now.Add(time.Minute), now.Add(2*time.Minute))
		must(h.t, err)
		if !ok {
			h.t.Fatal("the preview is not due")
		}
	}
	content := smallPNG(h.t)
	sum := sha256.Sum256(content)
	o.State, o.Pictures = state, []caseload.Picture{{View: "image", Media: "image/png", Width: 1, Height: 1, SHA256: hex.EncodeToString(sum[:]), Bytes: content}}
	must(h.t, h.store.SavePreview(ctx, o, o.Preview))
	return o.Preview
}

// A picture is what was kept, may be kept by the browser that fetched it and by no cache between, and is nothing else
// than a picture to it.
func TestAPictureIsKeptByItsChecksumForOnePersonOnly(t *testing.T) {
	h := open(t)
	p := h.preview(caseload.PreviewMade)
	resp, body := h.ask("viewer", "GET", "/api/v1/previews/"+string(p.ID)+"/image/"+p.Pictures[0].SHA256, "", "")
	if resp.StatusCode != 200 || body != string(smallPNG(t)) {
		t.Fatalf("answered %d with %d bytes", resp.StatusCode, len(body))
	}
	for name, want := range map[string]string{
		"Content-Type": "image/png", "Cache-Control": "private, max-age=31536000, immutable",
		"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox",
	} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for _, address := range []string{
		string(p.ID) + "/image/" + strings.Repeat("0", 64), string(p.ID) + "/axial/" + p.Pictures[0].SHA256,
	} {
		if resp, _ := h.ask("viewer", "GET", "/api/v1/previews/"+address, "", ""); resp.StatusCode != 404 {
			t.Errorf("%s answered %d", address, resp.StatusCode)
		}
	}
}

// What a browser hands in is taken only where it is asked for, as a picture, and within bounds.
func TestAPictureIsTakenOnlyWhereItIsLeftToBrowsers(t *testing.T) {
	h := open(t)
	made, left := h.preview(caseload.PreviewMade), h.preview(caseload.PreviewBrowser)
	for _, c := range []struct {
		name    string
		preview caseload.Preview
		view    string
		body    []byte
		status  int
	}{
		{"one of ours", made, "image", smallPNG(t), 409},
		{"another view", left, "upside-down", smallPNG(t), 404},
		{"no picture", left, "image", []byte("<svg onload=alert(1)>"), 400},
		{"too many bytes", left, "image", append(smallPNG(t), make([]byte, caseload.MaxOffer)...), 413},
		{"nothing", left, "image", nil, 400},
		{"a plane, which is looked at with the others", left, "axial", smallPNG(t), 202},
		{"one that is left", left, "image", smallPNG(t), 202},
		{"a plane when it is being drawn anew", left, "axial", smallPNG(t), 409},
	} {
		t.Run(c.name, func(t *testing.T) {
			resp, body := h.ask("member", "PUT", "/api/v1/previews/"+string(c.preview.ID)+"/"+c.view, "image/png", string(c.body))
			if resp.StatusCode != c.status {
				t.Fatalf("answered %d, want %d: %s", resp.StatusCode, c.status, body)
			}
		})
	}
	o, ok, err := h.store.ClaimPreview(t.Context(), "test", time.Now().Add(time.Minute), time.Now().Add(2*time.Minute))
	must(t, err)
	if !ok || o.ID != left.ID || !bytes.Equal(o.Offers["image"], smallPNG(t)) {
		t.Fatalf("the offer does not wait to be drawn anew: %v %+v", ok, o)
	}
}

// left makes the preview of a scan that only browsers decode: one image in a file of its own, or a volume in a ZIP.
func (h *house) left(patient string, zipped bool) caseload.Preview {
	h.t.Helper()
	ctx := h.t.Context()
	c, err := h.store.CreateCase(ctx, h.users["member"], caseload.Case{Number: fmt.Sprintf("%s-%d", canary, time.Now().UnixNano()), Patient: canary})
	must(h.t, err)
	unique := time.Now().UnixNano()
	slice := func(number int) dicomtest.Named {
		return dicomtest.Named{Name: fmt.Sprintf("scan/IM%04d", number), Body: dicomtest.CT(dicomtest.CTOptions{
			Syntax: "1.2.840.10008.1.2.4.90", Patient: []byte(patient), Rows: 8, Cols: 6, Fragments: [][]byte{[]byte("coded "), []byte("frame ")},
			Instance: fmt.Sprintf("1.2.3.%d.%d", unique, number), Series: fmt.Sprintf("1.2.4.%d", unique), Number: number,
		})}
	}
	name, content := "IM0001", slice(1).Body
	if zipped {
		var all []dicomtest.Named
		for number := range 8 {
			all = append(all, slice(number+1))
		}
		name, content = "scan.zip", dicomtest.ZIP(true, all...)
	}
	h.read(string(c.ID), name, content)
	var o caseload.PreviewOrder
	for o.Case != c.ID { // others may wait to be drawn anew
		var ok bool
		o, ok, err = h.store.ClaimPreview(ctx, "test", time.Now().Add(time.Minute), time.Now().Add(2*time.Minute))
		must(h.t, err)
		if !ok {
			h.t.Fatal("the preview is not due")
		}
	}
	o.State, o.Reason = caseload.PreviewBrowser, "A browser does."
	must(h.t, h.store.SavePreview(ctx, o, o.Preview))
	o.Pictures = []caseload.Picture{{SHA256: "0"}} // for addresses that name one
	return o.Preview
}

// Whoever may see the case gets the frame that his browser is to decode, and nobody else.
func TestAFrameIsSentToItsOrganizationOnly(t *testing.T) {
	h := open(t)
	for name, zipped := range map[string]bool{"a file": false, "a ZIP": true} {
		t.Run(name, func(t *testing.T) {
			address := "/api/v1/previews/" + string(h.left("Frame^Test", zipped).ID) + "/frame"
			resp, body := h.ask("viewer", "GET", address, "", "")
			if resp.StatusCode != 200 || !strings.Contains(body, `"rows":8,"columns":6`) || !strings.Contains(body, `"size":12,`) && !strings.Contains(body, `"size":12}`) {
				t.Fatalf("answered %d %s", resp.StatusCode, body)
			}
			resp, body = h.ask("viewer", "GET", address+"/content", "", "")
			if resp.StatusCode != 200 || body != "coded frame " || resp.Header.Get("Content-Type") != "application/octet-stream" || resp.Header.Get("Content-Security-Policy") != "default-src 'none'; sandbox" {
				t.Fatalf("answered %d %q %v", resp.StatusCode, body, resp.Header)
			}
			resp, body = h.ask("viewer", "GET", address+"/slices", "", "")
			if zipped && (resp.StatusCode != 200 || strings.Count(body, "}coded frame ") != 8 || resp.Header.Get("Content-Security-Policy") != "default-src 'none'; sandbox") {
				t.Fatalf("the slices were answered %d %q", resp.StatusCode, body)
			}
			if !zipped && resp.StatusCode != 400 {
				t.Errorf("the slices of one image were answered %d", resp.StatusCode)
			}
			for _, of := range []string{address, address + "/content", address + "/slices"} {
				if resp, body := h.ask("foreign-admin", "GET", of, "", ""); resp.StatusCode != 404 || strings.Contains(body, "coded") {
					t.Errorf("a stranger was answered %d %s", resp.StatusCode, body)
				}
			}
			if resp, _ := h.ask("foreign-admin", "POST", strings.TrimSuffix(address, "/frame")+"/claim", "", ""); resp.StatusCode != 404 {
				t.Errorf("a stranger's claim was answered %d", resp.StatusCode)
			}
		})
	}
	made := h.preview(caseload.PreviewMade)
	for method, of := range map[string]string{"GET": "/frame", "POST": "/claim"} {
		if resp, _ := h.ask("member", method, "/api/v1/previews/"+string(made.ID)+of, "", ""); resp.StatusCode != 409 {
			t.Errorf("%s of one that the server made: %d", of, resp.StatusCode)
		}
	}
}

// One browser at a time draws a preview, and the first picture is the one that counts.
func TestOneBrowserDrawsAPreviewAndTheFirstPictureCounts(t *testing.T) {
	h := open(t)
	p := h.left("Claim^Test", false)
	address := "/api/v1/previews/" + string(p.ID)
	for i, want := range []int{204, 409} {
		if resp, body := h.ask("member", "POST", address+"/claim", "", ""); resp.StatusCode != want {
			t.Fatalf("claim %d was answered %d %s", i+1, resp.StatusCode, body)
		}
	}
	h.clock.advance(caseload.OfferClaim + time.Second)
	for _, method := range []string{"POST", "DELETE", "POST"} { // the first one lapsed, the second is given back
		if resp, _ := h.ask("admin", method, address+"/claim", "", ""); resp.StatusCode != 204 {
			t.Fatalf("%s of a claim was answered %d", method, resp.StatusCode)
		}
	}
	for i, want := range []int{202, 409} {
		if resp, body := h.ask("member", "PUT", address+"/image", "image/png", string(smallPNG(t))); resp.StatusCode != want {
			t.Fatalf("picture %d was answered %d %s", i+1, resp.StatusCode, body)
		}
	}
	if resp, _ := h.ask("viewer", "PUT", address+"/image", "image/png", string(smallPNG(t))); resp.StatusCode != 403 {
		t.Errorf("a viewer's picture was answered %d", resp.StatusCode)
	}
	if _, ok, err := h.store.ClaimPreview(t.Context(), "test", h.clock.now(), h.clock.now().Add(time.Minute)); !ok || err != nil {
		t.Errorf("the picture is not drawn anew at once: %v", err)
	}
}
