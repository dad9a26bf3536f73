package doctor

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

const (
	askWithin  = 15 * time.Second // one request and its answer
	mostAnswer = 1 << 20          // bytes of an answer that are read
)

// way is how a request to the store is authorized.
type way int

const (
	asServer  way = iota // signed in its header with our credentials
	asBrowser            // sent to a signed address, as browsers do
	asNobody             // not authorized at all
	asLink               // sent to a signed address, at the store's address as the server reaches it
)

// ask is one request to the store.
type ask struct {
	as     way
	method string
	key    caseload.ObjectKey // "": the bucket itself
	query  string             // "uploads", "list-type=2&prefix=x"
	header map[string]string  // signed, when anything is
	body   []byte
	origin string // the page that sends it, as browsers say; never signed

	at       time.Time          // asBrowser: when the address was made; zero: now
	lifetime time.Duration      // asBrowser: how long it is good for; 0: a minute
	length   int                // asBrowser: the signed length when it is not the body's; 0: the body's
	sent     http.Header        // asBrowser: headers that are sent in place of the signed ones
	moved    caseload.ObjectKey // asBrowser: the key it is sent to in place of the signed one; "": the signed one
}

// answer is what came back.
type answer struct {
	status  int // 0: none came
	header  http.Header
	body    []byte
	code    string // S3's own code of an error, "" when there is none
	message string // likewise; it may name the principal and the action
	region  string // that the error names
	signed  string // the canonical request that the store made the signature of, when it refuses ours and says so
	strange bool   // the body is a page or anything else that S3 does not say
	err     error  // why none came
}

func (a answer) ok() bool { return a.err == nil && a.status/100 == 2 && a.code == "" && !a.strange }

// refused tells whether the store itself said no.
func (a answer) refused() bool {
	return a.err == nil && !a.strange && (a.status/100 == 4 || (a.status == http.StatusOK && a.code != "")) // Complete answers 200 before it knows
}

// absent tells whether the store does not have this API at all.
func (a answer) absent() bool {
	return a.status == http.StatusNotImplemented || a.code == "NotImplemented" || (a.status == http.StatusMethodNotAllowed && a.code != "") ||
		a.code == "XNotImplemented" || a.code == "APINotSupported"
}

// isBusy tells an answer that says nothing of the question: none came, or the store has no time.
func (a answer) isBusy() bool {
	return !a.strange && (a.err != nil || a.status == http.StatusTooManyRequests || a.status == http.StatusServiceUnavailable || a.code == "SlowDown")
}

// said is the answer in a few words: "403 AccessDenied", "200", "no answer: …".
func (a answer) said() string {
	switch {
	case a.err != nil:
		return "no answer: " + cause(a.err)
	case a.strange:
		return fmt.Sprintf("%d with a page that no S3 store sends: %q", a.status, excerpt(a.body))
	case a.code != "":
		return fmt.Sprintf("%d %s", a.status, a.code)
	default:
		return fmt.Sprint(a.status)
	}
}

// holds tells whether the answer's document is of that kind.
func (a answer) holds(element string) bool { return bytes.Contains(a.body, []byte("<"+element)) }

// taken and turned are the answer as a sentence, when it is the one that was wished for.
func (a answer) taken() string  { return "It was taken (" + a.said() + ")." }
func (a answer) turned() string { return "It was refused, as it must be (" + a.said() + ")." }

// saidWhole is the answer with the store's own sentence.
func (a answer) saidWhole() string {
	if a.message == "" || a.strange || a.err != nil {
		return a.said()
	}
	return a.said() + ": " + a.message
}

// cause is the innermost words of an error: what a person can do something with.
func cause(err error) string {
	text := err.Error()
	if _, after, found := strings.Cut(text, ": "); found && strings.HasPrefix(text, "The object store cannot be reached") {
		return after
	}
	return text
}

var tags = regexp.MustCompile(`(?s)<(script|style)[^>]*>.*?</(script|style)>|<[^>]*>|\s+`)

// excerpt is the beginning of a page's text.
func excerpt(body []byte) string {
	text := strings.TrimSpace(strings.Join(strings.Fields(tags.ReplaceAllString(string(body), " ")), " "))
	if len(text) > 80 {
		text = strings.ToValidUTF8(text[:80], "") + "…"
	}
	return text
}

// send carries out one request.
func (t *trials) send(ctx context.Context, a ask) answer {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	r, err := t.request(ctx, a)
	if err != nil {
		return answer{err: err}
	}
	got := t.do(r)
	for _, wait := range patience {
		if !t.reached || !got.isBusy() || !a.repeatable(got) {
			break
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done(): // the request below says so
		}
		again, err := t.request(ctx, a) // a signature is of its moment
		if err != nil {
			break
		}
		got = t.do(again)
	}
	key := a.key
	if a.moved != "" {
		key = a.moved
	}
	t.remember(got, a.method, key, a.query)
	return got
}

// patience is how long is waited before a store that has no time is asked once more.
var patience = []time.Duration{100 * time.Millisecond, 400 * time.Millisecond}

