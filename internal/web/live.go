package web

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// Live streams (https://html.spec.whatwg.org/multipage/server-sent-events.html).
const (
	livePoll      = 300 * time.Millisecond // how often the database is asked while somebody looks
	liveHeartbeat = 15 * time.Second       // a comment keeps proxies from closing the stream; the session is looked at
	liveWrite     = 10 * time.Second       // a client that does not take an event for this long is dropped
	liveRetry     = 2000                   // ms until a browser comes back after a stream ended
	liveStreams   = 32                     // of one user at once
)

// revisions is what the hub asks of the database: one number that grows with every change.
type revisions interface {
	Revisions(ctx context.Context, cases []caseload.CaseID) (map[caseload.CaseID]int64, error)
	OrganizationRevision(ctx context.Context, ids []caseload.OrganizationID) (map[caseload.OrganizationID]int64, error)
}

// hub tells watchers of changes. It polls the database, so it sees what other processes do, asks for all watchers at
// once, and asks nothing while nobody looks.
type hub struct {
	source    revisions
	log       *slog.Logger
	heartbeat time.Duration

	mu       sync.Mutex
	watchers map[*watcher]struct{}
	perUser  map[caseload.UserID]int
	polling  bool
	closed   chan struct{}
	once     sync.Once
}

// watcher is one live stream: of one case, or of the whole organization when the case is "".
type watcher struct {
	user         caseload.UserID
	organization caseload.OrganizationID
	of           caseload.CaseID
	last         int64 // revision last told, or -1; only the poller touches it once it polls
	changed      chan int64
}

func newHub(source revisions, log *slog.Logger) *hub {
	return &hub{
		source: source, log: log, heartbeat: liveHeartbeat, watchers: map[*watcher]struct{}{}, perUser: map[caseload.UserID]int{}, closed: make(chan struct{}),
	}
}

// watch begins a stream; the caller ends it with leave. TooMany when the user has too many.
func (h *hub) watch(user caseload.User, id caseload.CaseID) (*watcher, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.perUser[user.ID] >= liveStreams {
		return nil, retryAfter(caseload.Errorf(caseload.TooMany, "Too many pages are open at once.").WithHint("Close some of them."), time.Minute)
	}
	w := &watcher{user: user.ID, organization: user.Organization, of: id, last: -1, changed: make(chan int64, 1)}
	h.watchers[w] = struct{}{}
	h.perUser[user.ID]++
	if !h.polling {
		h.polling = true
		go h.poll()
	}
	return w, nil
}

func (h *hub) leave(w *watcher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.watchers, w)
	if h.perUser[w.user]--; h.perUser[w.user] <= 0 {
		delete(h.perUser, w.user)
	}
}

// streams counts the live streams.
func (h *hub) streams() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.watchers)
}

func (h *hub) close() { h.once.Do(func() { close(h.closed) }) }

// poll runs while somebody looks.
func (h *hub) poll() {
	tick := time.NewTicker(livePoll)
	defer tick.Stop()
	failing := false
	for {
		watching := h.current()
		if watching == nil {
			return
		}
		err := h.tell(watching)
		if err != nil && !failing { // once, not three times a second
			h.log.Warn("live pages cannot be told of changes for now", "error", err)
		}
		failing = err != nil
		select {
		case <-tick.C:
		case <-h.closed:
			return
		}
	}
}

// current returns the watchers; nil, and polling is over, when there are none.
func (h *hub) current() []*watcher {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.watchers) == 0 {
		h.polling = false
		return nil
	}
	watching := make([]*watcher, 0, len(h.watchers))
	for w := range h.watchers {
		watching = append(watching, w)
	}
	return watching
}

// tell asks for the revisions of everything watched and passes on those that are new.
func (h *hub) tell(watching []*watcher) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	cases, organizations := map[caseload.CaseID]int64{}, map[caseload.OrganizationID]int64{}
	for _, w := range watching {
		if w.of != "" {
			cases[w.of] = 0
		} else {
			organizations[w.organization] = 0
		}
	}
	var err error
	if len(cases) > 0 {
		if cases, err = h.source.Revisions(ctx, keys(cases)); err != nil {
			return fmt.Errorf("ask revisions of cases: %w", err)
		}
	}
	if len(organizations) > 0 {
		if organizations, err = h.source.OrganizationRevision(ctx, keys(organizations)); err != nil {
			return fmt.Errorf("ask revisions of organizations: %w", err)
		}
	}
	for _, w := range watching {
		now := cases[w.of]
		if w.of == "" {
			now = organizations[w.organization]
		}
		if now != w.last {
			w.last = now
			w.push(now)
		}
	}
	return nil
}

// push leaves the newest revision for the stream; one it has not taken yet is replaced.
func (w *watcher) push(revision int64) {
	select {
	case <-w.changed:
	default:
	}
	w.changed <- revision // the poller is the only sender and has just made room
}

func keys[K comparable](m map[K]int64) []K {
	list := make([]K, 0, len(m))
	for k := range m {
		list = append(list, k)
	}
	return list
}

// followCase streams the changes of one case to whoever may see it.
func (s *Server) followCase(w http.ResponseWriter, r *http.Request) error {
	id, err := caseID(r)
	if err != nil {
		return err
	}
	if _, err := s.Store.Case(r.Context(), s.user(r), id); err != nil {
		return err
	}
	return s.follow(w, r, id)
}

// followCases streams the changes of the whole organization.
func (s *Server) followCases(w http.ResponseWriter, r *http.Request) error { return s.follow(w, r, "") }

// events is a stream of server-sent events to one client. Each method tells whether the client took what was written.
type events struct {
	to      http.ResponseWriter
	control *http.ResponseController
}

// openEvents writes the head of a stream and how long a browser waits before it comes back.
func openEvents(w http.ResponseWriter) (e events, going bool) {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	e = events{w, http.NewResponseController(w)}
	return e, e.write("retry: %d\n\n", liveRetry)
}

// changed sends a "change" event with a revision.
func (e events) changed(revision int64) bool {
	return e.write("event: change\nid: %d\ndata: {\"revision\":%d}\n\n", revision, revision)
}

// beat sends a comment, which keeps proxies from closing the stream.
func (e events) beat() bool { return e.write(": here\n\n") }

func (e events) write(format string, args ...any) bool {
	if err := e.control.SetWriteDeadline(time.Now().Add(liveWrite)); err != nil {
		return false
	}
	if _, err := fmt.Fprintf(e.to, format, args...); err != nil {
		return false
	}
	return e.control.Flush() == nil
}

// follow streams "change" events until the client leaves, its session ends or the server stops. The first event comes
// at once and tells where things stand.
func (s *Server) follow(w http.ResponseWriter, r *http.Request, id caseload.CaseID) error {
	watching, err := s.live.watch(s.user(r), id)
	if err != nil {
		return err
	}
	defer s.live.leave(watching)
	stream, going := openEvents(w)
	beat := time.NewTicker(s.live.heartbeat)
	defer beat.Stop()
	for going {
		select {
		case revision := <-watching.changed:
			going = stream.changed(revision)
		case <-beat.C:
			going = s.stillKnown(r) && stream.beat()
		case <-r.Context().Done():
			return nil
		case <-s.live.closed:
			return nil
		}
	}
	return nil
}
