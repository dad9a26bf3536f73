package doctor_test

import (
	"context"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/doctor"
	"dcdentals.com/caseload/internal/objectstore"
	"dcdentals.com/caseload/internal/objectstore/s3test"
)

// deployment is one that is broken in one way. It is sound until broken is called.
type deployment struct {
	*amazon
	c    objectstore.Config // as our credentials reach it
	o    doctor.StoreOptions
	root *objectstore.Store // as its owner reaches it, past everything that is played
	t    *testing.T
}

// broken is one case of the suite.
type broken struct {
	name  string
	does  func(d *deployment)
	finds []string // all that is wrong, by name
	says  string   // part of what the first of them means
	fix   string   // part of how it is mended
}

// always answers every request in the store's place.
func always(s said) func(d *deployment) {
	return func(d *deployment) { d.answers = func(request) *said { return &s } }
}

// without takes one permission away.
func without(action string) func(d *deployment) {
	return func(d *deployment) { delete(d.allowed, action) }
}

// reading lets the credentials look at the bucket's settings, and sets one of them.
func reading(setting, document string) func(d *deployment) {
	return func(d *deployment) {
		d.may(false)
		d.settings[setting] = document
	}
}

// takes makes the store take what it refuses: any PUT for which the function says so.
func takes(which func(r request, code string) bool) func(d *deployment) {
	return func(d *deployment) {
		d.mends = func(r request, status int, h http.Header, body []byte) (int, []byte) {
			var s struct{ Code string }
			if status >= 400 && xml.Unmarshal(body, &s) == nil && which(r, s.Code) {
				h.Set("ETag", `"d41d8cd98f00b204e9800998ecf8427e"`)
				return http.StatusOK, nil
			}
			return status, body
		}
	}
}

// answersTo changes the answers to browsers' preflights.
func answersTo(change func(h http.Header, r request) int) func(d *deployment) {
	return func(d *deployment) {
		d.mends = func(r request, status int, h http.Header, body []byte) (int, []byte) {
			if r.Method == http.MethodOptions {
				return change(h, r), nil
			}
			return status, body
		}
	}
}

func corsRules(rule string) func(d *deployment) {
	return func(d *deployment) {
		must(d.t, d.root.SetSetting(d.t.Context(), caseload.BucketCORS, []byte(`{"CORSRules":[`+rule+`]}`)))
	}
}

func isPart(r request) bool { return r.URL.Query().Has("partNumber") }

