package main

import (
	"net/netip"
	"net/url"
	"time"

	"dcdentals.com/caseload/internal/doctor"
)

// config holds the effective settings, parsed. load fills it from the table below; nothing else in the program reads
// the environment.
type config struct {
	Addr           string
	AdminAddr      string
	Data           string // absolute once loaded
	DatabaseURL    Secret // "sqlite:/abs/path" or "postgres://…"; never empty once loaded
	PublicURL      *url.URL
	AllowedHosts   []string
	TrustedProxies []netip.Prefix
	CORSOrigins    []string // "https://app.example"

	UseS3             bool
	S3AccessKey       string
	S3SecretKey       Secret
	S3SessionToken    Secret
	S3Bucket          string
	S3Region          string
	S3CustomDomain    string
	S3Endpoint        *url.URL
	S3PublicEndpoint  *url.URL
	S3Addressing      string
	CloudFrontKeyID   string
	CloudFrontKeyFile string
	BucketKMSKey      string
	BucketVersioning  bool

	DirectThreshold int64
	MaxFileSize     int64
	URLExpiry       time.Duration
	PartSize        int64
	AbandonAfter    time.Duration
	TrashWindow     time.Duration
	UndoWindow      time.Duration
	LedgerEvery     time.Duration

	Cleanup              string
	CleanupOlderThan     time.Duration
	CleanupFinishedAfter time.Duration
	CleanupShare         int

	SessionIdle     time.Duration
	SessionAbsolute time.Duration

	Workers   int
	LogLevel  string
	LogFormat string

	ServerURL *url.URL // of clientSettings
	Token     Secret   // likewise

	origins map[string]origin // by the setting's name

	judged            []doctor.Finding // what was said of the settings
	examinedPrincipal doctor.Principal // flag --principal of doctor; "": the server's
	examinedOrigin    string           // flag --origin of doctor: "https://caseload.example"
}

// origin says what a setting was set to and by whom.
type origin struct {
	Raw    string
	Source string // "default", "environment", ".env", "flag --addr", "file named by X_FILE"
}

// setting is one row of the table.
type setting struct {
	Name    string
	Default string
	Help    string
	Kind    kind
	Secret  bool
	Choices []string          // of a choice
	Min     int64             // of a size in bytes, a count, or a duration in nanoseconds
	Max     int64             // likewise; 0: no limit
	into    func(*config) any // where the parsed value goes: a pointer of the type Kind asks for
	Group   string            // the heading in docs/config.md; "" continues the group before
}

// kind is the form a setting's text must have.
type kind string

const (
	text     kind = "text"
	address  kind = "host:port"
	webURL   kind = "URL"
	size     kind = "size"
	duration kind = "duration"
	count    kind = "number"
	yesNo    kind = "yes or no"
	choice   kind = "choice"
	list     kind = "list"
	networks kind = "networks"
	origins  kind = "origins"
)

