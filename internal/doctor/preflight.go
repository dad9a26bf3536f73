package doctor

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"dcdentals.com/caseload/internal/caseload"
)

// foreign is an origin that nobody configures (RFC 6761: .invalid never exists).
const foreign = "https://stranger.invalid"

// foreigners are origins whose pages must get no leave, each let in by another careless rule: "*", "http://*" or one that
// reflects what it is asked, and for an origin of ours "https://*.example", "https://caseload.example*" and its http twin.
func foreigners(origins []string) []string {
	found := []string{foreign, "http://stranger.invalid", "null"} // null: a file opened from a disk, a sandboxed frame
	for _, origin := range origins {
		scheme, host, _ := strings.Cut(origin, "://")
		name, _, _ := strings.Cut(host, ":")
		if _, err := netip.ParseAddr(name); err == nil || strings.HasPrefix(host, "[") {
			continue // addresses have no names above them
		}
		found = append(found, origin+".stranger.invalid")
		if _, domain, inside := strings.Cut(host, "."); inside && strings.Contains(domain, ".") {
			found = append(found, scheme+"://stranger."+domain)
		}
		if scheme == "https" {
			found = append(found, "http://"+host)
		}
	}
	return slices.DeleteFunc(found, func(f string) bool { return slices.Contains(origins, f) })
}

// crossOrigin asks the store what a browser asks before it sends from a page of another origin, for every origin, method
// and header that is needed, and then reads what a page may read of a real answer.
// https://fetch.spec.whatwg.org/#http-cors-protocol
func (t *trials) crossOrigin(ctx context.Context) []Finding {
	if len(t.o.Bucket.Origins) == 0 {
		return []Finding{{
			Check: "cors.origin", Level: Note, Tried: "Asking the store which pages may send to it.", Got: "No origin is configured.",
			Means: "Without an address of your pages it cannot be tried whether browsers may send to the store.",
			Fix:   &Fix{Say: "Set CASELOAD_PUBLIC_URL, or name the address of your pages here.", Command: "caseload doctor --origin https://caseload.example"},
		}}
	}
	rule := CORSRules(t.o.Bucket.Origins)[0]
	if f := t.noPreflight(ctx, t.o.Bucket.Origins[0]); f != nil {
		return []Finding{*f}
	}
	var shut, methods, headers []string
	said := "every origin, method and header is allowed"
	for _, origin := range t.o.Bucket.Origins {
		noMethod, got := t.without(ctx, origin, rule.AllowedMethods)
		if len(noMethod) == len(rule.AllowedMethods) {
			shut = append(shut, origin)
			said = got.saidWhole()
			continue
		}
		methods = append(methods, noMethod...)
		with := slices.DeleteFunc(slices.Clone(rule.AllowedMethods), func(m string) bool { return slices.Contains(noMethod, m) })[0]
		for _, header := range rule.AllowedHeaders {
			if !t.preflight(ctx, origin, with, header).allows(origin, with, header) {
				headers = append(headers, header)
			}
		}
	}
	found := []Finding{t.corsLacks("cors.origin", "origin", shut, said), t.corsLacks("cors.method", "method", unique(methods), said), t.corsLacks("cors.header", "header", unique(headers), said)}
	open := slices.DeleteFunc(slices.Clone(t.o.Bucket.Origins), func(o string) bool { return slices.Contains(shut, o) })
	found = append(found, t.strangers(ctx, foreigners(open))...)
	if len(open) > 0 && !slices.Contains(methods, http.MethodPut) && t.meant() == ServerPrincipal { // it takes s3:PutObject
		found = append(found, t.exposed(ctx, open[0], rule.ExposeHeaders))
	}
	return found
}

