package doctor_test

import (
	"net/http"
	"strings"

	"dcdentals.com/caseload/internal/caseload"
)

// brokenPages are about browsers.
var brokenPages = []broken{
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
	{
		"the CORS rule's address ends with a slash", corsRules(`{"AllowedOrigins":["` + ours + `/","` + other + `/"],"AllowedMethods":["PUT","POST","GET"],"AllowedHeaders":["*"],"ExposeHeaders":["ETag","Location","x-amz-checksum-crc64nvme"]}`),
		[]string{"failure cors.origin"},
		"every letter counts", "caseload bucket cors apply",
	},
	{"the CORS rule is for every subdomain", func(d *deployment) {
		d.o.Bucket.Origins = []string{"https://scans.clinic.example"}
		corsRules(`{"AllowedOrigins":["https://*.clinic.example"],"AllowedMethods":["PUT","POST","GET"],"AllowedHeaders":["*"],"ExposeHeaders":["ETag","Location","x-amz-checksum-crc64nvme"]}`)(d)
	}, []string{"warning cors.credentials"}, "https://stranger.clinic.example", "caseload bucket cors apply"},
	{
		"the CORS rule is open at its end", corsRules(`{"AllowedOrigins":["` + ours + `*","` + other + `"],"AllowedMethods":["PUT","POST","GET"],"AllowedHeaders":["*"],"ExposeHeaders":["ETag","Location","x-amz-checksum-crc64nvme"]}`),
		[]string{"warning cors.credentials"},
		ours + ".stranger.invalid", "caseload bucket cors apply",
	},
	{
		"the CORS rule lets the http twin in", corsRules(`{"AllowedOrigins":["` + ours + `","` + other + `","http://caseload.example"],"AllowedMethods":["PUT","POST","GET"],"AllowedHeaders":["*"],"ExposeHeaders":["ETag","Location","x-amz-checksum-crc64nvme"]}`),
		[]string{"warning cors.credentials"},
		"To a page of http://caseload.example", "caseload bucket cors apply",
	},
	{"pages from a disk are let in", answersTo(func(h http.Header, r request) int {
		if r.Header.Get("Origin") == "null" {
			h.Set("Access-Control-Allow-Origin", "null")
			return 200
		}
		if h.Get("Access-Control-Allow-Origin") == "" {
			return 403
		}
		return 200
	}), []string{"warning cors.foreign"}, "To a page of null", "caseload bucket cors apply"},
	{"a proxy answers for CORS besides", func(d *deployment) {
		d.mends = func(_ request, status int, h http.Header, body []byte) (int, []byte) {
			h.Add("Access-Control-Allow-Origin", "*")
			return status, body
		}
	}, []string{"failure cors.twice"}, "two answers for none", "add_header"},
	{"a proxy lets no OPTIONS through", func(d *deployment) {
		d.answers = func(r request) *said {
			if r.Method == http.MethodOptions {
				return &said{status: 405, page: "<html><h1>405 Not Allowed</h1></html>"}
			}
			return nil
		}
	}, []string{"failure cors.options"}, "no rule of the bucket is heard", "pass OPTIONS on"},
	{"only the answers to parts hide the ETag", func(d *deployment) {
		d.mends = func(r request, status int, h http.Header, body []byte) (int, []byte) {
			if isPart(r) {
				h.Set("Access-Control-Expose-Headers", "Location, x-amz-checksum-crc64nvme")
			}
			return status, body
		}
	}, []string{"failure cors.exposed"}, "Hidden from the page: ETag", "caseload bucket cors apply"},
	{"an earlier CORS rule without exposed headers comes first", corsRules(
		`{"AllowedOrigins":["` + ours + `","` + other + `"],"AllowedMethods":["PUT","POST","GET"],"AllowedHeaders":["*"]},` +
			`{"AllowedOrigins":["` + ours + `","` + other + `"],"AllowedMethods":["PUT","POST","GET"],"AllowedHeaders":["*"],"ExposeHeaders":["ETag","Location","x-amz-checksum-crc64nvme"]}`,
	), []string{"failure cors.exposed"}, "the first that fits counts", "caseload bucket cors apply"},
}

