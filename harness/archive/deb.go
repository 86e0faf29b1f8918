package archive

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// A Debian package is an ar archive (deb(5)): its members are the format's version, what dpkg reads of the package, and the
// files, in a tar archive.
const (
	arMagic  = "!<arch>\n"
	arHeader = 60 // bytes
	arEnd    = "`\n"
	debFiles = "data.tar"
)

// UnpackDeb unpacks the files of a Debian package into dir, as UnpackTar does. It needs none of Debian's tools.
func UnpackDeb(ctx context.Context, file, name, dir string, rules Rules) error {
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("unpack %s: %w", name, err)
	}
	defer f.Close()
	return withExtractor(dir, name, rules, func(x *extractor) error { return x.deb(ctx, bufio.NewReader(f)) })
}

// deb looks for the member with the files, and unpacks it.
func (x *extractor) deb(ctx context.Context, r io.Reader) error {
	magic := make([]byte, len(arMagic))
	if _, err := io.ReadFull(r, magic); err != nil || string(magic) != arMagic {
		return errors.New("it is no Debian package")
	}
	for {
		member, size, err := nextMember(r)
		if err != nil {
			return err
		}
		if strings.HasPrefix(member, debFiles) {
			return x.tar(ctx, io.LimitReader(r, size), member)
		}
		// Members begin at even places.
		if _, err := io.CopyN(io.Discard, r, size+size%2); err != nil {
			return truncated(err)
		}
	}
}

// nextMember reads the header of an ar archive's next member.
func nextMember(r io.Reader) (name string, size int64, err error) {
	header := make([]byte, arHeader)
	if _, err := io.ReadFull(r, header); errors.Is(err, io.EOF) {
		return "", 0, fmt.Errorf("it has no %s", debFiles)
	} else if err != nil {
		return "", 0, truncated(err)
	}
	text := string(header)
	size, err = strconv.ParseInt(strings.TrimSpace(text[48:58]), 10, 64)
	if err != nil || size < 0 || text[58:] != arEnd {
		return "", 0, errors.New("it is no Debian package: a member's header cannot be read")
	}
	return strings.TrimRight(text[:16], " /"), size, nil
}
