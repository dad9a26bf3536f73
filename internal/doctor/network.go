package doctor

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"
)

// NetworkOptions says which way to the store is tried.
type NetworkOptions struct {
	Address *url.URL                                                        // of the bucket or the store, as this server reaches it
	Public  *url.URL                                                        // the same as browsers reach it; nil: Address
	Page    *url.URL                                                        // where people's browsers find Caseload; nil: not known
	Bucket  string                                                          // its name, which may stand before the store's host; "": it does not
	Proxy   func(*http.Request) (*url.URL, error)                           // nil: none; else as http.ProxyFromEnvironment
	Roots   *x509.CertPool                                                  // nil: those of the machine
	Lookup  func(context.Context, string) ([]string, error)                 // nil: the machine's name service
	Dial    func(ctx context.Context, network, at string) (net.Conn, error) // nil: a connection is opened
	Now     func() time.Time                                                // nil: time.Now
}

// Bounds of each step. A firewall that swallows packets is told from one that refuses by the time it takes.
const (
	lookupWithin    = 5 * time.Second
	connectWithin   = 5 * time.Second
	handshakeWithin = 5 * time.Second
	answerWithin    = 15 * time.Second
	expiresSoon     = 14 * 24 * time.Hour
)

// network is one run of the checks on the way to the store, and what was learned on the way.
type network struct {
	o       NetworkOptions
	through *url.URL     // the proxy; nil: none
	found   []netip.Addr // addresses of the host that is connected to
	date    time.Time
	skew    time.Duration // the store's clock less ours; valid when date is set
}

