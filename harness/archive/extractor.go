package archive

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

// extractor unpacks one archive below a folder that it cannot leave.
type extractor struct {
	root    *os.Root
	rules   Rules
	written int64 // bytes
	entries int
	links   []string // symbolic links, checked when everything is there
}

func (x *extractor) entry(header *tar.Header, content io.Reader) error {
	if header.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	if x.entries++; x.entries > maxArchiveEntries {
		return &HostileError{Reason: fmt.Sprintf("more than %d entries", maxArchiveEntries)}
	}
	name, err := x.below(header.Name)
	if err != nil || name == "." {
		return err
	}
	if err := x.root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return &HostileError{Entry: header.Name, Reason: err.Error()}
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
		return &HostileError{Entry: header.Name, Reason: fmt.Sprintf("is no file, folder or link (type %q)", header.Typeflag)}
	}
	return err
}

// below turns a name in the archive into one below the folder, and refuses what could leave it.
func (x *extractor) below(name string) (string, error) {
	clean := path.Clean(name)
	if name == "" || path.IsAbs(name) || strings.ContainsRune(name, 0) || clean == ".." || strings.HasPrefix(clean, "../") {
		return "", &HostileError{Entry: name, Reason: "leaves the folder"}
	}
	if clean == "." || x.rules.Under == nil {
		return clean, nil
	}
	return x.rules.Under(clean)
}

// WithoutTop is a rule that strips the one top folder that an archive has. It is for one archive.
func WithoutTop() func(name string) (string, error) {
	only := ""
	return func(name string) (string, error) {
		top, rest, below := strings.Cut(name, "/")
		if only == "" {
			only = top
		}
		if top != only {
			return "", &HostileError{Entry: name, Reason: fmt.Sprintf("lies beside the top folder %s", only)}
		}
		if !below {
			return ".", nil
		}
		return rest, nil
	}
}

func (x *extractor) file(name string, header *tar.Header, content io.Reader) error {
	left := x.rules.Limit - x.written
	if header.Size > left {
		return &HostileError{Entry: header.Name, Reason: fmt.Sprintf("takes the unpacked size beyond %d bytes", x.rules.Limit)}
	}
	// A second entry of a name replaces the first, as tar has it; it is never written through a link.
	if err := x.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &HostileError{Entry: header.Name, Reason: err.Error()}
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
		return &HostileError{Entry: header.Name, Reason: fmt.Sprintf("links to %q, outside the folder", target)}
	}
	if err := x.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &HostileError{Entry: header.Name, Reason: err.Error()}
	}
	x.links = append(x.links, name)
	if err := x.root.Symlink(target, name); err != nil {
		return fmt.Errorf("entry %s: %w", header.Name, err)
	}
	return nil
}

func (x *extractor) hardlink(name string, header *tar.Header) error {
	target, err := x.below(header.Linkname)
	if err != nil {
		return &HostileError{Entry: header.Name, Reason: fmt.Sprintf("links to %q, outside the folder", header.Linkname)}
	}
	info, err := x.root.Lstat(target)
	if err != nil || !info.Mode().IsRegular() {
		return &HostileError{Entry: header.Name, Reason: fmt.Sprintf("links to %q, which is no file before it", header.Linkname)}
	}
	if target == name {
		return nil
	}
	if err := x.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &HostileError{Entry: header.Name, Reason: err.Error()}
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
		_, err := x.root.Stat(name)
		if errors.Is(err, fs.ErrNotExist) {
			if x.rules.WholeLinks {
				return &HostileError{Entry: name, Reason: "is a link that leads nowhere"}
			}
			continue
		}
		if err != nil {
			return &HostileError{Entry: name, Reason: "is a link that leads out of the folder: " + err.Error()}
		}
	}
	return nil
}
