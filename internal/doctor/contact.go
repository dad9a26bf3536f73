package doctor

import (
	"context"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// contact lists the bucket, as the first call whose refusal says why, and finds out what stands in the way of every other.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
func (t *trials) contact(ctx context.Context) []Finding {
	const tried = "Listing the bucket, signed with the configured credentials."
	got := t.list(ctx, asServer)
	if look, _ := t.o.Setup.LookAtBucket(ctx); got.ok() || got.isDenied() { // which store it is shows in a refusal too
		t.kind = look.Store
	}
	f := Finding{Check: "bucket.contact", Level: Failure, Tried: tried, Got: got.saidWhole()}
	switch name := "bucket.contact."; {
	case got.ok() && got.holds("ListBucketResult"):
		f.Level, f.Got = Fine, got.taken()
	case got.ok() && got.holds("ListAllMyBucketsResult"):
		f.Check, f.Got = name+"addressing", "It answered with the list of all buckets ("+got.said()+")."
		f.Means = "The store does not see the bucket's name in the host: it takes every key for a bucket of its own."
		f.Fix = &Fix{Say: "Have the bucket named in the path, where Caseload's settings are; or let whoever runs the store tell it its domain (MinIO: MINIO_DOMAIN).", Command: "AWS_S3_ADDRESSING_STYLE=path"}
	case got.leadsTo() != nil:
		f = t.ledAway(got, f)
	case got.err != nil:
		f.Means = "Nothing answers at the store's address."
		f.Fix = &Fix{Say: "Look at AWS_S3_ENDPOINT_URL and AWS_S3_REGION_NAME, at the name service and the firewall between this server and the store."}
	case got.strange && gateway(got.status):
		f.Check = name + "gateway"
		f.Means = "A proxy or load balancer before the store answers, and does not reach the store."
		f.Fix = &Fix{Say: gatewayFix}
	case got.strange || got.ok():
		f.Check = name + "intercepted"
		f.Means = "Something between this server and the store answers in its place: a proxy, a virus scanner, or a sign-in page of the network."
		f.Fix = &Fix{Say: "Whoever runs the network exempts the store's host from inspection; or NO_PROXY names it, or AWS_S3_ENDPOINT_URL is the address of something else."}
	case got.code == "RequestTimeTooSkewed":
		f.Check = name + "clock"
		f.Means = "This server's clock is more than 15 minutes off the store's, so every signature is refused."
		f.Fix = &Fix{Say: "Set this machine's clock by time synchronization.", Command: "timedatectl set-ntp true && timedatectl timesync-status"}
	case got.code == "ExpiredToken" || got.code == "TokenRefreshRequired" || got.code == "RequestExpired":
		f.Check = name + "expired"
		f.Means = "The temporary credentials have ended."
		f.Fix = &Fix{Say: "Get new ones and set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN together; better, give the machine a role and set none of them."}
	case got.code == "InvalidToken":
		f.Check = name + "token"
		f.Means = "AWS_SESSION_TOKEN does not belong to this access key."
		f.Fix = &Fix{Say: "Set the access key, its secret and its token together, or unset AWS_SESSION_TOKEN for a key that has none."}
	case got.code == "InvalidAccessKeyId":
		f.Check = name + "key"
		f.Means = "The store does not know the access key: it was deleted, switched off, mistyped, or is of another store."
		f.Fix = &Fix{Say: "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to a key that exists at this store; `caseload config` shows where the present one came from."}
	case got.code == "SignatureDoesNotMatch" && t.changedOnTheWay(ctx, got) != "":
		f.Check = name + "host"
		f.Got = got.said() + ". The store was asked for " + t.changedOnTheWay(ctx, got) + "."
		f.Means = "Something on the way changes the Host header or the path, which are signed: the secret may well be right."
		f.Fix = &Fix{Say: "Whoever runs the proxy before the store has it pass Host and path unchanged (nginx: proxy_set_header Host $http_host; and no path after proxy_pass); or AWS_S3_ENDPOINT_URL is the store's own address."}
	case got.code == "SignatureDoesNotMatch" && got.through() != "":
		f.Check = name + "signature"
		f.Means = "The answer comes by " + got.through() + ": nearly always such a proxy changes the Host header or the path, which are signed. Else the store knows the access key, but not this secret."
		f.Fix = &Fix{Say: "Whoever runs the proxy has it pass Host and path unchanged; if it does, set AWS_SECRET_ACCESS_KEY anew. AWS_S3_ENDPOINT_URL at the store's own address tells which it is.", Command: "proxy_set_header Host $http_host;   # nginx, and no path after proxy_pass"}
	case got.code == "SignatureDoesNotMatch":
		f.Check = name + "signature"
		f.Means = "The store knows the access key but not this secret; or a proxy on the way changes the Host header or the path, which are signed."
		f.Fix = &Fix{Say: "Set AWS_SECRET_ACCESS_KEY anew, without quotes or spaces around it; behind a proxy, have it pass Host and path unchanged."}
	case slices.Contains(closedAccount, got.code):
		f.Check = name + "account"
		f.Means = "AWS knows the credentials and answers nothing to their account: it is not signed up for S3 or for this region, it is suspended, or a bill is open."
		f.Fix = &Fix{Say: "Whoever owns the AWS account signs in to its console: the billing page and the list of regions say what is open."}
	case got.code == "SlowDown" || got.code == "ServiceUnavailable" || got.status == http.StatusServiceUnavailable || got.status == http.StatusTooManyRequests:
		f.Check = name + "busy"
		f.Means = "The store has no time for us: too many requests, or it is under maintenance."
		f.Fix = &Fix{Say: "Wait and run this again; if it stays, ask the store's operator. Caseload goes on by itself when the store does."}
	case got.code == "InvalidBucketName":
		f.Check = "bucket.exists"
		f.Means = "No store has a bucket of such a name: it has capitals, a sign that names do not have, or is too short."
		f.Fix = &Fix{Say: "Mend AWS_STORAGE_BUCKET_NAME: copy the name from the store's own list; names are in small letters."}
	case got.code == "NoSuchBucket":
		f.Check = "bucket.exists"
		f.Means = "There is no bucket of this name at this store."
		f.Fix = &Fix{Say: "Mend AWS_STORAGE_BUCKET_NAME, or make the bucket with credentials that may.", Command: "caseload bucket create"}
	case t.otherRegion(got) != "":
		f = t.wrongRegion(got, tried)
	case got.status == http.StatusMovedPermanently || got.status == http.StatusTemporaryRedirect:
		f.Check = "bucket.region"
		f.Means = "The bucket lies in another region than AWS_S3_REGION_NAME, and the answer does not say in which; or the address leads to something that only redirects."
		f.Fix = &Fix{Say: "Look at the bucket's region in the console and set AWS_S3_REGION_NAME; look whether AWS_S3_ENDPOINT_URL is the store's own address."}
	case got.isDenied():
		return t.refusedWhole(ctx, f)
	case got.status/100 == 4:
		f.Means = "The store refuses the simplest request. Its own words say why."
		f.Fix = &Fix{Say: "Look up the code in the store's documentation; at AWS: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html."}
	default:
		f.Check = name + "busy"
		f.Means = "The store is there but has a fault of its own."
		f.Fix = &Fix{Say: "Wait and run this again; if it stays, ask the store's operator."}
	}
	if t.reached = f.Level == Fine; t.reached {
		return append([]Finding{f}, t.location(ctx)...)
	}
	return []Finding{f}
}

// closedAccount are the codes for an account that as a whole is not served.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
var closedAccount = []string{"AccountProblem", "NotSignedUp", "OptInRequired", "InvalidPayer", "AllAccessDisabled"}

// proxies are programs that stand before stores, by the word in the header Server or Via.
var proxies = []string{"nginx", "caddy", "haproxy", "apache", "varnish", "squid", "envoy", "traefik", "cloudflare"}

// through returns the proxy that the answer names; "" when it names none.
func (a answer) through() string {
	said := strings.ToLower(a.header.Get("Server") + " " + a.header.Get("Via"))
	for _, name := range proxies {
		if strings.Contains(said, name) {
			return name
		}
	}
	return ""
}

// gateway tells the answer of a proxy that does not reach what it stands before.
func gateway(status int) bool {
	return status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout
}

const gatewayFix = "Start the store, or whoever runs the proxy mends the address by which it reaches the store."

// changedOnTheWay returns the host and path that the store was asked for when they are others than ours; "" when they are
// ours or the store does not say. A refused signature comes with the canonical request that the store signed: method, path,
// query and headers, a line each. https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
func (t *trials) changedOnTheWay(ctx context.Context, got answer) string {
	lines := strings.Split(got.signed, "\n")
	address, err := t.o.Store.Address(ctx, false, "")
	if err != nil || len(lines) < 3 {
		return ""
	}
	at := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, "host:") })
	if at < 0 {
		return ""
	}
	host, path := strings.TrimSpace(strings.TrimPrefix(lines[at], "host:")), strings.TrimSuffix(lines[1], "/")
	if strings.EqualFold(host, address.Host) && path == strings.TrimSuffix(address.EscapedPath(), "/") {
		return ""
	}
	return host + lines[1]
}