var brokenAmazons = []broken{
	// The way there.
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

	// Whose bucket it is.
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

	// Rights: each action by itself is in TestEachMissingRightIsNamed.
	{"the key's rights to encrypt are missing", func(d *deployment) {
		d.answers = func(r request) *said {
			if r.action == "s3:PutObject" && !r.anonymous && r.Method != http.MethodOptions {
				return &said{status: 403, code: "AccessDenied", message: "User: " + principal + " is not authorized to perform: kms:GenerateDataKey on resource: " + keyARN + " because no identity-based policy allows the kms:GenerateDataKey action"}
			}
			return nil
		}
	}, []string{"failure store.permission.kms:GenerateDataKey"}, "S3 allows the call", keyARN},
	{"the key's rights to decrypt are missing", func(d *deployment) {
		d.answers = func(r request) *said {
			if strings.HasPrefix(r.action, "s3:GetObject") && !r.anonymous && r.Method != http.MethodOptions {
				return &said{status: 403, code: "AccessDenied", message: "User: " + principal + " is not authorized to perform: kms:Decrypt on resource: " + keyARN + " because no identity-based policy allows the kms:Decrypt action"}
			}
			return nil
		}
	}, []string{"failure store.permission.kms:Decrypt"}, "S3 allows the call", "kms:Decrypt"},
	{"the key is disabled", func(d *deployment) {
		d.answers = func(r request) *said {
			if r.action == "s3:PutObject" && !r.anonymous && r.Method != http.MethodOptions {
				return &said{status: 400, code: "KMS.DisabledException", message: keyARN + " is disabled."}
			}
			return nil
		}
	}, []string{"failure store.key"}, "disabled", "aws kms enable-key --key-id 1234abcd-12ab-34cd-56ef-1234567890ab"},
	{"the key waits to be deleted", func(d *deployment) {
		d.answers = func(r request) *said {
			if r.action == "s3:PutObject" && !r.anonymous && r.Method != http.MethodOptions {
				return &said{status: 400, code: "KMS.KMSInvalidStateException", message: keyARN + " is pending deletion."}
			}
			return nil
		}
	}, []string{"failure store.key"}, "lost for good", "cancel-key-deletion"},
	{"the bucket's policy forbids deleting", func(d *deployment) {
		delete(d.allowed, "s3:DeleteObject")
		d.denies = func(action string) string {
			if action == "s3:DeleteObject" {
				return "with an explicit deny in a resource-based policy"
			}
			return "because no identity-based policy allows the " + action + " action"
		}
	}, []string{"failure store.permission.s3:DeleteObject"}, "no other policy can outdo it", "takes the Deny of s3:DeleteObject out"},
	{"a permissions boundary leaves a right out", func(d *deployment) {
		delete(d.allowed, "s3:AbortMultipartUpload")
		d.denies = func(action string) string {
			if action == "s3:AbortMultipartUpload" {
				return "because no permissions boundary allows the s3:AbortMultipartUpload action"
			}
			return "because no identity-based policy allows the " + action + " action"
		}
	}, []string{"failure store.permission.s3:AbortMultipartUpload"}, "not allowed by the permissions boundary", "permissions boundary allows s3:AbortMultipartUpload there too"},
	{"the policy wants every request to say how it is encrypted", func(d *deployment) {
		d.answers = func(r request) *said {
			if r.action != "s3:PutObject" || r.anonymous || r.Method == http.MethodOptions {
				return nil
			}
			if r.Header.Get("X-Amz-Server-Side-Encryption") == "" {
				return &said{status: 403, code: "AccessDenied", message: "User: " + principal + ` is not authorized to perform: s3:PutObject on resource: "x" with an explicit deny in a resource-based policy`}
			}
			return &said{status: 200, document: "<x/>"}
		}
	}, []string{"failure store.encryption-header"}, "Default encryption makes that needless", "s3:PutBucketPolicy"},
	{"the policy wants a customer's key", func(d *deployment) {
		delete(d.allowed, "s3:PutObject")
		d.denies = func(string) string { return "with an explicit deny in a resource-based policy" }
	}, []string{"failure store.permission.s3:PutObject"}, "no other policy can outdo it", "SSE-C"},
	{"the owner wants others to pay", func(d *deployment) {
		d.answers = func(r request) *said {
			if r.Header.Get("X-Amz-Request-Payer") == "" && r.Method != http.MethodOptions {
				return &said{status: 403, code: "AccessDenied", message: "Access Denied"}
			}
			return nil
		}
	}, []string{"failure bucket.access.payer"}, "Requester Pays", "Payer=BucketOwner"},

	// What the store enforces.
	{"the signed length is not held to", takes(func(r request, code string) bool {
		return code == "SignatureDoesNotMatch" && !isPart(r) && strings.HasSuffix(r.key, "-wrong")
	}), []string{"failure store.guard.length"}, "any size", "another store"},
	{
		"checksums are not looked at", takes(func(r request, code string) bool {
			return code == "BadDigest" && !isPart(r) && r.Method == http.MethodPut
		}),
		[]string{"failure store.guard.checksum"},
		"taken for whole", "operator",
	},
	{
		"If-None-Match is ignored", takes(func(r request, code string) bool { return code == "PreconditionFailed" && r.Method == http.MethodPut }),
		[]string{"failure store.guard.once"},
		"overwrite a file", "another store",
	},
	{
		"expired addresses are taken", takes(func(r request, code string) bool {
			return code == "AccessDenied" && !r.anonymous && r.Method == http.MethodPut
		}),
		[]string{"failure store.guard.expiry"},
		"good for ever", "another store",
	},
	{"signatures are not looked at", takes(func(r request, code string) bool {
		return code == "SignatureDoesNotMatch" && strings.HasSuffix(r.key, "-moved")
	}), []string{"failure store.guard.key"}, "anybody can write", "another store"},
	{
		"the length of parts is not held to", takes(func(r request, code string) bool { return code == "SignatureDoesNotMatch" && isPart(r) }),
		[]string{"failure store.guard.part-length"},
		"client's word", "another store",
	},
	{
		"checksums of parts are not looked at", takes(func(r request, code string) bool { return code == "BadDigest" && isPart(r) }),
		[]string{"failure store.guard.part-checksum"},
		"taken for whole", "another store",
	},
	{
		"completing overwrites", takes(func(r request, code string) bool { return code == "PreconditionFailed" && r.Method == http.MethodPost }),
		[]string{"failure store.guard.complete-once"},
		"overwritten", "another store",
	},
	{
		"forms are not held to their size", takes(func(r request, code string) bool { return code == "EntityTooLarge" }),
		[]string{"failure store.guard.form-size"},
		"client's word", "another store",
	},
	{"a cache gives whole objects for ranges", func(d *deployment) {
		d.mends = func(r request, status int, _ http.Header, body []byte) (int, []byte) {
			if status == http.StatusPartialContent {
				return http.StatusOK, []byte("Caseload tries its store. This object is deleted again.\n")
			}
			return status, body
		}
	}, []string{"failure store.guard.range"}, "ranges", "cache"},
	{
		"If-Match is ignored", takes(func(r request, code string) bool { return r.Method == http.MethodGet && code == "PreconditionFailed" }),
		[]string{"failure store.guard.pinned"},
		"exchanged behind our back", "another store",
	},
	{"a proxy strips the ETag", func(d *deployment) {
		d.mends = func(_ request, status int, h http.Header, body []byte) (int, []byte) {
			h.Del("ETag")
			return status, body
		}
	}, []string{"failure store.etag"}, "strips the ETag", "pass ETag on"},
	{"something rewrites the objects", func(d *deployment) {
		d.mends = func(r request, status int, _ http.Header, body []byte) (int, []byte) {
			if r.action == "s3:GetObject" && r.key != "" && status == http.StatusOK {
				return status, append([]byte("<!-- scanned -->"), body...)
			}
			return status, body
		}
	}, []string{"failure store.bytes"}, "other bytes", "rewrites"},
	{"a proxy compresses answers", func(d *deployment) {
		d.mends = func(r request, status int, h http.Header, body []byte) (int, []byte) {
			if strings.Contains(r.Header.Get("Accept-Encoding"), "br") {
				h.Set("Content-Encoding", "br")
			}
			return status, body
		}
	}, []string{"failure store.packed"}, "sizes and ranges no longer fit", "compression off"},
	{"signed addresses are refused", func(d *deployment) {
		d.answers = func(r request) *said {
			if r.URL.Query().Has("X-Amz-Signature") && r.Method == http.MethodPut {
				return d.denied("s3:PutObject")
			}
			return nil
		}
	}, []string{"failure store.signed", "failure store.multipart"}, "by a signed address", "s3:authType"},
	{"the store does not know If-None-Match", func(d *deployment) {
		d.answers = func(r request) *said {
			if r.Header.Get("If-None-Match") != "" && r.Method == http.MethodPut {
				return &said{status: 501, code: "NotImplemented", message: "A header you provided implies functionality that is not implemented", more: "<Header>If-None-Match</Header>"}
			}
			return nil
		}
	}, []string{"failure store.guard.once"}, "does not know", "another store"},

	// Browsers.
	{"there is no CORS rule", func(d *deployment) {
		must(d.t, d.root.SetSetting(d.t.Context(), caseload.BucketCORS, []byte(`{"CORSRules":[]}`)))
	}, []string{"failure cors.origin"}, "no CORS rule", `"https://caseload.example"`},
	{
		"the CORS rule is for another address", corsRules(`{"AllowedOrigins":["http://caseload.example","https://caseload.example:443","https://www.caseload.example"],"AllowedMethods":["PUT","POST","GET"],"AllowedHeaders":["*"],"ExposeHeaders":["ETag"]}`),
		[]string{"failure cors.origin"},
		"every letter counts", "caseload bucket cors apply",
	},
	{
		"one of two applications is forgotten in the CORS rule", corsRules(`{"AllowedOrigins":["` + ours + `"],"AllowedMethods":["PUT","POST","GET"],"AllowedHeaders":["*"],"ExposeHeaders":["ETag","Location","x-amz-checksum-crc64nvme"]}`),
		[]string{"failure cors.origin"},
		"may not send", other,
	},
	{
		"the CORS rule lacks a method", corsRules(`{"AllowedOrigins":["` + ours + `","` + other + `"],"AllowedMethods":["POST","GET"],"AllowedHeaders":["*"],"ExposeHeaders":["ETag","Location","x-amz-checksum-crc64nvme"]}`),
		[]string{"failure cors.method"},
		"may not use PUT", `"PUT"`,
	},
	{
		"the CORS rule lacks a header", corsRules(`{"AllowedOrigins":["` + ours + `","` + other + `"],"AllowedMethods":["PUT","POST","GET"],"AllowedHeaders":["content-type"],"ExposeHeaders":["ETag","Location","x-amz-checksum-crc64nvme"]}`),
		[]string{"failure cors.header"},
		"x-amz-checksum-crc64nvme", "caseload bucket cors apply",
	},
	{"the CORS rule hides the ETag", func(d *deployment) {
		d.mends = func(_ request, status int, h http.Header, body []byte) (int, []byte) {
			h.Set("Access-Control-Expose-Headers", "Location, x-amz-checksum-crc64nvme") // the gateway always adds ETag
			return status, body
		}
	}, []string{"failure cors.exposed"}, "ETag", `"ETag"`},
	{"a cache gives answers of another origin", func(d *deployment) {
		d.mends = func(r request, status int, h http.Header, body []byte) (int, []byte) {
			if r.Method == http.MethodGet {
				h.Del("Access-Control-Allow-Origin")
			}
			return status, body
		}
	}, []string{"failure cors.exposed"}, "may not read the files", "caseload bucket cors apply"},
	{"the CORS rule lets every origin in", answersTo(func(h http.Header, r request) int {
		h.Set("Access-Control-Allow-Origin", "*")
		h.Del("Access-Control-Allow-Credentials")
		h.Set("Access-Control-Allow-Methods", "PUT, POST, GET")
		h.Set("Access-Control-Allow-Headers", r.Header.Get("Access-Control-Request-Headers"))
		return 200
	}), []string{"warning cors.foreign"}, "every origin", ours},
	{"the CORS rule lets every origin in with credentials", answersTo(func(h http.Header, r request) int {
		h.Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
		h.Set("Access-Control-Allow-Credentials", "true")
		h.Set("Access-Control-Allow-Methods", "PUT, POST, GET")
		h.Set("Access-Control-Allow-Headers", r.Header.Get("Access-Control-Request-Headers"))
		return 200
	}), []string{"warning cors.credentials"}, "visitors' credentials", ours},

	// Strangers.
	{"the bucket can be read by everybody", func(d *deployment) {
		d.answers = func(r request) *said { return nil }
		d.mends = func(r request, status int, _ http.Header, body []byte) (int, []byte) {
			if r.anonymous && r.Method == http.MethodGet && r.key != "" {
				return http.StatusOK, []byte("Caseload tries its store.")
			}
			return status, body
		}
	}, []string{"failure exposure.read"}, "can read patients' files", "Block Public Access"},
	{"the bucket can be listed by everybody", func(d *deployment) {
		d.mends = func(r request, status int, _ http.Header, body []byte) (int, []byte) {
			if r.anonymous && r.Method == http.MethodGet && r.key == "" {
				return http.StatusOK, []byte("<ListBucketResult><Name>b</Name></ListBucketResult>")
			}
			return status, body
		}
	}, []string{"failure exposure.list"}, "list every key", "Block Public Access"},
	{"the bucket can be written by everybody", func(d *deployment) {
		d.mends = func(r request, status int, _ http.Header, body []byte) (int, []byte) {
			if r.anonymous && r.Method == http.MethodPut {
				return http.StatusOK, nil
			}
			return status, body
		}
	}, []string{"failure exposure.write"}, "overwrite files", "Block Public Access"},
	{
		"the bucket's policy is public", reading("policy", `{"Version":"2012-10-17","Statement":[{"Sid":"Public","Effect":"Allow","Principal":{"AWS":"*"},"Action":["s3:GetObject"],"Resource":"arn:aws:s3:::b/*"}]}`),
		[]string{"failure exposure.policy"},
		"opens it to the world", "Principal *",
	},
	{
		"Block Public Access is not set", reading("publicAccessBlock", ""),
		[]string{"warning exposure.block"},
		"Nothing keeps a careless policy", "put-public-access-block",
	},
	{
		"Block Public Access is half off", reading("publicAccessBlock", strings.Replace(blockAll, "<RestrictPublicBuckets>true", "<RestrictPublicBuckets>false", 1)),
		[]string{"warning exposure.block"},
		"Nothing keeps a careless policy", "RestrictPublicBuckets=true",
	},
	{
		"ACLs are on", reading("ownershipControls", strings.Replace(ownerEnforced, "BucketOwnerEnforced", "ObjectWriter", 1)),
		[]string{"warning exposure.acl"},
		"past every policy", "BucketOwnerEnforced",
	},
	{
		"ownership was never set", reading("ownershipControls", ""),
		[]string{"warning exposure.acl"},
		"past every policy", "put-bucket-ownership-controls",
	},

	// What becomes of what lies in it.
	{
		"no encryption is set", reading("encryption", ""),
		[]string{"warning bucket.encryption"},
		"readable on the store's disks", "AES256",
	},
	{
		"no rule aborts incomplete uploads", reading("lifecycle", ""),
		[]string{"warning bucket.abort-rule"},
		"stay for ever", "caseload bucket lifecycle apply",
	},
	{
		"the rule that aborts is switched off", reading("lifecycle", lifecycleOf(strings.Replace(abortRule, "Enabled", "Disabled", 1))),
		[]string{"warning bucket.abort-rule"},
		"stay for ever", "DaysAfterInitiation",
	},
	{
		"the rule aborts what can be resumed", reading("lifecycle", lifecycleOf(strings.Replace(abortRule, "<DaysAfterInitiation>30", "<DaysAfterInitiation>7", 1))),
		[]string{"failure bucket.abort-rule"},
		"may still resume", "DaysAfterInitiation",
	},
	{
		"a rule deletes live files", reading("lifecycle", lifecycleOf(abortRule, `<Rule><ID>old</ID><Status>Enabled</Status><Filter><Prefix></Prefix></Filter><Expiration><Days>30</Days></Expiration></Rule>`)),
		[]string{"failure bucket.expiry-rule"},
		"deletes patients' files", "takes the rule away",
	},
	{
		"a rule deletes large live files", reading("lifecycle", lifecycleOf(abortRule, `<Rule><ID>big</ID><Status>Enabled</Status><Filter><ObjectSizeGreaterThan>1000000</ObjectSizeGreaterThan></Filter><Expiration><Date>2027-01-01T00:00:00.000Z</Date></Expiration></Rule>`)),
		[]string{"failure bucket.expiry-rule"},
		"deletes patients' files", "takes the rule away",
	},
	{
		"a rule locks files away", reading("lifecycle", lifecycleOf(abortRule, `<Rule><ID>cold</ID><Status>Enabled</Status><Filter></Filter><Transition><Days>90</Days><StorageClass>GLACIER</StorageClass></Transition></Rule>`)),
		[]string{"warning bucket.archive-rule"},
		"until somebody restores them", "GLACIER_IR",
	},
}

