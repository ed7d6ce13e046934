package facts

import (
	"os"
	"testing"
)

// whole holds what a parser gave against what a document takes: either fits, or is refused, and neither may be what JSON cannot write.
func whole(t *testing.T, facts object) {
	t.Helper()
	doc := newDocument()
	doc.put("fuzz", lowerKeys(facts))
	pretty(t, doc.facts)
}

func FuzzText(f *testing.F) {
	for _, seed := range []string{"a=b\n", "a=\n=b\n#c\n\n", "\uFEFFa=b\r\n", "a=b=c", "\xff=\xfe"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		facts, _ := parseText(raw)
		whole(t, facts)
	})
}

func FuzzJSON(f *testing.F) {
	for _, seed := range []string{`{}`, `null`, `{"a":[1,null,{"b":null}],"c":1e400}`, `{"a":18446744073709551615,"b":-9223372036854775809}`, "\uFEFF{}", `{"a":"\ud800"}`, `[{`, `{} {}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		facts, err := parseJSON(raw)
		if err != nil && facts != nil {
			t.Error("facts and an error")
		}
		whole(t, facts)
	})
}

func FuzzYAML(f *testing.F) {
	for _, seed := range []string{
		"a: 1\n", "---\n...\n", "a: &x {b: c}\nd: *x\n", "a: &a [*a]\n", "<<: {a: 1}\nb: 2\n", "<<: [{a: 1}, {b: 2}]\n", "? a\n: b\n", "a: !!str 1\nb: !!binary aGk=\n",
		"a: |\n  x\n  y\n", "- a\n", "a: .nan\nb: .inf\n", "a: 0o17\nb: 0x1f\nc: 1_000\n", "a: b\n---\nc: d\n", "a: &a\nb: *a\n", "%YAML 1.2\n---\na: 1\n", bomb(5), "a: !x y\n", "&a a: b\n*a : c\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		facts, err := parseYAML(raw)
		if err != nil && facts != nil {
			t.Error("facts and an error")
		}
		whole(t, facts)
	})
}

func FuzzOutput(f *testing.F) {
	for _, seed := range []string{"a=b\n", "{\"a\":1}", "a: 1\n", "{a=b\n", "nonsense"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		facts, _ := parseOutput(raw)
		whole(t, facts)
	})
}

// FuzzNative gives any text to all that reads what a kernel or a distribution wrote: none may panic, and all must give facts that can be sent.
func FuzzNative(f *testing.F) {
	for _, path := range []string{"/proc/meminfo", "/proc/cpuinfo", "/proc/self/mounts", "/proc/net/route", "/proc/1/stat", "/etc/os-release", "/etc/hosts", "/proc/1/mountinfo"} {
		if raw, err := os.ReadFile(path); err == nil {
			f.Add(string(raw[:min(len(raw), 4096)]))
		}
	}
	for _, seed := range []string{
		"root=PARTUUID=1-2", "a\\040b /x\\999 nfs rw", "1 (a) b) S " + "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22", "0-3,8", "0-99999999999", "9.04", "1 2", "E:A=b\\x20c",
		"lease {\n interface \"eth0\";\n}\n", "ssh-ed25519 AAAA x", "12:pids:/docker/0123456789abcdef\n", "release (", "processor : 0\ncpu MHz : 99999999999999999999\n", "NaN 1 2", "1e999 0 0",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		out := object{
			"load": parseLoad(text), "filesystems": parseFilesystems(text), "release": versionOf(text), "name": distroName(text), "family": distroFamily("", text),
			"hosts": parseHosts(text, "a"), "domain": parseDomain(text), "route": parseDefaultRoute(text), "lease": leaseOf(text, "eth0"),
			"ssh": sshKey(text, "ssh-ed25519", 4), "label": unhex(text), "mounted": mountedOver(text), "message": disabledMessage([]byte(text)),
			"cpus": int64(countCPUs(text)), "sectors": count(sectors(text)), "last": lastRun([]byte(text)),
		}
		kernelFacts(out, text)
		for key, value := range parseOSRelease(text) {
			out["os-release "+key] = value
		}
		for _, mount := range parseMounts(text) {
			out["mount "+mount.path] = list(mount.options)
		}
		if sizes := parseMeminfo(text); sizes["MemTotal"] > 0 {
			out["memory"] = memoryFacts(sizes["MemTotal"], sizes["MemAvailable"])
		}
		info := parseCPUInfo(text)
		out["speed"], out["models"] = humanHertz(info.hertz), list(info.models)
		if began, ok := startOf(text); ok {
			out["began"] = uptimeFacts(began)
		}
		if classes, err := parseClasses([]byte(text)); err == nil {
			out["classes"] = list(classes)
		}
		for key, value := range out {
			if s, ok := value.(string); ok {
				out[key] = clip(s)
			}
		}
		pretty(t, out)
	})
}
