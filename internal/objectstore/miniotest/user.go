package miniotest

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"golang.org/x/crypto/argon2"

	"dcdentals.com/caseload/internal/objectstore"
)

// User makes a user who may do exactly what the IAM policy says, and returns the store's configuration for that user.
func (s *Server) User(t testing.TB, policy []byte) objectstore.Config {
	t.Helper()
	l := login{"user" + rand.Text()[:12], rand.Text()}
	name := "policy-" + strings.ToLower(rand.Text()[:12])
	secret, err := json.Marshal(map[string]string{"secretKey": l.secret, "status": "enabled"})
	must(t, err)
	sealed, err := seal(s.root.secret, secret)
	must(t, err)
	must(t, s.admin(t.Context(), "add-user", url.Values{"accessKey": {l.access}}, sealed))
	must(t, s.admin(t.Context(), "add-canned-policy", url.Values{"name": {name}}, policy))
	must(t, s.admin(t.Context(), "set-user-or-group-policy",
		url.Values{"policyName": {name}, "userOrGroup": {l.access}, "isGroup": {"false"}}, nil))
	return s.config(l)
}

// admin makes one call of MinIO's administration, which is signed as S3's are.
func (s *Server) admin(ctx context.Context, call string, query url.Values, body []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, s.Endpoint+"/minio/admin/v3/"+call+"?"+query.Encode(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	sum := sha256.Sum256(body)
	r.Header.Set("X-Amz-Content-Sha256", hex.EncodeToString(sum[:]))
	who := aws.Credentials{AccessKeyID: s.root.access, SecretAccessKey: s.root.secret}
	if err := v4.NewSigner().SignHTTP(ctx, who, r, hex.EncodeToString(sum[:]), "s3", region, time.Now()); err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(io.LimitReader(answer.Body, 4096))
	if err != nil || answer.StatusCode != http.StatusOK {
		return fmt.Errorf("MinIO's %s answered %s: %s (%w)", call, answer.Status, said, err)
	}
	return nil
}

// seal encrypts a short body as MinIO's administration takes secrets: a 32-byte salt, the number of the method, an 8-byte
// nonce, then AES-256-GCM by a key that Argon2id (1 pass, 64 MiB, 4 lanes) makes of the caller's own secret. The nonce is
// lengthened by a counter, little endian: 0 seals nothing and gives a tag, which with a byte that says "the last piece"
// goes along with piece 1.
func seal(secret string, body []byte) ([]byte, error) {
	const method, lastPiece = 0, 0x80
	var salt [32]byte
	var nonce [12]byte
	_, _ = rand.Read(salt[:]) // never fails
	_, _ = rand.Read(nonce[:8])
	block, err := aes.NewCipher(argon2.IDKey([]byte(secret), salt[:], 1, 64<<10, 4, 32))
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	along := append([]byte{lastPiece}, gcm.Seal(nil, nonce[:], nil, nil)...)
	sealed := append(append(salt[:], method), nonce[:8]...)
	binary.LittleEndian.PutUint32(nonce[8:], 1)
	return gcm.Seal(sealed, nonce[:], body, along), nil
}
