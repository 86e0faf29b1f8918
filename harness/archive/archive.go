// Package archive fetches archives, verifies them by their checksums and unpacks them so that nothing leaves the folder.
package archive

import (
	"archive/tar"
	"bufio"
	"compress/bzip2"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// maxArchiveEntries bounds an archive of countless empty files. The largest vendor tarball, with its test
// suite, has about 40,000.
const maxArchiveEntries = 500_000

// HostileError is an archive that is refused for what it would do when it is unpacked.
type HostileError struct {
	Entry  string // name in the archive; empty when the archive as a whole is meant
	Reason string
}

// Error says what is wrong with which entry.
func (e *HostileError) Error() string {
	if e.Entry == "" {
		return "archive refused: " + e.Reason
	}
	return fmt.Sprintf("archive refused: entry %q %s", e.Entry, e.Reason)
}

// Rules say what of an archive is unpacked, and to where.
type Rules struct {
	Limit int64 // bytes that may come out of it
	// Under says where an entry goes below the folder; "." leaves it out. Nil is where the archive has it.
	Under func(name string) (string, error)
	// WholeLinks refuses links that lead nowhere. A vendor's own archive may have some.
	WholeLinks bool
}

// Unpack unpacks an archive of any kind into dir, as UnpackTar does; its name says which it is.
func Unpack(ctx context.Context, file, name, dir string, rules Rules) error {
	switch {
	case strings.HasSuffix(name, suffixZip):
		return UnpackZip(ctx, file, name, dir, "", rules)
	case strings.HasSuffix(name, suffixDeb):
		return UnpackDeb(ctx, file, name, dir, rules)
	default:
		return UnpackTar(ctx, file, name, dir, rules)
	}
}

// UnpackTar unpacks a tar archive into dir; its name says how it is compressed. Everything that points or leads out of
// dir, and every device, is a *HostileError.
func UnpackTar(ctx context.Context, file, name, dir string, rules Rules) error {
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("unpack %s: %w", name, err)
	}
	defer f.Close()
	return withExtractor(dir, name, rules, func(x *extractor) error { return x.tar(ctx, f, name) })
}

// withExtractor calls unpack with an extractor for dir, and checks what it has unpacked.
func withExtractor(dir, name string, rules Rules, unpack func(*extractor) error) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("unpack %s: %w", name, err)
	}
	defer root.Close()
	x := &extractor{root: root, rules: rules}
	if err := unpack(x); err != nil {
		return fmt.Errorf("unpack %s: %w", name, err)
	}
	if x.entries == 0 {
		return fmt.Errorf("unpack %s: archive is empty", name)
	}
	if err := x.checkLinks(); err != nil {
		return fmt.Errorf("unpack %s: %w", name, err)
	}
	return nil
}

// tar unpacks a compressed tar archive; its name says how it is compressed.
func (x *extractor) tar(ctx context.Context, file io.Reader, name string) error {
	stream, err := decompress(bufio.NewReaderSize(file, 1<<20), name)
	if err != nil {
		return truncated(err)
	}
	defer stream.Close()
	// Headers and padding come on top of the files' own bytes.
	bounded := &boundedReader{ctx: ctx, r: stream, left: x.rules.Limit + x.rules.Limit/4 + 16<<20}
	archive := tar.NewReader(bounded)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return truncated(err)
		}
		if err := x.entry(header, archive); err != nil {
			return err
		}
	}
	// The compressed stream's own checksum stands at its very end.
	_, err = io.Copy(io.Discard, bounded)
	return truncated(err)
}

// TarSuffixes are the names of the archives that UnpackTar takes.
var TarSuffixes = []string{".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.zst", ".tar.zstd", ".tar.bz2", ".tbz2", ".tar"}

// IsTar says whether a name is one of an archive that UnpackTar takes.
func IsTar(name string) bool { return hasSuffix(name, TarSuffixes) }

const (
	suffixZip = ".zip"
	suffixDeb = ".deb"
)

// Suffixes are the names of the archives that Unpack takes.
var Suffixes = append(slices.Clone(TarSuffixes), suffixZip, suffixDeb)

// IsArchive says whether a name is one of an archive that Unpack takes.
func IsArchive(name string) bool { return hasSuffix(name, Suffixes) }

func hasSuffix(name string, suffixes []string) bool {
	return slices.ContainsFunc(suffixes, func(suffix string) bool { return strings.HasSuffix(name, suffix) })
}

// zstdMemory bounds what one archive's window may take.
const zstdMemory = 256 << 20

func decompress(r io.Reader, name string) (io.ReadCloser, error) {
	switch {
	case strings.HasSuffix(name, ".tar.gz"), strings.HasSuffix(name, ".tgz"):
		return gzip.NewReader(r)
	case strings.HasSuffix(name, ".tar.xz"), strings.HasSuffix(name, ".txz"):
		stream, err := xz.NewReader(r)
		return io.NopCloser(stream), err
	case strings.HasSuffix(name, ".tar.zst"), strings.HasSuffix(name, ".tar.zstd"):
		stream, err := zstd.NewReader(r, zstd.WithDecoderMaxMemory(zstdMemory), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		return stream.IOReadCloser(), nil
	case strings.HasSuffix(name, ".tar.bz2"), strings.HasSuffix(name, ".tbz2"):
		return io.NopCloser(bzip2.NewReader(r)), nil
	case strings.HasSuffix(name, ".tar"):
		return io.NopCloser(r), nil
	default:
		return nil, fmt.Errorf("%s: want a file of %s", name, strings.Join(TarSuffixes, ", "))
	}
}

// truncated words the end of a stream that breaks off.
func truncated(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return fmt.Errorf("archive is cut off: %w", err)
	}
	return err
}

// boundedReader ends a stream that unpacks to more than it may, and one whose context ends.
type boundedReader struct {
	ctx  context.Context
	r    io.Reader
	left int64
}

func (b *boundedReader) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	if b.left <= 0 {
		return 0, &HostileError{Reason: "it unpacks to more than its declared size"}
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.r.Read(p)
	b.left -= int64(n)
	return n, err
}