// leadsTo returns where a redirect leads that no store of S3 sends: one without a code and a region. nil: it is none.
func (a answer) leadsTo() *url.URL {
	if a.err != nil || a.status/100 != 3 || a.code != "" || a.region != "" {
		return nil
	}
	to, err := url.Parse(a.header.Get("Location"))
	if err != nil || to.Host == "" {
		return nil
	}
	return to
}

// ledAway tells an address that wants https from something on the way that sends everybody to a page of its own.
func (t *trials) ledAway(got answer, f Finding) Finding {
	to := got.leadsTo()
	where := to.Scheme + "://" + to.Host
	f.Got = fmt.Sprintf("%d, which leads to %s.", got.status, where)
	if at, err := t.o.Store.Service(context.Background()); err == nil && at.Hostname() == to.Hostname() {
		f.Check = "bucket.contact.redirect"
		f.Means = "The address only leads on to another; what was signed for the one is not valid at the other, so nothing is followed."
		f.Fix = &Fix{Say: "Set the address that it leads to where Caseload's settings are.", Command: "AWS_S3_ENDPOINT_URL=" + where}
		return f
	}
	f.Check = "bucket.contact.intercepted"
	f.Means = "Something between this server and the store sends everybody to a page of its own: a sign-in page of the network, or the address is of something else."
	f.Fix = &Fix{Say: "Whoever runs the network lets the store's host through; or AWS_S3_ENDPOINT_URL is the address of something else."}
	return f
}

