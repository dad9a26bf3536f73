package caseload

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"strings"
	"time"
)

// The identifiers are typed so that swapped arguments do not compile. Each is 26 characters of lower-case base32
// (RFC 4648 extended hex alphabet, no padding): 48 bits of Unix milliseconds, then 80 random bits, so they sort by the
// moment they were made and cannot be guessed. They carry no patient text and may stand in URLs, job arguments and logs.
type (
	OrganizationID string
	UserID         string
	CaseID         string
	FileID         string
	DropID         string
	StudyID        string
	SeriesID       string
	InstanceID     string
	TokenID        string
	IntentID       string
	PreviewID      string
	PlanID         string
)

// ObjectKey is a key in the bucket. The server makes every key (NewObjectKey); a client never supplies one.
type ObjectKey string

var idEncoding = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

// NewID returns a fresh identifier of any of the types above for the given moment.
func NewID[T ~string](now time.Time) T {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(now.UnixMilli())<<16)
	if _, err := rand.Read(b[6:]); err != nil {
		panic("caseload: no randomness: " + err.Error()) // crypto/rand never fails on the systems we run on
	}
	return T(idEncoding.EncodeToString(b[:]))
}

// ValidID tells whether s has the shape NewID gives. It says nothing about existence.
func ValidID(s string) bool {
	if len(s) != 26 {
		return false
	}
	for i := range len(s) {
		if !strings.ContainsRune("0123456789abcdefghijklmnopqrstuv", rune(s[i])) {
			return false
		}
	}
	return true
}

// NewObjectKey returns a fresh key: 160 random bits in one flat segment. It holds no name, no patient text, no
// organization, and no slash (the embedded store cannot hold both "a" and "a/b").
func NewObjectKey() ObjectKey {
	var b [20]byte
	if _, err := rand.Read(b[:]); err != nil {
		panic("caseload: no randomness: " + err.Error())
	}
	return ObjectKey("f" + idEncoding.EncodeToString(b[:]))
}

// KeyMayBegin tells whether the keys of files can begin with the prefix.
func KeyMayBegin(prefix string) bool {
	return prefix == "" || (prefix[0] == 'f' && strings.Trim(prefix[1:], "0123456789abcdefghijklmnopqrstuv") == "" && len(prefix) <= 33)
}

// OwnKey tells whether the key has the form that NewObjectKey gives. What has another is not ours.
func OwnKey(key ObjectKey) bool { return len(key) == 33 && KeyMayBegin(string(key)) }
