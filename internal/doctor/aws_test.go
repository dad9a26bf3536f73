package doctor_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"

	"dcdentals.com/caseload/internal/doctor"
	"dcdentals.com/caseload/internal/objectstore"
	"dcdentals.com/caseload/internal/objectstore/s3test"
)

// said is an answer in AWS's own words.
type said struct {
	status  int
	code    string
	message string
	more    string            // further elements of the error
	header  map[string]string // x-amz-bucket-region, …
	page    string            // instead of an error of S3: a page

	document string // likewise: what S3 answers when all is well
}

// request is one request on its way to the store.
type request struct {
	*http.Request
	action    string // the permission it takes: "s3:PutObject"
	anonymous bool
	key       string
}

// amazon stands before a real gateway and plays AWS S3: rights by permission and in AWS's words, and the settings of a
// bucket that the gateway does not have. Every test breaks one thing of it.
type amazon struct {
	bucket  string
	allowed map[string]bool // actions that our credentials may do

	answers func(r request) *said                                                 // an answer in the store's place; nil: the store's own
	mends   func(r request, status int, h http.Header, body []byte) (int, []byte) // changes the store's own answer
	denies  func(action string) string                                            // the words of a refusal; nil: no identity-based policy allows it

	mu       sync.Mutex
	settings map[string]string // documents by sub-resource: "lifecycle"; "": not set
	proxy    *httputil.ReverseProxy
}

const (
	principal = "arn:aws:iam::111122223333:user/caseload"
	keyARN    = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
)

// absent are the answers for what is not set on a bucket.
var absent = map[string]said{
	"publicAccessBlock": {404, "NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found", "", nil, "", ""},
	"ownershipControls": {404, "OwnershipControlsNotFoundError", "The bucket ownership controls were not found", "", nil, "", ""},
	"encryption":        {404, "ServerSideEncryptionConfigurationNotFoundError", "The server side encryption configuration was not found", "", nil, "", ""},
	"policy":            {404, "NoSuchBucketPolicy", "The bucket policy does not exist", "", nil, "", ""},
	"lifecycle":         {404, "NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist", "", nil, "", ""},
}

const (
	blockAll      = `<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>true</IgnorePublicAcls><BlockPublicPolicy>true</BlockPublicPolicy><RestrictPublicBuckets>true</RestrictPublicBuckets></PublicAccessBlockConfiguration>`
	ownerEnforced = `<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule></OwnershipControls>`
	encrypted     = `<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>`
	abortRule     = `<Rule><ID>abort</ID><Status>Enabled</Status><Filter><Prefix></Prefix></Filter><AbortIncompleteMultipartUpload><DaysAfterInitiation>30</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule>`
)

// aclOf is a bucket's ACL: its owner's, and grants to groups of AWS's own ("AllUsers READ").
func aclOf(grants ...string) string {
	list := `<Grant><Grantee><ID>owner</ID></Grantee><Permission>FULL_CONTROL</Permission></Grant>`
	for _, each := range grants {
		group, permission, _ := strings.Cut(each, " ")
		list += `<Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="Group"><URI>http://acs.amazonaws.com/groups/global/` + group + `</URI></Grantee><Permission>` + permission + `</Permission></Grant>`
	}
	return `<AccessControlPolicy xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Owner><ID>owner</ID></Owner><AccessControlList>` + list + `</AccessControlList></AccessControlPolicy>`
}

func lifecycleOf(rules ...string) string {
	return `<LifecycleConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">` + strings.Join(rules, "") + `</LifecycleConfiguration>`
}

// actionOf names the permission that a request takes.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
func actionOf(method, key string, query url.Values) string {
	subresources := map[string][2]string{
		"location": {"s3:GetBucketLocation", ""}, "uploads": {"s3:ListBucketMultipartUploads", ""},
		"publicAccessBlock": {"s3:GetBucketPublicAccessBlock", "s3:PutBucketPublicAccessBlock"},
		"ownershipControls": {"s3:GetBucketOwnershipControls", "s3:PutBucketOwnershipControls"},
		"encryption":        {"s3:GetEncryptionConfiguration", "s3:PutEncryptionConfiguration"},
		"policy":            {"s3:GetBucketPolicy", "s3:PutBucketPolicy"},
		"lifecycle":         {"s3:GetLifecycleConfiguration", "s3:PutLifecycleConfiguration"},
		"versioning":        {"s3:GetBucketVersioning", "s3:PutBucketVersioning"},
		"cors":              {"s3:GetBucketCORS", "s3:PutBucketCORS"},
		"versions":          {"s3:ListBucketVersions", ""},
		"acl":               {"s3:GetBucketAcl", "s3:PutBucketAcl"},
	}
	if key == "" {
		for name, actions := range subresources {
			if query.Has(name) {
				if method == http.MethodPut {
					return actions[1]
				}
				return actions[0]
			}
		}
		switch method {
		case http.MethodPost:
			return "s3:PutObject"
		case http.MethodDelete:
			return "s3:DeleteBucket"
		case http.MethodPut:
			return "s3:CreateBucket"
		}
		return "s3:ListBucket"
	}
	version := ""
	if query.Has("versionId") {
		version = "Version"
	}
	switch {
	case method == http.MethodDelete && query.Has("uploadId"):
		return "s3:AbortMultipartUpload"
	case method == http.MethodDelete:
		return "s3:DeleteObject" + version
	case method == http.MethodGet && query.Has("uploadId"):
		return "s3:ListMultipartUploadParts"
	case method == http.MethodGet || method == http.MethodHead:
		return "s3:GetObject" + version
	}
	return "s3:PutObject"
}

