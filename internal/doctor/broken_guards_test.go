package doctor_test

import (
	"net/http"
	"strings"
	"time"
)

// brokenGuards are about what the store enforces.
var brokenGuards = []broken{
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
	{
		"If-None-Match is ignored everywhere", takes(func(r request, code string) bool { return code == "PreconditionFailed" && r.Method != http.MethodGet }),
		[]string{"failure store.guard.once"},
		"overwrite a file", "another store",
	},
	{
		"checksums are not looked at anywhere", takes(func(r request, code string) bool { return code == "BadDigest" }),
		[]string{"failure store.guard.checksum"},
		"taken for whole", "another store",
	},
	{"the store knows neither checksums nor If-None-Match", func(d *deployment) {
		d.answers = func(r request) *said {
			if r.Method == http.MethodPut && (r.Header.Get("If-None-Match") != "" || r.Header.Get("X-Amz-Checksum-Crc64nvme") != "") {
				return &said{status: 400, code: "InvalidArgument", message: "Unsupported header received"}
			}
			return nil
		}
	}, []string{"failure store.guard.once"}, "knows neither", "another store"},
	{"a cache takes If-None-Match away", func(d *deployment) {
		d.answers = func(r request) *said {
			r.Header.Del("If-None-Match")
			return nil
		}
	}, []string{"failure store.header"}, "takes If-None-Match away", "proxy_cache off"},
	{"a proxy takes the checksum away", func(d *deployment) {
		d.answers = func(r request) *said {
			if r.Method == http.MethodPut && r.Header.Get("X-Amz-Checksum-Crc64nvme") != "" {
				return &said{status: 400, code: "AccessDenied", message: "There were headers present in the request which were not signed"}
			}
			return nil
		}
	}, []string{"failure store.header"}, "takes X-Amz-Checksum-Crc64nvme away", "pass this header on"},
	{"a cache takes Range away", func(d *deployment) {
		d.answers = func(r request) *said {
			r.Header.Del("Range")
			return nil
		}
	}, []string{"failure store.header"}, "takes Range away", "pass this header on"},
	{"signatures may not age", func(d *deployment) {
		d.o.Expiry = 15 * time.Minute
		d.answers = func(r request) *said {
			at, err := time.Parse("20060102T150405Z", r.URL.Query().Get("X-Amz-Date"))
			if err == nil && time.Since(at) > 10*time.Minute && time.Since(at) < time.Hour {
				return &said{status: 403, code: "AccessDenied", message: "User: " + principal + " is not authorized to perform: s3:PutObject on resource: \"x\" with an explicit deny in a resource-based policy"}
			}
			return nil
		}
	}, []string{"warning store.late"}, "shorter time than CASELOAD_URL_EXPIRY (15 min)", "s3:signatureAge"},
}