// NetworkChecks returns the groups "network" and "clock", and what of the way browsers take can be seen from here.
func NetworkChecks(o NetworkOptions) []Check {
	if o.Lookup == nil {
		o.Lookup = net.DefaultResolver.LookupHost
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	n := &network{o: o}
	return []Check{
		{Name: "network.proxy", Run: n.proxy},
		{Name: "network.dns", Needs: []string{"network.proxy"}, Run: n.dns},
		{Name: "network.tcp", Needs: []string{"network.proxy", "network.dns"}, Run: n.tcp},
		{Name: "network.tls", Needs: []string{"network.tcp"}, Run: n.tls},
		{Name: "network.answer", Needs: []string{"network.tcp", "network.tls"}, Run: n.answer},
		{Name: "cors.public", Run: n.public},
		{Name: "clock.skew", Needs: []string{"network.answer"}, Run: n.clock},
	}
}

// proxy finds out whether the environment sends requests another way.
func (n *network) proxy(context.Context) []Finding {
	f := Finding{Check: "network.proxy", Tried: "HTTPS_PROXY, HTTP_PROXY and NO_PROXY were read for the store's address.", Got: "Requests go straight to the store."}
	if n.o.Proxy == nil {
		return []Finding{f}
	}
	through, err := n.o.Proxy(&http.Request{URL: n.o.Address})
	switch {
	case err != nil:
		f.Level, f.Got, f.Means = Failure, "The proxy's address cannot be read.", "No request can be sent."
		f.Fix = &Fix{Say: "Set HTTPS_PROXY and HTTP_PROXY to an address such as http://proxy.example:3128, or to nothing."}
	case through == nil:
	case insideHost(n.o.Address.Hostname()):
		f.Level, f.Got = Warning, "Requests to "+n.o.Address.Hostname()+" go through the proxy "+through.Host+"."
		f.Means = "The store is near; the proxy is a detour that may not even know it."
		f.Fix = &Fix{Say: "Name the store's host in NO_PROXY.", Command: "export NO_PROXY=" + n.o.Address.Hostname()}
	default:
		f.Level, f.Got = Note, "Requests go through the proxy "+through.Host+"."
		f.Means = "Browsers go their own way. A proxy that looks into TLS must exempt the store."
	}
	n.through = through
	return []Finding{f}
}

// first is the host and port that is really connected to.
func (n *network) first() (host, port string) {
	u := n.o.Address
	if n.through != nil {
		u = n.through
	}
	port = u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	return u.Hostname(), port
}

func (n *network) dns(ctx context.Context) []Finding {
	host, _ := n.first()
	f := Finding{Check: "network.dns", Tried: "The name service was asked for " + host + "."}
	if _, err := netip.ParseAddr(host); err == nil {
		f.Got = "It is an address already."
		n.found = addressesOf([]string{host})
		return []Finding{f}
	}
	ctx, cancel := context.WithTimeout(ctx, lookupWithin)
	defer cancel()
	addresses, err := n.o.Lookup(ctx, host)
	var unknown *net.DNSError
	switch {
	case err == nil && len(addresses) > 0:
		f.Got = "It has an address."
		n.found = addressesOf(addresses)
		if at, err := netip.ParseAddr(addresses[0]); err == nil && at.IsUnspecified() {
			f.Level, f.Got, f.Means = Failure, "The name service answers "+addresses[0]+", which is no machine's.", "The name service blocks the host, as filters for advertising and malware do."
			f.Fix = &Fix{Say: "Whoever runs the name service lets " + host + " through.", Command: "getent hosts " + host}
			break
		}
		if len(addresses) > 1 {
			f.Got = fmt.Sprintf("It has %d addresses.", len(addresses))
		}
	case errors.As(err, &unknown) && unknown.IsNotFound, err == nil:
		f.Level, f.Got, f.Means = Failure, "There is no such name.", "The host is misspelt, or this machine's name service does not know it."
		f.Fix = &Fix{Say: "Mend " + n.settings() + "; in a container or private network, look at its name service.", Command: "getent hosts " + host}
		if store, found := strings.CutPrefix(host, n.o.Bucket+"."); found && n.o.Bucket != "" && !OfAWS(n.o.Address) {
			if known, err := n.o.Lookup(ctx, store); err == nil && len(known) > 0 {
				f.Check, f.Means = "network.dns.addressing", "The store's own name has an address, the bucket's name before it has none: the store is not set up for buckets in host names."
				f.Fix = &Fix{Say: "Have the bucket named in the path, where Caseload's settings are; or whoever runs the name service makes *." + store + " lead to the store.", Command: "AWS_S3_ADDRESSING_STYLE=path"}
			}
		}
	default:
		f.Level, f.Got, f.Means = Failure, "The name service does not answer.", "This machine finds no host by name."
		f.Fix = &Fix{Say: "Mend the name service of this machine (/etc/resolv.conf) or the firewall before it.", Command: "getent hosts " + host}
	}
	return []Finding{f}
}

// settings names the settings that the host comes from.
func (n *network) settings() string {
	switch {
	case n.through != nil:
		return "HTTPS_PROXY"
	case OfAWS(n.o.Address):
		return "AWS_S3_REGION_NAME or AWS_STORAGE_BUCKET_NAME"
	}
	return "AWS_S3_ENDPOINT_URL"
}

func (n *network) tcp(ctx context.Context) []Finding {
	host, port := n.first()
	at := net.JoinHostPort(host, port)
	f := Finding{Check: "network.tcp", Tried: "A connection to " + at + " was opened."}
	began := time.Now()
	conn, err := n.dial(ctx, at)
	if err == nil {
		_ = conn.Close()
		f.Got = "It was taken in " + shortly(time.Since(began)) + "."
		return []Finding{f}
	}
	f.Level = Failure
	f.Fix = &Fix{Say: "Mend " + n.settings() + ", or start what should listen there."}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		f.Got, f.Means = "It was refused.", "The machine is there, but nothing listens on that port, or a firewall says no."
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		f.Got, f.Means = "There is no way there.", "This machine has no route to the store's network."
		f.Fix.Say = "Whoever runs the network gives this machine a way out: a NAT gateway, a VPC endpoint for S3, or a proxy."
		switch is4 := func(a netip.Addr) bool { return a.Unmap().Is4() }; {
		case len(n.found) > 0 && !slices.ContainsFunc(n.found, is4):
			f.Check, f.Means = "network.tcp.ipv6", "The host has addresses of IPv6 alone, and this machine has no way out by IPv6."
			f.Fix.Say = "Give this machine a way out by IPv6 (in a container: switch IPv6 on), or whoever runs the store gives its name an address of IPv4."
		case OfAWS(n.o.Address) && n.through == nil:
			f.Fix.Say += " A machine with IPv6 alone reaches S3 by its dual-stack address."
			f.Fix.Command = "AWS_S3_ENDPOINT_URL=https://s3.dualstack.REGION.amazonaws.com"
		}
	default:
		f.Got, f.Means = "Nothing came back within "+shortly(connectWithin)+".", "A firewall swallows the packets, or the machine is off."
		f.Fix.Say = "Whoever runs the firewall lets this machine reach " + at + "; or mend " + n.settings() + "."
	}
	return []Finding{f}
}

func addressesOf(texts []string) (found []netip.Addr) {
	for _, text := range texts {
		if at, err := netip.ParseAddr(text); err == nil {
			found = append(found, at)
		}
	}
	return found
}

