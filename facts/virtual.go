package facts

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// virtualization is what the machine runs in.
type virtualization struct {
	name        string // kvm, docker, physical
	hypervisors object // by name, each with what is known of it
}

// processorNames are the names that hypervisors give themselves in CPUID, by facter's names.
var processorNames = map[string]string{
	"KVMKVMKVM": "kvm", "Linux KVM Hv": "kvm", "VMwareVMware": "vmware", "Microsoft Hv": "hyperv", "XenVMMXenVMM": "xenhvm",
	"VBoxVBoxVBox": "virtualbox", "bhyve bhyve": "bhyve", "TCGTCGTCGTCG": "qemu", "prl hyperv": "parallels", "lrpepyh vr": "parallels",
	"OpenBSDVMM58": "vmm", "ACRNACRNACRN": "acrn", "QNXQVMBSQG": "qnx",
}

// productNames are parts of dmi.product.name that a hypervisor leaves there, by facter's names; the first that fits wins.
var productNames = []struct{ part, name string }{
	{"VMware", "vmware"},
	{"VirtualBox", "virtualbox"},
	{"Parallels", "parallels"},
	{"KVM", "kvm"},
	{"Virtual Machine", "hyperv"},
	{"RHEV Hypervisor", "rhev"},
	{"oVirt Node", "ovirt"},
	{"HVM domU", "xenhvm"},
	{"Bochs", "bochs"},
	{"OpenBSD", "vmm"},
	{"BHYVE", "bhyve"},
}

// physical are the values of virtual that are no guests.
var physical = []string{"physical", "xen0", "vmware_server", "vmware_workstation", "openvzhn", "vserver_host"}

// virtual gives virtual, is_virtual and hypervisors.
func (m *machine) virtual() (object, error) {
	v := m.virtualization()
	out := object{"virtual": v.name, "is_virtual": !slices.Contains(physical, v.name)}
	set(out, "hypervisors", v.hypervisors)
	return out, nil
}

func (m *machine) virtualization() virtualization { return m.virtOnce.get(m.readVirtualization) }

// readVirtualization asks what lies nearest first: a container, then the firmware and the processor. What the processor says comes after the
// product's name, because VirtualBox and KVM wear each other's names there for the sake of guests.
func (m *machine) readVirtualization() virtualization {
	d := m.dmi()
	product, processor := productHypervisor(d.productName), processorNames[strings.Trim(m.sys.hypervisor(), "\x00 ")]
	v := virtualization{hypervisors: object{}}
	containerName, container := m.container()
	openvz, openvzFacts := m.openvz()
	xen := m.xen(product, processor)
	guest := either(product, processor)
	if processor == "hyperv" && d.vendor == "QEMU" { // KVM that shows Windows what it knows
		guest = "kvm"
	}
	switch {
	case containerName != "":
		v.name = containerName
	case strings.Contains(d.biosVendor, "Google"):
		v.name = "gce"
	case openvz != "":
		v.name = openvz
	case xen != "":
		v.name = xen
	case guest != "":
		v.name = guest
	case strings.Contains(d.biosVendor, "Amazon EC2"), d.vendor == "QEMU", strings.Contains(d.productName, "OpenStack"):
		v.name = "kvm"
	default:
		v.name = "physical"
	}
	if containerName != "" {
		v.hypervisors[containerName] = container
	}
	if openvz != "" {
		v.hypervisors["openvz"] = openvzFacts
	}
	if xen != "" {
		v.hypervisors["xen"] = m.xenFacts(xen)
	}
	m.guestFacts(v.hypervisors, either(guest, v.name))
	return v
}

func productHypervisor(product string) string {
	for _, p := range productNames {
		if strings.Contains(product, p.part) {
			return p.name
		}
	}
	return ""
}

// guestFacts adds the hypervisors that are no containers.
func (m *machine) guestFacts(out object, guest string) {
	d := m.dmi()
	switch {
	case guest == "virtualbox":
		out["virtualbox"] = m.virtualBox()
	case guest == "vmware" || strings.HasPrefix(d.vendor, "VMware"):
		out["vmware"] = object{}
	case guest == "hyperv" || strings.Contains(d.vendor, "Microsoft"):
		out["hyperv"] = object{}
	case guest == "kvm" || guest == "gce":
		kvm := object{}
		switch {
		case d.vendor == "Google":
			kvm["google"] = true
		case strings.HasPrefix(d.vendor, "OpenStack"):
			kvm["openstack"] = true
		case strings.HasPrefix(d.vendor, "Amazon"):
			kvm["amazon"] = true
		}
		out["kvm"] = kvm
	}
}

