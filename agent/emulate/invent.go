package emulate

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"

	"github.com/fettle-dev/fettle/plugins"
)

// updatable are packages of which an emulated machine may have an old version.
const updatable = "bash curl openssl libc6 linux-image nginx openssh-server perl python3 sudo systemd tzdata vim zlib1g"

// invent makes up what an action gives on this machine: the same for the same seed, node, action and inputs, and only outputs that the action
// declares. An action of which it knows nothing gives nothing.
func (m *machine) invent(action plugins.Action, inputs map[string]any) (message string, data map[string]any) {
	h := fnv.New64a()
	h.Write([]byte(action.Name))
	fmt.Fprint(h, inputs["name"])
	r := rand.New(rand.NewPCG(m.seed^h.Sum64(), uint64(m.number)))
	plugin, verb, _ := strings.Cut(action.Name, ".")
	name, _ := inputs["name"].(string)
	switch {
	case action.Name == "package.checkupdates":
		message, data = m.updates(r)
	case plugin == "package":
		message, data = m.aPackage(r, verb, name)
	case plugin == "service":
		message, data = aService(r, verb, name)
	case plugin == "shell":
		message, data = "emulated", map[string]any{"exitcode": int64(0), "stdout": "emulated\n"}
	default:
		message = "OK"
	}
	for key := range data {
		if _, declared := action.Output(key); !declared {
			delete(data, key)
		}
	}
	return message, data
}

// manager is what keeps packages on this machine, which its facts decide.
func (m *machine) manager() string {
	facts := map[string]any{}
	r := rand.New(rand.NewPCG(m.seed, uint64(m.number)))
	m.business(r, facts)
	m.system(r, facts)
	if system, is := facts["os"].(map[string]any); is && system["family"] == "Debian" {
		return "apt"
	}
	return "dnf"
}

func (m *machine) updates(r *rand.Rand) (string, map[string]any) {
	names := strings.Fields(updatable)
	r.Shuffle(len(names), func(i, k int) { names[i], names[k] = names[k], names[i] })
	n := r.IntN(len(names))
	if r.IntN(3) == 0 { // kept up to date
		n = 0
	}
	list, security := make([]any, n), 0
	for i, name := range names[:n] {
		origin := "stable"
		if r.IntN(4) == 0 {
			origin = "security"
			security++
		}
		list[i] = map[string]any{"name": name, "installed": fmt.Sprintf("1.%d-1", i), "available": fmt.Sprintf("1.%d-2", i), "origin": origin}
	}
	return fmt.Sprintf("%d updates", n), map[string]any{"count": int64(n), "security": int64(security), "updates": list, "manager": m.manager()}
}

func (m *machine) aPackage(r *rand.Rand, verb, name string) (string, map[string]any) {
	before, version := "3.0.15-1", "3.0.17-1"
	if r.IntN(10) == 0 {
		before = version
	}
	data := map[string]any{"changed": before != version, "before": before, "version": version, "installed": true, "manager": m.manager()}
	switch {
	case verb == "status":
		data["version"] = before
		return name + " " + before, data
	case verb == "refresh":
		return "OK", data
	case verb == "remove" || verb == "purge":
		data["version"], data["changed"] = "", true
		return name + " is removed", data
	case before == version:
		return fmt.Sprintf("%s %s is installed already", name, version), data
	}
	data["changes"] = []any{fmt.Sprintf("%s %s -> %s", name, before, version)}
	return fmt.Sprintf("%s %s -> %s", name, before, version), data
}

func aService(r *rand.Rand, verb, name string) (string, map[string]any) {
	state, enabled := "running", "enabled"
	switch {
	case verb == "stop":
		state = "stopped"
	case verb == "disable":
		enabled = "disabled"
	case verb == "status" && r.IntN(25) == 0:
		state = "stopped"
	}
	data := map[string]any{"state": state, "enabled": enabled, "manager": "systemd", "changed": true, "before": "running"}
	return fmt.Sprintf("%s is %s", name, state), data
}