// list asks for one key of the trials.
func (t *trials) list(ctx context.Context, as way) answer {
	return t.send(ctx, ask{as: as, method: http.MethodGet, query: "list-type=2&max-keys=1&prefix=" + trialPrefix})
}

// otherRegion returns the region that a refusal names and that is not ours; "" when it names none.
func (t *trials) otherRegion(got answer) string {
	named := got.region
	if named == "" && got.code == "AuthorizationHeaderMalformed" {
		if _, after, found := strings.Cut(got.message, "expecting '"); found {
			named, _, _ = strings.Cut(after, "'")
		}
	}
	switch got.code {
	case "PermanentRedirect", "AuthorizationHeaderMalformed", "TemporaryRedirect", "IllegalLocationConstraintException", "Redirect", "":
	default:
		return ""
	}
	if got.code == "" && got.status != http.StatusMovedPermanently && got.status != http.StatusTemporaryRedirect && got.status != http.StatusBadRequest {
		return ""
	}
	if got.code == "IllegalLocationConstraintException" && named == "" {
		if _, after, found := strings.Cut(got.message, "The "); found {
			named, _, _ = strings.Cut(after, " ")
		}
	}
	if named == t.o.Store.Region() {
		return ""
	}
	return named
}

func (t *trials) wrongRegion(got answer, tried string) Finding {
	region := t.otherRegion(got)
	how := "the store signs for " + region
	if got.status == http.StatusMovedPermanently || got.status == http.StatusTemporaryRedirect {
		how = "the bucket lies in " + region + ", and this region's endpoint sends everybody there"
	}
	return Finding{
		Check: "bucket.region", Level: Failure, Tried: tried, Got: got.saidWhole(),
		Means: fmt.Sprintf("AWS_S3_REGION_NAME is %s, but %s.", t.o.Store.Region(), how),
		Fix:   &Fix{Say: "Set the region where Caseload's settings are, and start it again.", Command: "AWS_S3_REGION_NAME=" + region},
	}
}

