package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/joho/godotenv"
)

// overrides are settings given as flags, by the setting's name; they win over everything else.
type overrides map[string]flagValue

type flagValue struct{ flag, value string }

// settingsError lists every wrong setting at once; the program then exits with exitConfig before anything was started.
type settingsError struct{ problems []string }

func (e *settingsError) Error() string {
	return "the settings are wrong:\n  " + strings.Join(e.problems, "\n  ")
}

// load reads the settings: a flag wins over the environment, the environment over NAME_FILE, both over the file ".env"
// of the working directory, and that over the default. It returns a *settingsError that names every wrong setting and
// what would be right.
func load(flags overrides) (*config, error) {
	dotenv, err := godotenv.Read(".env")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, &settingsError{[]string{".env cannot be read: " + err.Error()}}
	}
	return loadFrom(flags, os.LookupEnv, dotenv)
}

func loadFrom(flags overrides, getenv func(string) (string, bool), dotenv map[string]string) (*config, error) {
	c, problems := read(settings, flags, getenv, dotenv)
	problems = append(problems, unknownNames(dotenv)...)
	if len(problems) == 0 {
		problems = c.check()
	}
	if len(problems) > 0 {
		return nil, &settingsError{problems}
	}
	return c, nil
}

// read parses the settings of one table and tells which are wrong.
func read(table []setting, flags overrides, getenv func(string) (string, bool), dotenv map[string]string) (c *config, problems []string) {
	c = &config{origins: map[string]origin{}}
	for _, s := range table {
		o, err := s.find(flags, getenv, dotenv)
		if err != nil {
			problems = append(problems, err.Error())
			continue
		}
		c.origins[s.Name] = o
		if err := s.parseInto(c, o.Raw); err != nil {
			problems = append(problems, s.Name+" "+err.Error()+s.whence(o))
		}
	}
	return c, problems
}

// loadClient reads clientSettings, as load reads the others.
func loadClient(flags overrides) (*config, error) {
	dotenv, err := godotenv.Read(".env")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, &settingsError{[]string{".env cannot be read: " + err.Error()}}
	}
	c, problems := read(clientSettings, flags, os.LookupEnv, dotenv)
	if problems == nil && c.Token == "" {
		problems = []string{"CASELOAD_TOKEN is empty; make a token with `caseload token create` on the server, or on the page Tokens"}
	}
	if problems != nil {
		return nil, &settingsError{problems}
	}
	return c, nil
}

func (s setting) whence(o origin) string {
	if o.Source == "environment" || o.Source == "default" {
		return ""
	}
	return " (from " + o.Source + ")"
}

// find returns the setting's text and where it came from.
func (s setting) find(flags overrides, getenv func(string) (string, bool), dotenv map[string]string) (origin, error) {
	if f, ok := flags[s.Name]; ok {
		return origin{f.value, "flag --" + f.flag}, nil
	}
	value, inEnv := getenv(s.Name)
	value = strings.TrimSpace(value)
	if s.Secret {
		file, named := getenv(s.Name + "_FILE")
		source := "the file named by " + s.Name + "_FILE"
		if !named {
			file, named = dotenv[s.Name+"_FILE"]
		}
		if named && file != "" {
			if inEnv && value != "" {
				return origin{}, fmt.Errorf("%s and %s_FILE are both set; keep one of them", s.Name, s.Name)
			}
			b, err := os.ReadFile(file)
			if err != nil {
				return origin{}, fmt.Errorf("%s_FILE names a file that cannot be read: %w", s.Name, err)
			}
			return origin{strings.TrimSpace(string(b)), source}, nil
		}
	}
	if inEnv && value != "" {
		return origin{value, "environment"}, nil
	}
	if value := strings.TrimSpace(dotenv[s.Name]); value != "" {
		return origin{value, ".env"}, nil
	}
	return origin{s.Default, "default"}, nil
}

// unknownNames reports CASELOAD_ names in .env that no setting has: nearly always a typing error. Other names there
// belong to other programs.
func unknownNames(dotenv map[string]string) []string {
	known := map[string]bool{}
	for _, s := range slices.Concat(settings, clientSettings) {
		known[s.Name] = true
		known[s.Name+"_FILE"] = s.Secret
	}
	var problems []string
	for name := range dotenv {
		if strings.HasPrefix(name, "CASELOAD_") && !strings.HasPrefix(name, "CASELOAD_TEST_") && !known[name] {
			problems = append(problems, name+" in .env is no setting; `caseload config` lists them")
		}
	}
	slices.Sort(problems)
	return problems
}

