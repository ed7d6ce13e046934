package facts

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write the facts that are wanted anew")

// kernelAnswers is what a machine in testdata answers where it is no file that answers.
type kernelAnswers struct {
	Hardware   string
	Hypervisor string
	Links      []struct {
		Name, MAC, Master string
		MTU, Index        int
		Addrs             []struct {
			Prefix, Label string
			Flags         byte
		}
	}
	Usage map[string]struct{ Total, Free, Available uint64 } // by path
	Alive map[string]int                                     // name of a program to its process
}

// system makes of a the system that a machine asks; root is where its file system lies.
func (a kernelAnswers) system(t *testing.T, root string) system {
	t.Helper()
	var links []link
	for _, l := range a.Links {
		one := link{name: l.Name, mac: l.MAC, mtu: l.MTU, index: l.Index, master: l.Master}
		for _, addr := range l.Addrs {
			one.addrs = append(one.addrs, address{prefix: netip.MustParsePrefix(addr.Prefix), label: addr.Label, flags: addr.Flags})
		}
		links = append(links, one)
	}
	return system{
		hardware: func() string { return a.Hardware },
		links:    func() ([]link, error) { return links, nil },
		usage: func(path string) (usage, error) {
			u, ok := a.Usage["/"+strings.TrimPrefix(strings.TrimPrefix(path, root), "/")]
			if !ok {
				return usage{}, fs.ErrNotExist
			}
			return usage{u.Total, u.Free, u.Available}, nil
		},
		account: func() (account, error) {
			return account{uid: 0, gid: 0, user: "root", group: "root", privileged: true}, nil
		},
		hypervisor: func() string { return a.Hypervisor },
		getenv:     func(key string) string { return map[string]string{"PATH": "/usr/sbin:/usr/bin"}[key] },
		alive:      func(pid int, name string) bool { return a.Alive[name] == pid },
		zone:       func([]byte) string { return "UTC" },
	}
}

// unpack writes the files of a machine to a directory and gives a collector of its facts.
func unpack(t *testing.T, machine *txtar.Archive) *Collector {
	t.Helper()
	root := t.TempDir()
	var answers kernelAnswers
	for _, file := range machine.Files {
		switch file.Name {
		case "want.json":
		case "kernel.json":
			decoder := json.NewDecoder(bytes.NewReader(file.Data))
			decoder.DisallowUnknownFields()
			if err := decoder.Decode(&answers); err != nil {
				t.Fatal(err)
			}
		default:
			write(t, filepath.Join(root, file.Name), string(file.Data), 0o600)
		}
	}
	cfg := DefaultConfig()
	cfg.Root = root
	cfg.Dirs, cfg.ClassesFiles = nil, nil
	return newCollector(cfg, discard(), answers.system(t, root))
}

