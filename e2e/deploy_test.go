package e2e

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/mustrun"
)

// TestTheUnits: systemd finds nothing wrong with the units, and the service is as closed as docs/operate.md says.
func TestTheUnits(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		mustrun.Skip(t, "systemd", "no systemd-analyze")
	}
	dir := t.TempDir()
	var units []string
	for _, name := range []string{"caseload.service", "caseload-backup.service", "caseload-backup.timer"} {
		unit := strings.ReplaceAll(read(t, "../deploy/"+name), "/usr/local/bin/caseload", program)
		write(t, filepath.Join(dir, name), unit)
		units = append(units, filepath.Join(dir, name))
	}
	out, err := exec.Command("systemd-analyze", append([]string{"verify"}, units...)...).CombinedOutput()
	if err != nil || strings.Contains(string(out), dir) {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	out, err = exec.Command("systemd-analyze", "security", "--offline=yes", "--threshold=20", units[0]).CombinedOutput()
	if err != nil { // exposure above 2.0
		t.Errorf("systemd-analyze security: %v\n%s", err, out)
	}
}

// TestAlertsNameRealMetrics: every metric of the rules is one that the program has.
func TestAlertsNameRealMetrics(t *testing.T) {
	source := ""
	for _, dir := range []string{"../internal/web", "../cmd/caseload"} {
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
				source += read(t, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	named := regexp.MustCompile(`caseload_[a-z_]+`).FindAllString(read(t, "../deploy/alerts.yml"), -1)
	if len(named) < 5 {
		t.Fatalf("the rules name %q", named)
	}
	for _, metric := range named {
		if !strings.Contains(source, `"`+metric+`"`) {
			t.Errorf("deploy/alerts.yml: there is no metric %s", metric)
		}
	}
}

// TestTheRulesOfTheAlerts: Prometheus takes the file of rules.
func TestTheRulesOfTheAlerts(t *testing.T) {
	if _, err := exec.LookPath("promtool"); err != nil {
		mustrun.Skip(t, "promtool", "not installed here: apt-get install prometheus")
	}
	if out, err := exec.Command("promtool", "check", "rules", "../deploy/alerts.yml").CombinedOutput(); err != nil {
		t.Errorf("promtool check rules: %v\n%s", err, out)
	}
}

// TestAsInTheContainer runs the binary as the container file has it: as user 10001, in a root with nothing else in it that
// cannot be written, with /data and its environment. It asks for health as the container does. What is left to an engine
// is fetching the bases and building in them.
func TestAsInTheContainer(t *testing.T) {
	file := read(t, "../deploy/Containerfile")
	for _, must := range []string{"\nUSER 10001:10001\n", "\nENTRYPOINT [\"/usr/local/bin/caseload\"]\n", "\nCMD [\"serve\"]\n", `CMD ["/usr/local/bin/caseload", "health"]`, "CGO_ENABLED=0"} {
		if !strings.Contains(file, must) {
			t.Errorf("the container file has no %q", must)
		}
	}
	for _, copied := range regexp.MustCompile(`(?m)^COPY ([a-z].*) \S+$`).FindAllStringSubmatch(file, -1) {
		for _, path := range strings.Fields(copied[1]) {
			if _, err := os.Stat("../" + path); err != nil {
				t.Errorf("the container file copies %s: %v", path, err)
			}
		}
	}
	for _, base := range regexp.MustCompile(`(?m)^FROM (\S+)`).FindAllStringSubmatch(file, -1) {
		if !strings.Contains(filepath.Base(base[1]), ":") || strings.HasSuffix(base[1], ":latest") {
			t.Errorf("the base %s is not pinned", base[1])
		}
	}
	if os.Getuid() != 0 {
		mustrun.Skip(t, "container", "needs root for a root folder of its own")
	}
	if out, err := exec.Command("unshare", "--mount", "true").CombinedOutput(); err != nil {
		mustrun.Skip(t, "container", fmt.Sprintf("no mount namespaces here: %v %s", err, out))
	}
	root := t.TempDir()
	for _, dir := range []string{"usr/local/bin", "data", "proc", "tmp", "dev"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(filepath.Join(root, "data"), 10001, 10001); err != nil {
		t.Fatal(err)
	}
	files := map[string]string{program: "/usr/local/bin/caseload"}
	if libraries, err := exec.Command("ldd", program).Output(); err == nil { // the tests' binary may be a dynamic one
		for _, path := range regexp.MustCompile(`/\S+`).FindAllString(string(libraries), -1) {
			files[path] = path
		}
	}
	for from, to := range files {
		content, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, to)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, to), content, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	environment := regexp.MustCompile(`(?m)^ENV (.*)$`).FindStringSubmatch(file)
	if environment == nil {
		t.Fatal("the container file has no ENV")
	}
	settings := append(strings.Fields(environment[1]), "PATH="+os.Getenv("PATH"), "CASELOAD_ADDR="+freeAddress(t), "CASELOAD_ADMIN_ADDR="+freeAddress(t))
	inside := func(ctx context.Context, args string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, "unshare", "--mount", "--", "sh", "-ec",
			`mount --make-rprivate /; mount --bind "$0" "$0"; mount --bind "$0/data" "$0/data"; mount -t proc proc "$0/proc"; mount -t tmpfs tmpfs "$0/tmp"; mount -o remount,bind,ro "$0"
			cd "$0/data"; exec chroot --userspec=10001:10001 --groups= "$0" `+args, root)
		cmd.Env = settings
		return cmd
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if out, err := inside(ctx, "/usr/local/bin/caseload health").CombinedOutput(); err == nil {
		t.Errorf("healthy before anything runs: %s", out)
	}
	server := inside(ctx, "/usr/local/bin/caseload serve")
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	server.Stdout, server.Stderr = log, log
	if err := begin(server); err != nil {
		t.Fatal(err)
	}
	await(t, 30*time.Second, "the container's health", func() (bool, error) {
		out, err := inside(ctx, "/usr/local/bin/caseload health").CombinedOutput()
		return err == nil, fmt.Errorf("%w: %s; the server: %s", err, out, read(t, log.Name()))
	})
	status := read(t, fmt.Sprintf("/proc/%d/status", server.Process.Pid))
	if !regexp.MustCompile(`(?m)^Uid:\s+10001\s+10001`).MatchString(status) {
		t.Errorf("it runs as\n%s", status)
	}
	if err := server.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := server.Wait(); err != nil {
		t.Errorf("SIGTERM: %v\n%s", err, read(t, log.Name()))
	}
}
