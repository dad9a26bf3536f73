package main

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// told are the documents that an administrator works by, from this folder.
var told = []string{"../../README.md", "../../docs/operate.md", "../../docs/security.md", "../../docs/from-django.md", "../../docs/uppy.md"}

// TestDocsNameWhatIsThere: settings, commands with their flags, metrics, addresses of the API, tests, files and sections that
// these documents speak of exist.
func TestDocsNameWhatIsThere(t *testing.T) {
	p := wholeProject(t)
	for _, path := range told {
		text := readText(t, path)
		for _, fault := range slices.Concat(p.settings(text), p.commands(text), p.metrics(text), p.routes(text), p.tests(text), p.links(path, text)) {
			t.Errorf("%s: %s", filepath.Base(path), fault)
		}
	}
	deployed, err := filepath.Glob("../../deploy/*")
	if err != nil || len(deployed) == 0 {
		t.Fatal("nothing is in deploy/", err)
	}
	for _, path := range deployed {
		text := readText(t, path)
		for _, fault := range slices.Concat(p.settings(text), p.metrics(text)) {
			t.Errorf("%s: %s", filepath.Base(path), fault)
		}
	}
}

// TestEveryMetricAndAlertIsTold: docs/operate.md has a line for each.
func TestEveryMetricAndAlertIsTold(t *testing.T) {
	operate := readText(t, "../../docs/operate.md")
	for _, name := range wholeProject(t).metricNames {
		if !strings.Contains(operate, "`"+name+"`") {
			t.Errorf("docs/operate.md does not tell of the metric %s", name)
		}
	}
	alerts := regexp.MustCompile(`(?m)- alert: (\w+)$`).FindAllStringSubmatch(readText(t, "../../deploy/alerts.yml"), -1)
	if len(alerts) == 0 {
		t.Fatal("deploy/alerts.yml has no alerts")
	}
	for _, alert := range alerts {
		if !strings.Contains(operate, "`"+alert[1]+"`") {
			t.Errorf("docs/operate.md does not say what to do at the alert %s", alert[1])
		}
	}
}

// TestTheDocsTestBites shows that each kind of name is missed when it is not there.
func TestTheDocsTestBites(t *testing.T) {
	p := wholeProject(t)
	for name, faults := range map[string][]string{
		"a setting":                p.settings("`CASELOAD_MOON`"),
		"no secret, so no file":    p.settings("`CASELOAD_DATA_FILE`"),
		"a group of settings":      p.settings("`CASELOAD_MOON_…`"),
		"a command":                p.commands("`caseload fly`"),
		"a command of a command":   p.commands("`caseload bucket fly`"),
		"a flag":                   p.commands("```sh\ncaseload fsck --fly\n```"),
		"a command without prefix": p.commands("`bucket fly --form cli`"),
		"one of several":           p.commands("`caseload bucket cors|fly print`"),
		"a metric":                 p.metrics("caseload_moon_total"),
		"an address":               p.routes("`GET /api/v1/moon`"),
		"a test":                   p.tests("`TestTheMoonIsRound`"),
		"a file of tests":          p.tests("`moon/round_test.go`"),
		"a link":                   p.links("../../docs/operate.md", "[moon](moon.md)"),
		"a section":                p.links("../../docs/operate.md", "[moon](#the-moon)"),
		"a path":                   p.links("../../docs/operate.md", "`deploy/moon.conf`"),
	} {
		if len(faults) != 1 {
			t.Errorf("%s: %q, want one fault", name, faults)
		}
	}
	sound := slices.Concat(
		p.settings("`CASELOAD_DATABASE_URL_FILE` `CASELOAD_SESSION_…` `USE_S3=True`"),
		p.commands("`caseload bucket cors|policy print`\n```sh\nsh -c 'caseload backup /mnt --keep 3'   # caseload moon\n```\n`docker build -t caseload .`"),
		p.metrics("caseload_http_request_seconds_bucket"),
		p.routes("`GET /api/v1/cases/{case}/files`, `/api/v1/trash`"),
		p.links("../../docs/operate.md", "[b](#backup-and-restore) [f](https://caseload.example/x) [c](cli.md) `deploy/`"),
	)
	if len(sound) > 0 {
		t.Errorf("false alarms: %q", sound)
	}
}