// Each deployment is started for real and broken in one way, which is named, and nothing else is.
func TestEachBrokenDeploymentIsDiagnosedByName(t *testing.T) {
	server := s3test.StartWithUsers(t, 0)
	for i, b := range brokenAmazons {
		t.Run(b.name, func(t *testing.T) {
			d := newDeployment(t, server, fmt.Sprintf("broken-%d", i))
			b.does(d)
			d.diagnose(t, b, d.removes())
		})
	}
}

func newDeployment(t *testing.T, server *s3test.Server, bucket string) *deployment {
	t.Helper()
	a, c := newAmazon(t, server, bucket)
	s := storeAt(t, c)
	d := &deployment{amazon: a, c: c, o: optionsFor(s, c), t: t}
	d.o.AWS = true
	direct := server.Config()
	direct.Bucket = bucket
	d.o.Setup = s
	d.root = storeAt(t, direct)
	return d
}

// removes tells whether the trials may remove what they make.
func (d *deployment) removes() bool {
	return d.allowed["s3:DeleteObject"] && d.allowed["s3:AbortMultipartUpload"] && d.allowed["s3:DeleteObjectVersion"]
}

// diagnose runs the checks and compares what they find with what the case says. When they may remove what they make,
// nothing of it is left.
func (d *deployment) diagnose(t *testing.T, b broken, removes bool) {
	t.Helper()
	wereThere := left(t, d.root)
	r := run(t, d.o)
	found := wrongs(r)
	if !reflect.DeepEqual(found, b.finds) {
		t.Fatalf("found %q, want %q\n%s", found, b.finds, shown(r))
	}
	if now := left(t, d.root); removes && !slices.Equal(now, wereThere) {
		t.Errorf("before there were %q, now there are %q", wereThere, now)
	}
	if len(b.finds) == 0 {
		return
	}
	_, name, _ := strings.Cut(b.finds[0], " ")
	at := slices.IndexFunc(r.Findings, func(f doctor.Finding) bool {
		return f.Check == name && f.Level >= doctor.Warning && f.Level != doctor.Untried
	})
	f := r.Findings[at]
	if !strings.Contains(f.Got+" "+f.Means, b.says) {
		t.Errorf("it says %q and %q, not %q", f.Got, f.Means, b.says)
	}
	if f.Fix == nil || !strings.Contains(f.Fix.Say+"\n"+f.Fix.Command+"\n"+f.Fix.Document+"\n"+strings.Join(f.Fix.Needs, "\n"), b.fix) {
		t.Errorf("the fix is %+v, without %q", f.Fix, b.fix)
	}
}

