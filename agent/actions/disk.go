package actions

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/shirou/gopsutil/v4/disk"

	fettle "github.com/fettle-dev/fettle"
)

// Thresholds of check_disk: the least that has to be free, of space and of inodes.
const (
	diskWarning  = "10%"
	diskCritical = "5%"
)

// imageTypes are file systems that are always full, because they were made that way.
var imageTypes = []string{"squashfs", "iso9660", "udf", "erofs", "cramfs"}

// fileSystem is one that check_disk looks at. Sizes are in bytes; free is what a user who is not root may fill.
type fileSystem struct {
	mount              string
	total, used, free  float64
	inodes, freeInodes float64 // zero: it does not count them
}

// least is what has to be free at least: percent of the whole, or mebibytes.
type least struct {
	v       float64
	percent bool
	none    bool
}

// checkDisk holds file systems to -w and -c: the least that has to be free, in percent ("10%") or MiB ("500"), of inodes in percent only. It
// looks at all on devices of the machine itself and at the root, or at those that hold the paths given by -p.
func checkDisk(ctx context.Context, args []string) (fettle.CheckOutput, error) {
	o := newOptions("check_disk")
	var paths words
	o.Var(&paths, "p", "path whose file system is looked at")
	if err := o.read(args); err != nil {
		return fettle.CheckOutput{}, err
	}
	if o.warning == "" && o.critical == "" {
		o.warning, o.critical = diskWarning, diskCritical
	}
	warning, err := parseLeast(o.warning)
	if err != nil {
		return fettle.CheckOutput{}, fmt.Errorf("warning: %w", err)
	}
	critical, err := parseLeast(o.critical)
	if err != nil {
		return fettle.CheckOutput{}, fmt.Errorf("critical: %w", err)
	}
	if len(paths) == 0 {
		paths = localMounts(ctx)
	}
	var all []fileSystem
	for _, path := range paths {
		u, err := disk.UsageWithContext(ctx, path)
		if err != nil {
			return fettle.CheckOutput{}, fmt.Errorf("file system of %s: %w", path, err)
		}
		all = append(all, fileSystem{path, float64(u.Total), float64(u.Used), float64(u.Free), float64(u.InodesTotal), float64(u.InodesFree)})
	}
	return diskOutput(all, warning, critical), nil
}

// localMounts gives where the machine's own devices are mounted, each once, at its shortest path.
func localMounts(ctx context.Context) []string {
	parts, err := disk.PartitionsWithContext(ctx, false)
	if err != nil {
		return []string{rootDir()}
	}
	at := map[string]string{}
	for _, p := range parts {
		if slices.Contains(imageTypes, p.Fstype) {
			continue
		}
		if known, found := at[p.Device]; !found || len(p.Mountpoint) < len(known) {
			at[p.Device] = p.Mountpoint
		}
	}
	mounts := []string{}
	for _, mount := range at {
		// A file may be mounted over, as containers do it with /etc/hosts: that is no file system of its own.
		if u, err := disk.UsageWithContext(ctx, mount); err == nil && u.Total > 0 && isFolder(mount) {
			mounts = append(mounts, mount)
		}
	}
	if root := rootDir(); !slices.Contains(mounts, root) {
		mounts = append(mounts, root)
	}
	slices.Sort(mounts)
	return mounts
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func parseLeast(text string) (least, error) {
	if text == "" {
		return least{none: true}, nil
	}
	number, percent := strings.CutSuffix(text, "%")
	v, err := strconv.ParseFloat(number, 64)
	if err != nil || !(v >= 0 && v < 1e18) || percent && v > 100 {
		return least{}, fmt.Errorf("%q is neither a percentage nor a number of MiB: %w", text, fettle.ErrInvalid)
	}
	return least{v: v, percent: percent}, nil
}

// bytes gives what has to be free of total.
func (l least) bytes(total float64) float64 {
	if l.percent {
		return total * l.v / 100
	}
	return l.v * (1 << 20)
}

// missed tells whether f has less free than l, and of what.
func (l least) missed(f fileSystem) bool {
	if l.none || f.total == 0 {
		return false
	}
	// Space that is kept for root is neither used nor free: percentages are of what users have, as df says them.
	return f.free < l.bytes(f.used+f.free) || l.percent && f.inodes > 0 && 100*f.freeInodes/f.inodes < l.v
}

func diskOutput(all []fileSystem, warning, critical least) fettle.CheckOutput {
	out := fettle.CheckOutput{}
	var bad, good []string
	for _, f := range all {
		code := fettle.CodeOK
		if critical.missed(f) {
			code = fettle.CodeCritical
		} else if warning.missed(f) {
			code = fettle.CodeWarning
		}
		out.Code = max(out.Code, code)
		if text := f.text(); code == fettle.CodeOK {
			good = append(good, text)
		} else {
			bad = append(bad, text)
		}
		out.Perfdata = append(out.Perfdata, f.perf(warning, critical))
	}
	out.Line = fmt.Sprintf("DISK %s - free space: %s", statusWord(out.Code), strings.Join(append(bad, good...), "; "))
	return out
}

func (f fileSystem) text() string {
	if f.used+f.free == 0 {
		return f.mount + " none"
	}
	text := fmt.Sprintf("%s %s (%.1f%%", f.mount, bytesText(f.free), 100*f.free/(f.used+f.free))
	if f.inodes > 0 {
		text += fmt.Sprintf(" inode=%.0f%%", 100*f.freeInodes/f.inodes)
	}
	return text + ")"
}

// perf gives the space that is used, with the most that may be.
func (f fileSystem) perf(warning, critical least) fettle.Perf {
	whole := f.used + f.free
	most := func(l least) string {
		if l.none {
			return ""
		}
		return strconv.FormatFloat(max(whole-l.bytes(whole), 0), 'f', 0, 64)
	}
	return fettle.Perf{Label: f.mount, Value: &f.used, Unit: "B", Warn: most(warning), Crit: most(critical), Min: new(float64), Max: &whole}
}
