package archive

import (
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"
	"strings"
)

// ChecksumError is a file that is not the one that was asked for.
type ChecksumError struct {
	File      string
	Algorithm string // "MD5", "SHA-256", "SHA-512"
	Want, Got string // in hexadecimal
	By        string // who says what it should be
}

// Error gives both sums, so that a person can compare them with the vendor's page.
func (e *ChecksumError) Error() string {
	return fmt.Sprintf("%s: %s is %s, but %s says %s: refused", e.File, e.Algorithm, e.Got, e.By, e.Want)
}

// Sums are a file's checksums in lower-case hexadecimal; empty ones are not known.
type Sums struct{ MD5, SHA256, SHA512 string }

// Known says whether there is any.
func (s Sums) Known() bool { return s.MD5 != "" || s.SHA256 != "" || s.SHA512 != "" }

// Check compares what a file has with what by says, for every algorithm that by names.
func (s Sums) Check(file string, want Sums, by string) error {
	for _, pair := range []struct{ algorithm, want, got string }{
		{"SHA-512", want.SHA512, s.SHA512}, {"SHA-256", want.SHA256, s.SHA256}, {"MD5", want.MD5, s.MD5},
	} {
		if pair.want != "" && !strings.EqualFold(pair.want, pair.got) {
			return &ChecksumError{File: file, Algorithm: pair.algorithm, Want: strings.ToLower(pair.want), Got: pair.got, By: by}
		}
	}
	return nil
}

// SumFile reads a file once for all three. MD5 guards against nothing but accidents, but it is all that MySQL publishes.
func SumFile(path string) (Sums, error) {
	f, err := os.Open(path)
	if err != nil {
		return Sums{}, fmt.Errorf("checksum: %w", err)
	}
	defer f.Close()
	h := []hash.Hash{md5.New(), sha256.New(), sha512.New()}
	if _, err := io.Copy(io.MultiWriter(h[0], h[1], h[2]), f); err != nil {
		return Sums{}, fmt.Errorf("checksum: %w", err)
	}
	text := func(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }
	return Sums{MD5: text(h[0]), SHA256: text(h[1]), SHA512: text(h[2])}, nil
}