func (n *network) dial(ctx context.Context, at string) (net.Conn, error) {
	if n.o.Dial != nil {
		return n.o.Dial(ctx, "tcp", at)
	}
	return (&net.Dialer{Timeout: connectWithin}).DialContext(ctx, "tcp", at)
}

func (n *network) tls(ctx context.Context) []Finding {
	if n.o.Address.Scheme != "https" || n.through != nil { // through a proxy, the answer's own handshake tells
		return nil
	}
	return []Finding{n.handshake(ctx, "network.tls", n.o.Address)}
}

// handshake looks at the certificate of an https address.
func (n *network) handshake(ctx context.Context, check string, u *url.URL) Finding {
	port := u.Port()
	if port == "" {
		port = "443"
	}
	f := Finding{Check: check, Tried: "The certificate of " + u.Hostname() + " was checked."}
	ctx, cancel := context.WithTimeout(ctx, connectWithin+handshakeWithin)
	defer cancel()
	raw, err := n.dial(ctx, net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		f.Level, f.Got, f.Means, f.Fix = Failure, "The connection was not taken.", "Nothing listens at that address.", &Fix{Say: "Mend the address."}
		return f
	}
	conn := tls.Client(raw, &tls.Config{ServerName: u.Hostname(), RootCAs: n.o.Roots, Time: n.o.Now})
	defer func() { _ = conn.Close() }()
	if err := conn.HandshakeContext(ctx); err != nil {
		return n.refusedTLS(f, u, err)
	}
	leaf := conn.ConnectionState().PeerCertificates[0]
	left := leaf.NotAfter.Sub(n.o.Now())
	f.Got = "It is valid for another " + shortly(left) + ", by " + issuer(leaf) + "."
	switch {
	case left < expiresSoon:
		f.Level, f.Means = Warning, "When it has ended, nobody reaches the store."
		f.Fix = &Fix{Say: "Whoever runs the store renews the certificate, and sees why it is not renewed by itself."}
	case OfAWS(u) && !strings.Contains(issuer(leaf), "Amazon") && !strings.Contains(issuer(leaf), "DigiCert"):
		f.Level, f.Means = Warning, "AWS has its certificates from Amazon: something on the way opens the connection, and sees patients' files."
		f.Fix = &Fix{Say: "Whoever runs the network exempts " + u.Hostname() + " from TLS inspection."}
	}
	return f
}

// refusedTLS says why a handshake failed.
func (n *network) refusedTLS(f Finding, u *url.URL, err error) Finding {
	f.Level = Failure
	var name x509.HostnameError
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var plain tls.RecordHeaderError
	switch {
	case errors.As(err, &name):
		f.Check += ".name"
		f.Got, f.Means = "It is for another name: "+strings.Join(first3(name.Certificate.DNSNames), ", ")+".", "The address is not the store's own, or a bucket's name with a dot stands before it."
		f.Fix = &Fix{Say: "Use the name of the certificate in the address, have it renewed with this name, or set AWS_S3_ADDRESSING_STYLE=path for a bucket with dots."}
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		f.Check += ".expired"
		f.Got = "It ended on " + invalid.Cert.NotAfter.UTC().Format(time.DateOnly) + "."
		f.Means = "Nobody reaches the store until it is renewed."
		if n.o.Now().Before(invalid.Cert.NotBefore) {
			f.Got, f.Means = "It begins on "+invalid.Cert.NotBefore.UTC().Format(time.DateOnly)+".", "This machine's clock is behind, or the certificate was made for later."
		}
		f.Fix = &Fix{Say: "Whoever runs the store renews the certificate; look whether this machine's date is right.", Command: "date -u"}
	case errors.As(err, &authority):
		f.Check += ".authority"
		f.Got = "Its authority is not one that this machine trusts: " + issuer(authority.Cert) + "."
		f.Means = "It is a certificate of your own, or something on the way opens the connection."
		f.Fix = &Fix{Say: "If the authority is your own, install its certificate on this machine (or name the file in SSL_CERT_FILE); if not, find out who stands between. Browsers must trust it, too."}
		if OfAWS(u) {
			f.Means = "AWS has its certificates from Amazon: something on the way opens the connection."
			f.Fix.Say = "Whoever runs the network exempts " + u.Hostname() + " from TLS inspection; or this machine lacks the usual authorities: install ca-certificates."
		}
	case errors.As(err, &plain):
		f.Check += ".plain"
		f.Got, f.Means = "It does not speak TLS on this port.", "The address says https, and what listens there speaks plain HTTP or something else."
		f.Fix = &Fix{Say: "Mend the scheme or the port of the address."}
	default:
		f.Got, f.Means = "The handshake failed: "+sayCause(err), "The two sides find no common language, or something on the way cuts the connection."
		f.Fix = &Fix{Say: "Look at what stands between this machine and the store.", Command: "openssl s_client -connect " + u.Host + " -servername " + u.Hostname() + " </dev/null"}
	}
	return f
}