var vbox = regexp.MustCompile(`vbox(Ver|Rev)_([0-9A-Za-z.]+)`)

// virtualBox reads the strings that VirtualBox leaves in the firmware, for root.
func (m *machine) virtualBox() object {
	out := object{}
	for _, found := range vbox.FindAllStringSubmatch(m.read("/sys/firmware/dmi/entries/11-0/raw"), 2) {
		out[map[string]string{"Ver": "version", "Rev": "revision"}[found[1]]] = found[2]
	}
	return out
}

// xen gives xen0 for the machine that holds the guests, xenhvm and xenu for guests; empty: no Xen.
func (m *machine) xen(product, processor string) string {
	switch {
	case m.line("/proc/xen/capabilities") == "control_d":
		return "xen0"
	case product == "xenhvm" || processor == "xenhvm":
		return "xenhvm"
	case m.line("/sys/hypervisor/type") == "xen" || m.exists("/proc/xen"):
		return "xenu"
	}
	return ""
}

func (m *machine) xenFacts(xen string) object {
	context := "pv"
	if xen == "xenhvm" {
		context = "hvm"
	}
	return object{"context": context, "privileged": xen == "xen0"}
}

// openvz gives openvzhn for the machine that holds the containers, openvzve for a container; empty: no OpenVZ.
func (m *machine) openvz() (string, object) {
	if len(m.names("/proc/vz")) == 0 || m.exists("/proc/lve/list") {
		return "", nil
	}
	id, err := strconv.ParseInt(pairs(m.read("/proc/self/status"), ":")["envID"], 10, 64)
	switch {
	case err != nil:
		return "", nil
	case id == 0:
		return "openvzhn", object{"id": id, "host": true}
	}
	return "openvzve", object{"id": id, "host": false}
}

// Traces of containers. An id is at least as long as docker prints it.
var (
	dockerGroup  = regexp.MustCompile(`docker[/-]([0-9a-f]{12,64})`)
	lxcGroup     = regexp.MustCompile(`(?m)(?:^|:)/lxc(?:\.payload)?[./]([^/\n]+)`)
	containerDir = regexp.MustCompile(`/(docker|overlay)[^ ]*[/-]containers/([0-9a-f]{12,64})/`)
)

// container tells whether the first process runs in a container, by control group, environment and by what is mounted over /etc/hosts.
// A file /.dockerenv alone proves nothing: images of machines are made of images of containers.
func (m *machine) container() (string, object) {
	groups, env := m.read("/proc/1/cgroup"), "\x00"+m.read("/proc/1/environ")
	if found := dockerGroup.FindStringSubmatch(groups); found != nil {
		return "docker", object{"id": found[1]}
	}
	if found := lxcGroup.FindStringSubmatch(groups); found != nil {
		return "lxc", object{"name": found[1]}
	}
	switch {
	case strings.Contains(env, "\x00container=lxc"):
		return "lxc", object{}
	case strings.Contains(env, "\x00container=systemd-nspawn"):
		out := object{}
		set(out, "id", m.line("/etc/machine-id"))
		return "systemd_nspawn", out
	case strings.Contains(env, "\x00container=podman"), m.exists("/run/.containerenv"):
		return "podman", object{}
	}
	if found := mountedOver(m.read("/proc/1/mountinfo")); found != "" {
		return "docker", object{"id": found}
	}
	return "", nil
}

// mountedOver gives the id of the docker container whose files are mounted over /etc/hosts or /etc/hostname, by proc_pid_mountinfo(5).
func mountedOver(mountinfo string) string {
	const root, point = 3, 4
	for line := range strings.Lines(mountinfo) {
		fields := strings.Fields(line)
		if len(fields) <= point || fields[point] != "/etc/hosts" && fields[point] != "/etc/hostname" {
			continue
		}
		if found := containerDir.FindStringSubmatch(fields[root]); found != nil {
			return found[2]
		}
	}
	return ""
}

// cloudProvider names the cloud whose metadata service may be asked, by DMI alone; empty: none.
func (m *machine) cloudProvider() string {
	// The asset tag that Azure gives every guest, and that no other Hyper-V has.
	const azureTag = "7783-7084-3265-9085-8269-3286-77"
	d := m.dmi()
	switch {
	case strings.Contains(d.biosVendor, "Amazon"), strings.HasPrefix(d.vendor, "Amazon"), strings.HasSuffix(strings.ToLower(d.biosVersion), ".amazon"):
		return "aws"
	case strings.Contains(d.biosVendor, "Google"), d.vendor == "Google":
		return "gce"
	case d.chassisTag == azureTag:
		return "azure"
	}
	return ""
}
