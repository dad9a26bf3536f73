package doctor_test

import (
	"context"
	"net/http"
	"net/http/httptest"
)

// brokenWays are broken on the way to the store.
var brokenWays = []broken{
	{
		"the region's endpoint redirects", always(said{
			301, "PermanentRedirect", "The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint.",
			"<Endpoint>b.s3.eu-central-1.amazonaws.com</Endpoint><Bucket>b</Bucket>",
			map[string]string{"x-amz-bucket-region": "eu-central-1"},
			"", "",
		}),
		[]string{"failure bucket.region"},
		"the bucket lies in eu-central-1", "AWS_S3_REGION_NAME=eu-central-1",
	},
	{
		"the signature is of another region", always(said{
			400, "AuthorizationHeaderMalformed", "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'ap-northeast-2'",
			"<Region>ap-northeast-2</Region>", nil, "", "",
		}),
		[]string{"failure bucket.region"},
		"the store signs for ap-northeast-2", "AWS_S3_REGION_NAME=ap-northeast-2",
	},
	{
		"the location is incompatible with the endpoint", always(said{400, "IllegalLocationConstraintException", "The me-south-1 location constraint is incompatible for the region specific endpoint this request was sent to.", "", nil, "", ""}),
		[]string{"failure bucket.region"},
		"me-south-1", "AWS_S3_REGION_NAME=me-south-1",
	},
	{
		"something redirects and does not say where to", always(said{301, "PermanentRedirect", "Moved", "", nil, "", ""}),
		[]string{"failure bucket.region"},
		"does not say in which", "AWS_S3_ENDPOINT_URL",
	},
	{"the bucket says another region", func(d *deployment) {
		d.mends = func(r request, status int, _ http.Header, body []byte) (int, []byte) {
			if r.URL.Query().Has("location") {
				return 200, []byte(`<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/">EU</LocationConstraint>`)
			}
			return status, body
		}
	}, []string{"failure bucket.region"}, "lies in eu-west-1", "AWS_S3_REGION_NAME=eu-west-1"},
	{
		"the clock is off", always(said{
			403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.",
			"<RequestTime>20261126T010000Z</RequestTime><ServerTime>2026-11-26T02:00:00Z</ServerTime><MaxAllowedSkewMilliseconds>900000</MaxAllowedSkewMilliseconds>", nil, "", "",
		}),
		[]string{"failure bucket.contact.clock"},
		"clock is more than 15 minutes off", "timedatectl",
	},
	{
		"the temporary credentials have ended", always(said{400, "ExpiredToken", "The provided token has expired.", "<Token-0>x</Token-0>", nil, "", ""}),
		[]string{"failure bucket.contact.expired"},
		"have ended", "AWS_SESSION_TOKEN",
	},
	{
		"the session token is of another key", always(said{400, "InvalidToken", "The provided token is malformed or otherwise invalid.", "", nil, "", ""}),
		[]string{"failure bucket.contact.token"},
		"does not belong", "unset AWS_SESSION_TOKEN",
	},
	{
		"the access key is not known", always(said{403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", "<AWSAccessKeyId>AKIA</AWSAccessKeyId>", nil, "", ""}),
		[]string{"failure bucket.contact.key"},
		"does not know the access key", "AWS_ACCESS_KEY_ID",
	},
	{
		"the secret is wrong", always(said{403, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your key and signing method.", "", nil, "", ""}),
		[]string{"failure bucket.contact.signature"},
		"not this secret", "AWS_SECRET_ACCESS_KEY",
	},
	{
		"the bucket does not exist", always(said{404, "NoSuchBucket", "The specified bucket does not exist", "<BucketName>b</BucketName>", nil, "", ""}),
		[]string{"failure bucket.exists"},
		"no bucket of this name", "caseload bucket create",
	},
	{
		"the bucket's name is written in capitals", always(said{400, "InvalidBucketName", "The specified bucket is not valid.", "<BucketName>Clinic</BucketName>", nil, "", ""}),
		[]string{"failure bucket.exists"},
		"No store has a bucket of such a name", "small letters",
	},
	{
		"the store has no time", always(said{503, "SlowDown", "Please reduce your request rate.", "", nil, "", ""}),
		[]string{"failure bucket.contact.busy"},
		"no time", "Wait",
	},
	{
		"the store has a fault of its own", always(said{500, "InternalError", "We encountered an internal error. Please try again.", "", nil, "", ""}),
		[]string{"failure bucket.contact.busy"},
		"fault of its own", "operator",
	},
	{
		"a proxy answers with its own page", always(said{status: 200, page: "<html><head><title>Sign in to the network</title></head><body>Welcome</body></html>"}),
		[]string{"failure bucket.contact.intercepted"},
		"Something between", "NO_PROXY",
	},
	{
		"a virus scanner blocks", always(said{status: 403, page: "<!DOCTYPE html><html><body>Blocked by policy<br>category: storage</body></html>"}),
		[]string{"failure bucket.contact.intercepted"},
		"Something between", "exempts",
	},
	{"a proxy takes the Authorization header away", func(d *deployment) {
		d.answers = func(r request) *said {
			if r.Header.Get("Authorization") != "" {
				return &said{status: 403, code: "AccessDenied", message: "Access Denied"}
			}
			return nil
		}
	}, []string{"failure bucket.contact.authorization"}, "takes the Authorization header away", "pass the Authorization header on"},
	{
		"the store does not see the bucket in the host", always(said{status: 200, document: `<ListAllMyBucketsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Buckets/></ListAllMyBucketsResult>`}),
		[]string{"failure bucket.contact.addressing"},
		"every key for a bucket", "AWS_S3_ADDRESSING_STYLE=path",
	},
	{
		"another service answers", always(said{status: 200, document: `{"status":"ok"}`}),
		[]string{"failure bucket.contact.intercepted"},
		"answers in its place", "AWS_S3_ENDPOINT_URL",
	},
	{"the address leads to https", func(d *deployment) {
		d.answers = func(r request) *said {
			return &said{status: 301, page: "<html><h1>301 Moved Permanently</h1></html>", header: map[string]string{"Location": "https://" + r.Host + r.URL.RequestURI()}}
		}
	}, []string{"failure bucket.contact.redirect"}, "leads on to another", "AWS_S3_ENDPOINT_URL=https://127.0.0.1"},
	{
		"a sign-in page of the network", always(said{status: 302, page: "<html></html>", header: map[string]string{"Location": "https://login.hotel.example/?from=secret"}}),
		[]string{"failure bucket.contact.intercepted"},
		"which leads to https://login.hotel.example.", "lets the store's host through",
	},
	{"a CDN before the store takes no PUT", func(d *deployment) {
		d.answers = func(r request) *said {
			if r.Method == http.MethodPut {
				return &said{status: 403, page: "<html><h1>403 ERROR</h1>This distribution is not configured to allow the HTTP request method that was used for this request.</html>"}
			}
			return nil
		}
	}, []string{"failure store.permission.s3:PutObject"}, "answers this call in its place", "pass every method on"},
	{"the store is full", func(d *deployment) {
		d.answers = func(r request) *said {
			if r.Method == http.MethodPut && !r.anonymous {
				return &said{status: 507, code: "XMinioStorageFull", message: "Storage backend has reached its minimum free drive threshold. Please delete a few objects to proceed."}
			}
			return nil
		}
	}, []string{"failure store.full"}, "no room left", "caseload cleanup"},
	{"nothing listens at the address", func(d *deployment) {
		gone := httptest.NewServer(http.NotFoundHandler())
		gone.Close()
		d.c.Endpoint = gone.URL
		s := storeAt(d.t, d.c)
		d.o.Store, d.o.Setup = s.Trial(), s
	}, []string{"failure bucket.contact"}, "Nothing answers", "AWS_S3_ENDPOINT_URL"},
	{"a proxy rewrites the Host header", func(d *deployment) {
		d.answers = func(r request) *said {
			if r.anonymous {
				return nil
			}
			return &said{
				status: 403, code: "SignatureDoesNotMatch", message: "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
				more: "<CanonicalRequest>GET\n" + r.URL.Path + "\nlist-type=2\nhost:minio-internal:9000\nx-amz-content-sha256:UNSIGNED-PAYLOAD\n\nhost\nUNSIGNED-PAYLOAD</CanonicalRequest>",
			}
		}
	}, []string{"failure bucket.contact.host"}, "The store was asked for minio-internal:9000", "proxy_set_header Host"},
	{"a proxy cuts the path", func(d *deployment) {
		d.answers = func(r request) *said {
			if r.anonymous {
				return nil
			}
			return &said{
				status: 403, code: "SignatureDoesNotMatch", message: "The request signature we calculated does not match the signature you provided.",
				more: "<CanonicalRequest>GET\n/\nlist-type=2\nhost:" + r.Host + "\n\nhost\nUNSIGNED-PAYLOAD</CanonicalRequest>",
			}
		}
	}, []string{"failure bucket.contact.host"}, "the secret may well be right", "no path after proxy_pass"},
	{"the secret is wrong, and the store says what it signed", func(d *deployment) {
		d.answers = func(r request) *said {
			if r.anonymous {
				return nil
			}
			return &said{
				status: 403, code: "SignatureDoesNotMatch", message: "The request signature we calculated does not match the signature you provided.",
				more: "<CanonicalRequest>GET\n" + r.URL.Path + "\nlist-type=2\nhost:" + r.Host + "\n\nhost\nUNSIGNED-PAYLOAD</CanonicalRequest>",
			}
		}
	}, []string{"failure bucket.contact.signature"}, "not this secret", "AWS_SECRET_ACCESS_KEY"},
	{
		"a proxy stands before a store that says nothing of what it signed", always(said{403, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided.", "", map[string]string{"Server": "nginx/1.22.1"}, "", ""}),
		[]string{"failure bucket.contact.signature"},
		"The answer comes by nginx", "proxy_set_header Host $http_host;",
	},
	{
		"the proxy does not reach the store", always(said{status: 502, page: "<html><h1>502 Bad Gateway</h1></html>"}),
		[]string{"failure bucket.contact.gateway"},
		"does not reach the store", "Start the store",
	},
	{"a proxy lets neither DELETE nor OPTIONS through", func(d *deployment) {
		delete(d.allowed, "s3:DeleteObject") // what the trials make stays
		d.answers = func(r request) *said {
			if r.Method == http.MethodDelete || r.Method == http.MethodOptions {
				return &said{status: 403, page: "<html><h1>403 Forbidden</h1></html>"}
			}
			return nil
		}
	}, []string{"failure store.permission.s3:DeleteObject"}, "answers this call in its place", "pass every method on"},
	{
		"the account is suspended", always(said{403, "AccountProblem", "There is a problem with your AWS account that prevents the operation from completing successfully.", "", nil, "", ""}),
		[]string{"failure bucket.contact.account"},
		"a bill is open", "owns the AWS account",
	},
	{
		"the region is not switched on", always(said{403, "OptInRequired", "The AWS Access Key Id needs a subscription for the service", "", nil, "", ""}),
		[]string{"failure bucket.contact.account"},
		"not signed up for S3 or for this region", "list of regions",
	},
}

// brokenOwners are about whose bucket it is.
var brokenOwners = []broken{
	{"the bucket is another database's", func(d *deployment) {
		d.o.Belongs = func(context.Context) (marked, ours string, err error) { return "one", "another", nil }
	}, []string{"failure bucket.database"}, "Another Caseload keeps its files", "caseload cleanup --accept-database"},
	{
		"the bucket is somebody else's", always(said{403, "AccessDenied", "Access Denied", "", nil, "", ""}),
		[]string{"failure bucket.owner"},
		"belongs to another AWS account", "AWS_STORAGE_BUCKET_NAME",
	},
	{
		"no policy is attached", func(d *deployment) { clear(d.allowed) },
		[]string{"failure bucket.access"},
		"may do nothing", "s3:ListMultipartUploadParts",
	},
	{"the bucket's policy knows only some networks", func(d *deployment) {
		clear(d.allowed)
		d.denies = func(string) string { return "with an explicit deny in a resource-based policy" }
	}, []string{"failure bucket.access"}, "explicit deny in a resource-based policy", "aws:SourceIp"},
	{"the bucket can be used but is another account's", func(d *deployment) {
		d.o.Account = func(context.Context) string { return "444455556666" }
		d.answers = func(r request) *said {
			if expected := r.Header.Get("x-amz-expected-bucket-owner"); expected != "" && expected != "111122223333" {
				return &said{status: 403, code: "AccessDenied", message: "Access Denied"}
			}
			return nil
		}
	}, []string{"failure bucket.owner"}, "another AWS account", "bucket of your own"},
	{"the VPC endpoint's policy knows only other buckets", func(d *deployment) {
		clear(d.allowed)
		d.denies = func(action string) string { return "because no VPC endpoint policy allows the " + action + " action" }
	}, []string{"failure bucket.access"}, "the VPC endpoint policy between", "manages the VPC endpoint policy"},
	{"the organization forbids S3", func(d *deployment) {
		clear(d.allowed)
		d.denies = func(string) string { return "with an explicit deny in a service control policy" }
	}, []string{"failure bucket.access"}, "explicit deny in a service control policy", "manages the bucket"},
}