// noPreflight finds what keeps every answer to a preflight from counting, whatever the bucket's rule says; nil: nothing does.
func (t *trials) noPreflight(ctx context.Context, origin string) *Finding {
	got := t.preflight(ctx, origin, http.MethodPut, "")
	f := Finding{Check: "cors.origin", Level: Failure, Tried: "Asking the store whether a page of " + origin + " may send to it, as a browser asks.", Got: got.saidWhole()}
	switch {
	case got.allowsTwice():
		f.Check, f.Got = "cors.twice", "The answer says twice which origin is allowed."
		f.Means = "Both the store and something before it answer for CORS, and browsers take two answers for none."
		f.Fix = &Fix{Say: "Whoever runs the proxy before the store takes its own Access-Control-… headers away (nginx: add_header), and leaves CORS to the store."}
	case got.strange && t.barred != "":
		f = untried(f.Check, t.barred)
	case got.strange:
		f.Check = "cors.options"
		f.Means = "Something before the store answers the question that browsers ask first (OPTIONS) itself, and no rule of the bucket is heard."
		f.Fix = &Fix{Say: "Whoever runs the proxy or CDN before the store has it pass OPTIONS on, with the headers Origin and Access-Control-Request-…; CloudFront: allow OPTIONS, and an origin request policy with these headers."}
	default:
		return nil
	}
	return &f
}

