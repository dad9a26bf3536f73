package doctor

import (
	"context"
	"encoding/pem"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
)

// Settings is what the checks of the configuration look at: each value parsed, defaults filled in, none checked against
// another. Nothing of a secret is ever said but its length.
type Settings struct {
	Faulty    []Finding         // settings that are wrong by themselves, as whoever parsed them says it
	Wrong     []string          // their names: nothing more is said of them
	Elsewhere map[string]string // other programs' names that are set: name → the setting that was perhaps meant
	Unknown   []string          // names like ours in the environment that no setting has
	Known     []string          // the names of all settings

	Role           string // "all", "web", "worker"; "" when no server is to be started
	Addr           string
	AdminAddr      string
	Data           string
	Database       string // "embedded", "postgres", or "other" when it is neither
	DatabaseURL    string // as it was set: nothing of it is ever said
	PublicURL      *url.URL
	CORSOrigins    []string
	TrustedProxies []netip.Prefix

	UseS3             bool
	AccessKey         string
	SecretKey         string
	SessionToken      string
	Bucket            string
	Region            string
	CustomDomain      string
	Endpoint          *url.URL
	PublicEndpoint    *url.URL
	PathStyle         bool
	CloudFrontKeyID   string
	CloudFrontKeyFile string
	KMSKey            string

	PartSize        int64 // bytes; 0 chooses by size
	SessionIdle     time.Duration
	SessionAbsolute time.Duration
}

// judgement collects what is said of settings.
type judgement struct {
	settings Settings
	found    []Finding
}

const settingsTried = "The settings were read and compared with each other."

// say adds a finding about the named settings, unless one of them is wrong by itself: that is said already, and what
// follows from it would mislead.
func (j *judgement) say(level Level, check string, names []string, got, means, fix string) {
	for _, name := range names {
		if slices.Contains(j.settings.Wrong, name) {
			return
		}
	}
	f := Finding{Check: "config." + check, Level: level, Tried: settingsTried, Got: got, Means: means}
	if fix != "" {
		f.Fix = &Fix{Say: fix}
	}
	j.found = append(j.found, f)
}

// Judge returns everything that is to be said of the settings. A Failure means that a server must not be started with
// them; the same judgement is made by every command that starts.
func (s Settings) Judge() []Finding {
	j := &judgement{settings: s, found: slices.Clone(s.Faulty)}
	j.unknown()
	j.addresses()
	j.engines()
	if s.UseS3 {
		j.bucket()
		j.region()
		j.endpoints()
		j.kmsKey()
		j.keys()
		j.origins()
	} else {
		j.unusedS3()
	}
	j.customDomain()
	j.sessions()
	return j.found
}

// unknown names what is set in vain: nearly always a typing error.
func (j *judgement) unknown() {
	for _, name := range j.settings.Unknown {
		fix := "Take " + name + " away; `caseload config` lists all settings."
		if near := nearest(name, j.settings.Known); near != "" {
			fix = "Set " + near + " in its place."
		}
		j.say(Warning, "unknown", nil, name+" is set in the environment, and Caseload has no such setting.", "It has no effect: what was meant by it has its default.", fix)
	}
}

// ConfigChecks is the group "config", made of what Judge said of the settings.
func ConfigChecks(found []Finding) []Check {
	return []Check{{Name: "config", Run: func(context.Context) []Finding {
		bad := slices.ContainsFunc(found, func(f Finding) bool { return f.Level == Warning || f.Level == Failure })
		if !bad {
			found = append([]Finding{{
				Check: "config.settings", Tried: settingsTried, Got: "Every setting is well formed, and they fit together.",
			}}, found...)
		}
		return found
	}}}
}

