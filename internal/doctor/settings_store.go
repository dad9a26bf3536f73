package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

func (j *judgement) bucket() {
	s, names := j.settings, []string{"AWS_STORAGE_BUCKET_NAME"}
	switch {
	case s.Bucket == "":
		j.say(Failure, "bucket", names, "AWS_STORAGE_BUCKET_NAME is empty."+j.perhaps("AWS_STORAGE_BUCKET_NAME"), "USE_S3=True needs the name of an existing bucket.",
			"Set AWS_STORAGE_BUCKET_NAME to the bucket's name; `caseload bucket create` makes one.")
	case strings.Contains(s.Bucket, "/") || strings.Contains(s.Bucket, ":"):
		j.say(Failure, "bucket", names, "AWS_STORAGE_BUCKET_NAME is an address, an ARN or holds a folder.", "Only the name itself can be signed for.",
			"Set AWS_STORAGE_BUCKET_NAME to the name alone: no s3://, no arn:aws:s3:::, nothing after a slash.")
	case strings.HasSuffix(s.Bucket, "--x-s3"):
		j.say(Failure, "bucket", names, "AWS_STORAGE_BUCKET_NAME is a directory bucket (S3 Express).", "Such buckets keep no versions, take other signatures and lie in one zone alone.",
			"Set AWS_STORAGE_BUCKET_NAME to a general purpose bucket; `caseload bucket create` makes one.")
	case !bucketName(s.Bucket) && s.Endpoint == nil:
		j.say(Failure, "bucket", names, "AWS_STORAGE_BUCKET_NAME is no name that S3 takes.", "Such a bucket cannot exist.",
			"Bucket names have 3 to 63 lower-case letters, digits, hyphens and dots; copy the name from the console.")
	case strings.Contains(s.Bucket, ".") && !s.PathStyle:
		j.say(Warning, "bucket", names, "AWS_STORAGE_BUCKET_NAME has a dot in it.", "The certificate of S3 is not valid for such a host name, so browsers and this server refuse it.",
			"Set AWS_S3_ADDRESSING_STYLE=path, or use a bucket without dots.")
	}
}

// kmsKey looks at the key that the printed policies open and the bucket is set up with.
func (j *judgement) kmsKey() {
	s, names := j.settings, []string{"CASELOAD_BUCKET_KMS_KEY", "AWS_S3_REGION_NAME"}
	part := strings.Split(s.KMSKey, ":")
	switch {
	case s.KMSKey == "":
	case s.Endpoint != nil && !OfAWS(s.Endpoint):
		j.say(Warning, "kms_key", names, "CASELOAD_BUCKET_KMS_KEY is set, and the store is not AWS.", "The key is AWS's; other stores have services of their own for keys, if any.", "Take CASELOAD_BUCKET_KMS_KEY away.")
	case len(part) != 6 || part[0] != "arn" || part[2] != "kms" || !strings.HasPrefix(part[5], "key/"):
		j.say(Warning, "kms_key", names, "CASELOAD_BUCKET_KMS_KEY is no key's ARN.", "Policies know neither aliases nor bare ids, so that none can be printed.", "Set CASELOAD_BUCKET_KMS_KEY to arn:aws:kms:REGION:ACCOUNT:key/ID; `aws kms describe-key --key-id alias/NAME` shows it.")
	case s.Region != "" && part[3] != s.Region:
		j.say(Warning, "kms_key", names, "CASELOAD_BUCKET_KMS_KEY lies in "+part[3]+", and AWS_S3_REGION_NAME is "+s.Region+".", "A bucket encrypts by a key of its own region only.", "Set CASELOAD_BUCKET_KMS_KEY to a key of "+s.Region+".")
	}
}

// What region names look like: ap-northeast-2, us-gov-west-1. zone is an availability zone: a region and a letter.
var (
	regionName = regexp.MustCompile(`^[a-z]{2,4}(-[a-z]+){1,3}-[0-9]{1,2}$`)
	zoneName   = regexp.MustCompile(`^([a-z]{2,4}(-[a-z]+){1,3}-[0-9]{1,2})[a-z]$`)
)

// knownRegions are those of AWS when this was written (https://docs.aws.amazon.com/general/latest/gr/s3.html).
var knownRegions = strings.Fields(`us-east-1 us-east-2 us-west-1 us-west-2 af-south-1 ap-east-1 ap-east-2 ap-south-1 ap-south-2
	ap-southeast-1 ap-southeast-2 ap-southeast-3 ap-southeast-4 ap-southeast-5 ap-southeast-6 ap-southeast-7 ap-northeast-1
	ap-northeast-2 ap-northeast-3 ca-central-1 ca-west-1 eu-central-1 eu-central-2 eu-west-1 eu-west-2 eu-west-3 eu-south-1
	eu-south-2 eu-north-1 il-central-1 me-south-1 me-central-1 mx-central-1 sa-east-1 us-gov-east-1 us-gov-west-1
	cn-north-1 cn-northwest-1 eusc-de-east-1`)

