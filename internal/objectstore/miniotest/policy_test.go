package miniotest_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/objectstore"
	"dcdentals.com/caseload/internal/objectstore/miniotest"
)

// A user has the policy it was made with and no other, so that what the tests prove of policies is proved.
func TestAUserMayDoWhatItsPolicySays(t *testing.T) {
	server := miniotest.Start(t)
	store, err := objectstore.New(t.Context(), server.User(t, mustJSON(t, map[string]any{
		"Version":   "2012-10-17",
		"Statement": []any{map[string]any{"Effect": "Allow", "Action": []string{"s3:PutObject"}, "Resource": []string{"arn:aws:s3:::" + server.Bucket + "/*"}}},
	})))
	if err != nil {
		t.Fatal(err)
	}
	key := caseload.NewObjectKey()
	if err := store.Put(t.Context(), key, bytes.NewReader(nil), 0, caseload.FormatCRC64NVME(0)); err != nil {
		t.Error("what the policy allows is refused: ", err)
	}
	if _, err := store.Head(t.Context(), key, ""); err == nil {
		t.Error("what the policy does not allow is done")
	}
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