func (j *judgement) addresses() {
	s := j.settings
	if s.Data == "" {
		j.say(Failure, "data", []string{"CASELOAD_DATA"}, "CASELOAD_DATA is no usable path.", "There is no place for the data.", "Set CASELOAD_DATA to a folder.")
	} else if above := existing(s.Data); !isFolder(above) {
		j.say(Failure, "data", []string{"CASELOAD_DATA"}, "CASELOAD_DATA is "+s.Data+", and "+above+" is a file.", "There is no place for the data.", "Set CASELOAD_DATA to a folder, or to one that can be made.")
	}
	if s.Addr == "" {
		j.say(Failure, "addr", []string{"CASELOAD_ADDR"}, "CASELOAD_ADDR is empty.", "There is no address to listen on.", "Set CASELOAD_ADDR to host:port, such as 127.0.0.1:8080.")
	}
	_, port, _ := net.SplitHostPort(s.Addr)
	if s.AdminAddr != "" && s.AdminAddr == s.Addr && port != "0" {
		j.say(Failure, "admin_addr", []string{"CASELOAD_ADDR", "CASELOAD_ADMIN_ADDR"},
			"CASELOAD_ADMIN_ADDR and CASELOAD_ADDR are the same address.", "Only one of them can be listened on.", "Set CASELOAD_ADMIN_ADDR to another port.")
	}
	if host, _, err := net.SplitHostPort(s.AdminAddr); err == nil && everywhere(host) {
		j.say(Warning, "admin_addr", []string{"CASELOAD_ADMIN_ADDR"}, "CASELOAD_ADMIN_ADDR listens on every address of this machine.",
			"Whoever reaches the machine can read the metrics.", "Set CASELOAD_ADMIN_ADDR to an address that only the monitoring reaches, such as 127.0.0.1:9090.")
	}
	for _, p := range s.TrustedProxies {
		if p.Bits() == 0 {
			j.say(Warning, "trusted_proxies", []string{"CASELOAD_TRUSTED_PROXIES"}, "CASELOAD_TRUSTED_PROXIES trusts every address.",
				"Anybody can claim to come from anywhere; limits by address and the audit log are then worth nothing.", "Set CASELOAD_TRUSTED_PROXIES to the proxy's own network.")
		}
	}
	if host, _, err := net.SplitHostPort(s.Addr); err == nil && everywhere(host) && s.PublicURL != nil && nearby(s.PublicURL.Hostname()) {
		j.say(Note, "public_url", []string{"CASELOAD_PUBLIC_URL"}, "CASELOAD_PUBLIC_URL is "+s.PublicURL.String()+", and CASELOAD_ADDR listens for other machines.",
			"Only browsers on this machine reach that address: links and the bucket's CORS rule are for them alone. For others, set the address that they use.", "")
	}
	if s.PublicURL != nil && s.PublicURL.Scheme == "http" && !nearby(s.PublicURL.Hostname()) {
		j.say(Warning, "public_url", []string{"CASELOAD_PUBLIC_URL"}, "CASELOAD_PUBLIC_URL begins with http.",
			"Passwords and patients' files travel readable, and browsers give such pages no checksums in workers.", "Put a TLS proxy in front and set CASELOAD_PUBLIC_URL to its https address.")
	}
}

func (j *judgement) engines() {
	s := j.settings
	if s.Database == "other" {
		j.say(Failure, "database", []string{"CASELOAD_DATABASE_URL"}, "CASELOAD_DATABASE_URL is no PostgreSQL address: it does not begin with postgres:// or postgresql://.", "Caseload keeps its records in PostgreSQL or in its embedded SQLite.",
			"Set CASELOAD_DATABASE_URL to postgres://user:password@host:5432/name, or leave it empty for the embedded SQLite.")
	}
	if s.Database == "postgres" {
		j.postgres()
	}
	split := s.Role == "web" || s.Role == "worker"
	if split && s.Database == "embedded" {
		j.say(Failure, "role", []string{"CASELOAD_DATABASE_URL"}, "CASELOAD_DATABASE_URL is empty, and --role is "+s.Role+".", "The embedded SQLite belongs to one process.",
			"Set CASELOAD_DATABASE_URL to a PostgreSQL address to run --role "+s.Role+", or run `caseload serve`.")
	}
	if split && !s.UseS3 {
		j.say(Failure, "role", []string{"USE_S3"}, "USE_S3 is False, and --role is "+s.Role+".", "The embedded store belongs to one process.",
			"Set USE_S3=True and an external store to run --role "+s.Role+", or run `caseload serve`.")
	}
	engine := map[bool]string{true: "the external store in the bucket " + s.Bucket, false: "the embedded store"}[s.UseS3]
	database := map[bool]string{true: "PostgreSQL", false: "the embedded SQLite"}[s.Database == "postgres"]
	j.say(Fine, "engines", []string{"USE_S3", "CASELOAD_DATABASE_URL"}, "Records are kept in "+database+", files in "+engine+".", "", "")
	if !s.UseS3 {
		j.say(Note, "embedded", []string{"USE_S3"}, "Files are kept by the embedded store, in the data folder.",
			"It is one process on one disk: no second server, no copy elsewhere, no old versions of objects, and data at rest is as encrypted as the disk. Back up the data folder.", "")
	}
}

