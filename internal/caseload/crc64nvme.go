package caseload

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc64"
)

// nvmePolynomial is the polynomial of CRC-64/NVME, reflected (NVM Express NVM Command Set 1.0, section 5.2.1.3.4; S3
// calls it CRC64NVME). Bits are reflected in and out, start and final value are all ones.
const nvmePolynomial = 0x9a6c9329ac4bc9b5

// nvmeTables[k][b] is the remainder of byte b followed by k zero bytes. The standard library would build these anew on
// every call for a polynomial it does not know.
var nvmeTables = func() (t [8][256]uint64) {
	t[0] = *crc64.MakeTable(nvmePolynomial)
	for b := range t[0] {
		crc := t[0][b]
		for k := 1; k < len(t); k++ {
			crc = t[0][byte(crc)] ^ crc>>8
			t[k][b] = crc
		}
	}
	return t
}()

// UpdateCRC64NVME returns the checksum of the bytes behind crc followed by p. The checksum of nothing is 0.
func UpdateCRC64NVME(crc uint64, p []byte) uint64 {
	t := &nvmeTables
	crc = ^crc
	for len(p) >= 8 {
		crc ^= binary.LittleEndian.Uint64(p)
		crc = t[7][byte(crc)] ^ t[6][byte(crc>>8)] ^ t[5][byte(crc>>16)] ^ t[4][byte(crc>>24)] ^
			t[3][byte(crc>>32)] ^ t[2][byte(crc>>40)] ^ t[1][byte(crc>>48)] ^ t[0][byte(crc>>56)]
		p = p[8:]
	}
	for _, b := range p {
		crc = t[0][byte(crc)^b] ^ crc>>8
	}
	return ^crc
}

// CombineCRC64NVME returns the checksum of a followed by b, given the checksums of both and the length of b in bytes:
// a's remainder is moved on by that many zero bytes, that is multiplied by x^(8·length) modulo the polynomial.
func CombineCRC64NVME(a, b uint64, length int64) uint64 {
	shift := uint64(1) << 63 // x^0, reflected
	for n, k := length, 3; n > 0; n, k = n>>1, k+1 {
		if n&1 != 0 {
			shift = multiplyNVME(shift, nvmePowers[k])
		}
	}
	return multiplyNVME(a, shift) ^ b
}

// nvmePowers[k] is x^(2^k) modulo the polynomial.
var nvmePowers = func() (powers [66]uint64) {
	powers[0] = 1 << 62 // x^1, reflected
	for k := 1; k < len(powers); k++ {
		powers[k] = multiplyNVME(powers[k-1], powers[k-1])
	}
	return powers
}()

// multiplyNVME multiplies two reflected polynomials over GF(2) modulo the polynomial.
func multiplyNVME(a, b uint64) uint64 {
	var product uint64
	for bit := uint64(1) << 63; bit != 0; bit >>= 1 {
		if a&bit != 0 {
			product ^= b
		}
		if b&1 != 0 {
			b = b>>1 ^ nvmePolynomial
		} else {
			b >>= 1
		}
	}
	return product
}

// CRC64NVME is a running checksum of what is written to it. The zero value is that of nothing.
type CRC64NVME uint64

// Write never fails.
func (c *CRC64NVME) Write(p []byte) (int, error) {
	*c = CRC64NVME(UpdateCRC64NVME(uint64(*c), p))
	return len(p), nil
}

// String writes the checksum as FormatCRC64NVME does.
func (c CRC64NVME) String() string { return FormatCRC64NVME(uint64(c)) }

// FormatCRC64NVME writes a checksum the way S3 does: base64 of the eight bytes, big endian.
func FormatCRC64NVME(crc uint64) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], crc)
	return base64.StdEncoding.EncodeToString(b[:])
}

// ParseCRC64NVME reads what FormatCRC64NVME writes, and nothing else; anything else is Invalid.
func ParseCRC64NVME(s string) (uint64, error) {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil || len(b) != 8 {
		return 0, errBadChecksum
	}
	crc := binary.BigEndian.Uint64(b)
	if FormatCRC64NVME(crc) != s {
		return 0, errBadChecksum
	}
	return crc, nil
}

var errBadChecksum = Errorf(Invalid, "The checksum must be CRC-64/NVME: base64 of 8 bytes.").WithField("crc64nvme")

// WholeChecksum combines the checksums of consecutive parts into that of the whole.
func WholeChecksum(parts []Part) (string, error) {
	var whole uint64
	for _, p := range parts {
		crc, err := ParseCRC64NVME(p.CRC64NVME)
		if err != nil {
			return "", err
		}
		whole = CombineCRC64NVME(whole, crc, p.Size)
	}
	return FormatCRC64NVME(whole), nil
}
