package doctor

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// What a serving process answers to the doctor alone: PUT takes a body, GET streams one event and stays open. The header
// carries the word of a trial, whose hash stands in the database.
const (
	FrontPath   = "/api/front"
	TrialHeader = "X-Caseload-Trial"
)

// Seen is how a request through the public address came to the server.
type Seen struct {
	Host      string `json:"host"`
	Secure    bool   `json:"secure"`    // cookies are kept to TLS
	Encrypted bool   `json:"encrypted"` // TLS ends at the server itself: no proxy is needed
	Address   string `json:"address"`   // whom it is taken to come from
	Peer      string `json:"peer"`      // who opened the connection
	Forwarded bool   `json:"forwarded"` // Address is what a trusted proxy said
	Received  int64  `json:"received"`  // bytes of the body
	Public    string `json:"public"`    // CASELOAD_PUBLIC_URL of the process that answers
}

// FrontOptions says through what people's browsers reach Caseload.
type FrontOptions struct {
	Public  *url.URL                    // CASELOAD_PUBLIC_URL
	Addr    string                      // where the server listens
	Alive   func(context.Context) error // whether a server of these settings answers here; nil: it is this process
	Trusted []netip.Prefix              // CASELOAD_TRUSTED_PROXIES
	Largest int64                       // bytes of the largest body that passes the server

	// Begin keeps a trial's word in the database, where the server finds it; end removes it.
	Begin func(ctx context.Context) (word string, end func(), err error)

	Roots  *x509.CertPool                                                  // nil: those of the machine
	Dial   func(ctx context.Context, network, at string) (net.Conn, error) // nil: a connection is opened
	Within time.Duration                                                   // for the first event of a stream; 0: 10 s
}

// front is one run of the checks.
type front struct {
	o       FrontOptions
	client  *http.Client
	word    string
	program string // that stands before the server, by its own word: "nginx", "caddy" or ""
}

// forged is an address that nobody has (RFC 5737): who believes that it asks, believes everybody.
const forged = "192.0.2.1"

const bodyWithin = time.Minute // for the large body

// FrontChecks returns the group "front": Caseload is asked at its public address, as browsers ask, and says how the
// request came. https://www.rfc-editor.org/rfc/rfc9110#section-7.6 on what a proxy keeps.
func FrontChecks(o FrontOptions) []Check {
	if o.Within == 0 {
		o.Within = 10 * time.Second
	}
	f := &front{o: o}
	return []Check{{Name: "front.reached", Needs: []string{"database.reachable", "database.schema", "database.rights"}, Run: f.run}}
}

func (f *front) run(ctx context.Context) []Finding {
	reached := Finding{Check: "front.reached", Tried: "Caseload was asked at CASELOAD_PUBLIC_URL, as a browser asks."}
	if f.o.Alive != nil {
		if err := f.o.Alive(ctx); err != nil {
			reached.Level, reached.Got = Note, "Not tried: no server answers at "+f.o.Addr+"."
			reached.Means = "What stands before Caseload can be tried only while it runs."
			return []Finding{reached}
		}
	}
	word, end, err := f.o.Begin(ctx)
	if err != nil {
		return []Finding{failed(reached, err)}
	}
	defer end()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: f.o.Roots}, DialContext: f.o.Dial, ForceAttemptHTTP2: true, ExpectContinueTimeout: 2 * time.Second}
	defer transport.CloseIdleConnections()
	f.word = word
	f.client = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

	got := f.put(ctx, 0, answerWithin)
	if got.seen == nil {
		return []Finding{f.notReached(reached, got)}
	}
	reached.Got = "This Caseload answers."
	found := []Finding{reached, f.settings(*got.seen), f.host(*got.seen), f.scheme(*got.seen), f.address(*got.seen), f.body(ctx), f.live(ctx)}
	return found
}

// frontAnswer is what came back through the public address.
type frontAnswer struct {
	status int
	header http.Header
	body   []byte
	seen   *Seen // nil: it is not the server's
	err    error
}

// put sends a body of that many zeros.
func (f *front) put(ctx context.Context, size int64, within time.Duration) frontAnswer {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	r, err := f.request(ctx, http.MethodPut, io.LimitReader(zeros{}, size))
	if err != nil {
		return frontAnswer{err: err}
	}
	if r.ContentLength = size; size == 0 {
		r.Body = http.NoBody
	} else {
		r.Header.Set("Expect", "100-continue") // who refuses the length says so before the bytes
	}
	response, err := f.client.Do(r)
	if err != nil {
		return frontAnswer{err: err}
	}
	defer func() { _ = response.Body.Close() }()
	body, _ := io.ReadAll(io.LimitReader(response.Body, 64<<10)) // what is cut off is judged by its beginning
	got := frontAnswer{status: response.StatusCode, header: response.Header, body: body}
	var seen Seen
	if got.status == http.StatusOK && json.Unmarshal(body, &seen) == nil && seen.Host != "" {
		got.seen = &seen
	}
	f.standing(response.Header)
	return got
}

