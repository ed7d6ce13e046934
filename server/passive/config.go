package passive

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/nagios"
	"github.com/fettle-dev/fettle/server"
)

// The kinds of targets.
const (
	KindCommandFile = "command-file"
	KindNSCA        = "nsca"
	KindIcinga2     = "icinga2"
)

// Target is one Nagios or Icinga that is told.
type Target struct {
	Name string `yaml:"name" help:"what it is called in metrics and in the log; needed"`
	Kind string `yaml:"kind" help:"command-file, nsca or icinga2; needed"`

	File       string `yaml:"file" help:"of command-file: Nagios' external command file, such as /var/lib/nagios4/rw/nagios.cmd"`
	Address    string `yaml:"address" help:"of nsca: host:port of the daemon; its usual port is 5667"`
	Encryption string `yaml:"encryption" help:"of nsca: none, xor, des, 3des or rijndael-128, as decryption_method of nsca.cfg has it (0, 1, 2, 3, 14)"`
	URL        string `yaml:"url" help:"of icinga2: where its API is, such as https://icinga.acme.net:5665"`
	User       string `yaml:"user" help:"of icinga2: an ApiUser that may do actions/process-check-result"`
	Password   string `yaml:"password" secret:"true" help:"of nsca and icinga2"`
	CA         string `yaml:"ca" help:"of icinga2: file in PEM with the authority of its certificate; empty: the system's"`

	Verdicts    []string      `yaml:"verdicts" help:"names of checks and groups whose verdicts are told, or patterns such as disk*; default: all, unless nodes is there"`
	VerdictHost string        `yaml:"verdict-host" help:"host whose services the verdicts are; default: fleet"`
	By          string        `yaml:"by" help:"path of a fact, such as facts.customer: each verdict of a check is told for each of its values, too, as a service CHECK VALUE; a group with by of its own always is"`
	Nodes       fettle.Filter `yaml:"nodes" help:"filter: the states of these nodes are told one by one; empty: none"`
	Checks      []string      `yaml:"checks" help:"of nodes: names of checks, or patterns; default: all"`
	Hosts       bool          `yaml:"hosts" help:"of nodes: tell also whether the node is up: it is down when it is silent"`
	HostName    string        `yaml:"host-name" help:"template of the host's name of a node, over .Node, .Short (before the first dot) and .Check; default: {{.Node}}"`
	ServiceName string        `yaml:"service-name" help:"template of a service's name, likewise; default: {{.Check}}"`

	Interval     time.Duration `yaml:"interval" help:"how often everything is told again, for Nagios' freshness; default: 5m"`
	TextInterval time.Duration `yaml:"text-interval" help:"how often a new text of the same status is told at most; default: 30s"`
}

// What holds where a target is silent.
const (
	defaultInterval     = 5 * time.Minute
	defaultTextInterval = 30 * time.Second
	defaultVerdictHost  = "fleet"
	defaultEncryption   = "xor" // as nsca.cfg of Debian has it
	minInterval         = time.Second
)

// filled gives t with what it leaves open filled in.
func (t Target) filled() Target {
	set := func(s *string, to string) {
		if *s == "" {
			*s = to
		}
	}
	set(&t.VerdictHost, defaultVerdictHost)
	set(&t.HostName, "{{.Node}}")
	set(&t.ServiceName, "{{.Check}}")
	if t.Kind == KindNSCA {
		set(&t.Encryption, defaultEncryption)
	}
	if t.Interval == 0 {
		t.Interval = defaultInterval
	}
	if t.TextInterval == 0 {
		t.TextInterval = min(defaultTextInterval, t.Interval)
	}
	if len(t.Verdicts) == 0 && t.Nodes == "" {
		t.Verdicts = []string{"*"}
	}
	if len(t.Checks) == 0 {
		t.Checks = []string{"*"}
	}
	return t
}

// Validate reports every fault of targets, each by its key below at, such as passive[0].url.
func Validate(at string, targets []Target) error {
	var faults []error
	names := map[string]bool{}
	for i, t := range targets {
		bad := func(key, format string, args ...any) {
			faults = append(faults, &fettle.Fault{Key: fmt.Sprintf("%s[%d].%s", at, i, key), Reason: fmt.Sprintf(format, args...)})
		}
		if t.Name == "" || names[t.Name] {
			bad("name", "%q: a target needs a name of its own", t.Name)
		}
		names[t.Name] = true
		t.validate(bad)
	}
	return errors.Join(faults...)
}

func (t Target) validate(bad func(key, format string, args ...any)) {
	t.validateWay(bad)
	if t.Nodes != "" {
		if _, err := server.WrittenFilter(t.Nodes); err != nil {
			bad("nodes", "%v", err)
		}
	} else if t.Hosts || len(t.Checks) > 0 {
		bad("nodes", "hosts and checks are of nodes, and no filter says which: nodes: 'true' means all")
	}
	for key, patterns := range map[string][]string{"verdicts": t.Verdicts, "checks": t.Checks} {
		for _, p := range patterns {
			if _, err := path.Match(p, ""); err != nil {
				bad(key, "%q is no pattern such as disk*", p)
			}
		}
	}
	if t.By != "" {
		if _, err := fettle.ParsePath(t.By); err != nil {
			bad("by", "%v", err)
		}
	}
	filled := t.filled()
	if _, err := newNames(filled); err != nil {
		bad("host-name", "%v", err)
	}
	if filled.Interval < minInterval || filled.TextInterval < minInterval || filled.TextInterval > filled.Interval {
		bad("interval", "interval %s and text-interval %s: each is at least %s, and interval is the longer", filled.Interval, filled.TextInterval, minInterval)
	}
}

// validateWay looks at how the target is reached.
func (t Target) validateWay(bad func(key, format string, args ...any)) {
	own := map[string][]string{KindCommandFile: {"file"}, KindNSCA: {"address", "encryption", "password"}, KindIcinga2: {"url", "user", "password", "ca"}}
	keys, known := own[t.Kind]
	if !known {
		bad("kind", "%q is neither %s, %s nor %s", t.Kind, KindCommandFile, KindNSCA, KindIcinga2)
		return
	}
	for key, value := range map[string]string{"file": t.File, "address": t.Address, "encryption": t.Encryption, "url": t.URL, "user": t.User, "password": t.Password, "ca": t.CA} {
		if value != "" && !slices.Contains(keys, key) {
			bad(key, "it is of no use to %s", t.Kind)
		}
	}
	switch t.Kind {
	case KindCommandFile:
		if !path.IsAbs(t.File) {
			bad("file", "%q is no absolute path of a command file", t.File)
		}
	case KindNSCA:
		if host, _, err := net.SplitHostPort(t.Address); err != nil || host == "" {
			bad("address", "%q is no address such as nagios.acme.net:5667", t.Address)
		}
		method := t.filled().Encryption
		if !slices.Contains(nagios.NSCAMethods(), method) {
			bad("encryption", "%q is none of %s", method, strings.Join(nagios.NSCAMethods(), ", "))
		} else if method != "none" && t.Password == "" {
			bad("password", "encryption %s needs one", method)
		}
	case KindIcinga2:
		if u, err := url.Parse(t.URL); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
			bad("url", "%q is no address such as https://icinga.acme.net:5665, without an account", t.URL)
		}
		if t.User == "" || t.Password == "" {
			bad("user", "user and password of an ApiUser are needed")
		}
	}
}