func (j *judgement) region() {
	s, names := j.settings, []string{"AWS_S3_REGION_NAME"}
	if s.Endpoint != nil && !OfAWS(s.Endpoint) {
		return // a compatible store names its regions as it likes, or takes any
	}
	switch zone := zoneName.FindStringSubmatch(s.Region); {
	case s.Region == "" && s.Endpoint == nil:
		j.say(Failure, "region", names, "AWS_S3_REGION_NAME is empty."+j.perhaps("AWS_S3_REGION_NAME"), "AWS needs the bucket's region.", "Set AWS_S3_REGION_NAME, such as ap-northeast-2; the console shows it beside the bucket.")
	case s.Region == "":
	case zone != nil:
		j.say(Failure, "region", names, "AWS_S3_REGION_NAME is "+s.Region+", an availability zone.", "Buckets lie in a region; a zone is not one.", "Set AWS_S3_REGION_NAME="+zone[1]+".")
	case !regionName.MatchString(s.Region):
		fix := "Set AWS_S3_REGION_NAME to the bucket's region, such as ap-northeast-2; the console shows it beside the bucket."
		if meant := regionMeant(s.Region); meant != "" {
			fix = "Set AWS_S3_REGION_NAME=" + meant + "."
		}
		j.say(Failure, "region", names, fmt.Sprintf("AWS_S3_REGION_NAME is %q.", s.Region), "No region of AWS is written so.", fix)
	case !slices.Contains(knownRegions, s.Region):
		fix := "Compare AWS_S3_REGION_NAME with the region that the console shows beside the bucket."
		if near := nearest(s.Region, knownRegions); near != "" {
			fix = "Set AWS_S3_REGION_NAME=" + near + ", unless " + s.Region + " is a new region."
		}
		j.say(Warning, "region", names, "AWS_S3_REGION_NAME is "+s.Region+".", "This version knows no region of that name; perhaps it is misspelt.", fix)
	}
}

// regionsByPlace are the names under which the console shows regions, by the word in them that is no other's.
// https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html
var regionsByPlace = map[string]string{
	"virginia": "us-east-1", "ohio": "us-east-2", "california": "us-west-1", "oregon": "us-west-2", "montreal": "ca-central-1", "central canada": "ca-central-1",
	"calgary": "ca-west-1", "paulo": "sa-east-1", "ireland": "eu-west-1", "london": "eu-west-2", "paris": "eu-west-3", "frankfurt": "eu-central-1",
	"zurich": "eu-central-2", "milan": "eu-south-1", "spain": "eu-south-2", "stockholm": "eu-north-1", "seoul": "ap-northeast-2", "tokyo": "ap-northeast-1",
	"osaka": "ap-northeast-3", "mumbai": "ap-south-1", "hyderabad": "ap-south-2", "singapore": "ap-southeast-1", "sydney": "ap-southeast-2",
	"jakarta": "ap-southeast-3", "melbourne": "ap-southeast-4", "malaysia": "ap-southeast-5", "thailand": "ap-southeast-7", "hong kong": "ap-east-1",
	"taipei": "ap-east-2", "cape town": "af-south-1", "bahrain": "me-south-1", "uae": "me-central-1", "tel aviv": "il-central-1", "beijing": "cn-north-1",
	"ningxia": "cn-northwest-1", "서울": "ap-northeast-2", "도쿄": "ap-northeast-1",
}

// regionMeant returns the region that was meant by what is written otherwise: in a host name, by its place, or misspelt; "" when
// it cannot be told.
func regionMeant(written string) string {
	written = strings.ToLower(strings.ReplaceAll(written, "_", "-"))
	longest := ""
	for _, known := range knownRegions {
		if strings.Contains(written, known) && len(known) > len(longest) {
			longest = known
		}
	}
	for place, region := range regionsByPlace {
		if longest == "" && strings.Contains(written, place) {
			return region
		}
	}
	if longest != "" {
		return longest
	}
	return nearest(written, knownRegions)
}