// refusedWhole tells a missing s3:ListBucket from credentials that may do nothing here at all: of another's bucket, or
// with no policy attached.
func (t *trials) refusedWhole(ctx context.Context, f Finding) []Finding {
	list := answer{}
	for _, a := range []ask{
		{as: asServer, method: http.MethodGet, query: "location"},
		{as: asServer, method: http.MethodPut, key: t.key("contact"), body: trialBody, header: putHeader(trialBody)},
		{as: asServer, method: http.MethodGet, query: "uploads&max-uploads=1&prefix=" + trialPrefix},
	} {
		got := t.send(ctx, a)
		if got.isDenied() {
			list = got
			continue
		}
		// Something is allowed: s3:ListBucket alone lacks, which its own finding says.
		t.reached = true
		fine := Finding{Check: "bucket.contact", Level: Fine, Tried: f.Tried, Got: "The listing is refused, but other calls are answered: the bucket is there."}
		return append([]Finding{fine}, t.location(ctx)...)
	}
	if found, ok := t.refusedForAReason(ctx, f); ok {
		return []Finding{found}
	}
	said := list.denied()
	f.Fix = &Fix{
		Say:      "Whoever manages the credentials attaches this policy to them; if the bucket is not yours, choose another name in AWS_STORAGE_BUCKET_NAME.",
		Command:  t.printPolicy(),
		Document: t.policy(""),
	}
	switch {
	case said.by != "":
		f.Check = "bucket.access"
		f.Means = "An explicit deny in a " + said.by + " shuts these credentials out of the whole bucket; no other policy can outdo it."
		f.Fix.Say = "Whoever manages the bucket looks for the Deny in its " + said.by + ": often it knows only some networks (aws:SourceIp, aws:SourceVpce), and this server is not in them."
		f.Fix.Document = ""
		f.Fix.Command = "aws s3api get-bucket-policy --bucket " + t.o.Store.Bucket() + " --query Policy --output text"
	case said.missing != "" && said.missing != "identity-based policy":
		f.Check = "bucket.access"
		f.Means = "The bucket is there, but the " + said.missing + " between allows these credentials nothing with it; their own policy is not enough."
		f.Fix.Say = "Whoever manages the " + said.missing + " allows there, too, what this policy allows."
	case said.missing != "" || !t.o.AWS:
		f.Check = "bucket.access"
		f.Means = "The bucket is there, but these credentials may do nothing with it: no policy gives them a right on it, or it is somebody else's."
	default:
		f.Check = "bucket.owner"
		f.Means = "The bucket is there, but it is closed to these credentials and says nothing more: it belongs to another AWS account (names of buckets are shared by all the world), or no policy is attached to them."
	}
	return []Finding{f}
}

// refusedForAReason tries what makes a store refuse everything although the rights are there: a proxy that takes the
// signature's header away, and a bucket whose owner wants others to pay for their requests
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/RequesterPaysBuckets.html).
func (t *trials) refusedForAReason(ctx context.Context, f Finding) (Finding, bool) {
	query := "list-type=2&max-keys=1&prefix=" + trialPrefix
	if got := t.send(ctx, ask{as: asLink, method: http.MethodGet, query: query}); got.ok() {
		f.Check = "bucket.contact.authorization"
		f.Means = "The same request is taken when it is signed in its address: something on the way takes the Authorization header away."
		f.Fix = &Fix{Say: "Whoever runs the proxy or CDN before the store has it pass the Authorization header on (CloudFront: an origin request policy, or none before the store); or AWS_S3_ENDPOINT_URL is the store's own address."}
		return f, true
	}
	if got := t.send(ctx, ask{as: asServer, method: http.MethodGet, query: query, header: map[string]string{"X-Amz-Request-Payer": "requester"}}); got.ok() {
		f.Check = "bucket.access.payer"
		f.Means = "The bucket is another account's, and its owner wants whoever asks to pay (Requester Pays): requests that do not agree to it are refused, and browsers' links cannot agree."
		f.Fix = &Fix{Say: "Use a bucket of your own, or its owner switches Requester Pays off.", Command: "aws s3api put-bucket-request-payment --bucket " + t.o.Store.Bucket() + " --request-payment-configuration Payer=BucketOwner"}
		return f, true
	}
	return f, false
}