// repeatable tells whether asking once more finds what asking once would have: what writes once, and perhaps did, would
// refuse itself.
func (a ask) repeatable(got answer) bool {
	return a.as == asServer && (got.status != 0 || a.method == http.MethodGet || a.method == http.MethodHead || a.method == http.MethodDelete && a.key != "")
}

func (t *trials) do(r *http.Request) answer {
	got, err := t.o.Store.Do(r)
	if err != nil {
		return answer{err: err}
	}
	defer got.Body.Close()
	body, err := io.ReadAll(io.LimitReader(got.Body, mostAnswer))
	if err != nil {
		return answer{err: err}
	}
	return read(got, body)
}

func read(got *http.Response, body []byte) answer {
	a := answer{status: got.StatusCode, header: got.Header, body: body}
	var said struct {
		XMLName xml.Name
		Code    string `xml:"Code"`
		Message string `xml:"Message"`
		Region  string `xml:"Region"`
		Signed  string `xml:"CanonicalRequest"`
	}
	isXML := len(body) > 0 && xml.Unmarshal(body, &said) == nil
	if isXML && said.XMLName.Local == "Error" {
		a.code, a.message, a.region, a.signed = said.Code, said.Message, said.Region, said.Signed
	}
	if named := got.Header.Get("x-amz-bucket-region"); named != "" {
		a.region = named
	}
	page := strings.HasPrefix(got.Header.Get("Content-Type"), "text/html") || (isXML && strings.EqualFold(said.XMLName.Local, "html"))
	a.strange = page || (len(body) > 0 && got.StatusCode >= 300 && !isXML && got.StatusCode != http.StatusNotImplemented && got.StatusCode != http.StatusMethodNotAllowed)
	return a
}

// request makes the HTTP request of an ask, signed in its way.
func (t *trials) request(ctx context.Context, a ask) (*http.Request, error) {
	address, err := t.o.Store.Address(ctx, a.as != asServer && a.as != asLink && !t.inside, a.key)
	if err != nil {
		return nil, err
	}
	address.RawQuery = query(a.query)
	r, err := http.NewRequestWithContext(ctx, a.method, address.String(), bytes.NewReader(a.body))
	if err != nil {
		return nil, err
	}
	for name, value := range a.header {
		r.Header.Set(name, value)
	}
	switch a.as {
	case asServer:
		err = t.o.Store.Sign(ctx, r)
	case asBrowser, asLink:
		err = t.presign(ctx, r, a)
	}
	if err != nil {
		return nil, err
	}
	if a.moved != "" {
		r.URL.Path = strings.TrimSuffix(r.URL.Path, string(a.key)) + string(a.moved)
	}
	for name, values := range a.sent {
		r.Header[name] = values
	}
	if a.origin != "" {
		r.Header.Set("Origin", a.origin)
	}
	return r, nil
}

func (t *trials) presign(ctx context.Context, r *http.Request, a ask) error {
	if a.length != 0 {
		r.ContentLength = int64(a.length)
	}
	at, lifetime := a.at, a.lifetime
	if at.IsZero() {
		at = time.Now()
	}
	if lifetime == 0 {
		lifetime = time.Minute
	}
	if err := t.o.Store.Presign(ctx, r, at, lifetime); err != nil {
		return err
	}
	r.ContentLength = int64(len(a.body))
	return nil
}

// query puts the name of a sub-resource into the form that is signed: "uploads" as "uploads=".
func query(text string) string {
	values, err := url.ParseQuery(text)
	if err != nil {
		return text
	}
	return values.Encode()
}

// denial is what a 403 says about who refused what. https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
type denial struct {
	action  string // "s3:PutObject", "kms:Decrypt"; "" when the store does not say
	by      string // the kind of policy with an explicit deny: "resource-based policy"; "" when none is said
	missing string // the kind of policy that allows it nowhere: "identity-based policy"; "" when none is said
}

var (
	deniedAction  = regexp.MustCompile(`not authorized to perform: ([a-z0-9-]+:[A-Za-z]+)`)
	deniedBy      = regexp.MustCompile(`with an explicit deny in an? ([A-Za-z -]+)`)
	deniedMissing = regexp.MustCompile(`because no ([A-Za-z -]+) allows`)
)

// denied reads the answer's words of refusal; of a store that gives none, all is "".
func (a answer) denied() denial {
	first := func(e *regexp.Regexp) string {
		if m := e.FindStringSubmatch(a.message); m != nil {
			return m[1]
		}
		return ""
	}
	return denial{first(deniedAction), first(deniedBy), first(deniedMissing)}
}

// isAltered tells a refusal for a request that does not arrive as it was signed.
func (a answer) isAltered() bool {
	return a.err == nil && (a.code == "SignatureDoesNotMatch" || strings.Contains(a.message, "headers present in the request which were not signed"))
}

// isDenied tells a permission that lacks from every other refusal.
func (a answer) isDenied() bool {
	if a.strange || a.err != nil || a.isAltered() {
		return false
	}
	return a.code == "AccessDenied" || a.code == "AccessForbidden" || (a.status == http.StatusForbidden && a.code == "")
}
