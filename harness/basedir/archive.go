package basedir

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/ulikunitz/xz"
)

// maxArchiveEntries bounds an archive of countless empty files. The largest vendor tarball, with its test
// suite, has about 40,000.
const maxArchiveEntries = 500_000

// HostileArchiveError is an archive that is refused for what it would do when it is unpacked.
type HostileArchiveError struct {
	Entry  string // name in the archive; empty when the archive as a whole is meant
	Reason string
}

// Error says what is wrong with which entry.
func (e *HostileArchiveError) Error() string {
	if e.Entry == "" {
		return "archive refused: " + e.Reason
	}
	return fmt.Sprintf("archive refused: entry %q %s", e.Entry, e.Reason)
}

// extractor unpacks one archive below a folder that it cannot leave.
type extractor struct {
	root    *os.Root
	top     string // the one top folder, which is stripped
	limit   int64  // bytes that may be written
	written int64
	entries int
	links   []string // symbolic links, checked when everything is there
}

// extract unpacks a .tar.gz or .tar.xz file into dir without its one top folder. At most limit bytes come
// out of it. Everything that points or leads out of dir, and every device, is a *HostileArchiveError.
func extract(ctx context.Context, file, name, dir string, limit int64) error {
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("unpack %s: %w", name, err)
	}
	defer f.Close()
	stream, err := decompress(bufio.NewReaderSize(f, 1<<20), name)
	if err != nil {
		return fmt.Errorf("unpack %s: %w", name, err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("unpack %s: %w", name, err)
	}
	defer root.Close()
	x := &extractor{root: root, limit: limit}
	// Headers and padding come on top of the files' own bytes.
	bounded := &boundedReader{ctx: ctx, r: stream, left: limit + limit/4 + 16<<20}
	if err := x.run(tar.NewReader(bounded)); err != nil {
		return fmt.Errorf("unpack %s: %w", name, err)
	}
	// The compressed stream's own checksum stands at its very end.
	if _, err := io.Copy(io.Discard, bounded); err != nil {
		return fmt.Errorf("unpack %s: %w", name, truncated(err))
	}
	return nil
}

func decompress(r io.Reader, name string) (io.Reader, error) {
	switch {
	case strings.HasSuffix(name, ".tar.gz"), strings.HasSuffix(name, ".tgz"):
		return gzip.NewReader(r)
	case strings.HasSuffix(name, ".tar.xz"), strings.HasSuffix(name, ".txz"):
		return xz.NewReader(r)
	default:
		return nil, errors.New("want a .tar.gz or a .tar.xz file")
	}
}

func (x *extractor) run(archive *tar.Reader) error {
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return truncated(err)
		}
		if x.entries++; x.entries > maxArchiveEntries {
			return &HostileArchiveError{Reason: fmt.Sprintf("more than %d entries", maxArchiveEntries)}
		}
		if err := x.entry(header, archive); err != nil {
			return err
		}
	}
	if x.entries == 0 {
		return errors.New("archive is empty")
	}
	return x.checkLinks()
}

func (x *extractor) entry(header *tar.Header, content io.Reader) error {
	if header.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	name, err := x.strip(header.Name)
	if err != nil || name == "." {
		return err
	}
	if err := x.root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return &HostileArchiveError{Entry: header.Name, Reason: err.Error()}
	}
	switch header.Typeflag {
	case tar.TypeDir:
		err = x.root.MkdirAll(name, 0o755)
	case tar.TypeReg:
		err = x.file(name, header, content)
	case tar.TypeSymlink:
		err = x.symlink(name, header)
	case tar.TypeLink:
		err = x.hardlink(name, header)
	default:
		return &HostileArchiveError{Entry: header.Name, Reason: fmt.Sprintf("is no file, folder or link (type %q)", header.Typeflag)}
	}
	return err
}

// strip turns a name in the archive into one below the folder, and refuses what could leave it.
func (x *extractor) strip(name string) (string, error) {
	clean := path.Clean(name)
	if name == "" || path.IsAbs(name) || strings.ContainsRune(name, 0) || clean == ".." || strings.HasPrefix(clean, "../") {
		return "", &HostileArchiveError{Entry: name, Reason: "leaves the folder"}
	}
	if clean == "." {
		return ".", nil
	}
	top, rest, below := strings.Cut(clean, "/")
	if x.top == "" {
		x.top = top
	}
	if top != x.top {
		return "", &HostileArchiveError{Entry: name, Reason: fmt.Sprintf("lies beside the top folder %s", x.top)}
	}
	if !below {
		return ".", nil
	}
	return rest, nil
}

func (x *extractor) file(name string, header *tar.Header, content io.Reader) error {
	left := x.limit - x.written
	if header.Size > left {
		return &HostileArchiveError{Entry: header.Name, Reason: fmt.Sprintf("takes the unpacked size beyond %d bytes", x.limit)}
	}
	// A second entry of a name replaces the first, as tar has it; it is never written through a link.
	if err := x.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &HostileArchiveError{Entry: header.Name, Reason: err.Error()}
	}
	mode := fs.FileMode(header.Mode)&0o777 | 0o600
	f, err := x.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return fmt.Errorf("entry %s: %w", header.Name, err)
	}
	n, err := io.Copy(f, content)
	x.written += n
	if err := errors.Join(truncated(err), f.Close()); err != nil {
		return fmt.Errorf("entry %s: %w", header.Name, err)
	}
	return nil
}

func (x *extractor) symlink(name string, header *tar.Header) error {
	target := header.Linkname
	joined := path.Join(path.Dir(name), target)
	if target == "" || path.IsAbs(target) || joined == ".." || strings.HasPrefix(joined, "../") {
		return &HostileArchiveError{Entry: header.Name, Reason: fmt.Sprintf("links to %q, outside the folder", target)}
	}
	if err := x.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &HostileArchiveError{Entry: header.Name, Reason: err.Error()}
	}
	x.links = append(x.links, name)
	if err := x.root.Symlink(target, name); err != nil {
		return fmt.Errorf("entry %s: %w", header.Name, err)
	}
	return nil
}

func (x *extractor) hardlink(name string, header *tar.Header) error {
	target, err := x.strip(header.Linkname)
	if err != nil {
		return &HostileArchiveError{Entry: header.Name, Reason: fmt.Sprintf("links to %q, outside the folder", header.Linkname)}
	}
	info, err := x.root.Lstat(target)
	if err != nil || !info.Mode().IsRegular() {
		return &HostileArchiveError{Entry: header.Name, Reason: fmt.Sprintf("links to %q, which is no file before it", header.Linkname)}
	}
	if target == name {
		return nil
	}
	if err := x.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &HostileArchiveError{Entry: header.Name, Reason: err.Error()}
	}
	if err := x.root.Link(target, name); err != nil {
		return fmt.Errorf("entry %s: %w", header.Name, err)
	}
	return nil
}

// checkLinks follows every symbolic link, since a chain of links can lead out of a folder that each of
// them, by its own words, stays in. One that leads nowhere is harmless.
func (x *extractor) checkLinks() error {
	for _, name := range x.links {
		if _, err := x.root.Stat(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return &HostileArchiveError{Entry: name, Reason: "is a link that leads out of the folder: " + err.Error()}
		}
	}
	return nil
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
		return 0, &HostileArchiveError{Reason: "it unpacks to more than its declared size"}
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.r.Read(p)
	b.left -= int64(n)
	return n, err
}
