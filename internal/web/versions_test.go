package web_test

import (
	"fmt"
	"strings"
	"testing"

	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/caseload"
)

// Whatever way a corrected file comes in, it takes the place of the first one.
func TestANewVersionComesInByEveryWay(t *testing.T) {
	ways := map[string]func(h *house, c api.Case, old api.File) string{
		"the API, by choice": func(h *house, c api.Case, old api.File) string {
			return h.replace(c.ID, api.FileSpec{Name: "other.stl", Size: 3, Replaces: old.ID}, "two")
		},
		"the API, by name": func(h *house, c api.Case, old api.File) string {
			return h.replace(c.ID, api.FileSpec{Name: "crown.stl", Size: 3}, "two")
		},
		"the uploader, by choice": func(h *house, c api.Case, old api.File) string {
			return h.send(&api.Uploader{Client: h.client("member"), Case: c.ID, Replaces: old.ID}, "other.stl", "two")
		},
		"the uploader, by name": func(h *house, c api.Case, old api.File) string {
			return h.send(&api.Uploader{Client: h.client("member"), Case: c.ID}, "crown.stl", "two")
		},
		"Uppy in parts, by choice": func(h *house, c api.Case, old api.File) string {
			u := companionOf(h, "member", c.ID)
			var begun struct{ Key string }
			u.must("POST", "/multipart", fmt.Sprintf(`{"filename":"other.stl","type":"","metadata":{"size":3,"replaces":%q}}`, old.ID), &begun)
			u.complete(begun.Key, u.part(begun.Key, 1, []byte("two")))
			return begun.Key
		},
		"Uppy in parts, by name": func(h *house, c api.Case, old api.File) string {
			u := companionOf(h, "member", c.ID)
			key := u.begin("crown.stl", "3")
			u.complete(key, u.part(key, 1, []byte("two")))
			return key
		},
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			h := open(t)
			c := h.openCase()
			old := h.stored(c.ID, "crown.stl", []byte("one"))
			h.readAs(old.ID, caseload.Ready)
			two := way(h, c, old)
			h.readAs(two, caseload.Ready)
			versions, err := h.client("viewer").Versions(t.Context(), old.ID)
			must(t, err)
			if len(versions) != 2 || versions[0].ID != two || versions[1].ID != old.ID || versions[0].Superseded || !versions[1].Superseded || versions[0].Family != versions[1].Family {
				t.Fatalf("versions: %+v", versions)
			}
			listed, err := h.client("viewer").Files(t.Context(), c.ID)
			must(t, err)
			if len(listed) != 1 || listed[0].ID != two {
				t.Errorf("listed: %+v", listed)
			}
		})
	}
}

func (h *house) replace(caseID string, spec api.FileSpec, content string) string {
	h.t.Helper()
	planned, err := h.client("member").Plan(h.t.Context(), caseID, "", []api.FileSpec{spec})
	must(h.t, err)
	if planned.Files[0].Error != nil {
		h.t.Fatal(planned.Files[0].Error)
	}
	h.put(planned.Files[0].File.ID, []byte(content))
	return planned.Files[0].File.ID
}

// send sends one file by the Go uploader and returns the id of what became of it.
func (h *house) send(u *api.Uploader, name, content string) string {
	h.t.Helper()
	known := map[string]bool{}
	before, err := u.Client.Files(h.t.Context(), u.Case)
	must(h.t, err)
	for _, f := range before {
		known[f.ID] = true
	}
	outcome, err := u.Run(h.t.Context(), []api.Source{{Name: name, Size: int64(len(content)), Open: func() (api.Body, error) { return body{strings.NewReader(content)}, nil }}})
	must(h.t, err)
	if outcome.Stored != 1 {
		h.t.Fatalf("sent: %+v", outcome)
	}
	after, err := u.Client.Files(h.t.Context(), u.Case)
	must(h.t, err)
	for _, f := range after {
		if !known[f.ID] {
			return f.ID
		}
	}
	h.t.Fatal("the file is not listed")
	return ""
}

// body is a file in memory.
type body struct{ *strings.Reader }

func (body) Close() error { return nil }

func (body) Unchanged() error { return nil }

func TestOnlyAReceivedFileOfTheSameCaseCanBeReplaced(t *testing.T) {
	h := open(t)
	c, other := h.openCase(), h.openCase()
	elsewhere := h.stored(other.ID, "a.stl", []byte("one"))
	arriving := h.plan(c.ID, "b.stl", 3)
	gone := h.stored(c.ID, "c.stl", []byte("one"))
	must(t, h.client("member").DeleteFile(t.Context(), gone.ID))
	for name, id := range map[string]string{
		"another case's": elsewhere.ID, "one that is arriving": arriving.ID, "a deleted one": gone.ID, "nonsense": "x", "nobody's": string(caseload.NewID[caseload.FileID](h.clock.now())),
	} {
		planned, err := h.client("member").Plan(t.Context(), c.ID, "", []api.FileSpec{{Name: "new.stl", Size: 3, Replaces: id}, {Name: "good.stl", Size: 3}})
		must(t, err)
		if p := planned.Files[0].Error; p == nil || p.Status != 422 && p.Status != 400 || p.Field != "replaces" {
			t.Errorf("%s: %+v", name, p)
		}
		if planned.Files[1].Error != nil {
			t.Errorf("%s: the other file is refused, too: %v", name, planned.Files[1].Error)
		}
	}
}

func TestThePagesShowTheLatestVersionAndTheOlderOnesBeneath(t *testing.T) {
	h := open(t)
	c := h.openCase()
	old := h.stored(c.ID, "crown.stl", []byte("one"))
	h.readAs(old.ID, caseload.Ready)
	two := h.replace(c.ID, api.FileSpec{Name: "crown.stl", Size: 5}, "two, ")
	h.readAs(two, caseload.Ready)
	wants := func(address string, wanted ...string) {
		t.Helper()
		page := h.shown("member", address)
		for _, want := range wanted {
			if has := strings.Contains(page, strings.TrimPrefix(want, "!")); has == strings.HasPrefix(want, "!") {
				t.Errorf("%s: %q: %v", address, want, has)
			}
		}
	}
	wants("/cases/"+c.ID, `href="/files/`+two+`#versions">1 older version<`, "!"+`id="file-`+old.ID)
	wants("/files/"+two, ">Versions<", "/files/"+old.ID+"/download", "/files/"+old.ID+"/receipt", "<file-replace ", "Only this version is deleted", "!This is an older version")
	wants("/files/"+old.ID, "This is an older version", `<a href="/files/`+two+`">Show the latest version`, "!<file-replace ")
	wants("/files/"+h.stored(c.ID, "alone.txt", []byte("x")).ID, "!>Versions<")
}