// newAmazon starts a sound AWS over a fresh bucket of the gateway: the credentials have the printed server policy.
func newAmazon(t testing.TB, server *s3test.Server, bucket string, origins ...string) (*amazon, objectstore.Config) {
	t.Helper()
	c := newBucket(t, server, bucket)
	a := &amazon{bucket: bucket, allowed: map[string]bool{}, settings: map[string]string{
		"publicAccessBlock": blockAll, "ownershipControls": ownerEnforced, "encryption": encrypted, "lifecycle": lifecycleOf(abortRule),
		"policy": string(doctor.Bucket{Name: bucket, Region: c.Region}.TLSOnly().JSON()), "versioning": "<VersioningConfiguration/>",
		"acl": aclOf(),
	}}
	for _, p := range (doctor.Bucket{Name: bucket, Region: c.Region, Versioned: true}).Permissions(doctor.ServerPrincipal) {
		a.allowed[p.Action] = true
	}
	target, err := url.Parse(server.Endpoint)
	must(t, err)
	a.proxy = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // it is signed
		},
		Transport:      &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 8},
		ModifyResponse: a.answered,
	}
	front := httptest.NewServer(a)
	t.Cleanup(func() {
		front.Close()
		a.proxy.Transport.(*http.Transport).CloseIdleConnections()
	})
	c.Endpoint = front.URL
	return a, c
}

// may gives our credentials the rights of setting up besides, to look only or to set too.
func (a *amazon) may(set bool) {
	for _, p := range (doctor.Bucket{Name: a.bucket, Region: "us-east-1"}).Permissions(doctor.SetupPrincipal) {
		if set || strings.HasPrefix(p.Action, "s3:Get") {
			a.allowed[p.Action] = true
		}
	}
}

func (a *amazon) of(r *http.Request) request {
	_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	query := r.URL.Query()
	of := request{Request: r, key: key, action: actionOf(r.Method, key, query)}
	if r.URL.Path == "/" {
		of.action = "s3:ListAllMyBuckets"
	}
	form := strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data")
	of.anonymous = r.Header.Get("Authorization") == "" && !query.Has("X-Amz-Signature") && !form
	return of
}

func (a *amazon) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	of := a.of(r)
	if a.answers != nil {
		if answer := a.answers(of); answer != nil {
			answer.write(w, r)
			return
		}
	}
	if r.Method == http.MethodOptions {
		a.proxy.ServeHTTP(w, r)
		return
	}
	if !of.anonymous && !a.allowed[of.action] {
		a.denied(of.action).write(w, r)
		return
	}
	if a.isSetting(w, of) {
		return
	}
	a.proxy.ServeHTTP(w, r)
}

// denied is AWS's refusal for lack of a permission.
func (a *amazon) denied(action string) *said {
	words := "because no identity-based policy allows the " + action + " action"
	if a.denies != nil {
		words = a.denies(action)
	}
	message := fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %q %s", principal, action, "arn:aws:s3:::"+a.bucket, words)
	if words == "" {
		message = "Access Denied"
	}
	return &said{status: 403, code: "AccessDenied", message: message}
}

// isSetting answers for a setting of the bucket that is played here.
func (a *amazon) isSetting(w http.ResponseWriter, r request) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for name := range a.settings {
		if r.key != "" || !r.URL.Query().Has(name) || r.anonymous {
			continue
		}
		if r.Method == http.MethodPut {
			body, err := io.ReadAll(r.Body)
			if err != nil || !bytes.ContainsAny(body[:1], "<{") {
				(&said{status: 400, code: "MalformedXML", message: "The XML you provided was not well-formed or did not validate against our published schema"}).write(w, r.Request)
				return true
			}
			a.settings[name] = string(body)
			return true
		}
		if document := a.settings[name]; document != "" {
			w.Header().Set("Content-Type", "application/xml")
			_, _ = io.WriteString(w, document)
			return true
		}
		answer := absent[name]
		answer.write(w, r.Request)
		return true
	}
	return false
}

// answered makes the gateway's answer AWS's: without s3:ListBucket a missing object looks like a forbidden one.
func (a *amazon) answered(got *http.Response) error {
	of := a.of(got.Request)
	got.Header.Set("Server", "AmazonS3")
	body, err := io.ReadAll(got.Body)
	if err != nil {
		return err
	}
	_ = got.Body.Close()
	if of.action == "s3:GetObject" && got.StatusCode == http.StatusNotFound && !a.allowed["s3:ListBucket"] {
		got.StatusCode, body = http.StatusForbidden, a.denied("s3:ListBucket").body()
	}
	if a.mends != nil {
		got.StatusCode, body = a.mends(of, got.StatusCode, got.Header, body)
	}
	if of.Method != http.MethodHead {
		got.ContentLength = int64(len(body))
		got.Header.Set("Content-Length", strconv.Itoa(len(body)))
	}
	got.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}

func (s *said) body() []byte {
	return fmt.Appendf(nil, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code><Message>%s</Message>%s<RequestId>4442587FB7D0A2F9</RequestId><HostId>host</HostId></Error>", s.code, escape.Replace(s.message), s.more)
}

var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

func (s *said) write(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // or the connection is cut before the answer is read
	body := s.body()
	w.Header().Set("Content-Type", "application/xml")
	if s.page != "" {
		body = []byte(s.page)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
	} else {
		if s.document != "" {
			body = []byte(s.document)
		}
		w.Header().Set("Server", "AmazonS3")
		w.Header().Set("X-Amz-Request-Id", "4442587FB7D0A2F9")
	}
	for name, value := range s.header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(s.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}
