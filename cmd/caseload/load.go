package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/joho/godotenv"

	"dcdentals.com/caseload/internal/doctor"
)

// overrides are settings given as flags, by the setting's name; they win over everything else.
type overrides map[string]flagValue

type flagValue struct{ flag, value string }

// settingsError lists every wrong setting at once; the program then exits with exitConfig before anything was started.
type settingsError struct{ problems []string }

func (e *settingsError) Error() string {
	return "the settings are wrong:\n  " + strings.Join(e.problems, "\n  ")
}

// environment is what the process was started with, by name.
type environment map[string]string

func processEnvironment() environment {
	env := environment{}
	for _, each := range os.Environ() {
		name, value, _ := strings.Cut(each, "=")
		env[name] = value
	}
	return env
}

// load reads the settings: a flag wins over the environment, the environment over NAME_FILE, both over the file ".env"
// of the working directory, and that over the default. It returns a *settingsError that names every wrong setting and
// what would be right. role is that of the server to be started, or "".
func load(flags overrides, r role) (*config, error) {
	dotenv, err := readDotenv()
	if err != nil {
		return nil, err
	}
	c, found := examine(flags, processEnvironment(), dotenv, r)
	c.judged = found
	return c, refusal(found)
}

// readDotenv reads the file ".env"; none is no error. What is wrong with it is said by its line: its text may be a secret.
func readDotenv() (map[string]string, error) {
	raw, err := os.ReadFile(".env")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, &settingsError{[]string{".env cannot be read: " + err.Error()}}
	}
	raw = bytes.ReplaceAll(bytes.TrimPrefix(raw, []byte("\ufeff")), []byte("\r\n"), []byte("\n")) // as editors of Windows write it
	dotenv, err := godotenv.UnmarshalBytes(raw)
	if err == nil {
		return dotenv, nil
	}
	line := "a line of .env"
	if _, rest, found := strings.Cut(err.Error(), " near "); found {
		if rest, err := strconv.Unquote(rest); err == nil {
			line = fmt.Sprintf("line %d of .env", 1+strings.Count(strings.TrimSuffix(string(raw), rest), "\n"))
		}
	}
	return nil, &settingsError{[]string{line + " is not NAME=value; lines that begin with # are comments, and a value with spaces stands in quotation marks"}}
}

// examine reads the settings and judges them, as every start and `caseload doctor` do (internal/doctor, settings.go). The
// config is never nil: a setting that is wrong has its zero value there.
func examine(flags overrides, env environment, dotenv map[string]string, r role) (*config, []doctor.Finding) {
	c, wrong, problems := read(settings, flags, env, dotenv)
	problems = append(problems, unknownNames(dotenv)...)
	judged := c.settingsOf(wrong, problems, env, dotenv, r)
	c.complete()
	return c, judged.Judge()
}

// refusal is the *settingsError of what keeps a server from starting, else nil.
func refusal(found []doctor.Finding) error {
	var problems []string
	for _, f := range found {
		if f.Level != doctor.Failure {
			continue
		}
		line := f.Got
		if f.Fix != nil { // else the sentence says by itself what would be right
			line += " " + f.Means + " " + f.Fix.Say
		}
		problems = append(problems, line)
	}
	if problems == nil {
		return nil
	}
	return &settingsError{problems}
}

// read parses the settings of one table and tells which are wrong, by name and by what is to be said of them.
func read(table []setting, flags overrides, env environment, dotenv map[string]string) (c *config, wrong, problems []string) {
	c = &config{origins: map[string]origin{}}
	for _, s := range table {
		o, err := s.find(flags, env, dotenv)
		if err != nil {
			wrong, problems = append(wrong, s.Name), append(problems, err.Error())
			continue
		}
		c.origins[s.Name] = o
		if quoted(o.Raw) {
			wrong, problems = append(wrong, s.Name), append(problems, s.Name+" stands in quotation marks, which belong to it then; take them away"+s.whence(o))
			continue
		}
		if err := s.parseInto(c, o.Raw); err != nil {
			wrong, problems = append(wrong, s.Name), append(problems, s.Name+" "+err.Error()+s.whence(o))
		}
	}
	return c, wrong, problems
}

// quoted tells whether a value begins and ends with the same quotation mark. Shells and .env take them away; systemd's
// Environment= in part and Docker's --env-file never do, so that a key or a name is another than was meant.
func quoted(value string) bool {
	return len(value) > 1 && value[0] == value[len(value)-1] && (value[0] == '"' || value[0] == '\'')
}

