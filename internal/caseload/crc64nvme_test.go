package caseload

import (
	"hash/crc64"
	"math/rand/v2"
	"testing"
)

// The check value of the catalogue of parametrised CRC algorithms (CRC-64/NVME), and S3's writing of it.
func TestCRC64NVMEGivesTheCatalogueValue(t *testing.T) {
	crc := UpdateCRC64NVME(0, []byte("123456789"))
	if crc != 0xae8b14860a799888 {
		t.Errorf("checksum of 123456789 is %#x", crc)
	}
	if s := FormatCRC64NVME(crc); s != "rosUhgp5mIg=" {
		t.Errorf("written %q", s)
	}
	if UpdateCRC64NVME(0, nil) != 0 {
		t.Error("the checksum of nothing is not 0")
	}
}

func TestCRC64NVMEAgreesWithTheStandardLibraryAtEveryLengthAndSplit(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	standard := crc64.MakeTable(nvmePolynomial)
	for range 500 {
		p := make([]byte, random.IntN(4096))
		for i := range p {
			p[i] = byte(random.Uint32())
		}
		cut := random.IntN(len(p) + 1)
		want := crc64.Checksum(p, standard)
		if got := UpdateCRC64NVME(UpdateCRC64NVME(0, p[:cut]), p[cut:]); got != want {
			t.Fatalf("%d bytes cut at %d: %#x, the standard library says %#x", len(p), cut, got, want)
		}
	}
}

func TestCombinedChecksumsOfRandomPiecesAreThatOfTheWhole(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		whole := make([]byte, random.IntN(1<<16))
		for i := range whole {
			whole[i] = byte(random.Uint32())
		}
		var parts []Part
		for rest := whole; len(rest) > 0; {
			n := 1 + random.IntN(len(rest))
			parts = append(parts, Part{Size: int64(n), CRC64NVME: FormatCRC64NVME(UpdateCRC64NVME(0, rest[:n]))})
			rest = rest[n:]
		}
		got, err := WholeChecksum(parts)
		if want := FormatCRC64NVME(UpdateCRC64NVME(0, whole)); err != nil || got != want {
			t.Fatalf("%d bytes in %d pieces: %s, %v; want %s", len(whole), len(parts), got, err, want)
		}
	}
}

// One byte followed by two runs of 2^40 zeros, combined from the left and from the right: lengths far above any buffer go
// through the high powers.
func TestCombiningIsAssociativeForLongLengths(t *testing.T) {
	const half = int64(1) << 40
	zeros := uint64(0)
	for k := int64(1); k < half; k *= 2 { // the checksum of 2^40 zero bytes, by doubling
		if k == 1 {
			zeros = UpdateCRC64NVME(0, []byte{0})
		}
		zeros = CombineCRC64NVME(zeros, zeros, k)
	}
	a := UpdateCRC64NVME(0, []byte("a"))
	left := CombineCRC64NVME(CombineCRC64NVME(a, zeros, half), zeros, half)
	right := CombineCRC64NVME(a, CombineCRC64NVME(zeros, zeros, half), 2*half)
	if left != right {
		t.Errorf("(a+z)+z = %#x, a+(z+z) = %#x", left, right)
	}
}

func TestOnlyTheCanonicalWritingOfAChecksumIsRead(t *testing.T) {
	for _, s := range []string{"", "rosUhgp5mIg", "rosUhgp5mIh=", "rosUhgp5mIg=\n", "AAAA", "rosUhgp5mIgA", "rosUhgp5mI-=", "rosUhgp5mIg=rosUhgp5mIg="} {
		if _, err := ParseCRC64NVME(s); KindOf(err) != Invalid {
			t.Errorf("%q: %v, want Invalid", s, err)
		}
	}
	if crc, err := ParseCRC64NVME("rosUhgp5mIg="); err != nil || crc != 0xae8b14860a799888 {
		t.Errorf("the right one: %#x, %v", crc, err)
	}
}

func BenchmarkCRC64NVME(b *testing.B) {
	p := make([]byte, 32<<10)
	b.Run("ours", func(b *testing.B) {
		b.SetBytes(int64(len(p)))
		for b.Loop() {
			UpdateCRC64NVME(0, p)
		}
	})
	b.Run("hash/crc64", func(b *testing.B) {
		table := crc64.MakeTable(nvmePolynomial)
		b.SetBytes(int64(len(p)))
		for b.Loop() {
			crc64.Update(0, table, p)
		}
	})
}

func BenchmarkCombineCRC64NVME(b *testing.B) {
	for b.Loop() {
		CombineCRC64NVME(0x1234567890abcdef, 0xfedcba0987654321, 32<<20)
	}
}
