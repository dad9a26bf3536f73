package doctor

import "testing"

// Which file systems are another machine's, by the kernel's numbers and, of FUSE, by the table of mounts.
func TestFileSystemsOfOtherMachinesAreKnown(t *testing.T) {
	for magic, kind := range map[int64]string{0x6969: "NFS", 0x517b: "SMB", 0xff534d42: "CIFS", 0xfe534d42: "SMB2", 0x01021997: "9p", 0x00c36400: "Ceph", 0x786f4256: "vboxsf"} {
		if disk := fileSystems[magic]; disk.Kind != kind || !disk.Network {
			t.Errorf("%x is %+v, not %s", magic, disk, kind)
		}
	}
	const table = `22 1 8:1 / / rw - ext4 /dev/sda1 rw
30 22 0:40 / /srv/clinic\040data rw,nosuid - fuse.sshfs nas:/files rw
31 22 0:41 / /srv/ntfs rw - fuseblk /dev/sdb1 rw
32 22 0:42 / /mnt/host rw - virtiofs host rw
33 22 0:43 / /srv/local rw - fuse.gocryptfs /srv/sealed rw
34 30 0:44 / /srv/clinic\040data/deeper rw - fuse.rclone remote: rw`
	for path, want := range map[string]Disk{
		"/srv/clinic data":          {Kind: "sshfs", Network: true},
		"/srv/clinic data/db":       {Kind: "sshfs", Network: true},
		"/srv/clinic data/deeper/x": {Kind: "rclone", Network: true},
		"/srv/ntfs/caseload":        {Kind: "FUSE"},
		"/mnt/host":                 {Kind: "virtiofs", Network: true},
		"/srv/local/data":           {Kind: "gocryptfs"},
		"/srv/localhost":            {Kind: "FUSE"},
	} {
		if got := (Disk{Kind: "FUSE"}).mounted(table, path); got != want {
			t.Errorf("%s: %+v, want %+v", path, got, want)
		}
	}
	if got := (Disk{Kind: "FUSE"}).mounted("odd\n1 2 3 - \n", "/x"); got.Kind != "FUSE" {
		t.Errorf("of a table nobody can read: %+v", got)
	}
}
