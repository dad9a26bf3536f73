package web_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/store"
	"dcdentals.com/caseload/internal/web"
)

// events opens a stream and returns its lines as they come; the channel is closed when the stream ends.
func (h *house) events(r *http.Request) (<-chan string, *http.Response) {
	h.t.Helper()
	resp, err := noRedirects.Do(r)
	must(h.t, err)
	lines := make(chan string, 100)
	go func() {
		defer close(lines)
		defer resp.Body.Close()
		for scan := bufio.NewScanner(resp.Body); scan.Scan(); {
			lines <- scan.Text()
		}
	}()
	return lines, resp
}

// awaits reads lines until one begins with the prefix and returns the rest of it.
func awaits(t *testing.T, lines <-chan string, prefix string) string {
	t.Helper()
	late := time.After(10 * time.Second)
	for {
		select {
		case line, open := <-lines:
			if !open {
				t.Fatalf("the stream ended before %q", prefix)
			}
			if rest, ok := strings.CutPrefix(line, prefix); ok {
				return rest
			}
		case <-late:
			t.Fatalf("no %q within 10 s", prefix)
		}
	}
}

func (h *house) request(as, base, path string) *http.Request {
	r, err := http.NewRequestWithContext(h.t.Context(), "GET", base+path, nil)
	must(h.t, err)
	if as != "" {
		r.Header.Set("Authorization", "Bearer "+h.tokens[as])
	}
	return r
}

// TestWhatHappensAtOneServerIsToldAtTheOther: two servers, each with its own opening of the database,
// as two processes have.
func TestWhatHappensAtOneServerIsToldAtTheOther(t *testing.T) {
	h := open(t)
	c := h.openCase()
	other, err := store.Open(t.Context(), store.Config{URL: h.database, Now: h.clock.now})
	must(t, err)
	t.Cleanup(func() { _ = other.Close() })
	_, second := h.serve(other)
	onCase, resp := h.events(h.request("viewer", second.URL, "/api/v1/cases/"+c.ID+"/live"))
	onList, _ := h.events(h.request("viewer", second.URL, "/live/cases"))
	foreign, _ := h.events(h.request("foreign-admin", second.URL, "/live/cases"))
	if resp.Header.Get("Content-Type") != "text/event-stream" || awaits(t, onCase, "retry: ") != "2000" {
		t.Fatalf("the stream is %v", resp.Header)
	}
	first := awaits(t, onCase, "data: ")
	awaits(t, onList, "data: ")
	awaits(t, foreign, "data: ")

	begun := time.Now()
	h.stored(c.ID, "a.txt", []byte("hello")) // through the first server
	if second := awaits(t, onCase, "data: "); second == first {
		t.Errorf("told %s again", second)
	}
	t.Logf("told after %s", time.Since(begun).Round(time.Millisecond))
	awaits(t, onList, "data: ")
	select {
	case line := <-foreign:
		if strings.HasPrefix(line, "event") {
			t.Error("another organization is told of it")
		}
	default:
	}
}

func TestTheClientFollowsACase(t *testing.T) {
	h := open(t)
	c := h.openCase()
	revisions := make(chan int64, 10)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.client("viewer").FollowCase(ctx, c.ID, func(n int64) { revisions <- n }) }()
	first := <-revisions
	h.plan(c.ID, "a.txt", 5)
	if second := <-revisions; second <= first {
		t.Errorf("after %d came %d", first, second)
	}
	cancel()
	<-ended
}

func TestStreamEndsWithItsSessionAndDoesNotKeepItAlive(t *testing.T) {
	h := open(t)
	h.server.SetHeartbeat(20 * time.Millisecond)
	b := h.browser()
	secret := sessionCookie(t, h.signIn(b, "member@clinic.example"))
	r := h.request("", h.http.URL, "/live/cases")
	r.AddCookie(secret)
	lines, _ := h.events(r)
	awaits(t, lines, ": here")
	h.clock.advance(10 * time.Minute)
	awaits(t, lines, ": here")
	h.clock.advance(6 * time.Minute) // 16 in all: the heartbeats in between were no use of the session
	ended(t, lines)

	stream, _ := h.events(h.request("viewer", h.http.URL, "/live/cases"))
	awaits(t, stream, ": here")
	u := h.users["viewer"]
	must(t, h.store.ChangeUser(t.Context(), h.users["admin"], u.ID, u.Name, caseload.Viewer, true))
	ended(t, stream)
}