// postgres looks at the address of PostgreSQL without asking it.
// https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS
func (j *judgement) postgres() {
	names := []string{"CASELOAD_DATABASE_URL"}
	u, err := url.Parse(j.settings.DatabaseURL)
	_, after, _ := strings.Cut(j.settings.DatabaseURL, "://")
	switch {
	case err != nil || strings.Count(after, "@") > 1 || u.Fragment != "":
		j.say(Failure, "database", names, "CASELOAD_DATABASE_URL cannot be read as an address.", "Nearly always a password holds a sign that means something in addresses (/ ? # @ : %).",
			"Write these signs in the password as %2F %3F %23 %40 %3A %25: postgres://user:password@host:5432/name.")
	case strings.Trim(u.Path, "/") == "" && u.Query().Get("dbname") == "" && u.Query().Get("database") == "":
		j.say(Warning, "database", names, "CASELOAD_DATABASE_URL names no database.", "PostgreSQL then takes the one that is called like the user.",
			"Set CASELOAD_DATABASE_URL to postgres://user:password@host:5432/name.")
	case !slices.Contains(sslModes, u.Query().Get("sslmode")):
		j.say(Failure, "database", names, "CASELOAD_DATABASE_URL has an sslmode that there is not.", "No connection can be made.", "Set sslmode to verify-full, or within this machine to disable.")
	}
}

// sslModes are libpq's, https://www.postgresql.org/docs/current/libpq-ssl.html; "": it says nothing of it.
var sslModes = []string{"", "disable", "allow", "prefer", "require", "verify-ca", "verify-full"}

// unusedS3 looks for an external store that is described and not used: the commonest way to lose sight of files.
func (j *judgement) unusedS3() {
	s := j.settings
	var set []string
	for name, value := range map[string]bool{
		"AWS_STORAGE_BUCKET_NAME": s.Bucket != "", "AWS_S3_ENDPOINT_URL": s.Endpoint != nil,
		"AWS_S3_PUBLIC_ENDPOINT_URL": s.PublicEndpoint != nil, "AWS_S3_CUSTOM_DOMAIN": s.CustomDomain != "",
	} {
		if value {
			set = append(set, name)
		}
	}
	if len(set) == 0 {
		return
	}
	slices.Sort(set)
	j.say(Warning, "use_s3", []string{"USE_S3"}, "USE_S3 is False or not set, but "+strings.Join(set, ", ")+" is.",
		"Files go into the embedded store on this machine's disk, not into the bucket.", "Set USE_S3=True to use the bucket, or take the AWS settings away.")
}

