package archive

import (
	"archive/tar"
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// maxLink is the longest target of a symbolic link that is believed (PATH_MAX).
const maxLink = 4096

// UnpackZip unpacks a zip file, such as a jar, into dir, as UnpackTar does. Where inner names a tar archive inside it, that one
// is unpacked instead.
func UnpackZip(ctx context.Context, file, name, dir, inner string, rules Rules) error {
	return withExtractor(dir, name, rules, func(x *extractor) error { return x.zip(ctx, file, inner) })
}

func (x *extractor) zip(ctx context.Context, file, inner string) error {
	z, err := zip.OpenReader(file)
	if err != nil {
		return truncated(err)
	}
	defer z.Close()
	if len(z.File) > maxArchiveEntries {
		return &HostileError{Reason: fmt.Sprintf("more than %d entries", maxArchiveEntries)}
	}
	found := false
	for _, member := range z.File {
		if inner != "" && member.Name != inner {
			continue
		}
		if err := x.member(ctx, member, inner); err != nil {
			return err
		}
		found = true
	}
	if inner != "" && !found {
		return fmt.Errorf("it has no file %s", inner)
	}
	return nil
}

// member unpacks one file of a zip file: as it is, or, when it is the inner archive, what is in it.
func (x *extractor) member(ctx context.Context, member *zip.File, inner string) (err error) {
	stream, err := member.Open()
	if err != nil {
		return fmt.Errorf("entry %s: %w", member.Name, err)
	}
	defer func() { err = errors.Join(err, stream.Close()) }()
	if inner != "" {
		return x.tar(ctx, stream, inner)
	}
	// A size that is too large for the limit is refused by it; one that is untrue, by the file's checksum.
	bounded := &boundedReader{ctx: ctx, r: stream, left: x.rules.Limit + 1}
	header := &tar.Header{Name: member.Name, Mode: int64(member.Mode().Perm()), Size: int64(min(member.UncompressedSize64, 1<<62))}
	switch mode := member.Mode(); {
	case mode.IsDir():
		header.Typeflag, header.Size = tar.TypeDir, 0
	case mode.IsRegular():
		header.Typeflag = tar.TypeReg
	case mode&fs.ModeSymlink != 0:
		target, err := io.ReadAll(io.LimitReader(bounded, maxLink))
		if err != nil {
			return fmt.Errorf("entry %s: %w", member.Name, err)
		}
		header.Typeflag, header.Linkname = tar.TypeSymlink, string(target)
	default:
		header.Typeflag = tar.TypeChar // refused, as every device is
	}
	return x.entry(header, bounded)
}