func unique(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

// without returns the methods that a page of the origin may not use, and the last refusal.
func (t *trials) without(ctx context.Context, origin string, methods []string) (lacking []string, refusal answer) {
	for _, method := range methods {
		if got := t.preflight(ctx, origin, method, ""); !got.allows(origin, method, "") {
			lacking, refusal = append(lacking, method), got
		}
	}
	return lacking, refusal
}

// preflight is what a browser sends first: a question without credentials. header may be "".
func (t *trials) preflight(ctx context.Context, origin, method, header string) answer {
	sent := map[string]string{"Access-Control-Request-Method": method}
	if header != "" {
		sent["Access-Control-Request-Headers"] = header
	}
	return t.send(ctx, ask{as: asNobody, method: http.MethodOptions, key: t.key("page"), header: sent, origin: origin})
}

// allows tells whether a browser would take the answer for leave.
func (a answer) allows(origin, method, header string) bool {
	if a.err != nil || a.status/100 != 2 || !a.letsRead(origin) {
		return false
	}
	return listed(a.header, "Access-Control-Allow-Methods", method) && (header == "" || listed(a.header, "Access-Control-Allow-Headers", header))
}

// letsRead tells whether a page of the origin may read the answer. An origin that is named twice is named not at all.
// https://fetch.spec.whatwg.org/#cors-check
func (a answer) letsRead(origin string) bool {
	allowed := a.header.Get("Access-Control-Allow-Origin")
	return !a.allowsTwice() && (allowed == "*" || allowed == origin)
}

// allowsTwice tells whether both the store and something before it say which origin may read.
func (a answer) allowsTwice() bool {
	said := a.header.Values("Access-Control-Allow-Origin")
	return len(said) > 1 || len(said) == 1 && strings.Contains(said[0], ",")
}

// listed tells whether a header that is a list has the name in it, or the star that stands for all.
func listed(h http.Header, list, name string) bool {
	for _, each := range strings.Split(strings.Join(h.Values(list), ","), ",") {
		if each = strings.TrimSpace(each); each == "*" || strings.EqualFold(each, name) {
			return true
		}
	}
	return false
}

// corsLacks is the finding about what pages lack: origins, methods or headers.
func (t *trials) corsLacks(check, what string, lacking []string, said string) Finding {
	f := Finding{Check: check, Level: Fine, Tried: "Asking the store, as a browser does, for every " + what + " that is needed.", Got: "Every " + what + " that is needed is allowed."}
	if len(lacking) == 0 {
		return f
	}
	f.Level, f.Got = Failure, "Not allowed: "+strings.Join(lacking, ", ")+"."
	switch check {
	case "cors.origin":
		f.Got += " The store says: " + strings.TrimRight(said, ".") + "."
		f.Means = "Browsers on these addresses may not send to the store: large files take the slower way through this server, and stock Uppy fails. The bucket has no CORS rule, or one for another address; every letter counts, also http or https and the port."
	case "cors.method":
		f.Means = "Browsers may not use " + strings.Join(lacking, ", ") + " with the store: " + methodUse(lacking)
	default:
		f.Means = "Browsers may not send " + strings.Join(lacking, ", ") + " to the store: every part that carries it is held back."
	}
	f.Fix = t.corsFix()
	return f
}

// methodUse says what does not work without the first of the methods.
func methodUse(methods []string) string {
	return map[string]string{
		http.MethodPut: "parts of large files cannot be sent.", http.MethodPost: "stock Uppy cannot send single files.", http.MethodGet: "pages cannot read files by signed links.",
	}[methods[0]]
}

// corsFix is the rule for exactly the configured origins.
func (t *trials) corsFix() *Fix {
	return t.setUp(caseload.BucketCORS, "Whoever may set the bucket up applies this rule.", "caseload bucket cors apply", CORS(t.o.Bucket.Origins, CLIForm))
}

// strangers tells whether pages of other origins may use the store.
func (t *trials) strangers(ctx context.Context, foreigners []string) []Finding {
	f := Finding{Check: "cors.foreign", Level: Fine, Tried: "Asking the store for pages of foreign origins, which it must refuse."}
	for _, origin := range foreigners {
		got := t.preflight(ctx, origin, http.MethodPut, "")
		if got.err != nil || !got.letsRead(origin) {
			f.Got = got.turned()
			continue
		}
		allowed := got.header.Get("Access-Control-Allow-Origin")
		f.Level, f.Got = Warning, "To a page of "+origin+" it answers Access-Control-Allow-Origin: "+allowed+"."
		f.Means = "Pages of origins that are not yours may talk to the store in their visitors' browsers; only yours need to."
		if origin == foreign {
			f.Means = "Pages of every origin may talk to the store in their visitors' browsers; only yours need to."
		}
		f.Fix = t.corsFix()
		if got.header.Get("Access-Control-Allow-Credentials") == "true" {
			f.Check = "cors.credentials"
			f.Means = "Pages of origins that are not yours may talk to the store, and with their visitors' credentials for it."
			if origin == foreign {
				f.Means = "Pages of every origin may talk to the store, and with their visitors' credentials for it."
			}
		}
		break
	}
	return []Finding{f}
}

// exposed reads, as a page does, the answers to real requests, a whole object and a part, and looks which of their headers
// the page may see.
func (t *trials) exposed(ctx context.Context, origin string, needed []string) Finding {
	f := Finding{Check: "cors.exposed", Level: Fine, Tried: "Sending an object and a part from a page of " + origin + " and reading the answers' headers.", Got: "The page may read all it needs."}
	got := t.send(ctx, ask{as: asBrowser, method: http.MethodPut, key: t.key("exposed"), body: trialBody, header: putHeader(trialBody), origin: origin})
	if !got.ok() {
		f.Level, f.Got, f.Means = Untried, got.said(), "Mend store.signed first."
		return f
	}
	hidden := hiddenFrom(got, origin, needed)
	if id := t.begin(ctx, t.key("exposed-part")); id != "" { // else its own finding says so
		part := t.send(ctx, ask{
			as: asBrowser, method: http.MethodPut, key: t.key("exposed-part"), query: "partNumber=1&" + uploadQuery(id), body: trialBody, origin: origin,
			header: map[string]string{"X-Amz-Checksum-Crc64nvme": crcOf(trialBody)},
		})
		if part.ok() {
			hidden = unique(append(hidden, hiddenFrom(part, origin, needed)...))
		}
	}
	if len(hidden) > 0 {
		f.Level, f.Got = Failure, "Hidden from the page: "+strings.Join(hidden, ", ")+"."
		f.Means = fmt.Sprintf("Pages may not read %s of the store's answers: stock Uppy cannot complete an upload in parts without ETag. Of several rules the first that fits counts; there must be one alone.", strings.Join(hidden, ", "))
		f.Fix = t.corsFix()
		return f
	}
	read := t.send(ctx, ask{as: asBrowser, method: http.MethodGet, key: t.key("exposed"), origin: origin})
	if read.ok() && !read.letsRead(origin) { // a preflight may say more than the answer itself
		f.Tried = "Reading an object by a signed link from a page of " + origin + "."
		f.Level, f.Got = Failure, "The answer does not name the page's origin (Access-Control-Allow-Origin)."
		f.Means = "Pages may not read the files that signed links lead to: previews and viewers stay empty."
		f.Fix = t.corsFix()
	}
	return f
}

// hiddenFrom returns which of the headers a page of the origin may not read of the answer.
func hiddenFrom(got answer, origin string, needed []string) (hidden []string) {
	for _, name := range needed {
		if !got.letsRead(origin) || !listed(got.header, "Access-Control-Expose-Headers", name) {
			hidden = append(hidden, name)
		}
	}
	return hidden
}