func (j *judgement) customDomain() {
	s := j.settings
	names := []string{"AWS_S3_CUSTOM_DOMAIN", "AWS_CLOUDFRONT_KEY_ID", "AWS_CLOUDFRONT_KEY_FILE"}
	if s.CustomDomain == "" {
		if s.UseS3 && (s.CloudFrontKeyID != "" || s.CloudFrontKeyFile != "") {
			j.say(Warning, "custom_domain", names, "An AWS_CLOUDFRONT_KEY_… setting is there without AWS_S3_CUSTOM_DOMAIN.",
				"Downloads come from the bucket itself; the key is not used.", "Set AWS_S3_CUSTOM_DOMAIN to the distribution's domain, or take the key away.")
		}
		return
	}
	if !s.UseS3 {
		return
	}
	domain := strings.TrimSuffix(strings.TrimPrefix(s.CustomDomain, "https://"), "/")
	if strings.HasSuffix(domain, ".amazonaws.com") || strings.HasPrefix(domain, s.Bucket+".s3") {
		j.say(Failure, "custom_domain", names, "AWS_S3_CUSTOM_DOMAIN is an address of S3 itself.",
			"It is for a CloudFront distribution; the bucket's own address needs no setting.", "Leave AWS_S3_CUSTOM_DOMAIN empty.")
		return
	}
	if u, err := url.Parse("https://" + domain); err != nil || u.Host != domain {
		j.say(Failure, "custom_domain", names, "AWS_S3_CUSTOM_DOMAIN is no host name.", "Downloads cannot be signed for it.", "Set AWS_S3_CUSTOM_DOMAIN to the distribution's domain alone, such as d111111abcdef8.cloudfront.net.")
	}
	if s.CloudFrontKeyID == "" || s.CloudFrontKeyFile == "" {
		j.say(Failure, "custom_domain", names, "AWS_S3_CUSTOM_DOMAIN is set without AWS_CLOUDFRONT_KEY_ID and AWS_CLOUDFRONT_KEY_FILE.",
			"A link signed for S3 is not valid at another host, so downloads through the domain must be signed with a CloudFront key pair.",
			"Set both AWS_CLOUDFRONT_KEY_ID and AWS_CLOUDFRONT_KEY_FILE, or leave AWS_S3_CUSTOM_DOMAIN empty.")
	} else if key, err := os.ReadFile(s.CloudFrontKeyFile); err != nil {
		j.say(Failure, "custom_domain", names, "AWS_CLOUDFRONT_KEY_FILE names a file that cannot be read: "+plainCause(err)+".",
			"Downloads through the custom domain cannot be signed.", "Put the key pair's private key (PEM) there, readable for the user who runs Caseload.")
	} else if block, _ := pem.Decode(key); block == nil || !strings.HasSuffix(block.Type, "PRIVATE KEY") || strings.HasPrefix(block.Type, "ENCRYPTED") {
		j.say(Failure, "custom_domain", names, "AWS_CLOUDFRONT_KEY_FILE names a file that holds no private key in PEM.",
			"Downloads through the custom domain cannot be signed.", "Put the key pair's private key there, without a passphrase (-----BEGIN PRIVATE KEY-----), not the public one, which CloudFront has.")
	}
}

func (j *judgement) sessions() {
	s := j.settings
	if s.PartSize != 0 && s.PartSize < 5<<20 {
		j.say(Failure, "part_size", []string{"CASELOAD_PART_SIZE"}, fmt.Sprintf("CASELOAD_PART_SIZE is %d bytes.", s.PartSize),
			"S3 takes no part under 5 MiB but the last.", "Set CASELOAD_PART_SIZE to 5MiB or more, or to 0, which chooses by the file's size.")
	}
	if s.SessionIdle > s.SessionAbsolute {
		j.say(Failure, "session", []string{"CASELOAD_SESSION_IDLE", "CASELOAD_SESSION_ABSOLUTE"},
			fmt.Sprintf("CASELOAD_SESSION_IDLE (%s) is longer than CASELOAD_SESSION_ABSOLUTE (%s).", shortly(s.SessionIdle), shortly(s.SessionAbsolute)),
			"A session would end before it can be idle for so long.", "Set CASELOAD_SESSION_IDLE to less than CASELOAD_SESSION_ABSOLUTE.")
	}
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err != nil || info.IsDir()
}

// everywhere tells whether a listening host means every address of the machine.
func everywhere(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "" || err == nil && ip.IsUnspecified()
}

// nearby tells whether a host is this machine.
func nearby(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || err == nil && ip.IsLoopback()
}