func ended(t *testing.T, lines <-chan string) {
	t.Helper()
	late := time.After(10 * time.Second)
	for {
		select {
		case _, open := <-lines:
			if !open {
				return
			}
		case <-late:
			t.Fatal("the stream goes on")
		}
	}
}

func TestStreamsOfOneUserAreBoundedAndEndWithTheServer(t *testing.T) {
	h := open(t)
	var streams []<-chan string
	for range 32 {
		lines, resp := h.events(h.request("viewer", h.http.URL, "/live/cases"))
		if resp.StatusCode != 200 {
			t.Fatalf("stream %d answered %d", len(streams)+1, resp.StatusCode)
		}
		streams = append(streams, lines)
	}
	if resp, _ := h.ask("viewer", "GET", "/live/cases", "", ""); resp.StatusCode != 429 {
		t.Errorf("the 33rd stream answered %d", resp.StatusCode)
	}
	if h.server.Watched() != 32 {
		t.Errorf("%d streams are counted", h.server.Watched())
	}
	h.server.Close()
	for _, lines := range streams {
		ended(t, lines)
	}
}

// TestAnUploadThatStandsStillIsCut: a client that stops in mid-body does not hold its connection for ever.
func TestAnUploadThatStandsStillIsCut(t *testing.T) {
	defer web.SetUploadPace(200*time.Millisecond, 200*time.Millisecond)()
	h := open(t)
	f := h.plan(h.openCase().ID, "a.txt", 5)
	conn, err := net.Dial("tcp", strings.TrimPrefix(h.http.URL, "http://"))
	must(t, err)
	defer conn.Close()
	fmt.Fprintf(conn, "PUT /api/v1/files/%s/content HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Length: 5\r\n"+
		"X-Amz-Checksum-Crc64nvme: %s\r\n\r\nhel", f.ID, h.tokens["member"], crcOf(t, []byte("hello")))
	must(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	must(t, err)
	defer resp.Body.Close()
	if resp.StatusCode < 400 {
		t.Fatalf("answered %d", resp.StatusCode)
	}
	after, err := h.client("member").SendFile(t.Context(), f, strings.NewReader("hello"), api.Upload{})
	must(t, err)
	if after.State != "stored" {
		t.Fatalf("sent again it ended as %s", after.State)
	}
}

// TestADownloadNobodyTakesIsCut: a client that asks for a large file and takes nothing of it does not hold its connection
// for ever.
func TestADownloadNobodyTakesIsCut(t *testing.T) {
	defer web.SetUploadPace(200*time.Millisecond, 200*time.Millisecond)()
	h := open(t)
	const size = 48 << 20 // more than both ends of a connection keep
	f, err := h.client("member").UploadFile(t.Context(), h.openCase().ID, "large.bin", bytes.NewReader(pattern(size, 'x')), size, api.Upload{})
	must(t, err)
	resp, _ := h.ask("member", "GET", "/api/v1/files/"+f.ID+"/content", "", "")
	at, err := url.Parse(resp.Header.Get("Location"))
	must(t, err)
	conn, err := net.Dial("tcp", at.Host)
	must(t, err)
	defer conn.Close()
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", at.RequestURI(), at.Host)
	line := regexp.MustCompile(`"method":"GET","route":"/\{bucket\}/\{key\}","status":200`)
	for tick, late := time.NewTicker(20*time.Millisecond), time.After(20*time.Second); !line.MatchString(h.log.String()); {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("the server goes on with an answer that nobody takes")
		}
	}
	must(t, conn.SetReadDeadline(time.Now().Add(20*time.Second)))
	if n, _ := io.Copy(io.Discard, conn); n == 0 || n >= size {
		t.Errorf("%d of %d bytes came", n, size)
	}
}
