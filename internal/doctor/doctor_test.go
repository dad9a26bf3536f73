package doctor

import (
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func finds(name string, level Level) Check {
	return Check{Name: name, Run: func(context.Context) []Finding { return []Finding{{Check: name, Level: level, Tried: "It was tried."}} }}
}

func needs(c Check, names ...string) Check {
	c.Needs = names
	return c
}

func levels(r Report) (out []string) {
	for _, f := range r.Findings {
		out = append(out, f.Check+" "+f.Level.String())
	}
	return out
}

func TestWhatStandsOnAFailureIsNotTried(t *testing.T) {
	tried := map[string]bool{}
	watched := func(c Check) Check {
		run := c.Run
		c.Run = func(ctx context.Context) []Finding {
			tried[c.Name] = true
			return run(ctx)
		}
		return c
	}
	var heard []string
	report := Run(context.Background(), []Check{
		watched(finds("network.dns", Failure)),
		watched(needs(finds("network.tcp", Fine), "network.dns")),
		watched(needs(finds("network.tls", Fine), "network.tcp")),
		watched(finds("clock.skew", Warning)),
		watched(needs(finds("cors.origin", Fine), "clock.skew")),
		watched(needs(finds("store.put", Fine), "network")),
		watched(needs(finds("store.get", Fine), "net")),
	}, func(f Finding) { heard = append(heard, f.Check+" "+f.Level.String()) })
	want := []string{
		"network.dns failure", "network.tcp untried", "network.tls untried", "clock.skew warning", "cors.origin fine",
		"store.put untried", "store.get fine",
	}
	if got := levels(report); !reflect.DeepEqual(got, want) || !reflect.DeepEqual(heard, want) {
		t.Errorf("found %q, said %q, want %q", got, heard, want)
	}
	if tried["network.tcp"] || tried["network.tls"] || tried["store.put"] {
		t.Errorf("what stands on a failure was tried: %v", tried)
	}
	if f := report.Findings[2]; !strings.Contains(f.Means, "Mend network.tcp first") {
		t.Errorf("it does not say what to mend first: %+v", f)
	}
}

func TestABrokenCheckIsAFindingAndTheOthersGoOn(t *testing.T) {
	report := Run(context.Background(), []Check{
		{Name: "store.put", Run: func(context.Context) []Finding { panic("no such luck") }},
		finds("clock.skew", Fine),
	}, nil)
	if got := levels(report); !reflect.DeepEqual(got, []string{"store.put failure", "clock.skew fine"}) {
		t.Error(got)
	}
}

func TestAStoppedRunSaysWhatIsLeft(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	report := Run(ctx, []Check{
		{Name: "a.b", Run: func(context.Context) []Finding { cancel(); return nil }},
		finds("clock.skew", Fine),
	}, nil)
	if got := levels(report); !reflect.DeepEqual(got, []string{"clock.skew untried"}) {
		t.Error(got)
	}
}

func TestTheWorstFindingCounts(t *testing.T) {
	for _, c := range []struct {
		levels []Level
		want   Level
	}{
		{nil, Fine},
		{[]Level{Fine, Note}, Note},
		{[]Level{Warning, Fine, Note}, Warning},
		{[]Level{Warning, Failure, Untried}, Failure},
		{[]Level{Untried, Warning}, Failure},
	} {
		var r Report
		for _, l := range c.levels {
			r.Findings = append(r.Findings, Finding{Level: l})
		}
		if got := r.Worst(); got != c.want {
			t.Errorf("%v: %s, want %s", c.levels, got, c.want)
		}
	}
}

func TestGroupsAreReadInOrderAndWorstFirst(t *testing.T) {
	findings := []Finding{
		{Check: "cors.origin", Level: Failure},
		{Check: "config.engine", Level: Note},
		{Check: "config.store", Level: Warning},
		{Check: "strange.thing"},
		{Check: "config.names", Level: Warning},
	}
	read := func(worstFirst bool) (out []string) {
		for _, of := range Grouped(findings, worstFirst) {
			for _, f := range of {
				out = append(out, f.Check)
			}
		}
		return out
	}
	if got := read(false); !reflect.DeepEqual(got, []string{"config.store", "config.names", "config.engine", "cors.origin", "strange.thing"}) {
		t.Error(got)
	}
	if got := read(true); !reflect.DeepEqual(got, []string{"cors.origin", "config.store", "config.names", "config.engine", "strange.thing"}) {
		t.Error(got)
	}
	if got := GroupOf("cors.origin.https://a.example"); got.Title != "Browsers (CORS)" {
		t.Error(got)
	}
}

func TestTheTableOfGuardsComesFromTheFindings(t *testing.T) {
	report := Run(context.Background(), []Check{{Name: "store.guard", Run: func(context.Context) []Finding {
		return []Finding{{Check: "store.guard.length", Guard: &Guard{"signed length", true, "403"}}, {Check: "store.guard.replay"}}
	}}}, nil)
	if !reflect.DeepEqual(report.Enforces, []Guard{{"signed length", true, "403"}}) {
		t.Error(report.Enforces)
	}
}

const signed = "https://b.s3.amazonaws.com/k?X-Amz-Credential=AKIAEXAMPLE%2F2026&X-Amz-Date=20261126&X-Amz-Security-Token=tok3n&X-Amz-Signature=abcdef0123"

func TestNothingSecretIsSaid(t *testing.T) {
	check := Check{Name: "store.put", Run: func(context.Context) []Finding {
		return []Finding{{
			Check: "store.put", Level: Failure, Tried: "GET " + signed, Got: "postgres://user:hushpass@db/x refused key hush-hush",
			Means: "Authorization: AWS4-HMAC-SHA256 Credential=AKIA/x, Signature=beef\x1b[31m\u202eevil" + strings.Repeat(" long", 600),
			Guard: &Guard{"length", false, "hush-hush\u202e GET " + signed},
			Fix:   &Fix{Say: "Use hush-hush.", Command: "export X=hush-hush\naws s3api put-bucket-policy --policy=file://policy.json\ncurl '" + signed + "'", Document: `{"Secret":"hush-hush"}`},
		}}
	}}
	var heard Finding
	report := Run(context.Background(), Hide([]Check{check}, "", "hush-hush"), func(f Finding) { heard = f })
	for what, f := range map[string]Finding{"the report": report.Findings[0], "what was said": heard} {
		b, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"hush-hush", "hushpass", "tok3n", "abcdef0123", "AKIAEXAMPLE", "beef", "\x1b", `\u001b`, "\u202e"} {
			if strings.Contains(string(b), secret) {
				t.Errorf("%s holds %q: %s", what, secret, b)
			}
		}
		if len(f.Means) > longestText+10 {
			t.Errorf("%s is endless: %d bytes", what, len(f.Means))
		}
		if !strings.Contains(f.Fix.Command, "--policy=file://policy.json") {
			t.Errorf("a harmless command was changed: %q", f.Fix.Command)
		}
		if !strings.Contains(f.Fix.Command, "\n") {
			t.Errorf("the command lost its lines: %q", f.Fix.Command)
		}
	}
	if says := report.Enforces[0].Says; says != "[hidden] GET https://b.s3.amazonaws.com/k?X-Amz-Credential=[hidden]&X-Amz-Date=20261126&X-Amz-Security-Token=[hidden]&X-Amz-Signature=[hidden]" {
		t.Errorf("the table of guards says %q", says)
	}
}

func TestACheckThatForgetsToEndIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		Run(t.Context(), []Check{{Name: "endless", Run: func(ctx context.Context) []Finding { <-ctx.Done(); return nil }}}, nil)
		if took := time.Since(began); took != checkWithin {
			t.Errorf("it took %s", took)
		}
	})
}

func TestTheFormOfTheReportInJSON(t *testing.T) {
	applied := Fix{Say: "Do it.", Command: "do it", Apply: func(context.Context) error { return nil }}
	b, err := json.Marshal(Report{Took: 1500 * time.Millisecond, Findings: []Finding{{Check: "a.b", Level: Untried, Tried: "x", Fix: &applied}}, Enforces: []Guard{}})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"at":"0001-01-01T00:00:00Z","took_ms":1500,"worst":"failure","findings":[{"check":"a.b","level":"untried","tried":"x",` +
		`"fix":{"say":"Do it.","command":"do it","can_apply":true}}],"enforces":[]}`
	if string(b) != want {
		t.Errorf("got  %s\nwant %s", b, want)
	}
	for _, level := range []Level{Fine, Note, Warning, Failure, Untried} {
		name, _ := level.MarshalText()
		if back := new(Level); back.UnmarshalText(name) != nil || *back != level {
			t.Errorf("%s was read back as %s", name, back)
		}
	}
	if err := new(Level).UnmarshalText([]byte("bad")); err == nil {
		t.Error("a level of no name was taken")
	}
}