// issuer names who signed a certificate.
func issuer(c *x509.Certificate) string {
	name := c.Issuer.CommonName
	if len(c.Issuer.Organization) > 0 && c.Issuer.Organization[0] != name {
		name = strings.TrimSpace(c.Issuer.Organization[0] + " " + name)
	}
	if name == "" {
		return "nobody it names"
	}
	return name
}

func first3(names []string) []string {
	if len(names) == 0 {
		return []string{"none"}
	}
	return names[:min(len(names), 3)]
}

// answer asks the store without a signature: whatever it says, it must say it as a store.
func (n *network) answer(ctx context.Context) []Finding {
	f := Finding{Check: "network.answer", Tried: "The store was asked without a signature, to hear who answers."}
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, n.o.Address.String(), nil)
	if err != nil {
		return []Finding{failed(f, err)}
	}
	transport := &http.Transport{Proxy: n.o.Proxy, TLSClientConfig: &tls.Config{RootCAs: n.o.Roots, Time: n.o.Now}, DisableKeepAlives: true, TLSHandshakeTimeout: handshakeWithin}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	sent := n.o.Now()
	response, err := client.Do(request)
	if err != nil {
		return []Finding{n.unanswered(f, err)}
	}
	defer func() { _ = response.Body.Close() }()
	came := n.o.Now()
	body, _ := io.ReadAll(io.LimitReader(response.Body, 4<<10)) // what is cut off is judged by its beginning
	if at, err := http.ParseTime(response.Header.Get("Date")); err == nil {
		n.date = at
		n.skew = at.Add(500 * time.Millisecond).Sub(sent.Add(came.Sub(sent) / 2)) // Date has whole seconds
	}
	return []Finding{judgeAnswer(f, response, body)}
}

// judgeAnswer tells a store from everything else that may answer on the way. A store answers with XML
// (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html), or with an empty body.
func judgeAnswer(f Finding, response *http.Response, body []byte) Finding {
	status := fmt.Sprintf("HTTP %d", response.StatusCode)
	kind := strings.ToLower(response.Header.Get("Content-Type"))
	start := strings.ToLower(string(bytes.TrimSpace(body)))
	html := strings.Contains(kind, "html") || strings.HasPrefix(start, "<!doctype") || strings.HasPrefix(start, "<html")
	xml := strings.HasPrefix(start, "<?xml") || strings.HasPrefix(start, "<error") || strings.HasPrefix(start, "<list")
	to, toErr := url.Parse(response.Header.Get("Location"))
	switch {
	case response.StatusCode/100 == 3 && toErr == nil && response.Request != nil && to.Host != "" && to.Hostname() == response.Request.URL.Hostname():
		f.Check += ".redirect"
		f.Level, f.Got, f.Means = Failure, status+", which leads to "+to.Scheme+"://"+to.Host+".", "The address only leads on to another; what was signed for the one is not valid at the other, so nothing is followed."
		f.Fix = &Fix{Say: "Set the address that it leads to where Caseload's settings are.", Command: "AWS_S3_ENDPOINT_URL=" + to.Scheme + "://" + to.Host}
	case response.StatusCode == http.StatusProxyAuthRequired:
		f.Check += ".proxy"
		f.Level, f.Got, f.Means = Failure, status+": the proxy wants a sign-in.", "Nothing reaches the store."
		f.Fix = &Fix{Say: "Put user and password into HTTPS_PROXY, or name the store's host in NO_PROXY."}
	case strings.Contains(start, "http request to an https server") || strings.Contains(start, "plain http request was sent to https port"):
		f.Check += ".scheme"
		f.Level, f.Got, f.Means = Failure, status+": what listens there wants https.", "The address says http."
		f.Fix = &Fix{Say: "Begin AWS_S3_ENDPOINT_URL with https."}
	case html && gateway(response.StatusCode):
		f.Check += ".gateway"
		f.Level, f.Got, f.Means = Failure, status+" from what stands before the store.", "A proxy or load balancer before the store answers, and does not reach the store."
		f.Fix = &Fix{Say: gatewayFix}
	case html && response.StatusCode == http.StatusUnauthorized && response.Header.Get("WWW-Authenticate") != "":
		f.Check += ".auth"
		f.Level, f.Got, f.Means = Failure, status+": something before the store wants a sign-in of its own.", "Signed requests carry no other password, and browsers' requests none at all."
		f.Fix = &Fix{Say: "Whoever runs the proxy before the store takes its sign-in away (nginx: auth_basic off): the store checks signatures itself."}
	case html:
		f.Check += ".intercepted"
		f.Level, f.Got, f.Means = Failure, status+" with a web page instead of an answer of a store.", "Something stands between and answers itself: a proxy, a sign-in page of the network, or the address is a console's or web server's."
		f.Fix = &Fix{Say: "Set AWS_S3_ENDPOINT_URL to the store's API address (MinIO: port 9000, not the console's 9001), or have whoever runs the network let the store through."}
	case response.StatusCode >= 500:
		f.Level, f.Got, f.Means = Warning, status+".", "The store, or what stands before it, has a fault of its own."
		f.Fix = &Fix{Say: "Wait and run this again; if it stays, ask whoever runs the store."}
	case xml || len(start) == 0:
		f.Got = "A store answers (" + status + ")."
	default:
		f.Level, f.Got, f.Means = Warning, status+" with "+orUnknown(kind)+", which stores do not send.", "Perhaps it is no store that answers."
		f.Fix = &Fix{Say: "Look whether AWS_S3_ENDPOINT_URL is the store's API address."}
	}
	return f
}

