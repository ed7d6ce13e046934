package nagios

import (
	"fmt"
	"strings"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// What NRPE takes when its configuration is silent.
const (
	DefaultNasty   = "|`&><'\\[]{};\r\n" // characters that no request may contain
	DefaultTimeout = 60 * time.Second
	MaxArguments   = 16 // $ARG1$ to $ARG16$; further ones are dropped
)

// NRPE is the configuration of an NRPE daemon, as far as it decides what a command runs. The zero value defines no command.
type NRPE struct {
	Commands     map[string]string // name to the text behind command[name]=, without the prefix
	Prefix       string            // command_prefix: goes in front of every command
	Arguments    bool              // dont_blame_nrpe=1: a request may carry arguments
	Substitution bool              // allow_bash_command_substitution=1: an argument may contain "$("
	Nasty        string            // nasty_metachars
	Timeout      time.Duration     // command_timeout
	User, Group  string            // nrpe_user and nrpe_group: name or number; empty: not said
	KeepEnv      []string          // keep_env_vars: the beginnings of names of variables that a command sees
	Files        []string          // all files and folders that were read or looked for, to notice a change
}

// Request takes apart what NRPE is asked for, a command and its arguments: "name!one!two".
//
// ErrDenied: it has arguments, and the node does not allow any. ErrInvalid: it names no command, or has characters that NRPE refuses. Whether
// there is such a command is not looked at.
func (n *NRPE) Request(request string) (name string, args []string, err error) {
	if i := strings.IndexAny(request, n.Nasty+"\x00"); i >= 0 {
		return "", nil, fmt.Errorf("command %q: the character %q may not be in a request: %w", cut(request, 80), request[i], fettle.ErrInvalid)
	}
	words := strings.FieldsFunc(request, func(r rune) bool { return r == '!' }) // as strtok: empty arguments close up
	if len(words) == 0 {
		return "", nil, fmt.Errorf("no command: %w", fettle.ErrInvalid)
	}
	name, args = words[0], words[1:]
	if strings.Contains(request, "!") && !n.Arguments {
		return "", nil, fmt.Errorf("command %q: arguments are not allowed here (dont_blame_nrpe is not 1): %w", name, fettle.ErrDenied)
	}
	for _, v := range args {
		if strings.Contains(v, "$(") && !n.Substitution {
			return "", nil, fmt.Errorf("command %q: %q may not be in an argument: %w", name, "$(", fettle.ErrInvalid)
		}
	}
	return name, args, nil
}

// Shell gives the line that NRPE would hand to /bin/sh -c for a request. As with check_nrpe, command may carry arguments itself: "name!one!two".
//
// ErrNotFound: the command is not defined; otherwise the errors of Request. What NRPE does to dollars is done here too: $ARGn$ becomes the
// argument or nothing, $$ one dollar, any other $name$ stays.
func (n *NRPE) Shell(command string, args []string) (string, error) {
	name, values, err := n.Request(strings.Join(append([]string{command}, args...), "!"))
	if err != nil {
		return "", err
	}
	text, ok := n.Commands[name]
	if !ok {
		return "", fmt.Errorf("NRPE: Command '%s' not defined: %w", name, fettle.ErrNotFound)
	}
	if n.Prefix != "" {
		text = n.Prefix + " " + text
	}
	return expand(text, values), nil
}

// expand replaces the macros of text. The text between two dollars is a macro, from the left; a last one without its end counts as ended.
func expand(text string, args []string) string {
	var b strings.Builder
	for i, part := range strings.Split(text, "$") {
		switch {
		case i%2 == 0:
			b.WriteString(part)
		case strings.HasPrefix(part, "ARG"):
			if k := leadingInt(part[len("ARG"):]); 1 <= k && k <= min(len(args), MaxArguments) {
				b.WriteString(args[k-1])
			}
		case part == "":
			b.WriteByte('$')
		default:
			b.WriteString("$" + part + "$")
		}
	}
	return b.String()
}

// leadingInt gives the number with which s begins, and 0 for none, as C's atoi does. Only small ones matter.
func leadingInt(s string) int {
	n := 0
	for i := 0; i < len(s) && '0' <= s[i] && s[i] <= '9' && n < 1<<20; i++ {
		n = 10*n + int(s[i]-'0')
	}
	return n
}
