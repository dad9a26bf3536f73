package web_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/doctor"
	"dcdentals.com/caseload/internal/web"
)

// examining is a deployment whose examination says one thing and then waits until it is let go on.
type examining struct {
	runs atomic.Int64
	goOn chan struct{}
}

func (e *examining) examine(ctx context.Context, said func(doctor.Finding)) doctor.Report {
	e.runs.Add(1)
	find := func(f doctor.Finding) doctor.Check {
		return doctor.Check{Name: f.Check, Run: func(context.Context) []doctor.Finding { return []doctor.Finding{f} }}
	}
	wait := doctor.Check{Name: "network.wait", Run: func(ctx context.Context) []doctor.Finding {
		select {
		case <-e.goOn:
		case <-ctx.Done():
		}
		return nil
	}}
	return doctor.Run(ctx, []doctor.Check{
		find(doctor.Finding{Check: "config.settings", Tried: "The settings were read and compared with each other.", Got: "Every setting is well formed, and they fit together."}),
		wait,
		find(doctor.Finding{
			Check: "cors.origin", Level: doctor.Failure, Tried: "A preflight <b>was</b> sent.", Got: "It was refused.", Means: "Browsers cannot send.",
			Fix: &doctor.Fix{Say: "Apply the rule.", Command: "caseload bucket cors apply", Document: `{"CORSRules": []}`},
		}),
	}, said)
}

// examined asks for the report, held against the OpenAPI document.
func (h *house) examined(as string) (*http.Response, string) {
	h.t.Helper()
	return send(h.t, &http.Client{Transport: checkedTransport(h.t, h.http.URL)}, h.request(as, h.http.URL, "/api/v1/doctor"))
}

// Ten administrators who ask at once get one examination, and so does who asks right after it.
func TestTheDeploymentIsExaminedOnceAtATime(t *testing.T) {
	e := &examining{goOn: make(chan struct{})}
	h := open(t, func(c *web.Config) { c.Examine = e.examine })
	answers := make(chan string, 10)
	for range cap(answers) {
		go func() {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.http.URL+"/api/v1/doctor", nil)
			if err != nil {
				answers <- err.Error()
				return
			}
			r.Header.Set("Authorization", "Bearer "+h.tokens["admin"])
			response, err := http.DefaultClient.Do(r)
			if err != nil {
				answers <- err.Error()
				return
			}
			defer response.Body.Close()
			b, _ := io.ReadAll(response.Body)
			answers <- string(b)
		}()
	}
	close(e.goOn)
	first := <-answers
	for range cap(answers) - 1 {
		if next := <-answers; next != first {
			t.Errorf("another answer: %s", next)
		}
	}
	if _, again := h.examined("admin"); again != first || e.runs.Load() != 1 {
		t.Errorf("examined %d times", e.runs.Load())
	}
	var report struct {
		Worst    string
		Findings []struct{ Check, Level string }
	}
	if err := json.Unmarshal([]byte(first), &report); err != nil || report.Worst != "failure" || len(report.Findings) != 2 {
		t.Errorf("%v %s", err, first)
	}
	h.clock.advance(11 * time.Second)
	if _, again := h.examined("admin"); again == first || e.runs.Load() != 2 {
		t.Errorf("after a while: examined %d times", e.runs.Load())
	}
	if response, _ := h.examined("member"); response.StatusCode != http.StatusForbidden {
		t.Errorf("a member was answered %d", response.StatusCode)
	}
}

// The page shows each finding as it comes, the worst group first, in the reader's language, with what is pasted as text.
func TestThePageShowsWhatWasFound(t *testing.T) {
	e := &examining{goOn: make(chan struct{})}
	h := open(t, func(c *web.Config) { c.Examine = e.examine })
	admin := h.browser()
	h.signIn(admin, h.users["admin"].Email)
	look := func(language string) string {
		r := h.request("", h.http.URL, "/doctor")
		r.Header.Set("Accept-Language", language)
		_, page := send(t, admin, r)
		return page
	}
	if page := look("en"); !strings.Contains(page, "Not examined yet") {
		t.Error("before the first examination the page does not say so")
	}
	response, err := admin.PostForm(h.http.URL+"/doctor", nil)
	must(t, err)
	_ = response.Body.Close()
	lines, _ := h.events(h.request("admin", h.http.URL, "/live/doctor"))
	hear := func(turn string) {
		for awaits(t, lines, "id: ") != turn {
		}
	}
	hear("2") // it has begun, and found the first
	if page := look("en"); !strings.Contains(page, "Examining …") || !strings.Contains(page, "config.settings") || strings.Contains(page, "cors.origin") {
		t.Error("while it goes on, the page does not show what was found so far")
	}
	close(e.goOn)
	hear("4")
	page := look("en")
	if cors, config := strings.Index(page, `id="group-cors"`), strings.Index(page, `id="group-config"`); cors < 0 || config < cors {
		t.Error("the worst group does not stand first")
	}
	for _, want := range []string{"Something does not work.", "1 failure · 1 fine", "A preflight &lt;b&gt;was&lt;/b&gt; sent.", "caseload bucket cors apply", `data-copy="#document-cors-1"`, "{&#34;CORSRules&#34;: []}"} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not on the page", want)
		}
	}
	page = look("ko")
	for _, want := range []string{"작동하지 않는 것이 있습니다.", "모든 설정이 올바르고 서로 맞습니다.", `<span lang="en">Browsers cannot send.</span>`} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not on the Korean page", want)
		}
	}
}