func readText(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// project is what there is to be named.
type project struct {
	root        *cobra.Command
	metricNames []string
	addresses   []string // of the API, without /api/v1
	paths       []string // of all files, from the project's folder
	testNames   map[string]bool
}

var placed = regexp.MustCompile(`\{\w+\}`) // of an address, whatever its name

var metricName = regexp.MustCompile(`\bcaseload_[a-z_]+`)

func wholeProject(t *testing.T) *project {
	t.Helper()
	p := &project{root: rootCommand(), testNames: map[string]bool{}}
	function := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && (name == "node_modules" || name == "bin" || strings.HasPrefix(name, ".") && name != "..") {
			return fs.SkipDir
		}
		p.paths = append(p.paths, strings.TrimPrefix(path, "../../"))
		switch {
		case strings.HasSuffix(path, "_test.go"):
			for _, m := range function.FindAllStringSubmatch(readText(t, path), -1) {
				p.testNames[m[1]] = true
			}
		case strings.HasSuffix(path, ".go") && strings.Contains(path, "metrics"):
			for _, m := range regexp.MustCompile(`"(caseload_[a-z_]+)"`).FindAllStringSubmatch(readText(t, path), -1) {
				p.metricNames = append(p.metricNames, m[1])
			}
		}
		return nil
	})
	if err != nil || len(p.metricNames) < 15 || len(p.testNames) < 100 {
		t.Fatalf("%d metrics, %d tests (%v)", len(p.metricNames), len(p.testNames), err)
	}
	var document struct{ Paths map[string]json.RawMessage }
	if err := json.Unmarshal([]byte(readText(t, "../../internal/api/openapi.json")), &document); err != nil {
		t.Fatal(err)
	}
	for path := range document.Paths {
		p.addresses = append(p.addresses, placed.ReplaceAllString(path, "{}"))
	}
	return p
}

func (*project) settings(text string) (faults []string) {
	for _, name := range regexp.MustCompile(`\b(?:CASELOAD|AWS|USE)_[A-Z0-9_]+`).FindAllString(text, -1) {
		if !slices.ContainsFunc(slices.Concat(settings, clientSettings), func(s setting) bool {
			return s.Name == name || s.Secret && s.Name+"_FILE" == name || strings.HasSuffix(name, "_") && strings.HasPrefix(s.Name, name)
		}) {
			faults = append(faults, "there is no setting "+name)
		}
	}
	return faults
}

func (p *project) metrics(text string) (faults []string) {
	for _, name := range metricName.FindAllString(text, -1) {
		if !slices.ContainsFunc(p.metricNames, func(m string) bool {
			return m == name || slices.Contains([]string{m + "_bucket", m + "_sum", m + "_count"}, name)
		}) {
			faults = append(faults, "there is no metric "+name)
		}
	}
	return faults
}

func (p *project) routes(text string) (faults []string) {
	for _, m := range regexp.MustCompile(`/api/v1(/[\w/{}.-]+)`).FindAllStringSubmatch(text, -1) {
		said := placed.ReplaceAllString(m[1], "{}")
		if !slices.ContainsFunc(p.addresses, func(a string) bool { return a == said || strings.HasPrefix(a, said+"/") }) {
			faults = append(faults, "the API has no "+m[1])
		}
	}
	return faults
}

func (p *project) tests(text string) (faults []string) {
	for _, name := range regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(text, -1) {
		if !p.testNames[name[1]] {
			faults = append(faults, "there is no test "+name[1])
		}
	}
	for _, name := range regexp.MustCompile(`[\w/.]+_test\.go`).FindAllString(text, -1) {
		if !slices.ContainsFunc(p.paths, func(path string) bool { return strings.HasSuffix(path, "/"+name) || path == name }) {
			faults = append(faults, "there is no "+name)
		}
	}
	return faults
}

