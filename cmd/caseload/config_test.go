package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// from loads the settings of an environment and a .env, both given as maps.
func from(env, dotenv map[string]string) (*config, error) {
	return fromFlags(nil, env, dotenv)
}

func fromFlags(flags overrides, env, dotenv map[string]string) (*config, error) {
	c, found := examine(flags, env, dotenv, "")
	return c, refusal(found)
}

func TestDefaultsAreUsable(t *testing.T) {
	c, err := from(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Addr != "127.0.0.1:8080" || c.DirectThreshold != 50_000_000 || c.MaxFileSize != 1<<30 || c.URLExpiry != 15*time.Minute {
		t.Errorf("defaults: %+v", c)
	}
	if !filepath.IsAbs(c.Data) || !strings.HasPrefix(c.DatabaseURL.Reveal(), "sqlite:/") || c.postgres() {
		t.Errorf("data %q, database %q", c.Data, c.DatabaseURL.Reveal())
	}
	if l := c.limits(); l.AbandonAfter != 7*24*time.Hour || l.TrashWindow != 30*24*time.Hour || l.MaxParts != 1000 {
		t.Errorf("limits: %+v", l)
	}
}

func TestEveryWrongSettingIsReportedAtOnceWithItsName(t *testing.T) {
	_, err := from(map[string]string{
		"CASELOAD_ADDR":             "8080",
		"CASELOAD_PUBLIC_URL":       "caseload.example/path",
		"CASELOAD_TRUSTED_PROXIES":  "10.0.0.0/8, proxy",
		"USE_S3":                    "maybe",
		"AWS_S3_ADDRESSING_STYLE":   "sideways",
		"CASELOAD_DIRECT_THRESHOLD": "fifty",
		"CASELOAD_MAX_FILE_SIZE":    "-1",
		"CASELOAD_URL_EXPIRY":       "2h",
		"CASELOAD_WORKERS":          "0",
		"CASELOAD_LOG_LEVEL":        "loud",
		"AWS_SECRET_ACCESS_KEY":     "\"hush-hush\"",
		"AWS_STORAGE_BUCKET_NAME":   "'cases'",
	}, map[string]string{"CASELOAD_DATEN": "typing error", "OTHER_PROGRAM": "is none of our business"})
	var wrong *settingsError
	if !errors.As(err, &wrong) {
		t.Fatalf("%v is no settingsError", err)
	}
	for _, name := range []string{
		"CASELOAD_ADDR", "CASELOAD_PUBLIC_URL", "CASELOAD_TRUSTED_PROXIES", "USE_S3", "AWS_S3_ADDRESSING_STYLE",
		"CASELOAD_DIRECT_THRESHOLD", "CASELOAD_MAX_FILE_SIZE", "CASELOAD_URL_EXPIRY", "CASELOAD_WORKERS", "CASELOAD_LOG_LEVEL", "CASELOAD_DATEN",
		"AWS_SECRET_ACCESS_KEY", "AWS_STORAGE_BUCKET_NAME",
	} {
		if !strings.Contains(err.Error(), name+" ") {
			t.Errorf("%s is not reported in:\n%v", name, err)
		}
	}
	if strings.Contains(err.Error(), "hush") {
		t.Errorf("a secret is said:\n%v", err)
	}
	if len(wrong.problems) != 13 {
		t.Errorf("%d problems, want 13:\n%v", len(wrong.problems), err)
	}
	if code := report(&bytes.Buffer{}, err); code != exitConfig {
		t.Errorf("exit code %d, want %d", code, exitConfig)
	}
}

func TestSettingsThatDoNotFitTogetherAreRefused(t *testing.T) {
	s3 := map[string]string{"USE_S3": "True", "AWS_STORAGE_BUCKET_NAME": "cases", "AWS_S3_REGION_NAME": "ap-northeast-2"}
	for name, test := range map[string]struct {
		more map[string]string
		want string // in the message; "" when it is right
	}{
		"enough for AWS with the SDK's own credentials": {nil, ""},
		"a compatible store needs no region":            {map[string]string{"AWS_S3_REGION_NAME": "", "AWS_S3_ENDPOINT_URL": "http://127.0.0.1:9000"}, ""},
		"AWS needs a region":                            {map[string]string{"AWS_S3_REGION_NAME": ""}, "AWS_S3_REGION_NAME"},
		"a bucket is needed":                            {map[string]string{"AWS_STORAGE_BUCKET_NAME": ""}, "AWS_STORAGE_BUCKET_NAME"},
		"a key without its secret":                      {map[string]string{"AWS_ACCESS_KEY_ID": "AKIA"}, "AWS_SECRET_ACCESS_KEY"},
		"a session token alone":                         {map[string]string{"AWS_SESSION_TOKEN": "t"}, "AWS_SESSION_TOKEN"},
		"a public endpoint alone":                       {map[string]string{"AWS_S3_PUBLIC_ENDPOINT_URL": "https://s"}, "AWS_S3_ENDPOINT_URL"},
		"a custom domain without its keys":              {map[string]string{"AWS_S3_CUSTOM_DOMAIN": "d.example"}, "AWS_CLOUDFRONT_KEY_FILE"},
		"a custom domain whose key file is not there":   {map[string]string{"AWS_S3_CUSTOM_DOMAIN": "d.example", "AWS_CLOUDFRONT_KEY_ID": "K", "AWS_CLOUDFRONT_KEY_FILE": "/nowhere.pem"}, "AWS_CLOUDFRONT_KEY_FILE"},
		"parts smaller than S3 takes":                   {map[string]string{"CASELOAD_PART_SIZE": "1MiB"}, "CASELOAD_PART_SIZE"},
		"another database":                              {map[string]string{"CASELOAD_DATABASE_URL": "mysql://x"}, "CASELOAD_DATABASE_URL"},
		"idle longer than absolute":                     {map[string]string{"CASELOAD_SESSION_IDLE": "24h"}, "CASELOAD_SESSION_IDLE"},
	} {
		env := map[string]string{}
		for k, v := range s3 {
			env[k] = v
		}
		for k, v := range test.more {
			env[k] = v
		}
		_, err := from(env, nil)
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s: got %v, want %s named", name, err, test.want)
		}
	}
}