// brokenDoors are about strangers.
var brokenDoors = []broken{
	{"a cache gives away what was read", func(d *deployment) {
		d.mends = func(r request, status int, _ http.Header, body []byte) (int, []byte) {
			if r.anonymous && r.Method == http.MethodGet && strings.HasSuffix(r.key, "-object") {
				return http.StatusOK, []byte("Caseload tries its store.")
			}
			return status, body
		}
	}, []string{"failure exposure.cache"}, "a cache before it keeps what is read", "proxy_cache off"},
	{"a cache gives away what was listed", func(d *deployment) {
		d.mends = func(r request, status int, _ http.Header, body []byte) (int, []byte) {
			if r.anonymous && r.Method == http.MethodGet && r.key == "" && !strings.HasSuffix(r.URL.Query().Get("prefix"), "fresh") {
				return http.StatusOK, []byte("<ListBucketResult><Name>b</Name></ListBucketResult>")
			}
			return status, body
		}
	}, []string{"failure exposure.cache"}, "The bucket is closed", "empties the cache"},
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
	{
		"the bucket's policy asks for a Referer", reading("policy", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*","Condition":{"StringLike":{"aws:Referer":["https://caseload.example/*"]}}}]}`),
		[]string{"failure exposure.policy"},
		"opens it to the world", "Principal *",
	},
	{
		"the bucket's policy is for every network", reading("policy", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":["s3:GetObject"],"Resource":"arn:aws:s3:::b/*","Condition":{"IpAddress":{"aws:SourceIp":["0.0.0.0/0","10.0.0.0/8"]}}}]}`),
		[]string{"failure exposure.policy"},
		"opens it to the world", "Principal *",
	},
	{
		"the bucket's policy is for all but one", reading("policy", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","NotPrincipal":{"AWS":"arn:aws:iam::111122223333:user/x"},"Action":["s3:GetObject"],"Resource":"arn:aws:s3:::b/*"}]}`),
		[]string{"failure exposure.policy"},
		"opens it to the world", "Principal *",
	},
	{"the bucket's ACL is open to everybody", aclOpen("AllUsers READ", "AllUsers WRITE"), []string{"warning exposure.block", "failure exposure.acl.open"}, "READ, WRITE to everybody (AllUsers)", "--acl private"},
	{"the bucket's ACL is open to every account", aclOpen("AuthenticatedUsers READ"), []string{"warning exposure.block", "failure exposure.acl.open"}, "everybody who has an AWS account", "s3:PutBucketAcl"},
	{"an open ACL is ignored", func(d *deployment) {
		aclOpen("AllUsers READ")(d)
		d.settings["publicAccessBlock"] = blockAll
	}, []string{"warning exposure.acl"}, "past every policy", "BucketOwnerEnforced"},
	{
		"the bucket's policy asks for a browser", reading("policy", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::b/*","Condition":{"StringEquals":{"aws:UserAgent":"Caseload"},"Bool":{"aws:SecureTransport":"true"}}}]}`),
		[]string{"failure exposure.policy"},
		"opens it to the world", "Principal *",
	},
	{
		"the bucket's policy shuts one network out", reading("policy", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*","Condition":{"NotIpAddress":{"aws:SourceIp":"198.51.100.0/24"}}}]}`),
		[]string{"failure exposure.policy"},
		"opens it to the world", "Principal *",
	},
	{
		"the bucket's policy lets a VPC endpoint alone in", reading("policy", `{"Version":"2012-10-17","Statement":[{"Sid":"OnlyInside","Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::b/*","Condition":{"StringNotEquals":{"aws:SourceVpce":"vpce-1a2b3c4d"}}}]}`),
		[]string{"warning exposure.networks"},
		"browsers outside these networks", "REST-QUERY-STRING",
	},
}

// aclOpen switches ACLs on and gives groups of AWS's own something by them.
func aclOpen(grants ...string) func(d *deployment) {
	return func(d *deployment) {
		reading("acl", aclOf(grants...))(d)
		d.settings["ownershipControls"] = strings.Replace(ownerEnforced, "BucketOwnerEnforced", "ObjectWriter", 1)
		d.settings["publicAccessBlock"] = ""
	}
}
