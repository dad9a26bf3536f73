package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// fileSystems are the magic numbers of statfs(2), https://man7.org/linux/man-pages/man2/statfs.2.html and the kernel's
// include/uapi/linux/magic.h.
var fileSystems = map[int64]Disk{
	0xef53:     {Kind: "ext4"},
	0x58465342: {Kind: "XFS"},
	0x9123683e: {Kind: "Btrfs"},
	0x2fc12fc1: {Kind: "ZFS"},
	0xf2f52010: {Kind: "F2FS"},
	0xca451a4e: {Kind: "bcachefs"},
	0x6969:     {Kind: "NFS", Network: true},
	0x517b:     {Kind: "SMB", Network: true},
	0xff534d42: {Kind: "CIFS", Network: true},
	0xfe534d42: {Kind: "SMB2", Network: true},
	0x01021997: {Kind: "9p", Network: true},
	0x5346414f: {Kind: "AFS", Network: true},
	0x6b414653: {Kind: "AFS", Network: true},
	0x73757245: {Kind: "Coda", Network: true},
	0x00c36400: {Kind: "Ceph", Network: true},
	0x0bd00bd0: {Kind: "Lustre", Network: true},
	0x47504653: {Kind: "GPFS", Network: true},
	0x01161970: {Kind: "GFS2", Network: true},
	0x7461636f: {Kind: "OCFS2", Network: true},
	0xaad7aaea: {Kind: "PanFS", Network: true},
	0x786f4256: {Kind: "vboxsf", Network: true},
	0x65735546: {Kind: "FUSE"}, // whose, the table of mounts says
	0x01021994: {Kind: "tmpfs", Temporary: true},
	0x858458f6: {Kind: "ramfs", Temporary: true},
	0x794c7630: {Kind: "overlayfs", PerhapsOverlaying: true},
}

// lookDisk asks the file system that path lies on.
func lookDisk(path string) (Disk, error) {
	var is syscall.Statfs_t
	if err := syscall.Statfs(path, &is); err != nil {
		return Disk{}, fmt.Errorf("statfs: %w", err)
	}
	disk := fileSystems[int64(is.Type)&0xffffffff]
	if disk.Kind == "FUSE" {
		if mounts, err := os.ReadFile("/proc/self/mountinfo"); err == nil {
			disk = disk.mounted(string(mounts), path)
		}
	}
	block := uint64(is.Bsize)
	disk.Free, disk.Size, disk.FreeFiles, disk.Files = is.Bavail*block, is.Blocks*block, is.Ffree, is.Files
	return disk, nil
}

// elsewhere are the file systems of FUSE whose bytes lie on another machine or the host of this one.
var elsewhere = []string{
	"sshfs", "s3fs", "rclone", "glusterfs", "goofys", "mount-s3", "mountpoint-s3", "gcsfuse", "blobfuse2", "davfs", "juicefs",
	"ceph-fuse", "cephfs", "curlftpfs", "geesefs", "seaweedfs", "virtiofs", "grpcfuse", "osxfs", "vmhgfs-fuse", "drvfs", "moosefs", "mfs",
}

// mounted says which file system of FUSE it is, by the nearest mount above the path.
// https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html
func (d Disk) mounted(table, path string) Disk {
	path, err := filepath.Abs(path)
	if err != nil {
		return d
	}
	longest := -1
	for _, line := range strings.Split(table, "\n") {
		head, tail, found := strings.Cut(line, " - ")
		at, is := strings.Fields(head), strings.Fields(tail)
		if !found || len(at) < 5 || len(is) == 0 {
			continue
		}
		where := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\134`, `\`).Replace(at[4])
		if under := path == where || strings.HasPrefix(path, strings.TrimSuffix(where, "/")+"/"); !under || len(where) < longest {
			continue
		}
		longest = len(where)
		name, of := strings.CutPrefix(is[0], "fuse.")
		d.Kind, d.Network = "FUSE", slices.Contains(elsewhere, name)
		if of || d.Network {
			d.Kind = name
		}
	}
	return d
}