// loadClient reads clientSettings, as load reads the others.
func loadClient(flags overrides) (*config, error) {
	dotenv, err := readDotenv()
	if err != nil {
		return nil, err
	}
	c, _, problems := read(clientSettings, flags, processEnvironment(), dotenv)
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
func (s setting) find(flags overrides, env environment, dotenv map[string]string) (origin, error) {
	if f, ok := flags[s.Name]; ok {
		return origin{f.value, "flag --" + f.flag}, nil
	}
	value, inEnv := env[s.Name]
	value = strings.TrimSpace(value)
	if s.Secret {
		file, named := env[s.Name+"_FILE"]
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

// knownNames returns the names of all settings, and of the files that hold their secrets.
func knownNames() (names []string) {
	for _, s := range slices.Concat(settings, clientSettings) {
		names = append(names, s.Name)
		if s.Secret {
			names = append(names, s.Name+"_FILE")
		}
	}
	return names
}

// isOurs tells whether a name can be meant for Caseload alone. Those of tests are.
func isOurs(name string) bool {
	return strings.HasPrefix(name, "CASELOAD_") && !strings.HasPrefix(name, "CASELOAD_TEST_")
}

// unknownNames reports CASELOAD_ names in .env that no setting has: nearly always a typing error. Other names there
// belong to other programs.
func unknownNames(dotenv map[string]string) []string {
	known := knownNames()
	var problems []string
	for name := range dotenv {
		if isOurs(name) && !slices.Contains(known, name) {
			problems = append(problems, name+" in .env is no setting; `caseload config` lists them")
		}
	}
	slices.Sort(problems)
	return problems
}

// ofKubernetes are the names that Kubernetes gives every container for a service that is called caseload…
// (https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables).
var ofKubernetes = regexp.MustCompile(`_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_[A-Z]+)?)?)$`)

// unknownIn returns the names in the environment that look like ours and that no setting has. Elsewhere than in .env they
// may be another program's, so that they keep nothing from starting.
func unknownIn(env environment) (unknown []string) {
	known := knownNames()
	for name := range env {
		if isOurs(name) && !slices.Contains(known, name) && !ofKubernetes.MatchString(name) {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	return unknown
}

// settingsOf is what internal/doctor looks at. wrong names the settings that problems speaks of.
func (c *config) settingsOf(wrong, problems []string, env environment, dotenv map[string]string, r role) doctor.Settings {
	s := doctor.Settings{
		Wrong: wrong, Elsewhere: otherNames(env, dotenv), Unknown: unknownIn(env), Known: knownNames(), Role: string(r), Addr: c.Addr, AdminAddr: c.AdminAddr, Data: c.Data, Database: "embedded", DatabaseURL: c.DatabaseURL.Reveal(),
		PublicURL: c.PublicURL, CORSOrigins: c.CORSOrigins, TrustedProxies: c.TrustedProxies,
		UseS3: c.UseS3, AccessKey: c.S3AccessKey, SecretKey: c.S3SecretKey.Reveal(), SessionToken: c.S3SessionToken.Reveal(),
		Bucket: c.S3Bucket, Region: c.S3Region, CustomDomain: c.S3CustomDomain, Endpoint: c.S3Endpoint, PublicEndpoint: c.S3PublicEndpoint,
		PathStyle:       c.S3Addressing == "path" || c.S3Addressing == "auto" && c.autoPath(),
		CloudFrontKeyID: c.CloudFrontKeyID, CloudFrontKeyFile: c.CloudFrontKeyFile, KMSKey: c.BucketKMSKey,
		PartSize: c.PartSize, SessionIdle: c.SessionIdle, SessionAbsolute: c.SessionAbsolute,
	}
	switch db := c.DatabaseURL.Reveal(); {
	case strings.HasPrefix(db, "postgres://"), strings.HasPrefix(db, "postgresql://"):
		s.Database = "postgres"
	case db != "":
		s.Database = "other"
	}
	for _, problem := range problems {
		s.Faulty = append(s.Faulty, doctor.Finding{
			Check: "config.setting", Level: doctor.Failure, Tried: "The settings were read.", Got: problem + ".",
			Means: "Nothing is started with a setting that cannot be read.",
		})
	}
	return s
}

// otherNames returns the names of other programs that are set and resemble one of ours: name → ours.
func otherNames(env environment, dotenv map[string]string) map[string]string {
	found := map[string]string{}
	for name, ours := range map[string]string{
		"AWS_BUCKET_NAME": "AWS_STORAGE_BUCKET_NAME", "AWS_S3_BUCKET": "AWS_STORAGE_BUCKET_NAME", "AWS_S3_BUCKET_NAME": "AWS_STORAGE_BUCKET_NAME",
		"AWS_STORAGE_BUCKET": "AWS_STORAGE_BUCKET_NAME", "S3_BUCKET": "AWS_STORAGE_BUCKET_NAME", "S3_BUCKET_NAME": "AWS_STORAGE_BUCKET_NAME",
		"AWS_REGION": "AWS_S3_REGION_NAME", "AWS_DEFAULT_REGION": "AWS_S3_REGION_NAME", "AWS_S3_REGION": "AWS_S3_REGION_NAME",
		"AWS_S3_ACCESS_KEY_ID": "AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY": "AWS_ACCESS_KEY_ID",
		"AWS_S3_SECRET_ACCESS_KEY": "AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY": "AWS_SECRET_ACCESS_KEY",
		"AWS_ENDPOINT_URL": "AWS_S3_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3": "AWS_S3_ENDPOINT_URL",
	} {
		if env[name] != "" || dotenv[name] != "" {
			found[name] = ours
		}
	}
	return found
}

// complete fills in what follows from other settings.
func (c *config) complete() {
	if abs, err := filepath.Abs(c.Data); err == nil {
		c.Data = abs
	}
	if c.DatabaseURL == "" {
		c.DatabaseURL = Secret("sqlite:" + filepath.Join(c.Data, "caseload.db"))
	}
	if !c.UseS3 {
		return
	}
	if c.S3Region == "" {
		c.S3Region = "us-east-1"
	}
	if c.S3Addressing == "auto" {
		c.S3Addressing = "virtual"
		if c.autoPath() {
			c.S3Addressing = "path"
		}
	}
}

// autoPath tells whether buckets are named in the path when nothing is said of it: compatible stores seldom know them in
// host names, and no certificate is valid for one with a dot in it.
func (c *config) autoPath() bool { return c.S3Endpoint != nil || strings.Contains(c.S3Bucket, ".") }

// postgres tells whether the database is an external PostgreSQL.
func (c *config) postgres() bool { return !strings.HasPrefix(c.DatabaseURL.Reveal(), "sqlite:") }
