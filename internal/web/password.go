package web

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"

	"dcdentals.com/caseload/internal/caseload"
)

// The cost of a password: OWASP's first choice for argon2id (Password Storage Cheat Sheet), about 20 ms of one core.
const (
	passwordMemory = 19 << 10 // KiB
	passwordPasses = 2
	passwordLanes  = 1
	passwordKey    = 32 // bytes
	passwordSalt   = 16 // bytes
)

// Shortest and longest password taken, in characters and in bytes (NIST SP 800-63B-4, section 3.1.1.2).
const (
	minPassword = 10
	maxPassword = 256
)

// hashing bounds how many passwords are hashed at once: each takes 19 MiB.
var hashing = make(chan struct{}, max(2, runtime.GOMAXPROCS(0)))

// HashPassword checks a new password and returns it as an argon2id PHC string
// ("$argon2id$v=19$m=19456,t=2,p=1$salt$hash"). It answers Invalid for one too short or too long, and the context's
// error when it ended while waiting for a turn.
func HashPassword(ctx context.Context, password string) (string, error) {
	switch password = norm.NFC.String(password); {
	case !utf8.ValidString(password):
		return "", caseload.Errorf(caseload.Invalid, "The password is not valid text.").WithField("password")
	case utf8.RuneCountInString(password) < minPassword:
		return "", caseload.Errorf(caseload.Invalid, "The password is shorter than %d characters.", minPassword).
			WithHint("Several words are easy to remember and hard to guess.").WithField("password")
	case len(password) > maxPassword:
		return "", caseload.Errorf(caseload.Invalid, "The password is longer than %d bytes.", maxPassword).WithField("password")
	}
	var salt [passwordSalt]byte
	if _, err := rand.Read(salt[:]); err != nil {
		return "", fmt.Errorf("make salt: %w", err)
	}
	key, err := derive(ctx, password, phc{memory: passwordMemory, passes: passwordPasses, lanes: passwordLanes, salt: salt[:], key: make([]byte, passwordKey)})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, passwordMemory, passwordPasses, passwordLanes,
		base64.RawStdEncoding.EncodeToString(salt[:]), base64.RawStdEncoding.EncodeToString(key)), nil
}

// VerifyPassword tells whether the password is the one the PHC string was made of. An error means that it could not be
// found out: a string that is no argon2id, or the context ended.
func VerifyPassword(ctx context.Context, encoded, password string) (bool, error) {
	p, err := parsePHC(encoded)
	if err != nil {
		return false, err
	}
	if len(password) > 4*maxPassword { // never a password of ours; not worth hashing a megabyte
		password = ""
	}
	key, err := derive(ctx, norm.NFC.String(password), p)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(key, p.key) == 1, nil
}

// dummyHash is hashed against when there is no account, so that it takes as long as when there is one.
var dummyHash = sync.OnceValue(func() string {
	encoded, err := HashPassword(context.Background(), newSecret())
	if err != nil {
		panic("web: " + err.Error()) // a fixed, valid input
	}
	return encoded
})

// phc is a taken-apart PHC string.
type phc struct {
	memory, passes uint32
	lanes          uint8
	salt, key      []byte
}

func parsePHC(encoded string) (phc, error) {
	var p phc
	var version int
	fields := strings.Split(encoded, "$")
	if len(fields) != 6 || fields[0] != "" || fields[1] != "argon2id" {
		return p, fmt.Errorf("stored password is not an argon2id string")
	}
	if _, err := fmt.Sscanf(fields[2], "v=%d", &version); err != nil || version != argon2.Version {
		return p, fmt.Errorf("stored password has another argon2 version")
	}
	if _, err := fmt.Sscanf(fields[3], "m=%d,t=%d,p=%d", &p.memory, &p.passes, &p.lanes); err != nil {
		return p, fmt.Errorf("stored password has no parameters: %w", err)
	}
	if p.memory > 1<<20 || p.passes < 1 || p.passes > 100 || p.lanes < 1 {
		return p, fmt.Errorf("stored password has impossible parameters")
	}
	var err error
	if p.salt, err = base64.RawStdEncoding.DecodeString(fields[4]); err != nil {
		return p, fmt.Errorf("stored password has no salt: %w", err)
	}
	if p.key, err = base64.RawStdEncoding.DecodeString(fields[5]); err != nil || len(p.key) < 16 {
		return p, fmt.Errorf("stored password has no key")
	}
	return p, nil
}

func derive(ctx context.Context, password string, p phc) ([]byte, error) {
	select {
	case hashing <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-hashing }()
	return argon2.IDKey([]byte(password), p.salt, p.passes, p.memory, p.lanes, uint32(len(p.key))), nil
}