// check looks at the settings together, once each is right by itself, and fills in what follows from others.
func (c *config) check() []string {
	var problems []string
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }

	abs, err := filepath.Abs(c.Data)
	if err != nil || c.Data == "" {
		wrong("CASELOAD_DATA is no usable path; name a folder")
	}
	c.Data = abs
	if c.Addr == "" {
		wrong("CASELOAD_ADDR is empty; use host:port, such as 127.0.0.1:8080")
	}
	switch db := c.DatabaseURL.Reveal(); {
	case db == "":
		c.DatabaseURL = Secret("sqlite:" + filepath.Join(c.Data, "caseload.db"))
	case strings.HasPrefix(db, "postgres://"), strings.HasPrefix(db, "postgresql://"):
	default:
		wrong("CASELOAD_DATABASE_URL is no PostgreSQL address; use postgres://user:password@host:5432/name, or leave it empty for the embedded SQLite")
	}
	if c.PartSize != 0 && c.PartSize < 5<<20 {
		wrong("CASELOAD_PART_SIZE is %s; S3 takes no part under 5MiB (0 chooses by size)", formatSize(c.PartSize))
	}
	if c.SessionIdle > c.SessionAbsolute {
		wrong("CASELOAD_SESSION_IDLE (%s) is longer than CASELOAD_SESSION_ABSOLUTE (%s)", formatDuration(c.SessionIdle), formatDuration(c.SessionAbsolute))
	}
	if c.UseS3 {
		c.checkS3(wrong)
	}
	if c.UseS3 && len(c.CORSOrigins) > 0 {
		wrong("CASELOAD_CORS_ORIGINS is for the embedded store; with USE_S3=True put the origins into the bucket's CORS rule (docs/operate.md)")
	}
	return problems
}

func (c *config) checkS3(wrong func(string, ...any)) {
	if c.S3Bucket == "" {
		wrong("AWS_STORAGE_BUCKET_NAME is empty; USE_S3=True needs the name of an existing bucket")
	}
	if (c.S3AccessKey == "") != (c.S3SecretKey == "") {
		wrong("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY belong together; set both, or neither to use the instance role or shared profile")
	}
	if c.S3SessionToken != "" && c.S3AccessKey == "" {
		wrong("AWS_SESSION_TOKEN is set without AWS_ACCESS_KEY_ID; set the temporary credentials' key and secret too")
	}
	if c.S3Region == "" {
		if c.S3Endpoint == nil {
			wrong("AWS_S3_REGION_NAME is empty; AWS needs the bucket's region, such as ap-northeast-2")
		}
		c.S3Region = "us-east-1"
	}
	if c.S3PublicEndpoint != nil && c.S3Endpoint == nil {
		wrong("AWS_S3_PUBLIC_ENDPOINT_URL is set without AWS_S3_ENDPOINT_URL; set how the server reaches the store too")
	}
	if c.S3Addressing == "auto" {
		c.S3Addressing = "virtual"
		if c.S3Endpoint != nil {
			c.S3Addressing = "path"
		}
	}
	if c.S3CustomDomain != "" {
		if c.CloudFrontKeyID == "" || c.CloudFrontKeyFile == "" {
			wrong("AWS_S3_CUSTOM_DOMAIN needs AWS_CLOUDFRONT_KEY_ID and AWS_CLOUDFRONT_KEY_FILE: a link signed for S3 is not valid at another host, so downloads through the domain must be signed with a CloudFront key pair; set both, or leave the domain empty")
		} else if _, err := os.Stat(c.CloudFrontKeyFile); err != nil {
			wrong("AWS_CLOUDFRONT_KEY_FILE names a file that cannot be read: %v", err)
		}
	}
}

// postgres tells whether the database is an external PostgreSQL.
func (c *config) postgres() bool { return !strings.HasPrefix(c.DatabaseURL.Reveal(), "sqlite:") }
