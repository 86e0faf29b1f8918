package basedir

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

// sums are a file's checksums in lower-case hexadecimal; empty ones are not known.
type sums struct{ md5, sha256, sha512 string }

func (s sums) known() bool { return s.md5 != "" || s.sha256 != "" || s.sha512 != "" }

// check compares what a file has with what by says, for every algorithm that by names.
func (s sums) check(file string, want sums, by string) error {
	for _, pair := range []struct{ algorithm, want, got string }{
		{"SHA-512", want.sha512, s.sha512}, {"SHA-256", want.sha256, s.sha256}, {"MD5", want.md5, s.md5},
	} {
		if pair.want != "" && !strings.EqualFold(pair.want, pair.got) {
			return &ChecksumError{File: file, Algorithm: pair.algorithm, Want: strings.ToLower(pair.want), Got: pair.got, By: by}
		}
	}
	return nil
}

// sumFile reads a file once for all three. MD5 guards against nothing but accidents; it is all that MySQL
// publishes, and the lock file's SHA-256 holds from the first download on.
func sumFile(path string) (sums, error) {
	f, err := os.Open(path)
	if err != nil {
		return sums{}, fmt.Errorf("checksum: %w", err)
	}
	defer f.Close()
	h := []hash.Hash{md5.New(), sha256.New(), sha512.New()}
	if _, err := io.Copy(io.MultiWriter(h[0], h[1], h[2]), f); err != nil {
		return sums{}, fmt.Errorf("checksum: %w", err)
	}
	text := func(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }
	return sums{md5: text(h[0]), sha256: text(h[1]), sha512: text(h[2])}, nil
}

// digest is the SHA-256 over a list of texts.
func digest(parts ...string) string {
	h := sha256.New()
	for _, part := range parts {
		fmt.Fprintf(h, "%d:%s\n", len(part), part)
	}
	return hex.EncodeToString(h.Sum(nil))
}