func orUnknown(kind string) string {
	if kind == "" {
		return "a body of no known kind"
	}
	return kind
}

// unanswered is the finding of a request that got no answer although the connection was taken.
func (n *network) unanswered(f Finding, err error) Finding {
	f.Level, f.Got = Failure, "No answer: "+sayCause(bare(err))
	f.Means, f.Fix = "The connection is cut or swallowed.", &Fix{Say: "Look at what stands between this machine and the store: firewall, proxy, load balancer."}
	if n.through != nil {
		f.Means = "The proxy " + n.through.Host + " does not let it through, or cannot reach the store."
		f.Fix.Say = "Name the store's host in NO_PROXY, or have whoever runs the proxy let it through."
	}
	if n.through != nil && strings.Contains(err.Error(), http.StatusText(http.StatusProxyAuthRequired)) {
		f.Check += ".proxy"
		f.Means, f.Fix.Say = "The proxy "+n.through.Host+" wants a sign-in.", "Put user and password into HTTPS_PROXY, or name the store's host in NO_PROXY."
	}
	var malformed *tls.RecordHeaderError
	if errors.As(err, &malformed) || strings.Contains(err.Error(), "malformed HTTP response") {
		f.Check, f.Means, f.Fix.Say = f.Check+".scheme", "What listens there does not speak HTTP on this port.", "Begin AWS_S3_ENDPOINT_URL with https, or mend its port."
	}
	return f
}

// bare takes the address out of an error: it is known, and may be signed.
func bare(err error) error {
	var address *url.Error
	if errors.As(err, &address) {
		return address.Err
	}
	return err
}

// The store's clock and ours. Signatures are refused beyond 15 minutes
// (https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html).
const (
	refusedSkew   = 15 * time.Minute
	worrisomeSkew = 30 * time.Second
	syncClock     = "timedatectl set-ntp true && timedatectl timesync-status"
)

func (n *network) clock(context.Context) []Finding {
	f := Finding{Check: "clock.skew", Tried: "The Date of the store's answer was compared with this machine's clock."}
	if n.date.IsZero() {
		f.Level, f.Got, f.Means = Note, "The answer has no Date.", "The clocks could not be compared; a signature that is refused for its time would show it."
		return []Finding{f}
	}
	skew := n.skew.Abs()
	f.Got = "They differ by less than " + shortly(2*time.Second) + "."
	if skew >= 2*time.Second {
		side := "behind"
		if n.skew < 0 {
			side = "ahead"
		}
		f.Got = fmt.Sprintf("This machine is %s %s.", shortly(skew), side)
	}
	switch {
	case skew >= refusedSkew:
		f.Level, f.Means = Failure, "The store refuses every signature that is more than 15 minutes off (RequestTimeTooSkewed)."
	case skew >= worrisomeSkew:
		f.Level, f.Means = Warning, "Signed links live minutes; with this difference they end early, and beyond 15 minutes none is taken."
	}
	if f.Level != Fine {
		f.Fix = &Fix{Say: "Set this machine's clock by time synchronization; if it is right, whoever runs the store sets its clock.", Command: syncClock}
	}
	return []Finding{f}
}
