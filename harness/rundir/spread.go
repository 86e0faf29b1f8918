package rundir

import (
	"os"

	"golang.org/x/sys/unix"
)

// topLevel is ext4's FS_TOPDIR_FL (linux/fs.h, chattr's T): the folders in this one have nothing to do with one another, and
// are put far apart.
const topLevel = 0x00020000

// spread has the file system put the folders of a root far apart. A data directory is hundreds of files that live for
// seconds, and ext4 does not take the numbers of files again that were deleted a moment ago: where all are put side by side,
// it looks through more and more of them for each new file, which took a third of the processors in long runs. Other file
// systems refuse the flag, and do not need it.
func spread(dir string) {
	folder, err := os.Open(dir)
	if err != nil {
		return
	}
	defer folder.Close()
	fd := int(folder.Fd())
	flags, err := unix.IoctlGetInt(fd, unix.FS_IOC_GETFLAGS)
	if err != nil || flags&topLevel != 0 {
		return
	}
	_ = unix.IoctlSetPointerInt(fd, unix.FS_IOC_SETFLAGS, flags|topLevel)
}