// links looks at links to files and sections, and at paths in code.
func (p *project) links(from, text string) (faults []string) {
	for _, m := range regexp.MustCompile(`\]\(([^)#]*)(#[^)]*)?\)`).FindAllStringSubmatch(text, -1) {
		if strings.Contains(m[1], ":") {
			continue
		}
		path, content := strings.TrimPrefix(filepath.Join(filepath.Dir(from), m[1]), "../../"), text
		if m[1] != "" {
			if !slices.Contains(p.paths, path) {
				faults = append(faults, "nothing is at "+path)
				continue
			}
			content = ""
		}
		if m[2] != "" && content != "" && !slices.Contains(sections(content), m[2][1:]) && !slices.Contains(sectionsOf(from), m[2][1:]) {
			faults = append(faults, "there is no section "+m[2])
		}
	}
	for _, m := range regexp.MustCompile("`((?:deploy|docs|examples|e2e|internal|cmd)/[\\w/.-]*)`").FindAllStringSubmatch(text, -1) {
		if path := strings.TrimSuffix(m[1], "/"); !slices.Contains(p.paths, path) {
			faults = append(faults, "nothing is at "+path)
		}
	}
	return faults
}

// sections are the names by which links find a text's headings.
func sections(text string) (names []string) {
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		name := regexp.MustCompile(`[^\w -]`).ReplaceAllString(strings.ToLower(m[1]), "")
		names = append(names, strings.ReplaceAll(name, " ", "-"))
	}
	return names
}

func sectionsOf(path string) []string {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return sections(string(b))
}

// commands looks at every command that stands in code: a line of a block, or a span, with or without the program's name.
func (p *project) commands(text string) (faults []string) {
	var code []string
	rest := regexp.MustCompile("(?s)```.*?```").ReplaceAllStringFunc(text, func(block string) string {
		code = append(code, strings.Split(block, "\n")...)
		return ""
	})
	for _, span := range regexp.MustCompile("(?s)`([^`]+)`").FindAllStringSubmatch(rest, -1) {
		words := strings.Fields(span[1])
		if first, _, err := p.root.Find(words[:min(1, len(words))]); err == nil && first != p.root && len(words) > 1 {
			words = append([]string{"caseload"}, words...)
		}
		code = append(code, strings.Join(words, " "))
	}
	for _, line := range code {
		line, _, _ = strings.Cut(line, "# ")
		words := strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \t'\"()`", r) })
		for i, word := range words {
			if word == "caseload" || strings.HasSuffix(word, "/bin/caseload") {
				faults = append(faults, p.command(words[i+1:])...)
			}
		}
	}
	return faults
}

var plainWord = regexp.MustCompile(`^[a-z][a-z|-]*$`)

// command looks at one call; words go on to the end of the line.
func (p *project) command(words []string) (faults []string) {
	if len(words) == 0 || !plainWord.MatchString(words[0]) {
		return nil // the program itself, or another thing of that name
	}
	at := []*cobra.Command{p.root}
	for n, word := range words {
		if strings.ContainsAny(word, ";&<>") || word == "|" || word == "||" {
			break
		}
		if flag, is := strings.CutPrefix(word, "--"); is {
			flag, _, _ = strings.Cut(strings.TrimRight(flag, ".,:"), "=")
			if at[0].Flags().Lookup(flag) == nil && at[0].InheritedFlags().Lookup(flag) == nil && flag != "help" {
				faults = append(faults, at[0].CommandPath()+" has no flag --"+flag)
			}
			continue
		}
		if !at[0].HasSubCommands() {
			continue
		}
		var below []*cobra.Command
		for each := range strings.SplitSeq(word, "|") {
			for _, parent := range at {
				i := slices.IndexFunc(parent.Commands(), func(c *cobra.Command) bool { return c.Name() == each })
				if i < 0 {
					return append(faults, parent.CommandPath()+" has no command "+strings.Join(words[n:n+1], " "))
				}
				below = append(below, parent.Commands()[i])
			}
		}
		at = below
	}
	return faults
}