func TestFlagWinsOverEnvironmentOverDotenvOverDefault(t *testing.T) {
	env := map[string]string{"CASELOAD_ADDR": "127.0.0.1:2", "CASELOAD_WORKERS": ""}
	dotenv := map[string]string{"CASELOAD_ADDR": "127.0.0.1:3", "CASELOAD_WORKERS": "7"}
	c, err := fromFlags(overrides{"CASELOAD_ADDR": {"addr", "127.0.0.1:1"}}, env, dotenv)
	if err != nil {
		t.Fatal(err)
	}
	if c.Addr != "127.0.0.1:1" || c.origins["CASELOAD_ADDR"].Source != "flag --addr" {
		t.Errorf("flag: %q from %q", c.Addr, c.origins["CASELOAD_ADDR"].Source)
	}
	if c.Workers != 7 || c.origins["CASELOAD_WORKERS"].Source != ".env" {
		t.Errorf(".env: %d from %q", c.Workers, c.origins["CASELOAD_WORKERS"].Source)
	}
	if c, err = from(env, dotenv); err != nil || c.Addr != "127.0.0.1:2" {
		t.Errorf("environment: %v, %v", c, err)
	}
}

func TestSecretsMayStandInFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("hush\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, s := range settings {
		if !s.Secret {
			continue
		}
		env := map[string]string{s.Name + "_FILE": file}
		o, err := s.find(nil, env, nil)
		if err != nil || o.Raw != "hush" {
			t.Errorf("%s_FILE: %q, %v", s.Name, o.Raw, err)
		}
		env[s.Name] = "also set"
		if _, err := s.find(nil, env, nil); err == nil {
			t.Errorf("%s and %s_FILE together were taken", s.Name, s.Name)
		}
		env = map[string]string{s.Name + "_FILE": file + ".missing"}
		if _, err := s.find(nil, env, nil); err == nil {
			t.Errorf("%s_FILE that does not exist was taken", s.Name)
		}
	}
}

