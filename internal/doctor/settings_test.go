package doctor

import (
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// soundSettings returns settings with nothing wrong: AWS, PostgreSQL, a public address.
func soundSettings() Settings {
	return Settings{
		Addr: "127.0.0.1:8080", AdminAddr: "127.0.0.1:9090", Data: "/var/lib/caseload", Database: "postgres", DatabaseURL: "postgres://caseload:p%40ss@db.clinic.example:5432/caseload?sslmode=verify-full", PublicURL: parsedURL("https://caseload.example"),
		UseS3: true, AccessKey: "AKIAIOSFODNN7EXAMPLE", SecretKey: strings.Repeat("s", 40), Bucket: "hanbit-cases", Region: "ap-northeast-2",
		SessionIdle: 15 * time.Minute, SessionAbsolute: 12 * time.Hour,
	}
}

func parsedURL(raw string) *url.URL {
	u, err := url.Parse(raw)
	if err != nil {
		panic(err)
	}
	return u
}

func TestSoundSettingsRaiseNoAlarm(t *testing.T) {
	embedded := Settings{Addr: "127.0.0.1:8080", Data: "/d", Database: "embedded", SessionAbsolute: time.Hour}
	for name, s := range map[string]Settings{
		"all embedded":                     embedded,
		"embedded store with PostgreSQL":   changedSettings(embedded, func(s *Settings) { s.Database, s.DatabaseURL = "postgres", "postgres://c@db/c" }),
		"all embedded, started as one":     changedSettings(embedded, func(s *Settings) { s.Role = "all" }),
		"an AWS region for other programs": changedSettings(embedded, func(s *Settings) { s.Region = "ap-northeast-2"; s.AccessKey = "AKIA" }),
		"AWS and PostgreSQL":               soundSettings(),
		"the SDK's own credentials":        changedSettings(soundSettings(), func(s *Settings) { s.AccessKey, s.SecretKey = "", "" }),
		"temporary credentials":            changedSettings(soundSettings(), func(s *Settings) { s.AccessKey, s.SessionToken = "ASIAIOSFODNN7EXAMPLE", "t" }),
		"a worker of several":              changedSettings(soundSettings(), func(s *Settings) { s.Role = "worker" }),
		"MinIO on this machine": changedSettings(soundSettings(), func(s *Settings) {
			s.Endpoint, s.PublicEndpoint, s.Region, s.AccessKey, s.SecretKey = parsedURL("http://127.0.0.1:9000"), parsedURL("https://files.example"), "", "minioadmin", "minioadmin"
		}),
		"a store beside it in the network": changedSettings(soundSettings(), func(s *Settings) {
			s.Endpoint, s.PublicEndpoint = parsedURL("http://minio:9000"), parsedURL("https://files.example")
		}),
		"MinIO on a desk": changedSettings(soundSettings(), func(s *Settings) {
			s.Endpoint, s.PublicURL, s.AccessKey, s.SecretKey = parsedURL("http://127.0.0.1:9000"), parsedURL("http://localhost:8080"), "minioadmin", "minioadmin"
		}),
		"PostgreSQL on a socket":    changedSettings(soundSettings(), func(s *Settings) { s.DatabaseURL = "postgresql:///caseload?host=/var/run/postgresql" }),
		"R2":                        changedSettings(soundSettings(), func(s *Settings) { s.Endpoint, s.Region = parsedURL("https://acc.r2.cloudflarestorage.com"), "auto" }),
		"a region of no known name": changedSettings(soundSettings(), func(s *Settings) { s.Endpoint, s.Region = parsedURL("https://s3.garage.example"), "Garage" }),
		"a VPC endpoint for the server": changedSettings(soundSettings(), func(s *Settings) {
			s.Endpoint, s.PublicEndpoint = parsedURL("https://bucket.vpce-1a2b3c4d-5e6f.s3.ap-northeast-2.vpce.amazonaws.com"), parsedURL("https://s3.ap-northeast-2.amazonaws.com")
		}),
		"a container on a desk": changedSettings(soundSettings(), func(s *Settings) { s.Addr, s.PublicURL = "0.0.0.0:8080", parsedURL("http://localhost:8080") }),
		"GovCloud":              changedSettings(soundSettings(), func(s *Settings) { s.Region = "us-gov-west-1" }),
		"a bucket with dots, path style": changedSettings(soundSettings(), func(s *Settings) {
			s.Bucket, s.PathStyle = "cases.hanbit.example", true
		}),
	} {
		for _, f := range s.Judge() {
			if f.Level == Warning || f.Level == Failure {
				t.Errorf("%s: %+v", name, f)
			}
		}
		if found := Run(t.Context(), ConfigChecks(s.Judge()), nil).Findings; found[0].Check != "config.settings" || found[0].Level != Fine {
			t.Errorf("%s: it does not say that all is well: %+v", name, found)
		}
	}
}

func changedSettings(s Settings, change func(*Settings)) Settings {
	change(&s)
	return s
}

func TestWrongSettingsAreNamedWithTheirFix(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(key, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		change func(*Settings)
		check  string
		level  Level
		want   string // in what came back, its meaning or its fix
	}{
		"USE_S3 is off": {func(s *Settings) { s.UseS3 = false }, "config.use_s3", Warning, "AWS_STORAGE_BUCKET_NAME"},
		"no bucket": {func(s *Settings) {
			s.Bucket, s.Elsewhere = "", map[string]string{"AWS_BUCKET_NAME": "AWS_STORAGE_BUCKET_NAME"}
		}, "config.bucket", Failure, "AWS_BUCKET_NAME is set"},
		"a bucket's ARN":          {func(s *Settings) { s.Bucket = "arn:aws:s3:::cases" }, "config.bucket", Failure, "arn:aws"},
		"a bucket with a folder":  {func(s *Settings) { s.Bucket = "cases/incoming" }, "config.bucket", Failure, "slash"},
		"a bucket in capitals":    {func(s *Settings) { s.Bucket = "Hanbit_Cases" }, "config.bucket", Failure, "lower-case"},
		"a bucket with a dot":     {func(s *Settings) { s.Bucket = "cases.hanbit" }, "config.bucket", Warning, "AWS_S3_ADDRESSING_STYLE=path"},
		"no region":               {func(s *Settings) { s.Region = "" }, "config.region", Failure, "AWS_S3_REGION_NAME"},
		"a zone":                  {func(s *Settings) { s.Region = "ap-northeast-2a" }, "config.region", Failure, "AWS_S3_REGION_NAME=ap-northeast-2."},
		"a region with _":         {func(s *Settings) { s.Region = "AP_NORTHEAST_2" }, "config.region", Failure, "AWS_S3_REGION_NAME=ap-northeast-2."},
		"a region's display name": {func(s *Settings) { s.Region = "Asia Pacific (Seoul)" }, "config.region", Failure, "AWS_S3_REGION_NAME=ap-northeast-2."},
		"half of a display name":  {func(s *Settings) { s.Region = "US East" }, "config.region", Failure, "console"},
		"a region's host":         {func(s *Settings) { s.Region = "s3.ap-southeast-2.amazonaws.com" }, "config.region", Failure, "AWS_S3_REGION_NAME=ap-southeast-2."},
		"a region of Google's":    {func(s *Settings) { s.Region = "us-east1" }, "config.region", Failure, "AWS_S3_REGION_NAME=us-east-1."},
		"half a quotation":        {func(s *Settings) { s.AccessKey = `"` + s.AccessKey }, "config.credentials", Failure, "copied along"},
		"an id that was cut off":  {func(s *Settings) { s.AccessKey = "AKIAIOSF" }, "config.credentials", Warning, "8 characters"},
		"an id of another store":  {func(s *Settings) { s.AccessKey = "minioadmin" }, "config.credentials", Warning, "AWS_S3_ENDPOINT_URL"},
		"a store on this machine": {func(s *Settings) { s.Endpoint = parsedURL("http://localhost:9000") }, "config.endpoint", Warning, "AWS_S3_PUBLIC_ENDPOINT_URL"},
		"a container's name":      {func(s *Settings) { s.Endpoint = parsedURL("http://minio:9000") }, "config.endpoint", Warning, "means nothing on their machines"},
		"a password with signs":   {func(s *Settings) { s.DatabaseURL = "postgres://c:p/w#1@db:5432/c" }, "config.database", Failure, "%2F"},
		"a password with an @":    {func(s *Settings) { s.DatabaseURL = "postgres://c:p@w@db:5432/c" }, "config.database", Failure, "%40"},
		"no database's name":      {func(s *Settings) { s.DatabaseURL = "postgres://c@db:5432" }, "config.database", Warning, "called like the user"},
		"an sslmode of no kind":   {func(s *Settings) { s.DatabaseURL = "postgres://c@db:5432/c?sslmode=on" }, "config.database", Failure, "verify-full"},
		"a letter is missing":     {func(s *Settings) { s.Region = "ap-northest-2" }, "config.region", Warning, "ap-northeast-2"},
		"the bucket in the endpoint": {
			func(s *Settings) { s.Endpoint = parsedURL("https://hanbit-cases.s3.ap-northeast-2.amazonaws.com") }, "config.endpoint", Failure,
			"AWS_S3_ENDPOINT_URL=https://s3.ap-northeast-2.amazonaws.com",
		},
		"http over the internet":    {func(s *Settings) { s.Endpoint, s.PublicURL = parsedURL("http://s3.example.com"), nil }, "config.endpoint", Warning, "readable"},
		"http to AWS":               {func(s *Settings) { s.Endpoint = parsedURL("http://s3.us-east-1.amazonaws.com"); s.PublicURL = nil }, "config.endpoint", Warning, "AWS has one"},
		"an https page, http store": {func(s *Settings) { s.Endpoint = parsedURL("http://10.0.0.5:9000") }, "config.endpoint", Warning, "Browsers do not let"},
		"a public endpoint alone":   {func(s *Settings) { s.PublicEndpoint = parsedURL("https://f.example") }, "config.endpoint", Failure, "AWS_S3_ENDPOINT_URL"},
		"the SDK's endpoint":        {func(s *Settings) { s.Elsewhere = map[string]string{"AWS_ENDPOINT_URL_S3": "AWS_S3_ENDPOINT_URL"} }, "config.endpoint", Warning, "AWS_ENDPOINT_URL_S3"},
		"half credentials":          {func(s *Settings) { s.SecretKey = "" }, "config.credentials", Failure, "AWS_SECRET_ACCESS_KEY"},
		"the other half":            {func(s *Settings) { s.AccessKey = "" }, "config.credentials", Failure, "AWS_ACCESS_KEY_ID"},
		"a token alone":             {func(s *Settings) { s.AccessKey, s.SecretKey, s.SessionToken = "", "", "t" }, "config.credentials", Failure, "AWS_SESSION_TOKEN"},
		"a temporary key alone":     {func(s *Settings) { s.AccessKey = "ASIAIOSFODNN7EXAMPLE" }, "config.credentials", Failure, "AWS_SESSION_TOKEN"},
		"a token of another key":    {func(s *Settings) { s.SessionToken = "t" }, "config.credentials", Failure, "another key"},
		"a secret cut off":          {func(s *Settings) { s.SecretKey = s.SecretKey[1:] }, "config.credentials", Warning, "39 characters"},
		"key and secret exchanged":  {func(s *Settings) { s.AccessKey, s.SecretKey = s.SecretKey, s.AccessKey }, "config.credentials", Failure, "exchanged"},
		"a line break in a secret":  {func(s *Settings) { s.SecretKey = s.SecretKey[:20] + "\n" + s.SecretKey[20:] }, "config.credentials", Failure, "copied along"},
		"a hard space in a key":     {func(s *Settings) { s.AccessKey = "\u00a0" + s.AccessKey }, "config.credentials", Failure, "copied along"},
		"a misspelt name": {func(s *Settings) {
			s.Unknown, s.Known = []string{"CASELOAD_PUBLIC_ULR"}, []string{"CASELOAD_DATA", "CASELOAD_PUBLIC_URL"}
		}, "config.unknown", Warning, "Set CASELOAD_PUBLIC_URL in its place"},
		"a name of nothing": {func(s *Settings) { s.Unknown = []string{"CASELOAD_COLOUR"} }, "config.unknown", Warning, "Take CASELOAD_COLOUR away"},
		"a VPC endpoint alone": {
			func(s *Settings) {
				s.Endpoint = parsedURL("https://bucket.vpce-1a2b3c4d-5e6f.s3.ap-northeast-2.vpce.amazonaws.com")
			}, "config.endpoint", Warning, "browsers outside",
		},
		"a directory bucket":    {func(s *Settings) { s.Bucket = "cases--apne2-az1--x-s3" }, "config.bucket", Failure, "S3 Express"},
		"Transfer Acceleration": {func(s *Settings) { s.Endpoint = parsedURL("https://s3-accelerate.amazonaws.com") }, "config.endpoint", Failure, "Leave AWS_S3_ENDPOINT_URL empty"},
		"a website's address":   {func(s *Settings) { s.Endpoint = parsedURL("https://s3-website.ap-northeast-2.amazonaws.com") }, "config.endpoint", Failure, "take no uploads"},
		"another region's address": {
			func(s *Settings) { s.Endpoint = parsedURL("https://s3.dualstack.eu-west-1.amazonaws.com") }, "config.endpoint", Failure, "AWS_S3_REGION_NAME=eu-west-1",
		},
		"a custom domain, no keys":  {func(s *Settings) { s.CustomDomain = "cdn.example" }, "config.custom_domain", Failure, "AWS_CLOUDFRONT_KEY_ID"},
		"a custom domain of S3":     {func(s *Settings) { s.CustomDomain = "hanbit-cases.s3.amazonaws.com" }, "config.custom_domain", Failure, "Leave AWS_S3_CUSTOM_DOMAIN empty"},
		"a custom domain with path": {func(s *Settings) { s.CustomDomain = "https://cdn.example/files" }, "config.custom_domain", Failure, "no host name"},
		"its key file is missing": {func(s *Settings) {
			s.CustomDomain, s.CloudFrontKeyID, s.CloudFrontKeyFile = "c.example", "K", "/nowhere/key.pem"
		}, "config.custom_domain", Failure, "no such file"},
		"its key file holds something else": {func(s *Settings) {
			s.CustomDomain, s.CloudFrontKeyID, s.CloudFrontKeyFile = "c.example", "K", key
		}, "config.custom_domain", Failure, "no private key"},
		"keys without their domain":  {func(s *Settings) { s.CloudFrontKeyID, s.CloudFrontKeyFile = "K", key }, "config.custom_domain", Warning, "AWS_S3_CUSTOM_DOMAIN"},
		"http origins":               {func(s *Settings) { s.CORSOrigins = []string{"http://app.example"} }, "config.cors_origins", Warning, "http://app.example"},
		"no public address":          {func(s *Settings) { s.PublicURL = nil }, "config.public_url", Note, "--origin"},
		"a public address in http":   {func(s *Settings) { s.PublicURL = parsedURL("http://caseload.example") }, "config.public_url", Warning, "https"},
		"another database":           {func(s *Settings) { s.Database = "other" }, "config.database", Failure, "postgres://"},
		"a split without PostgreSQL": {func(s *Settings) { s.Database, s.Role = "embedded", "web" }, "config.role", Failure, "CASELOAD_DATABASE_URL"},
		"a split without a store":    {func(s *Settings) { s.UseS3, s.Role = false, "worker" }, "config.role", Failure, "USE_S3"},
		"everybody sees the metrics": {func(s *Settings) { s.AdminAddr = "0.0.0.0:9090" }, "config.admin_addr", Warning, "CASELOAD_ADMIN_ADDR"},
		"one address twice":          {func(s *Settings) { s.AdminAddr = s.Addr }, "config.admin_addr", Failure, "CASELOAD_ADMIN_ADDR"},
		"everybody is a proxy":       {func(s *Settings) { s.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")} }, "config.trusted_proxies", Warning, "CASELOAD_TRUSTED_PROXIES"},
		"small parts":                {func(s *Settings) { s.PartSize = 1 << 20 }, "config.part_size", Failure, "CASELOAD_PART_SIZE"},
		"idle longer than absolute":  {func(s *Settings) { s.SessionIdle = 24 * time.Hour }, "config.session", Failure, "CASELOAD_SESSION_IDLE"},
		"a file for a folder":        {func(s *Settings) { s.Data = filepath.Join(key, "data") }, "config.data", Failure, "is a file"},
		"a key's alias":              {func(s *Settings) { s.KMSKey = "alias/cases" }, "config.kms_key", Warning, "describe-key"},
		"a key of another region":    {func(s *Settings) { s.KMSKey = "arn:aws:kms:us-east-1:111122223333:key/1" }, "config.kms_key", Warning, "a key of ap-northeast-2"},
		"a key, and no AWS": {func(s *Settings) {
			s.KMSKey, s.Endpoint, s.PublicURL = "arn:aws:kms:us-east-1:111122223333:key/1", parsedURL("https://files.example"), nil
		}, "config.kms_key", Warning, "Take CASELOAD_BUCKET_KMS_KEY away"},
		"no folder":  {func(s *Settings) { s.Data = "" }, "config.data", Failure, "CASELOAD_DATA"},
		"no address": {func(s *Settings) { s.Addr = "" }, "config.addr", Failure, "CASELOAD_ADDR"},
	} {
		found := changedSettings(soundSettings(), test.change).Judge()
		at := slices.IndexFunc(found, func(f Finding) bool { return f.Check == test.check && f.Level == test.level })
		if at < 0 {
			t.Errorf("%s: no %s %s in %+v", name, test.level, test.check, found)
			continue
		}
		f := found[at]
		if f.Fix == nil || f.Means == "" {
			t.Fatalf("%s: it does not say what it means or how it is mended: %+v", name, f)
		}
		if !strings.Contains(f.Got+f.Means+f.Fix.Say, test.want) {
			t.Errorf("%s: %q is not in %q %q %q", name, test.want, f.Got, f.Means, f.Fix.Say)
		}
		for _, f := range found {
			if strings.Contains(f.Got+f.Means, strings.Repeat("s", 20)) {
				t.Errorf("%s: the secret is said: %+v", name, f)
			}
		}
	}
}

// A setting that cannot be read gets no second sentence that would mislead.
func TestNothingMoreIsSaidOfASettingThatIsWrongByItself(t *testing.T) {
	s := soundSettings()
	s.UseS3, s.Wrong = false, []string{"USE_S3"}
	s.Faulty = []Finding{{Check: "config.setting", Level: Failure, Got: `USE_S3 is "ture"; use True or False.`}}
	for _, f := range s.Judge() {
		if f.Check == "config.use_s3" || f.Check == "config.embedded" || strings.Contains(f.Got, "embedded store") {
			t.Errorf("said besides: %+v", f)
		}
	}
}

// Whoever keeps files in the embedded store is told what it is not, and nobody else is.
func TestWhatTheEmbeddedStoreIsNotIsSaid(t *testing.T) {
	said := func(s Settings) string {
		for _, f := range s.Judge() {
			if f.Check == "config.embedded" && f.Level == Note {
				return f.Means
			}
		}
		return ""
	}
	limits := said(Settings{Addr: "127.0.0.1:8080", Data: "/d", Database: "embedded", SessionAbsolute: time.Hour})
	for _, limit := range []string{"one process", "one disk", "no second server", "no copy elsewhere", "no old versions", "encrypted", "Back up"} {
		if !strings.Contains(limits, limit) {
			t.Errorf("%q is not in %q", limit, limits)
		}
	}
	if text := said(soundSettings()); text != "" {
		t.Errorf("with a store outside: %q", text)
	}
}