func write(t *testing.T, path, text string, mode fs.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// TestMachines holds the facts of machines that nobody here has against files that were written down, and were read by a person.
func TestMachines(t *testing.T) {
	paths, err := filepath.Glob("testdata/machines/*.txtar")
	if err != nil || len(paths) < 5 {
		t.Fatalf("machines in testdata: %v, %v", paths, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			machine, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			snapshot, err := unpack(t, machine).Collect(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, fault := range snapshot.Errors {
				t.Error(fault)
			}
			delete(snapshot.Facts[ownKey].(object), "os")
			delete(snapshot.Facts[ownKey].(object), "arch")
			got := pretty(t, snapshot.Facts)
			if *update {
				wanted(machine).Data = []byte(got)
				if err := os.WriteFile(path, txtar.Format(machine), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(wanted(machine).Data), got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// wanted gives the file of a machine that holds its facts.
func wanted(machine *txtar.Archive) *txtar.File {
	for i := range machine.Files {
		if machine.Files[i].Name == "want.json" {
			return &machine.Files[i]
		}
	}
	machine.Files = append(machine.Files, txtar.File{Name: "want.json"})
	return &machine.Files[len(machine.Files)-1]
}

func pretty(t *testing.T, value any) string {
	t.Helper()
	raw, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(raw) + "\n"
}

// rooted gives a machine that is made of files, and answers with answers.
func rooted(t *testing.T, files map[string]string, answers kernelAnswers) *machine {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		write(t, filepath.Join(root, name), text, 0o600)
	}
	sys := answers.system(t, root)
	return &machine{tree: tree(root), sys: sys, usages: newUsages(sys.usage)}
}

// TestVirtualization asks what lies nearest first.
func TestVirtualization(t *testing.T) {
	const dmiDir = "sys/class/dmi/id/"
	id := strings.Repeat("0123456789abcdef", 4)
	for name, test := range map[string]struct {
		files       map[string]string
		processor   string
		want        string
		hypervisors object
	}{
		"hardware":              {want: "physical", hypervisors: object{}},
		"KVM by processor":      {processor: "KVMKVMKVM\x00\x00\x00", want: "kvm", hypervisors: object{"kvm": object{}}},
		"VMware":                {files: map[string]string{dmiDir + "product_name": "VMware Virtual Platform", dmiDir + "sys_vendor": "VMware, Inc."}, processor: "VMwareVMware", want: "vmware", hypervisors: object{"vmware": object{}}},
		"VirtualBox behind KVM": {files: map[string]string{dmiDir + "product_name": "VirtualBox", "sys/firmware/dmi/entries/11-0/raw": "\x0b\x05\x00vboxVer_7.0.6\x00vboxRev_155176\x00"}, processor: "KVMKVMKVM", want: "virtualbox", hypervisors: object{"virtualbox": object{"version": "7.0.6", "revision": "155176"}}},
		"KVM as Hyper-V":        {files: map[string]string{dmiDir + "sys_vendor": "QEMU"}, processor: "Microsoft Hv", want: "kvm", hypervisors: object{"kvm": object{}}},
		"OpenStack":             {files: map[string]string{dmiDir + "product_name": "OpenStack Nova", dmiDir + "sys_vendor": "OpenStack Foundation"}, want: "kvm", hypervisors: object{"kvm": object{"openstack": true}}},
		"docker, cgroup v1":     {files: map[string]string{"proc/1/cgroup": "12:pids:/docker/" + id + "\n"}, processor: "KVMKVMKVM", want: "docker", hypervisors: object{"docker": object{"id": id}, "kvm": object{}}},
		"docker by systemd":     {files: map[string]string{"proc/1/cgroup": "1:name=systemd:/system.slice/docker-" + id + ".scope\n"}, want: "docker", hypervisors: object{"docker": object{"id": id}}},
		"docker, cgroup v2":     {files: map[string]string{"proc/1/cgroup": "0::/\n", "proc/1/mountinfo": "700 690 254:1 /var/lib/docker/containers/" + id + "/hosts /etc/hosts rw - ext4 /dev/vda1 rw\n"}, want: "docker", hypervisors: object{"docker": object{"id": id}}},
		"a host of docker":      {files: map[string]string{"proc/1/cgroup": "0::/init.scope\n", "proc/1/mountinfo": "700 690 0:50 / /var/lib/docker/containers/" + id + "/mounts/shm rw - tmpfs shm rw\n"}, want: "physical", hypervisors: object{}},
		"an image of docker":    {files: map[string]string{".dockerenv": "", "proc/1/cgroup": "0::/\n"}, want: "physical", hypervisors: object{}},
		"lxc":                   {files: map[string]string{"proc/1/cgroup": "2:cpu:/lxc/web1/init.scope\n"}, want: "lxc", hypervisors: object{"lxc": object{"name": "web1"}}},
		"lxc 4":                 {files: map[string]string{"proc/1/cgroup": "0::/lxc.payload.web1/init.scope\n"}, want: "lxc", hypervisors: object{"lxc": object{"name": "web1"}}},
		"lxc by environment":    {files: map[string]string{"proc/1/cgroup": "0::/\n", "proc/1/environ": "container=lxc\x00TERM=linux\x00"}, want: "lxc", hypervisors: object{"lxc": object{}}},
		"nspawn":                {files: map[string]string{"proc/1/environ": "A=b\x00container=systemd-nspawn\x00", "etc/machine-id": "abc\n"}, want: "systemd_nspawn", hypervisors: object{"systemd_nspawn": object{"id": "abc"}}},
		"podman":                {files: map[string]string{"run/.containerenv": ""}, want: "podman", hypervisors: object{"podman": object{}}},
		"Xen, host":             {files: map[string]string{"proc/xen/capabilities": "control_d\n"}, want: "xen0", hypervisors: object{"xen": object{"context": "pv", "privileged": true}}},
		"Xen, guest":            {files: map[string]string{"proc/xen/capabilities": "", "sys/hypervisor/type": "xen\n"}, want: "xenu", hypervisors: object{"xen": object{"context": "pv", "privileged": false}}},
		"Xen, hvm":              {files: map[string]string{dmiDir + "product_name": "HVM domU"}, processor: "XenVMMXenVMM", want: "xenhvm", hypervisors: object{"xen": object{"context": "hvm", "privileged": false}}},
		"OpenVZ, container":     {files: map[string]string{"proc/vz/veinfo": "", "proc/self/status": "Name:\tcat\nenvID:\t101\n"}, want: "openvzve", hypervisors: object{"openvz": object{"id": int64(101), "host": false}}},
		"OpenVZ, host":          {files: map[string]string{"proc/vz/veinfo": "", "proc/self/status": "envID:\t0\n"}, want: "openvzhn", hypervisors: object{"openvz": object{"id": int64(0), "host": true}}},
	} {
		t.Run(name, func(t *testing.T) {
			m := rooted(t, test.files, kernelAnswers{Hypervisor: test.processor})
			got := m.virtualization()
			if diff := cmp.Diff(virtualization{test.want, test.hypervisors}, got, cmp.AllowUnexported(virtualization{})); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// TestDistributions takes what the makers of distributions write in their files, and what facter 4 makes of it.
func TestDistributions(t *testing.T) {
	for name, test := range map[string]struct {
		files                         map[string]string
		name, family, full, major, id string
		minor                         any
	}{
		"Debian testing": {
			map[string]string{"etc/os-release": "PRETTY_NAME=\"Debian GNU/Linux trixie/sid\"\nNAME=\"Debian GNU/Linux\"\nID=debian\n", "etc/debian_version": "trixie/sid\n"},
			"Debian", "Debian", "trixie/sid", "trixie/sid", "Debian", nil,
		},
		"Ubuntu": {
			map[string]string{"etc/os-release": "NAME=\"Ubuntu\"\nID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"22.04\"\n", "etc/debian_version": "bookworm/sid\n"},
			"Ubuntu", "Debian", "22.04", "22.04", "Ubuntu", nil,
		},
		"CentOS 7": {
			map[string]string{"etc/os-release": "NAME=\"CentOS Linux\"\nID=\"centos\"\nID_LIKE=\"rhel fedora\"\nVERSION_ID=\"7\"\n", "etc/redhat-release": "CentOS Linux release 7.9.2009 (Core)\n"},
			"CentOS", "RedHat", "7.9.2009", "7", "CentOS", "9",
		},
		"RHEL 9": {
			map[string]string{"etc/os-release": "NAME=\"Red Hat Enterprise Linux\"\nID=\"rhel\"\nID_LIKE=\"fedora\"\nVERSION_ID=\"9.4\"\n", "etc/redhat-release": "Red Hat Enterprise Linux release 9.4 (Plow)\n"},
			"RedHat", "RedHat", "9.4", "9", "RedHatEnterprise", "4",
		},
		"Rocky 8": {
			map[string]string{"etc/os-release": "NAME=\"Rocky Linux\"\nID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"8.9\"\n", "etc/redhat-release": "Rocky Linux release 8.9 (Green Obsidian)\n"},
			"Rocky", "RedHat", "8.9", "8", "Rocky", "9",
		},
		"Oracle": {
			map[string]string{"etc/os-release": "NAME=\"Oracle Linux Server\"\nID=\"ol\"\nID_LIKE=\"fedora\"\nVERSION_ID=\"8.8\"\n"},
			"OracleLinux", "RedHat", "8.8", "8", "Ol", "8",
		},
		"SLES": {
			map[string]string{"etc/os-release": "NAME=\"SLES\"\nID=\"sles\"\nID_LIKE=\"suse\"\nVERSION_ID=\"15.5\"\n"},
			"SLES", "Suse", "15.5", "15", "SUSE", "5",
		},
		"Alpine": {
			map[string]string{"usr/lib/os-release": "NAME=\"Alpine Linux\"\nID=alpine\nVERSION_ID=3.19.1\n", "etc/alpine-release": "3.19.1\n"},
			"Alpine", "Alpine", "3.19.1", "3", "Alpine", "19",
		},
		"Arch": {
			map[string]string{"etc/os-release": "NAME=\"Arch Linux\"\nID=arch\n"},
			"Archlinux", "Archlinux", "", "", "Arch", nil,
		},
		"nothing at all": {map[string]string{}, "", "", "", "", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := rooted(t, test.files, kernelAnswers{Hardware: "x86_64"}).os()
			if err != nil {
				t.Fatal(err)
			}
			os := got["os"].(object)
			at := func(path ...string) any {
				var value any = os
				for _, key := range path {
					value = value.(object)[key]
					if value == nil {
						return ""
					}
				}
				return value
			}
			minor := test.minor
			if minor == nil {
				minor = ""
			}
			want := fmt.Sprint(test.name, test.family, test.full, test.major, minor, test.id)
			have := fmt.Sprint(at("name"), at("family"), at("release", "full"), at("release", "major"), at("release", "minor"), at("distro", "id"))
			if have != want {
				t.Errorf("got %s, want %s", pretty(t, os), want)
			}
		})
	}
}