func TestSecretsNeverPrint(t *testing.T) {
	secret := Secret("hush")
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", secret, "in", struct{ S Secret }{secret})
	asJSON, err := json.Marshal(map[string]any{"a": secret})
	if err != nil {
		t.Fatal(err)
	}
	for _, printed := range []string{
		log.String(), string(asJSON),
		fmt.Sprint(secret), fmt.Sprintf("%v %+v %#v %s %q", secret, secret, secret, secret, secret), fmt.Sprintf("%+v", config{S3SecretKey: secret}),
	} {
		if strings.Contains(printed, "hush") {
			t.Errorf("the secret shows in %s", printed)
		}
	}
}

func TestSizesAreReadInEveryForm(t *testing.T) {
	for raw, want := range map[string]int64{
		"0": 0, "50000000": 50_000_000, "50MB": 50_000_000, "50 MB": 50_000_000, "64MiB": 64 << 20, "1GiB": 1 << 30,
		"1.5GiB": 3 << 29, "8kB": 8000, "8KiB": 8192, "5TiB": 5 << 40, "12B": 12,
	} {
		if got, err := parseSize(raw); err != nil || got != want {
			t.Errorf("parseSize(%q) = %d, %v; want %d", raw, got, err, want)
		}
		if back, err := parseSize(formatSize(want)); err != nil || back != want {
			t.Errorf("formatSize(%d) = %q, which reads as %d, %v", want, formatSize(want), back, err)
		}
	}
	for _, raw := range []string{"", "-1", "1e400GiB", "NaN", "MiB", "5 MiBs", "0x10", fmt.Sprint(uint64(math.MaxUint64)), "9223372036854775807TiB"} {
		if got, err := parseSize(raw); err == nil {
			t.Errorf("parseSize(%q) = %d, want an error", raw, got)
		}
	}
}

func TestTheTableIsSound(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range settings {
		if seen[s.Name] {
			t.Errorf("%s stands twice in the table", s.Name)
		}
		seen[s.Name] = true
		if s.Help == "" || s.Kind == "" {
			t.Errorf("%s lacks its help or kind", s.Name)
		}
		if _, secret := s.into(&config{}).(*Secret); secret != s.Secret {
			t.Errorf("%s: secret in the table, but not in the type, or the other way round", s.Name)
		}
		if s.Default != "" {
			if err := s.parseInto(&config{}, s.Default); err != nil {
				t.Errorf("%s: its default %s", s.Name, err)
			}
		}
	}
}

// A name in the environment that no setting has is said, and keeps nothing from starting: it may be another program's, as
// those are that Kubernetes makes for a service called caseload.
func TestMisspeltNamesInTheEnvironmentAreSaid(t *testing.T) {
	env := environment{
		"CASELOAD_PUBLIC_ULR": "https://caseload.example", "CASELOAD_TEST_MUST_RUN": "postgres", "CASELOAD_TOKEN": "t", "CASELOAD_DATABASE_URL_FILE": "",
		"CASELOAD_SERVICE_HOST": "10.0.0.1", "CASELOAD_SERVICE_PORT_HTTP": "80", "CASELOAD_PORT": "tcp://10.0.0.1:80", "CASELOAD_PORT_80_TCP_ADDR": "10.0.0.1",
		"CASELOAD_WEB_SERVICE_PORT": "80", "PATH": "/bin",
	}
	_, found := examine(nil, env, nil, "")
	if err := refusal(found); err != nil {
		t.Error(err)
	}
	var said []string
	for _, f := range found {
		if f.Check == "config.unknown" {
			said = append(said, f.Got+" "+f.Fix.Say)
		}
	}
	if want := "CASELOAD_PUBLIC_ULR is set in the environment, and Caseload has no such setting. Set CASELOAD_PUBLIC_URL in its place."; len(said) != 1 || said[0] != want {
		t.Errorf("%q", said)
	}
}