// nearest returns the one of the names within two letters of this one, or "".
func nearest(name string, names []string) string {
	best, least := "", 3
	for _, known := range names {
		if d := distance(name, known); d < least {
			best, least = known, d
		} else if d == least {
			best = ""
		}
	}
	return best
}

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for i := range row {
		row[i] = i
	}
	for i := range len(a) {
		previous := row[0]
		row[0] = i + 1
		for k := range len(b) {
			cost := previous
			if a[i] != b[k] {
				cost = 1 + min(previous, row[k], row[k+1])
			}
			previous, row[k+1] = row[k+1], cost
		}
	}
	return row[len(b)]
}

func (j *judgement) endpoints() {
	s := j.settings
	if s.PublicEndpoint != nil && s.Endpoint == nil {
		j.say(Failure, "endpoint", []string{"AWS_S3_ENDPOINT_URL", "AWS_S3_PUBLIC_ENDPOINT_URL"}, "AWS_S3_PUBLIC_ENDPOINT_URL is set without AWS_S3_ENDPOINT_URL.",
			"The server would go to AWS and browsers to another store.", "Set AWS_S3_ENDPOINT_URL to how the server reaches the store, too.")
	}
	if s.Endpoint == nil {
		for _, name := range []string{"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"} {
			if _, set := s.Elsewhere[name]; set {
				j.say(Warning, "endpoint", []string{"AWS_S3_ENDPOINT_URL"}, name+" is set in the environment, and AWS_S3_ENDPOINT_URL is not.",
					"The AWS SDK obeys it, so requests go there although nothing in the settings says so.", "Set AWS_S3_ENDPOINT_URL to that address, or take "+name+" away.")
				break
			}
		}
	}
	for name, u := range map[string]*url.URL{"AWS_S3_ENDPOINT_URL": s.Endpoint, "AWS_S3_PUBLIC_ENDPOINT_URL": s.PublicEndpoint} {
		if u == nil {
			continue
		}
		if first, rest, _ := strings.Cut(u.Hostname(), "."); s.Bucket != "" && first == s.Bucket && rest != "" {
			j.say(Failure, "endpoint", []string{name, "AWS_STORAGE_BUCKET_NAME"}, name+" begins with the bucket's name.",
				"The bucket would be named twice, and keys would lie in the wrong place.", "Set "+name+"="+u.Scheme+"://"+strings.TrimPrefix(u.Host, first+".")+".")
		}
		j.endpointOfAWS(name, u)
		if !j.notForBrowsers(name, u) {
			j.plainHTTP(name, u)
		}
	}
}

// notForBrowsers tells whether browsers elsewhere are sent to an address that only this machine or its containers know.
func (j *judgement) notForBrowsers(name string, u *url.URL) bool {
	s, host := j.settings, u.Hostname()
	if name == "AWS_S3_ENDPOINT_URL" && s.PublicEndpoint != nil || s.PublicURL == nil || !ofThisMachine(host) || ofThisMachine(s.PublicURL.Hostname()) {
		return false
	}
	j.say(Warning, "endpoint", []string{name, "CASELOAD_PUBLIC_URL"}, name+" is "+u.String()+", and people come to "+s.PublicURL.String()+".",
		"Their browsers are sent to a name or address that means nothing on their machines: every large file takes the way through this server.",
		"Set AWS_S3_PUBLIC_ENDPOINT_URL to the store's address as browsers reach it, by https.")
	return true
}

// ofThisMachine tells whether a host means something here alone: this machine itself, or a name without a dot, as containers
// have.
func ofThisMachine(host string) bool {
	_, err := netip.ParseAddr(host)
	return nearby(host) || err != nil && !strings.Contains(host, ".")
}

// What the hosts of AWS say of themselves: https://docs.aws.amazon.com/general/latest/gr/s3.html
var (
	websiteHost  = regexp.MustCompile(`(^|\.)s3-website[.-]`)
	regionOfHost = regexp.MustCompile(`(?:^|\.)s3(?:-fips)?(?:\.dualstack)?[.-]([a-z]{2,4}(?:-[a-z]+){1,3}-[0-9]{1,2})\.amazonaws\.com(?:\.cn)?$`)
)