func (f *front) request(ctx context.Context, method string, body io.Reader) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, method, f.o.Public.JoinPath(FrontPath).String(), body)
	if err != nil {
		return nil, err
	}
	r.Header.Set(TrialHeader, f.word)
	r.Header.Set("X-Forwarded-For", forged)
	r.Header.Set("Content-Type", "application/octet-stream")
	return r, nil
}

// standing learns which program answers.
func (f *front) standing(h http.Header) {
	said := strings.ToLower(h.Get("Server") + " " + h.Get("Via"))
	for _, name := range []string{"nginx", "caddy"} {
		if strings.Contains(said, name) {
			f.program = name
		}
	}
}

// paste returns the line for the program that stands before the server; both while it is not known.
func (f *front) paste(nginx, caddy string) string {
	switch f.program {
	case "nginx":
		return nginx
	case "caddy":
		return caddy
	}
	return "# nginx\n" + nginx + "\n# Caddy\n" + caddy
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// notReached says why the answer is not this server's.
func (f *front) notReached(out Finding, got frontAnswer) Finding {
	out.Level = Failure
	out.Means = "People do not reach Caseload."
	if got.err != nil {
		return f.unanswered(out, got.err)
	}
	status := fmt.Sprintf("HTTP %d", got.status)
	to, _ := url.Parse(got.header.Get("Location"))
	problem := strings.HasPrefix(got.header.Get("Content-Type"), "application/problem+json")
	var said struct {
		Field string `json:"field"`
	}
	if problem {
		_ = json.Unmarshal(got.body, &said) // what cannot be read names no field
	}
	switch {
	case got.status/100 == 3 && to != nil && to.Host != "" && to.Hostname() == f.o.Public.Hostname():
		out.Check += ".redirect"
		out.Got, out.Means = status+", which leads to "+to.Scheme+"://"+to.Host+".", "CASELOAD_PUBLIC_URL is not the address that people end up at; signed addresses and CORS rules are made for it."
		out.Fix = &Fix{Say: "Set the address that it leads to.", Command: "CASELOAD_PUBLIC_URL=" + to.Scheme + "://" + to.Host}
	case got.status/100 == 3 && to != nil && to.Host != "":
		out.Check, out.Level = out.Check+".elsewhere", Warning
		out.Got, out.Means = status+", which leads to "+to.Scheme+"://"+to.Host+".", "Something before Caseload sends everybody to a page of its own first. Programs with a token do not get past it."
		out.Fix = &Fix{Say: "Whoever runs it lets /api/ and signed requests through; Caseload signs people in by itself."}
	case problem && said.Field == "host":
		out.Check = "front.host"
		out.Got, out.Means = "Caseload answers, and refuses the host name that the proxy hands on.", "The proxy replaces the Host header."
		out.Fix = f.keepHost()
	case problem && got.status == http.StatusNotFound:
		out.Check += ".other"
		out.Got, out.Means = "Another Caseload answers, or one with another database.", "The public address leads to another deployment than these settings describe."
		out.Fix = &Fix{Say: "Have the proxy lead to this server, or mend CASELOAD_PUBLIC_URL or CASELOAD_DATABASE_URL.", Command: f.lead()}
	case got.status == http.StatusBadGateway || got.status == http.StatusServiceUnavailable || got.status == http.StatusGatewayTimeout:
		out.Check += ".gateway"
		out.Got, out.Means = status+" from what stands before Caseload.", "The proxy is there and does not reach Caseload."
		out.Fix = &Fix{Say: "Have the proxy lead to the address where this server listens.", Command: f.lead()}
	default:
		out.Check += ".intercepted"
		out.Got = status + " from something that is not Caseload."
		out.Fix = &Fix{Say: "Have the public address lead to this server: look at the proxy's host name and its rules, or mend CASELOAD_PUBLIC_URL.", Command: f.lead()}
	}
	return out
}

// lead is the line that leads to the server.
func (f *front) lead() string {
	return f.paste("proxy_pass http://"+f.o.Addr+";", "reverse_proxy "+f.o.Addr)
}

// unanswered says why there is no answer at the public address.
func (f *front) unanswered(out Finding, err error) Finding {
	host := f.o.Public.Hostname()
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	var plain tls.RecordHeaderError
	out.Got = "No answer: " + sayCause(bare(err))
	out.Fix = &Fix{Say: "Look at what stands between this machine and the public address; the page Doctor shows what your browser sees."}
	switch {
	case errors.As(err, &name) && name.IsNotFound:
		out.Check += ".name"
		out.Got = "There is no such name: " + host + "."
		out.Fix.Say = "Whoever runs the name service enters the name, or CASELOAD_PUBLIC_URL is mended."
	case errors.As(err, &certificate):
		out.Check += ".certificate"
		out.Got, out.Means = "Its certificate is not valid here: "+bare(certificate.Err).Error()+".", "Browsers warn people, or refuse, unless they trust its authority."
		out.Fix.Say = "Give the proxy a certificate of this name that browsers trust; if the authority is your own, install it on this machine too."
		var authority x509.UnknownAuthorityError
		if errors.As(err, &authority) { // people's machines may trust what this one does not
			out.Level = Warning
		}
	case errors.As(err, &plain), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		out.Check += ".plain"
		out.Got, out.Means = "It does not speak TLS on this port.", "CASELOAD_PUBLIC_URL says https, and what listens there speaks plain HTTP."
		out.Fix.Say = "Have the proxy end TLS on that port, or mend CASELOAD_PUBLIC_URL."
	case errors.Is(err, syscall.ECONNREFUSED):
		out.Check += ".refused"
		out.Got = "The connection was refused."
		out.Fix.Say = "Start the proxy, or mend CASELOAD_PUBLIC_URL."
	default: // a network that does not lead its own machines back in is common
		out.Level, out.Means = Warning, "From here the public address cannot be reached; people may reach it."
	}
	return out
}

func (f *front) keepHost() *Fix {
	return &Fix{
		Say:     "Whoever runs the proxy has it keep the Host header, the port included.",
		Command: f.paste("proxy_set_header Host $http_host;", "header_up Host {hostport}"),
	}
}

// settings: several processes behind one address must have one address, and so must a command beside them.
func (f *front) settings(seen Seen) Finding {
	out := Finding{Check: "front.settings", Tried: "Caseload was asked for its own CASELOAD_PUBLIC_URL.", Got: "It is the same as here."}
	if seen.Public == "" || strings.EqualFold(strings.TrimSuffix(seen.Public, "/"), f.o.Public.Scheme+"://"+f.o.Public.Host) {
		return out
	}
	out.Level, out.Got = Warning, "It is "+seen.Public+", and here "+f.o.Public.Scheme+"://"+f.o.Public.Host+"."
	out.Means = "The processes of this deployment have different settings: links and signed addresses lead elsewhere, by which process makes them."
	out.Fix = &Fix{Say: "Give every process the same settings, and start those again that have others; `caseload config` shows what each has."}
	return out
}

// host: requests to the embedded store are signed for the host that the browser sees.
func (f *front) host(seen Seen) Finding {
	out := Finding{Check: "front.host", Tried: "Caseload was asked which host it was asked for.", Got: "The host is kept."}
	if strings.EqualFold(withoutPort(seen.Host, f.o.Public.Scheme), withoutPort(f.o.Public.Host, f.o.Public.Scheme)) {
		return out
	}
	public := f.o.Public.Host
	out.Level, out.Got = Failure, "Caseload sees "+seen.Host+" in place of "+public+"."
	out.Means, out.Fix = "The proxy replaces the Host header. Signed requests fail with SignatureDoesNotMatch, and cookies and links are made for the wrong host.", f.keepHost()
	return out
}

// withoutPort takes away the port that the scheme has anyway.
func withoutPort(host, scheme string) string {
	return strings.TrimSuffix(host, map[string]string{"https": ":443", "http": ":80"}[scheme])
}

// scheme: behind TLS, cookies must be kept to TLS.
func (f *front) scheme(seen Seen) Finding {
	out := Finding{Check: "front.scheme", Tried: "Caseload was asked whether it takes the request for one over TLS.", Got: "The scheme is known."}
	if f.o.Public.Scheme != "https" || seen.Secure {
		return out
	}
	out.Level, out.Got = Failure, "Caseload takes the request for one over plain HTTP."
	out.Means = "Cookies are not kept to TLS: who makes a browser send one request in the clear has the session."
	out.Fix = f.believe(seen, "proxy_set_header X-Forwarded-Proto $scheme;", "header_up X-Forwarded-Proto {scheme}")
	return out
}

// address: limits and the audit log go by where a request comes from.
func (f *front) address(seen Seen) Finding {
	out := Finding{Check: "front.address", Tried: "Caseload was asked whom it takes the request to come from.", Got: "The address of whoever asks is known, and cannot be forged."}
	if f.o.Public.Scheme != "https" || seen.Encrypted { // nothing need stand between
		out.Got = "The address of whoever asks is known."
		return out
	}
	const nginx, caddy = "proxy_set_header X-Forwarded-For $remote_addr;", "header_up X-Forwarded-For {remote_host}"
	switch {
	case seen.Forwarded && seen.Address == forged:
		out.Level, out.Got = Warning, "An address that the request made up was believed."
		out.Means = "The proxy hands on the X-Forwarded-For that anybody sends: who guesses passwords passes the limits, and the audit log says what he likes."
		out.Fix = &Fix{Say: "Whoever runs the proxy has it set X-Forwarded-For itself.", Command: f.paste(nginx, caddy)}
	case !seen.Forwarded:
		out.Level, out.Got = Warning, "Everybody seems to come from "+seen.Peer+", the proxy."
		out.Means = "Limits by address count all people as one, and the audit log does not know where somebody came from."
		out.Fix = f.believe(seen, nginx, caddy)
	}
	return out
}

// believe is the fix for a header that did not come or is not believed: which of both is known from the settings.
func (f *front) believe(seen Seen, nginx, caddy string) *Fix {
	peer, err := netip.ParseAddr(seen.Peer)
	for _, p := range f.o.Trusted {
		if err == nil && p.Contains(peer.Unmap()) {
			return &Fix{Say: "Whoever runs the proxy has it send the header.", Command: f.paste(nginx, caddy)}
		}
	}
	fix := &Fix{Say: "Name the proxy's network where Caseload's settings are, and have the proxy send X-Forwarded-For and X-Forwarded-Proto."}
	if err == nil {
		fix.Command = "CASELOAD_TRUSTED_PROXIES=" + netip.PrefixFrom(peer.Unmap(), peer.Unmap().BitLen()).String()
	}
	return fix
}

// body sends as much as a file of the small route may have.
func (f *front) body(ctx context.Context) Finding {
	out := Finding{Check: "front.body", Tried: fmt.Sprintf("A body of %d bytes was sent, the most that goes through Caseload at once.", f.o.Largest), Got: "It arrived whole."}
	got := f.put(ctx, f.o.Largest, bodyWithin)
	if got.seen != nil && got.seen.Received == f.o.Largest {
		return out
	}
	out.Level = Failure
	out.Means = "Files of the small route do not get through."
	out.Fix = &Fix{Say: "Whoever runs the proxy lifts its limits on bodies and on their time; Caseload has its own, and says what they are.", Command: f.paste("client_max_body_size 0;", "request_body {\n\tmax_size 5GB\n}")}
	switch {
	case errors.Is(got.err, context.DeadlineExceeded):
		out.Level, out.Got, out.Means, out.Fix = Note, "It had not arrived after "+shortly(bodyWithin)+".", "The way from this machine to the public address is slow, so this is not known.", nil
	case got.err != nil:
		out.Got = "The connection was cut: " + sayCause(bare(got.err))
	case got.status == http.StatusRequestEntityTooLarge:
		out.Check += ".limit"
		out.Got = "413: what stands before Caseload refuses bodies of this size. nginx takes 1 MiB unless it is told otherwise."
	case got.seen != nil:
		out.Got = fmt.Sprintf("Caseload has %d bytes of it.", got.seen.Received)
	default:
		out.Got = fmt.Sprintf("HTTP %d from what stands before Caseload.", got.status)
	}
	return out
}

// live waits for the first event of a stream that stays open.
// https://html.spec.whatwg.org/multipage/server-sent-events.html
func (f *front) live(ctx context.Context) Finding {
	out := Finding{Check: "front.live", Tried: "A stream of events was opened; the first must arrive while it is open.", Got: "It arrived at once."}
	ctx, cancel := context.WithTimeout(ctx, f.o.Within)
	defer cancel()
	r, err := f.request(ctx, http.MethodGet, http.NoBody)
	if err != nil {
		return failed(out, err)
	}
	r.Header.Set("Accept", "text/event-stream")
	response, err := f.client.Do(r)
	if err == nil {
		defer func() { _ = response.Body.Close() }()
		lines := bufio.NewScanner(response.Body)
		for lines.Scan() {
			if bytes.HasPrefix(lines.Bytes(), []byte("data: ")) {
				return out
			}
		}
		err = lines.Err()
	}
	out.Level = Failure
	out.Means = "Pages do not learn of changes, and people see old states."
	out.Fix = &Fix{Say: "Whoever runs the proxy has it hand on answers as they come, neither collected nor compressed.", Command: f.paste("proxy_buffering off;", "flush_interval -1")}
	out.Got = "The stream ended without an event."
	if errors.Is(err, context.DeadlineExceeded) {
		out.Check += ".held"
		out.Got = "Nothing had arrived after " + shortly(f.o.Within) + ": something collects the answer."
	}
	return out
}