// settings is the one table. Its order is the order of docs/config.md and of `caseload config`.
var settings = []setting{
	{
		Group: "Where it listens and keeps its data",
		Name:  "CASELOAD_ADDR", Default: "127.0.0.1:8080", Kind: address,
		Help: "Address and port of the web pages, the API and, when no external store is used, the embedded store. Port 0 picks a free one.",
		into: func(c *config) any { return &c.Addr },
	},
	{
		Name: "CASELOAD_ADMIN_ADDR", Kind: address,
		Help: "Address and port of /metrics, /healthz and /readyz for the monitoring. Empty: no such listener. Never open it to the public.",
		into: func(c *config) any { return &c.AdminAddr },
	},
	{
		Name: "CASELOAD_DATA", Default: "./caseload-data", Kind: text,
		Help: "Folder of the embedded database and the embedded store. It is made with mode 0700 and belongs to one running Caseload at a time.",
		into: func(c *config) any { return &c.Data },
	},
	{
		Name: "CASELOAD_DATABASE_URL", Kind: text, Secret: true,
		Help: "postgres://user:password@host:5432/name, PostgreSQL 15 or newer. Empty: the embedded SQLite in the data folder.",
		into: func(c *config) any { return &c.DatabaseURL },
	},
	{
		Name: "CASELOAD_PUBLIC_URL", Kind: webURL,
		Help: "Address that people's browsers use, for example https://caseload.example. Empty: the Host of each request, when it is an allowed one.",
		into: func(c *config) any { return &c.PublicURL },
	},
	{
		Name: "CASELOAD_ALLOWED_HOSTS", Kind: list,
		Help: "Host names that requests may carry, separated by commas. The host of CASELOAD_PUBLIC_URL, the listening address and the loopback names are always allowed.",
		into: func(c *config) any { return &c.AllowedHosts },
	},
	{
		Name: "CASELOAD_TRUSTED_PROXIES", Kind: networks,
		Help: "Networks (10.0.0.0/8,fd00::/8) of reverse proxies whose X-Forwarded-For and X-Forwarded-Proto are believed. Empty: nobody's.",
		into: func(c *config) any { return &c.TrustedProxies },
	},
	{
		Name: "CASELOAD_CORS_ORIGINS", Kind: origins,
		Help: "Origins of other web applications, separated by commas, whose pages may send files (docs/uppy.md): https://app.example, scheme and host exactly. The embedded store knows them from its next start, an external one from `caseload bucket cors apply`.",
		into: func(c *config) any { return &c.CORSOrigins },
	},

	{
		Group: "The object store",
		Name:  "USE_S3", Default: "False", Kind: yesNo,
		Help: "True: AWS S3 or a compatible store, set below. False: the embedded store inside this program.",
		into: func(c *config) any { return &c.UseS3 },
	},
	{
		Name: "AWS_ACCESS_KEY_ID", Kind: text,
		Help: "Access key. Empty: the AWS SDK's own chain (instance role, shared profile, web identity).",
		into: func(c *config) any { return &c.S3AccessKey },
	},
	{
		Name: "AWS_SECRET_ACCESS_KEY", Kind: text, Secret: true,
		Help: "Secret of the access key.",
		into: func(c *config) any { return &c.S3SecretKey },
	},
	{
		Name: "AWS_SESSION_TOKEN", Kind: text, Secret: true,
		Help: "Session token of temporary credentials.",
		into: func(c *config) any { return &c.S3SessionToken },
	},
	{
		Name: "AWS_STORAGE_BUCKET_NAME", Kind: text,
		Help: "Bucket. It must exist; it is never public and no ACL is ever sent.",
		into: func(c *config) any { return &c.S3Bucket },
	},
	{
		Name: "AWS_S3_REGION_NAME", Kind: text,
		Help: "Region of the bucket. Needed for AWS; with AWS_S3_ENDPOINT_URL it may be left empty (us-east-1 is then signed for).",
		into: func(c *config) any { return &c.S3Region },
	},
	{
		Name: "AWS_S3_CUSTOM_DOMAIN", Kind: text,
		Help: "CloudFront domain for downloads. Needs both AWS_CLOUDFRONT_… settings: a custom domain cannot simply replace the host of a signed S3 URL.",
		into: func(c *config) any { return &c.S3CustomDomain },
	},
	{
		Name: "AWS_S3_ENDPOINT_URL", Kind: webURL,
		Help: "Address of a compatible store as the server reaches it. Empty: AWS.",
		into: func(c *config) any { return &c.S3Endpoint },
	},
	{
		Name: "AWS_S3_PUBLIC_ENDPOINT_URL", Kind: webURL,
		Help: "The same store as people's browsers reach it; links are signed for this address. Empty: AWS_S3_ENDPOINT_URL.",
		into: func(c *config) any { return &c.S3PublicEndpoint },
	},
	{
		Name: "AWS_S3_ADDRESSING_STYLE", Default: "auto", Kind: choice, Choices: []string{"auto", "path", "virtual"},
		Help: "path: https://host/bucket/key. virtual: https://bucket.host/key. auto: virtual at AWS, path at AWS_S3_ENDPOINT_URL and for a bucket with a dot in its name.",
		into: func(c *config) any { return &c.S3Addressing },
	},
	{
		Name: "AWS_CLOUDFRONT_KEY_ID", Kind: text,
		Help: "Key pair id of the CloudFront key group that may sign downloads.",
		into: func(c *config) any { return &c.CloudFrontKeyID },
	},
	{
		Name: "AWS_CLOUDFRONT_KEY_FILE", Kind: text,
		Help: "File with that key pair's private key (PEM).",
		into: func(c *config) any { return &c.CloudFrontKeyFile },
	},
	{
		Name: "CASELOAD_BUCKET_KMS_KEY", Kind: text,
		Help: "ARN of the KMS key by which `caseload bucket create` has the bucket encrypt, and which the printed policies open. Empty: the store's own key. No request names a key: the bucket's default encryption does.",
		into: func(c *config) any { return &c.BucketKMSKey },
	},
	{
		Name: "CASELOAD_BUCKET_VERSIONING", Default: "False", Kind: yesNo,
		Help: "True: `caseload bucket create` has the bucket keep versions, and the printed policies let Caseload read and erase them. False: versioning is left as it is.",
		into: func(c *config) any { return &c.BucketVersioning },
	},

	{
		Group: "Uploads",
		Name:  "CASELOAD_DIRECT_THRESHOLD", Default: "50000000", Kind: size, Min: 0, Max: 5 << 30,
		Help: "Files of this size or more go straight from the browser to the store; smaller ones through this server.",
		into: func(c *config) any { return &c.DirectThreshold },
	},
	{
		Name: "CASELOAD_MAX_FILE_SIZE", Default: "1GiB", Kind: size, Min: 1, Max: 5 << 40,
		Help: "Largest file taken.",
		into: func(c *config) any { return &c.MaxFileSize },
	},
	{
		Name: "CASELOAD_URL_EXPIRY", Default: "15m", Kind: duration, Min: int64(time.Second), Max: int64(time.Hour),
		Help: "Life of a signed link; at most one hour.",
		into: func(c *config) any { return &c.URLExpiry },
	},
	{
		Name: "CASELOAD_PART_SIZE", Default: "0", Kind: size, Max: 5 << 30,
		Help: "Size of the parts of a direct upload, at least 5MiB. 0: 8 MiB, 16 MiB for files above 192 MiB, 32 MiB above 512 MiB.",
		into: func(c *config) any { return &c.PartSize },
	},
	{
		Name: "CASELOAD_ABANDON_AFTER", Default: "168h", Kind: duration, Min: int64(time.Minute),
		Help: "An upload that is not whole this long after its last sign of life is given up; until then it can be resumed.",
		into: func(c *config) any { return &c.AbandonAfter },
	},
	{
		Name: "CASELOAD_TRASH_WINDOW", Default: "720h", Kind: duration, Min: 0,
		Help: "A deleted file's bytes are kept this long before they are erased.",
		into: func(c *config) any { return &c.TrashWindow },
	},
	{
		Name: "CASELOAD_UNDO_WINDOW", Default: "168h", Kind: duration, Min: 0,
		Help: "Where the bucket keeps versions: what the trash lets go is hidden behind a delete marker, and can be restored for this long before its version is erased. 0s: it is erased at once.",
		into: func(c *config) any { return &c.UndoWindow },
	},
	{
		Name: "CASELOAD_LEDGER_EVERY", Default: "24h", Kind: duration,
		Help: "A worker compares the database with the bucket this often (`caseload usage`). 0s: only when asked.",
		into: func(c *config) any { return &c.LedgerEvery },
	},

	{
		Group: "Clean-up",
		Name:  "CASELOAD_CLEANUP", Default: "off", Kind: choice, Choices: []string{"off", "propose", "on"},
		Help: "off: nothing is chosen by rule. propose: once a day a plan is made that waits for an administrator's word on the page Clean-up. on: it is carried out by itself, unless more than CASELOAD_CLEANUP_SHARE would go. Trash past its window is erased with each of them, within the same bounds.",
		into: func(c *config) any { return &c.Cleanup },
	},
	{
		Name: "CASELOAD_CLEANUP_OLDER_THAN", Default: "720h", Kind: duration, Min: int64(24 * time.Hour),
		Help: "A clean-up takes uploads that never arrived, and parts in the store that no file knows, this long after their last sign of life; never before CASELOAD_ABANDON_AFTER.",
		into: func(c *config) any { return &c.CleanupOlderThan },
	},
	{
		Name: "CASELOAD_CLEANUP_FINISHED_AFTER", Default: "0", Kind: duration, Min: 0,
		Help: "A clean-up moves cases into the trash that were marked as finished, and not changed, this long ago; at least a day. 0: never.",
		into: func(c *config) any { return &c.CleanupFinishedAfter },
	},
	{
		Name: "CASELOAD_CLEANUP_SHARE", Default: "5", Kind: count, Min: 0, Max: 100,
		Help: "Largest share of an organization's files or bytes, in percent, that goes at once without an administrator typing the number; up to ten files and cases that people deleted by hand go all the same. 100: no limit.",
		into: func(c *config) any { return &c.CleanupShare },
	},

	{
		Group: "Sessions",
		Name:  "CASELOAD_SESSION_IDLE", Default: "15m", Kind: duration, Min: int64(time.Minute),
		Help: "A session without a request for this long has ended.",
		into: func(c *config) any { return &c.SessionIdle },
	},
	{
		Name: "CASELOAD_SESSION_ABSOLUTE", Default: "12h", Kind: duration, Min: int64(time.Minute),
		Help: "A session ends after this long in any case.",
		into: func(c *config) any { return &c.SessionAbsolute },
	},

	{
		Group: "Running",
		Name:  "CASELOAD_WORKERS", Default: "4", Kind: count, Min: 1, Max: 256,
		Help: "Files read at once by one process.",
		into: func(c *config) any { return &c.Workers },
	},
	{
		Name: "CASELOAD_LOG_LEVEL", Default: "info", Kind: choice, Choices: []string{"debug", "info", "warn", "error"},
		Help: "Least level of the log, which goes to standard error.",
		into: func(c *config) any { return &c.LogLevel },
	},
	{
		Name: "CASELOAD_LOG_FORMAT", Default: "json", Kind: choice, Choices: []string{"json", "text"},
		Help: "One JSON object a line, or text for people.",
		into: func(c *config) any { return &c.LogFormat },
	},
}

// clientSettings are those of the commands that speak to a server from another computer. They need none of the others.
var clientSettings = []setting{
	{
		Group: "Commands that speak to a server: upload and watch",
		Name:  "CASELOAD_URL", Default: "http://127.0.0.1:8080", Kind: webURL,
		Help: "Address of the server, for example https://caseload.example.",
		into: func(c *config) any { return &c.ServerURL },
	},
	{
		Name: "CASELOAD_TOKEN", Kind: text, Secret: true,
		Help: "Token to act with: `caseload token create`, or the page Tokens.",
		into: func(c *config) any { return &c.Token },
	},
}
