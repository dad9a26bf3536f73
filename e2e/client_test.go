package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/crc64"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/api"
)

// person is someone who uses a site through the API.
type person struct {
	base, token string
}

const password = "correct horse battery staple"

// newAdmin makes the first administrator and a token that acts as him.
func (s *site) newAdmin() person {
	s.t.Helper()
	s.run(password+"\n", "user", "add", "admin@clinic.example", "--organization", "Clinic", "--role", "admin")
	return person{s.url(), strings.TrimSpace(s.run("", "token", "create", "admin@clinic.example"))}
}

// at is the same person at another web process.
func (p person) at(base string) person { return person{base, p.token} }

// client is the Go client acting as the person.
func (p person) client() *api.Client { return &api.Client{Base: p.base, Token: p.token} }

// call makes one request of the API; an answer from 400 on is an *api.Problem.
func (p person) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(ctx, method, p.base+"/api/v1"+path, body)
	if err != nil {
		return err
	}
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	return p.send(r, out)
}

func (p person) send(r *http.Request, out any) error {
	r.Header.Set("Authorization", "Bearer "+p.token)
	answer, err := quick.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode >= 400 {
		problem := &api.Problem{Status: answer.StatusCode}
		if json.Unmarshal(b, problem) != nil {
			problem.Detail = string(b)
		}
		return problem
	}
	if out == nil || len(b) == 0 {
		return nil
	}
	return json.Unmarshal(b, out)
}

func (p person) newCase(t testing.TB, number, patient string) string {
	t.Helper()
	var c struct {
		ID string `json:"id"`
	}
	if err := p.call(t.Context(), "POST", "/cases", map[string]string{"number": number, "patient": patient}, &c); err != nil {
		t.Fatal(err)
	}
	return c.ID
}

// plan asks for one file.
func (p person) plan(ctx context.Context, caseID, name string, size int) (api.File, error) {
	var planned api.Planned
	in := api.Plan{Files: []api.FileSpec{{Name: name, Size: int64(size)}}}
	if err := p.call(ctx, "POST", "/cases/"+caseID+"/files", in, &planned); err != nil {
		return api.File{}, err
	}
	if len(planned.Files) != 1 {
		return api.File{}, fmt.Errorf("%d answers for one file", len(planned.Files))
	}
	if planned.Files[0].Error != nil {
		return api.File{}, planned.Files[0].Error
	}
	return *planned.Files[0].File, nil
}

// put sends a small file; the answer is the acknowledgement.
func (p person) put(ctx context.Context, id string, content []byte) (f api.File, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, p.base+"/api/v1/files/"+id+"/content", bytes.NewReader(content))
	if err != nil {
		return f, err
	}
	r.Header.Set("Content-Type", "application/octet-stream")
	r.Header.Set("x-amz-checksum-crc64nvme", crc64nvme(content))
	return f, p.send(r, &f)
}

// sendParts sends the parts of a direct file that the store does not hold yet, signing each just before.
func (p person) sendParts(ctx context.Context, f api.File, content []byte) error {
	var held api.Parts
	if err := p.call(ctx, "GET", "/files/"+f.ID+"/parts", nil, &held); err != nil {
		return err
	}
	have := map[int]string{}
	for _, part := range held.Parts {
		have[part.Number] = part.CRC64NVME
	}
	for n := 1; n <= f.Parts; n++ {
		piece := content[int64(n-1)*f.PartSize : min(int64(n)*f.PartSize, int64(len(content)))]
		if have[n] == crc64nvme(piece) {
			continue
		}
		if err := p.sendPart(ctx, f.ID, n, piece); err != nil {
			return err
		}
	}
	return nil
}

func (p person) sendPart(ctx context.Context, id string, n int, piece []byte) error {
	var signed api.SignedParts
	in := api.SignParts{Parts: []api.PartSpec{{Number: n, CRC64NVME: crc64nvme(piece)}}}
	if err := p.call(ctx, "POST", "/files/"+id+"/parts", in, &signed); err != nil {
		return err
	}
	request := signed.Requests[0]
	r, err := http.NewRequestWithContext(ctx, request.Method, request.URL, bytes.NewReader(piece))
	if err != nil {
		return err
	}
	for name, value := range request.Headers {
		r.Header.Set(name, value)
	}
	answer, err := quick.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if b, _ := io.ReadAll(answer.Body); answer.StatusCode != http.StatusOK {
		return fmt.Errorf("part %d: store answered %s: %s", n, answer.Status, b)
	}
	return nil
}

// complete says "done"; the answer is the acknowledgement.
func (p person) complete(ctx context.Context, id string) (f api.File, err error) {
	return f, p.call(ctx, "POST", "/files/"+id+"/complete", nil, &f)
}

// upload sends a whole file by the route the server picks.
func (p person) upload(ctx context.Context, caseID, name string, content []byte) (api.File, error) {
	f, err := p.plan(ctx, caseID, name, len(content))
	if err != nil {
		return f, err
	}
	if f.Route == "small" {
		return p.put(ctx, f.ID, content)
	}
	if err := p.sendParts(ctx, f, content); err != nil {
		return f, err
	}
	return p.complete(ctx, f.ID)
}

func (p person) file(ctx context.Context, id string) (f api.File, err error) {
	return f, p.call(ctx, "GET", "/files/"+id, nil, &f)
}

func (p person) files(ctx context.Context, caseID string) ([]api.File, error) {
	var all api.Files
	err := p.call(ctx, "GET", "/cases/"+caseID+"/files", nil, &all)
	return all.Files, err
}

// download follows the link as a browser does and returns the bytes and the name they come under.
func (p person) download(ctx context.Context, id string) (content []byte, name string, err error) {
	var link api.Link
	if err := p.call(ctx, "GET", "/files/"+id+"/link", nil, &link); err != nil {
		return nil, "", err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, link.URL, nil)
	if err != nil {
		return nil, "", err
	}
	answer, err := quick.Do(r)
	if err != nil {
		return nil, "", err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, "", fmt.Errorf("download: %s", answer.Status)
	}
	content, err = io.ReadAll(answer.Body)
	return content, answer.Header.Get("Content-Disposition"), err
}

// ready waits until a file has been read whole.
func (p person) ready(t testing.TB, id string, within time.Duration) (f api.File) {
	t.Helper()
	await(t, within, "file "+id+" ready", func() (bool, error) {
		var err error
		if f, err = p.file(t.Context(), id); err != nil {
			return false, err
		}
		if f.State == "rejected" || f.State == "abandoned" {
			t.Fatalf("file %s is %s: %s", id, f.State, f.Reason)
		}
		return f.State == "ready", fmt.Errorf("state %s", f.State)
	})
	return f
}

var nvme = crc64.MakeTable(0x9a6c9329ac4bc9b5) // CRC-64/NVME, reflected

func crc64nvme(b []byte) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, crc64.Checksum(b, nvme)))
}

func sha256hex(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
