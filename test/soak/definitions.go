//go:build unix

package main

import (
	"fmt"
	"strings"
	"time"
)

// definition is a check of the soak, and what is known of it.
type definition struct {
	name      string
	asks      string // the lines of its YAML that are its own
	filter    string // CEL; empty: the nodes that offer the command, which all do
	attempts  int    // zero: 1
	unknown   bool   // where the filter is undefined, the node counts as unknown
	shadowed  bool   // it depends on another
	unwatched bool   // what it gives is not on the emulator's record
}

// kindsOfChecks has one of each kind; more checks than these are the same under other names.
func kindsOfChecks() []definition {
	return []definition{
		{name: "load", asks: "nrpe: check_load"},
		{name: "disk", asks: "nrpe: check_disk", filter: `facts.environment == "production"`},
		{name: "memory", asks: "nrpe: check_mem", filter: `facts.os.family == "Debian" && facts.processors.count >= 4`},
		{name: "processes", asks: "nrpe: check_procs", attempts: 3},
		{name: "second-disk", asks: "nrpe: check_disk", filter: `facts.disks.sdb.size_bytes > 0`, unknown: true},
		{name: "backup", asks: "command: /usr/lib/nagios/plugins/check_file_age -f /var/backups/last", filter: `"role::db_mysql" in classes || facts.site.tier <= 2`},
		{name: "web", asks: "nrpe: check_http\n  depends_on: [load]", filter: `facts.role.startsWith("web")`, shadowed: true},
		{name: "calm", asks: `expression: facts.load_averages["1m"] < 6.0`, filter: "true", unwatched: true},
		{
			name: "updates", asks: "action: package.checkupdates\n  verdict: {critical: data.security > 2, warning: data.count > 8, output: '{{data.count}} updates'}",
			filter: `facts.os.family != "Suse"`, unwatched: true,
		},
		{name: "swap", asks: "nrpe: check_swap", filter: "has(facts.memory.swap)"},
	}
}

// definitions gives n of them.
func definitions(n int) (list []definition) {
	kinds := kindsOfChecks()
	for i := range n {
		d := kinds[i%len(kinds)]
		if i >= len(kinds) {
			d.name = fmt.Sprintf("%s-%d", d.name, i/len(kinds)+1)
		}
		list = append(list, d)
	}
	return list
}

// yaml writes definitions as people do.
func yaml(list []definition, interval time.Duration) string {
	var b strings.Builder
	for _, d := range list {
		fmt.Fprintf(&b, "- name: %s\n  %s\n  interval: %s\n  timeout: 10s\n", d.name, d.asks, interval)
		if d.filter != "" {
			fmt.Fprintf(&b, "  filter: '%s'\n", d.filter)
		}
		if d.attempts > 1 {
			fmt.Fprintf(&b, "  attempts: %d\n  retry: %s\n", d.attempts, max(interval/2, time.Second))
		}
		if d.unknown {
			b.WriteString("  undefined: unknown\n")
		}
	}
	return b.String()
}

// where gives the filter with which the inventory is asked for its members.
func (d definition) where() string {
	if d.filter == "" {
		return "true"
	}
	return d.filter
}
