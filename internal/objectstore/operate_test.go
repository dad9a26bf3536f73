package objectstore

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// What docs/operate.md tells operators to set is what EnsureCORS would set, in both forms, and its JSON can be pasted.
func TestTheOperatorsRuleIsOurs(t *testing.T) {
	text, err := os.ReadFile("../../docs/operate.md")
	if err != nil {
		t.Fatal(err)
	}
	var forCLI struct{ CORSRules []types.CORSRule }
	var forConsole []types.CORSRule
	var policy struct{ Statement []struct{ Action []string } }
	for i, into := range []any{&forCLI, &forConsole, &policy} {
		block := strings.SplitN(string(text), "```json\n", i+2)
		if len(block) < i+2 {
			t.Fatalf("%d blocks of JSON only", len(block)-1)
		}
		body, _, _ := strings.Cut(block[i+1], "```")
		if err := json.Unmarshal([]byte(body), into); err != nil {
			t.Fatalf("block %d: %v", i+1, err)
		}
	}
	want := []types.CORSRule{corsRule([]string{"https://caseload.example"})}
	if !reflect.DeepEqual(forCLI.CORSRules, want) || !reflect.DeepEqual(forConsole, want) {
		t.Errorf("operate.md has\n%+v and\n%+v, EnsureCORS sets\n%+v", forCLI.CORSRules, forConsole, want)
	}
	if len(policy.Statement) != 2 || len(policy.Statement[0].Action)+len(policy.Statement[1].Action) != 8 {
		t.Errorf("policy %+v", policy)
	}
}