// A sound deployment has nothing to mend, whatever kind of store it is.
func TestSoundDeploymentsHaveNothingToMend(t *testing.T) {
	server := s3test.StartWithUsers(t, 0)
	for i, sound := range []broken{
		{name: "the server's own rights", does: func(*deployment) {}},
		{name: "somebody who may look at everything", does: func(d *deployment) { d.may(false) }},
		{name: "the account is known and the bucket's own", does: func(d *deployment) {
			d.o.Account = func(context.Context) string { return "111122223333" }
			d.answers = func(r request) *said {
				if r.Header.Get("x-amz-expected-bucket-owner") == "111122223333" {
					return &said{status: 200, document: "<ListBucketResult><Name>b</Name></ListBucketResult>"}
				}
				return nil
			}
		}},
		{name: "rules that no file meets", does: reading("lifecycle", lifecycleOf(abortRule,
			`<Rule><ID>logs</ID><Status>Enabled</Status><Filter><Prefix>logs/</Prefix></Filter><Expiration><Days>3</Days></Expiration></Rule>`,
			`<Rule><ID>tagged</ID><Status>Enabled</Status><Filter><Tag><Key>temporary</Key><Value>yes</Value></Tag></Filter><Expiration><Days>3</Days></Expiration></Rule>`,
			`<Rule><ID>off</ID><Status>Disabled</Status><Filter></Filter><Expiration><Days>3</Days></Expiration></Rule>`,
			`<Rule><ID>markers</ID><Status>Enabled</Status><Filter></Filter><Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration></Rule>`,
			`<Rule><ID>tier</ID><Status>Enabled</Status><Filter></Filter><Transition><Days>30</Days><StorageClass>GLACIER_IR</StorageClass></Transition></Rule>`))},
		{name: "a policy that gives a CDN the right to read", does: reading("policy", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"cloudfront.amazonaws.com"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}}`)},
		{name: "a policy for everybody of one organization", does: reading("policy", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-123"}}}]}`)},
	} {
		t.Run(sound.name, func(t *testing.T) {
			d := newDeployment(t, server, fmt.Sprintf("sound-%d", i))
			sound.does(d)
			d.diagnose(t, sound, true)
		})
	}
}