// endpointOfAWS looks at an address of AWS that was set by hand, which no deployment at AWS needs.
func (j *judgement) endpointOfAWS(name string, u *url.URL) {
	s, host := j.settings, u.Hostname()
	if !OfAWS(u) {
		return
	}
	region := regionOfHost.FindStringSubmatch(host)
	switch {
	case strings.Contains(host, "s3-accelerate"):
		j.say(Failure, "endpoint", []string{name}, name+" is the address of Transfer Acceleration.", "It takes no calls about the bucket itself, and none with the bucket in the path.", "Leave "+name+" empty: AWS's own address follows from AWS_S3_REGION_NAME.")
	case strings.Contains(host, ".vpce.") && (name == "AWS_S3_PUBLIC_ENDPOINT_URL" || s.PublicEndpoint == nil):
		j.say(Warning, "endpoint", []string{name}, name+" is the address of a VPC endpoint.", "Only machines in that network reach it: browsers outside send every large file through this server.", "Set AWS_S3_PUBLIC_ENDPOINT_URL to AWS's own address, such as https://s3.ap-northeast-2.amazonaws.com, unless all who send are in that network.")
	case websiteHost.MatchString(host):
		j.say(Failure, "endpoint", []string{name}, name+" is the address of a website in S3.", "Such addresses give pages to everybody; they take no uploads and know no signatures.", "Leave "+name+" empty: AWS's own address follows from AWS_S3_REGION_NAME.")
	case region != nil && s.Region != "" && region[1] != s.Region:
		j.say(Failure, "endpoint", []string{name, "AWS_S3_REGION_NAME"}, name+" lies in "+region[1]+", and AWS_S3_REGION_NAME is "+s.Region+".", "Requests are signed for one region and sent to another, which refuses them.", "Leave "+name+" empty, or set AWS_S3_REGION_NAME="+region[1]+".")
	}
}

// plainHTTP warns of a store that is asked without TLS. On this machine, and between containers and machines of a private
// network, nothing outside listens; that is worth knowing, and no more.
func (j *judgement) plainHTTP(name string, u *url.URL) {
	s := j.settings
	if u.Scheme != "http" || nearby(u.Hostname()) {
		return
	}
	public := name == "AWS_S3_PUBLIC_ENDPOINT_URL" || s.PublicEndpoint == nil
	switch {
	case public && s.PublicURL != nil && s.PublicURL.Scheme == "https":
		j.say(Warning, "endpoint", []string{name, "CASELOAD_PUBLIC_URL"}, name+" begins with http, and CASELOAD_PUBLIC_URL with https.",
			"Browsers do not let an https page speak to an http store: every large file takes the way through this server.",
			"Give the store a certificate and set "+name+" to its https address.")
	case OfAWS(u):
		j.say(Warning, "endpoint", []string{name}, name+" begins with http.", "Patients' files and signed links travel readable over the internet.",
			"Set "+name+" to the https address; AWS has one everywhere.")
	case public || !insideHost(u.Hostname()):
		j.say(Warning, "endpoint", []string{name}, name+" begins with http.", "Patients' files and signed links travel readable.",
			"Give the store a certificate and set "+name+" to its https address.")
	default:
		j.say(Note, "endpoint", []string{name}, name+" begins with http, within a private network.", "Whoever can listen in that network can read patients' files.", "")
	}
}

// insideHost tells whether a host is of a private network: an address of one, or a name without a dot (a container, a host of
// the same network).
func insideHost(host string) bool {
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return !strings.Contains(host, ".") || strings.HasSuffix(host, ".internal") || strings.HasSuffix(host, ".local")
	}
	return ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast()
}

// OfAWS tells whether an address is one of AWS itself.
func OfAWS(u *url.URL) bool {
	host := u.Hostname()
	return strings.HasSuffix(host, ".amazonaws.com") || strings.HasSuffix(host, ".amazonaws.com.cn")
}

// The lengths of AWS's own keys: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
const secretLength = 40

var accessKeyID = regexp.MustCompile(`^A[KS]IA[A-Z0-9]{12,124}$`)

// unwritable tells a sign that no key, secret or token has: they are of visible ASCII.
func unwritable(r rune) bool { return r <= ' ' || r > '~' }

// quoteMarks are what is left when a value is copied with half of its quotation marks; at AWS no key has them.
const quoteMarks = "\"'`"

