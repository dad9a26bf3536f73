package e2e

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"dcdentals.com/caseload/e2e/phantom"
	"dcdentals.com/caseload/internal/api"
)

// previews waits until nothing of the case is waiting any more and returns its previews by what they show.
func (p person) previews(t *testing.T, caseID string, least int) map[string]api.Preview {
	t.Helper()
	by := map[string]api.Preview{}
	await(t, time.Minute, "previews of "+caseID, func() (bool, error) {
		var all api.Previews
		if err := p.call(t.Context(), "GET", "/cases/"+caseID+"/previews", nil, &all); err != nil {
			return false, err
		}
		waiting := 0
		for _, v := range all.Previews {
			what := v.Series + v.File
			if v.Entry > 0 {
				what += fmt.Sprint("#", v.Entry)
			}
			by[what] = v
			if v.State == "waiting" {
				waiting++
			}
		}
		return waiting == 0 && len(by) >= least, fmt.Errorf("%d wait, %d known", waiting, len(by))
	})
	return by
}

// scanOf is a small scan as a ZIP.
func scanOf(t *testing.T) []byte {
	t.Helper()
	var z bytes.Buffer
	if err := (phantom.Scan{Seed: 3, Patient: "Pre^View", ID: "P1", Slices: 40, Size: 64}).WriteZIP(&z); err != nil {
		t.Fatal(err)
	}
	return z.Bytes()
}

// zipOf packs files, by name.
func zipOf(t *testing.T, files map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		e, err := w.Create(name)
		if err == nil {
			_, err = e.Write(files[name])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// boxes is a text STL of n triangles; many take a while to read.
func boxes(n int) []byte {
	var b bytes.Buffer
	b.WriteString("solid boxes\n")
	for i := range n {
		x, y := i%100, i/100
		fmt.Fprintf(&b, "facet normal 0 0 1\nouter loop\nvertex %d %d 0\nvertex %d %d 0\nvertex %d %d 1\nendloop\nendfacet\n", x, y, x+1, y, x, y+1)
	}
	b.WriteString("endsolid boxes\n")
	return b.Bytes()
}

// bombPNG announces 65536 × 65536 pixels.
func bombPNG() []byte {
	header := append([]byte("IHDR"), 0, 1, 0, 0, 0, 1, 0, 0, 8, 6, 0, 0, 0)
	b := append([]byte("\x89PNG\r\n\x1A\n\x00\x00\x00\x0D"), header...)
	return append(binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(header)), make([]byte, 64)...)
}

// What arrives is seen: the planes of a scan, a mesh with its facts; what hurts decoders is named; and the process that
// serves is the same all the while, whatever becomes of the children.
func TestPreviewsArriveAndHostileFilesAreNamed(t *testing.T) {
	for _, engine := range engines() {
		t.Run(engine.name, func(t *testing.T) {
			s := newSite(t, engine.settings(t)...)
			p := s.newAdmin()
			running := s.serve([]string{"serve"})
			caseID := p.newCase(t, "2026-0001", "Previews")
			send := func(name string, content []byte) string {
				f, err := p.upload(t.Context(), caseID, name, content)
				if err != nil {
					t.Fatal(err)
				}
				return f.ID
			}
			send("scan.zip", scanOf(t))
			mesh := send("jaw.stl", boxes(200))
			bomb := send("bomb.png", bombPNG())
			cut := send("cut.jpg", append([]byte{0xFF, 0xD8, 0xFF, 0xE0}, make([]byte, 100)...))
			together := send("together.zip", zipOf(t, map[string][]byte{"a bomb.png": bombPNG(), "b jaw.stl": boxes(50), "c order.pdf": []byte("%PDF-1.7\n1 0 obj << /Type /Pages /Count 3 >> endobj")}))
			by := p.previews(t, caseID, 7)
			for id, want := range map[string]string{bomb: "65536 × 65536", cut: "damaged", together + "#1": "65536 × 65536"} {
				if v := by[id]; v.State != "none" || !strings.Contains(v.Reason, want) {
					t.Errorf("%+v, want a reason of %q", v, want)
				}
				id, _, _ := strings.Cut(id, "#")
				if f := p.ready(t, id, time.Minute); f.State != "ready" {
					t.Errorf("a file without a preview is %s", f.State)
				}
			}
			if v := by[mesh]; v.State != "made" || v.Facts.Triangles != 200 || v.Facts.Closed || len(v.Pictures) != 1 {
				t.Errorf("the mesh: %+v", v)
			}
			if mesh, document := by[together+"#2"], by[together+"#3"]; mesh.Facts.Triangles != 50 || len(mesh.Pictures) != 1 || document.Facts.Pages != 3 {
				t.Errorf("in a ZIP: %+v, %+v", mesh, document)
			}
			planes := 0
			for _, v := range by {
				if v.Series == "" {
					continue
				}
				for _, picture := range v.Pictures {
					r, err := http.NewRequestWithContext(t.Context(), "GET", p.base+picture.Address, nil)
					if err != nil {
						t.Fatal(err)
					}
					r.Header.Set("Authorization", "Bearer "+p.token)
					answer, err := quick.Do(r)
					if err != nil {
						t.Fatal(err)
					}
					if _ = answer.Body.Close(); answer.StatusCode == 200 && answer.Header.Get("Content-Type") == picture.Media {
						planes++
					}
				}
			}
			if planes != 3 {
				t.Errorf("%d planes can be looked at", planes)
			}
			select {
			case <-running.ended:
				t.Fatal("the server ended")
			default:
			}
			if err := running.stop(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// A child that is killed in the middle of its work takes nothing along: the file is ready, the server lives, and the next
// attempt makes the preview.
func TestAKilledDecoderIsTriedAgain(t *testing.T) {
	s := newSite(t)
	p := s.newAdmin()
	running := s.serve([]string{"serve"})
	caseID := p.newCase(t, "2026-0001", "Killed")
	f, err := p.upload(t.Context(), caseID, "large.stl", boxes(150_000))
	if err != nil {
		t.Fatal(err)
	}
	killed := false
	for deadline := time.Now().Add(time.Minute); !killed && time.Now().Before(deadline); {
		if child := childOf(running.cmd.Process.Pid); child != 0 {
			killed = syscall.Kill(child, syscall.SIGKILL) == nil
		}
	}
	if !killed {
		t.Fatal("no child was seen at work")
	}
	if v := p.previews(t, caseID, 1)[f.ID]; v.State != "made" || v.Facts.Triangles != 150_000 {
		t.Fatalf("after the kill: %+v", v)
	}
	if p.ready(t, f.ID, time.Minute).State != "ready" {
		t.Error("the file waits for its preview")
	}
	if log := s.logged(); !strings.Contains(log, "a preview has to wait") && !strings.Contains(log, "crashed") {
		t.Error("the kill met no child at work")
	}
	if err := running.stop(); err != nil {
		t.Fatal(err)
	}
}

// childOf returns the decoder that the process has started, 0 when there is none.
func childOf(pid int) int {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, path := range tasks {
		list, _ := os.ReadFile(path)
		for _, word := range strings.Fields(string(list)) {
			child, _ := strconv.Atoi(word)
			if line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", child)); bytes.Contains(line, []byte("\x00decode\x00")) {
				return child
			}
		}
	}
	return 0
}