// With any one right of the printed policy taken away, that right is named and no other.
func TestEachMissingRightIsNamed(t *testing.T) {
	server := s3test.StartWithUsers(t, 0)
	for i, p := range (doctor.Bucket{Name: "b"}).Permissions(doctor.ServerPrincipal) {
		t.Run(p.Action, func(t *testing.T) {
			d := newDeployment(t, server, fmt.Sprintf("missing-%d", i))
			without(p.Action)(d)
			d.diagnose(t, broken{finds: []string{"failure store.permission." + p.Action}, says: "lack " + p.Action, fix: `"` + p.Action + `"`}, d.removes())
		})
	}
}

// left lists what lies in the bucket, as its owner sees it: the keys of objects, and of uploads with a word before.
func left(t testing.TB, root *objectstore.Store) (found []string) {
	t.Helper()
	list := func(query string, into any) {
		trial := root.Trial()
		u, err := trial.Address(t.Context(), false, "")
		must(t, err)
		u.RawQuery = query
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
		must(t, err)
		must(t, trial.Sign(ctx, r))
		got, err := trial.Do(r)
		must(t, err)
		defer got.Body.Close()
		must(t, xml.NewDecoder(got.Body).Decode(into))
	}
	var o struct{ Contents []struct{ Key string } }
	list("list-type=2", &o)
	for _, each := range o.Contents {
		found = append(found, each.Key)
	}
	var u struct{ Upload []struct{ Key string } }
	list("uploads=", &u)
	for _, each := range u.Upload {
		found = append(found, "upload "+each.Key)
	}
	return found
}