func (j *judgement) keys() {
	s, names := j.settings, []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
	both := "Set both, or neither to use the instance role or the shared profile."
	switch {
	case s.AccessKey != "" && s.SecretKey == "":
		j.say(Failure, "credentials", names, "AWS_ACCESS_KEY_ID is set without AWS_SECRET_ACCESS_KEY."+j.perhaps("AWS_SECRET_ACCESS_KEY"), "Nothing can be signed.", both)
	case s.AccessKey == "" && s.SecretKey != "":
		j.say(Failure, "credentials", names, "AWS_SECRET_ACCESS_KEY is set without AWS_ACCESS_KEY_ID."+j.perhaps("AWS_ACCESS_KEY_ID"), "Nothing can be signed.", both)
	}
	atAWS := s.Endpoint == nil || OfAWS(s.Endpoint)
	switch {
	case atAWS && accessKeyID.MatchString(s.SecretKey):
		j.say(Failure, "credentials", names, "AWS_SECRET_ACCESS_KEY holds the id of an access key (AKIA… or ASIA…).", "The key and its secret are exchanged.", "Set AWS_ACCESS_KEY_ID to the id, which begins with AKIA or ASIA, and AWS_SECRET_ACCESS_KEY to the secret, which has 40 characters.")
		return
	case strings.ContainsFunc(s.AccessKey+s.SecretKey+s.SessionToken, unwritable), atAWS && strings.ContainsAny(s.AccessKey+s.SecretKey+s.SessionToken, quoteMarks):
		j.say(Failure, "credentials", names, "A space, a line break or another sign that no key has is within AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY or AWS_SESSION_TOKEN.", "Something was copied along, so that no signature is right.", "Copy them again, each by itself and in one piece.")
		return
	}
	switch {
	case s.SessionToken != "" && s.AccessKey == "":
		j.say(Failure, "credentials", names, "AWS_SESSION_TOKEN is set without AWS_ACCESS_KEY_ID.", "A session token is one third of temporary credentials.", "Set the temporary credentials' key and secret, too.")
	case atAWS && strings.HasPrefix(s.AccessKey, "ASIA") && s.SessionToken == "":
		j.say(Failure, "credentials", names, "AWS_ACCESS_KEY_ID is a temporary key (ASIA…), and AWS_SESSION_TOKEN is empty.", "AWS refuses a temporary key without its token.", "Set AWS_SESSION_TOKEN, or use a long-lived key (AKIA…) or a role.")
	case atAWS && strings.HasPrefix(s.AccessKey, "AKIA") && s.SessionToken != "":
		j.say(Failure, "credentials", names, "AWS_ACCESS_KEY_ID is a long-lived key (AKIA…), and AWS_SESSION_TOKEN is set.", "The token belongs to another key; AWS refuses the two together.", "Take AWS_SESSION_TOKEN away, or set the temporary key that it belongs to.")
	}
	if atAWS && s.AccessKey != "" && !accessKeyID.MatchString(s.AccessKey) {
		j.say(Warning, "credentials", names, fmt.Sprintf("AWS_ACCESS_KEY_ID has %d characters and is not written as AWS writes them.", len(s.AccessKey)), "Ids of AWS's keys begin with AKIA or ASIA, in capitals, and have at least 16 characters; perhaps it was cut off, or is of another store.", "Copy AWS_ACCESS_KEY_ID again; for another store than AWS, set AWS_S3_ENDPOINT_URL.")
		return
	}
	if atAWS && strings.HasPrefix(s.AccessKey, "A") && len(s.AccessKey) == 20 && s.SecretKey != "" && len(s.SecretKey) != secretLength {
		j.say(Warning, "credentials", names, fmt.Sprintf("AWS_SECRET_ACCESS_KEY has %d characters.", len(s.SecretKey)), "Secrets of AWS have 40; perhaps it was cut off or has something added.", "Copy AWS_SECRET_ACCESS_KEY again, without quotes or spaces.")
	}
}

// origins looks at what the bucket's CORS rule is made of.
func (j *judgement) origins() {
	s := j.settings
	if s.PublicURL == nil && len(s.CORSOrigins) == 0 {
		j.say(Note, "public_url", []string{"CASELOAD_PUBLIC_URL"}, "CASELOAD_PUBLIC_URL is empty.",
			"The bucket's CORS rule needs the exact address that people's browsers use; without it the rule can be neither printed nor checked.",
			"Set CASELOAD_PUBLIC_URL, or give `caseload doctor` the address with --origin.")
	}
	if s.PublicURL == nil || s.PublicURL.Scheme != "https" {
		return
	}
	for _, origin := range s.CORSOrigins {
		if u, err := url.Parse(origin); err == nil && u.Scheme == "http" && !nearby(u.Hostname()) {
			j.say(Warning, "cors_origins", []string{"CASELOAD_CORS_ORIGINS"}, "CASELOAD_CORS_ORIGINS holds "+origin+", which begins with http.",
				"A page that anybody on the way can change may send to the store.", "Use the https address of that application.")
		}
	}
}

// perhaps names another program's setting that was perhaps meant, as a sentence that follows another.
func (j *judgement) perhaps(setting string) string {
	var near []string
	for name, meant := range j.settings.Elsewhere {
		if meant == setting {
			near = append(near, name)
		}
	}
	if len(near) == 0 {
		return ""
	}
	slices.Sort(near)
	return " " + near[0] + " is set, which Caseload does not read."
}

// plainCause is the innermost reason of a failed file operation, without the path.
func plainCause(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}
