package facts

import (
	"encoding/json"
	"strconv"
	"strings"
)

// puppet gives fettle.puppet, from Puppet's own files; nothing where Puppet has never kept state:
//
//	enabled   whether an administrator lets the agent run
//	message   why not, in the words of who disabled it
//	applying  whether it is applying a catalog now
//	last_run  when it last ended doing so, in seconds since 1970
func (m *machine) puppet() object {
	for _, dir := range m.puppetDirs {
		if !m.isDir(dir + "/state") {
			continue
		}
		out := object{"enabled": true, "applying": m.applying(dir)}
		if disabled := dir + "/state/agent_disabled.lock"; m.exists(disabled) {
			out["enabled"] = false
			set(out, "message", disabledMessage(m.raw(disabled)))
		}
		for _, file := range []string{dir + "/../public/", dir + "/public/", dir + "/state/"} { // Puppet 7 and 8, Debian's, those before
			if ran := lastRun(m.raw(file + "last_run_summary.yaml")); ran > 0 {
				out["last_run"] = ran
				break
			}
		}
		return out
	}
	return nil
}

// applying tells whether the process that holds the lock lives, and is Puppet's: one that was killed leaves the lock behind.
func (m *machine) applying(dir string) bool {
	pid, err := strconv.Atoi(m.line(dir + "/state/agent_catalog_run.lock"))
	return err == nil && pid > 0 && m.sys.alive(pid, "puppet")
}

// disabledMessage reads {"disabled_message":"why"}; Puppet before 3 left the file empty.
func disabledMessage(raw []byte) string {
	var lock struct {
		Message string `json:"disabled_message"`
	}
	if err := json.Unmarshal(raw, &lock); err != nil {
		return ""
	}
	return clip(strings.TrimSpace(lock.Message))
}

// lastRun reads time.last_run of last_run_summary.yaml; zero: it is not there.
func lastRun(raw []byte) int64 {
	summary, err := parseYAML(raw)
	if err != nil {
		return 0
	}
	times, _ := summary["time"].(object)
	ran, _ := times["last_run"].(int64)
	return ran
}
