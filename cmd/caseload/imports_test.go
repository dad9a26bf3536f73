package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "dcdentals.com/caseload/"

// known lists what of this project a package may import; a package that is missing here fails the test, so that a new
// one states its place. cmd/caseload knows everyone. The rule is architecture's: doors call verbs; verbs know nouns;
// edges know nouns and one library each.
var known = map[string][]string{
	"internal/caseload":    {},
	"internal/transfer":    {"internal/caseload"},
	"internal/ledger":      {"internal/caseload"},
	"internal/ingest":      {"internal/caseload", "internal/dicom", "internal/archive"},
	"internal/doctor":      {"internal/caseload"},
	"internal/cleanup":     {"internal/caseload"},
	"internal/dicom":       {"internal/caseload"},
	"internal/archive":     {"internal/caseload"},
	"internal/objectstore": {"internal/caseload"},
	"internal/store":       {"internal/caseload"},
	"internal/pixels":      {},
	"internal/fsck":        {"internal/caseload"},
	"internal/backup":      {"internal/caseload"},
	"internal/preview":     {"internal/caseload", "internal/dicom", "internal/archive", "internal/pixels"},
	"internal/jobs":        {"internal/caseload", "internal/transfer", "internal/ingest"},
	"internal/api":         {"internal/caseload"},
	"internal/web":         {"internal/caseload", "internal/transfer", "internal/ingest", "internal/doctor", "internal/cleanup", "internal/api", "internal/store", "ui"},
	"ui":                   {},
}

// homes lists libraries that only certain packages may import.
var homes = map[string][]string{
	"github.com/aws/":                 {"internal/objectstore"},
	"github.com/versity/":             {"internal/objectstore"},
	"github.com/riverqueue/":          {"internal/jobs"},
	"github.com/jackc/":               {"internal/store", "internal/jobs"}, // jobs: River's own pool and transaction on PostgreSQL
	"modernc.org/sqlite":              {"internal/store"},
	"github.com/joho/godotenv":        {"cmd/caseload"},
	"github.com/spf13/":               {"cmd/caseload"},
	"github.com/prometheus/":          {"internal/web", "cmd/caseload"},
	"github.com/minio/crc64nvme":      {"internal/api", "internal/transfer", "internal/objectstore", "internal/ingest"},
	"github.com/vbauerster/":          {"cmd/caseload"},
	"github.com/getkin/kin-openapi":   {},
	"github.com/rogpeppe/go-internal": {},
}

// testOnly are packages that exist for tests; nothing that ships may import them.
var testOnly = []string{"internal/pgtest", "internal/mustrun", "internal/memtest", "internal/corpus", "internal/objectstore/s3test", "internal/objectstore/miniotest", "e2e", "bench"}

type listed struct {
	ImportPath string
	Imports    []string
}

// TestImportsKeepTheRule holds the rule of imports against what go list says is really imported.
func TestImportsKeepTheRule(t *testing.T) {
	packages := packagesOf(t)
	if len(packages) < len(known) {
		t.Fatalf("go list found %d packages, fewer than the %d named here", len(packages), len(known))
	}
	for _, p := range packages {
		for _, fault := range faults(p) {
			t.Error(fault)
		}
	}
}

// TestTheRuleOfImportsBites shows that each kind of fault is found.
func TestTheRuleOfImportsBites(t *testing.T) {
	for name, p := range map[string]listed{
		"a verb knows an edge":           {module + "internal/transfer", []string{module + "internal/store"}},
		"the ledger knows the store":     {module + "internal/ledger", []string{module + "internal/objectstore"}},
		"a noun knows a library":         {module + "internal/caseload", []string{"golang.org/x/text/unicode/norm"}},
		"web speaks S3":                  {module + "internal/web", []string{"github.com/aws/aws-sdk-go-v2/aws"}},
		"web enqueues":                   {module + "internal/web", []string{module + "internal/jobs"}},
		"a driver outside store":         {module + "internal/web", []string{"modernc.org/sqlite"}},
		"a door ships a test's package":  {module + "internal/jobs", []string{module + "internal/pgtest"}},
		"a package without a place":      {module + "internal/utils", nil},
		"a part of an edge knows a verb": {module + "internal/store/migrations", []string{module + "internal/transfer"}},
	} {
		if len(faults(p)) == 0 {
			t.Errorf("%s: no fault was found", name)
		}
	}
}

// faults returns what breaks the rule in one package.
func faults(p listed) (found []string) {
	name := strings.TrimPrefix(p.ImportPath, module)
	if name == "cmd/caseload" || isOf(name, testOnly) || strings.HasSuffix(name, "/gen") {
		return nil
	}
	home, allowed, ok := place(name)
	if !ok {
		return []string{name + " has no place in the rule of imports"}
	}
	for _, imported := range p.Imports {
		if own, ok := strings.CutPrefix(imported, module); ok {
			if own != home && !strings.HasPrefix(own, home+"/") && !isOf(own, allowed) || isOf(own, testOnly) {
				found = append(found, name+" must not import "+own)
			}
			continue
		}
		if home == "internal/caseload" && strings.Contains(strings.Split(imported, "/")[0], ".") {
			found = append(found, "the nouns must not import "+imported)
		}
		for library, homes := range homes {
			if strings.HasPrefix(imported, library) && !isOf(home, homes) {
				found = append(found, name+" must not import "+imported+", which has its home elsewhere")
			}
		}
	}
	return found
}

// place returns the package of the table that name is or lies under.
func place(name string) (home string, allowed []string, ok bool) {
	for at := name; ; {
		if allowed, ok := known[at]; ok {
			return at, allowed, true
		}
		cut := strings.LastIndex(at, "/")
		if cut < 0 {
			return "", nil, false
		}
		at = at[:cut]
	}
}

func isOf(name string, list []string) bool {
	for _, l := range list {
		if name == l || strings.HasPrefix(name, l+"/") {
			return true
		}
	}
	return false
}

func packagesOf(t *testing.T) (packages []listed) {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Imports", module+"...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}