// location compares the bucket's own word on where it lies with what is signed for.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html
func (t *trials) location(ctx context.Context) []Finding {
	got := t.send(ctx, ask{as: asServer, method: http.MethodGet, query: "location"})
	if !got.ok() {
		return nil
	}
	var said struct {
		Region string `xml:",chardata"`
	}
	_ = xml.Unmarshal(got.body, &said)
	region := strings.TrimSpace(said.Region)
	switch region {
	case "":
		region = "us-east-1"
	case "EU":
		region = "eu-west-1"
	}
	f := Finding{Check: "bucket.region", Level: Fine, Tried: "Asking where the bucket lies.", Got: "In " + region + "."}
	if region != t.o.Store.Region() {
		f.Level = Note
		f.Means = "The store names another region than AWS_S3_REGION_NAME, and takes the signatures all the same."
		if t.o.AWS {
			f.Level = Failure
			f.Means = "AWS_S3_REGION_NAME is " + t.o.Store.Region() + ", but the bucket lies in " + region + "."
			f.Fix = &Fix{Say: "Set the region where Caseload's settings are, and start it again.", Command: "AWS_S3_REGION_NAME=" + region}
		}
	}
	return []Finding{f}
}

// owner asks for the bucket on the condition that it belongs to the account of our credentials. A name that somebody else
// has taken before us would carry patients' files to them.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html
func (t *trials) owner(ctx context.Context) []Finding {
	if t.o.Account == nil {
		return nil
	}
	account := t.o.Account(ctx)
	if account == "" {
		return nil
	}
	a := ask{as: asServer, method: http.MethodGet, query: "list-type=2&max-keys=1&prefix=" + trialPrefix}
	plain := t.send(ctx, a)
	a.header = map[string]string{"x-amz-expected-bucket-owner": account}
	got := t.send(ctx, a)
	f := Finding{Check: "bucket.owner", Level: Fine, Tried: "Listing the bucket on the condition that it belongs to the account of these credentials.", Got: got.taken()}
	if plain.ok() && got.isDenied() {
		f.Level, f.Got = Failure, got.saidWhole()
		f.Means = "The bucket can be used, but it belongs to another AWS account than the credentials: whoever owns it can read every file."
		f.Fix = &Fix{Say: "If that account is yours too, nothing is to be mended but a decision to be written down; else choose a bucket of your own in AWS_STORAGE_BUCKET_NAME."}
	}
	return []Finding{f}
}

// belongs compares the bucket's marker with our database. Two deployments that share a bucket take each other's files for
// what nobody knows.
func (t *trials) belongs(ctx context.Context) []Finding {
	f := Finding{Check: "bucket.database", Level: Fine, Tried: "The bucket's marker was compared with the database.", Got: "They belong together."}
	marked, ours, err := t.o.Belongs(ctx)
	switch {
	case err != nil:
		return nil // what keeps it from being read has its own finding
	case marked == "":
		f.Got = "Nobody has marked the bucket yet."
	case marked != ours:
		f.Level, f.Got = Failure, "The bucket was marked by another database."
		f.Means = "Another Caseload keeps its files in this bucket, or this is not the database of these files: each would take the other's for what nobody knows, and nothing is cleaned up."
		f.Fix = &Fix{
			Say:     "Mend AWS_STORAGE_BUCKET_NAME or CASELOAD_DATABASE_URL: each deployment has a bucket and a database of its own. If this is the right database, put in place of a lost one, say so.",
			Command: "caseload cleanup --accept-database",
		}
	}
	return []Finding{f}
}
