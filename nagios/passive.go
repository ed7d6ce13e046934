package nagios

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	fettle "github.com/fettle-dev/fettle"
)

// Passive is a result that Nagios is told without having asked. Its zero value is of no host, and useless.
type Passive struct {
	Host    string
	Service string           // empty: it is the host's own result
	Code    fettle.CheckCode // of a host 0 is up, 1 down and 2 unreachable
	Text    string           // as a plugin prints it: a line, perfdata, long output
	At      time.Time
}

// MaxCommand is how long a command to Nagios' command file may be, its newline included: what is written at once into a pipe, so that commands of
// others do not come between (PIPE_BUF on Linux).
const MaxCommand = 4096

// illegalNames are the characters that Nagios refuses in names of hosts and services, and the one that separates fields of a command.
const illegalNames = "`~!$%^&*|'\"<>?,()=;"

// ObjectName makes a name that Nagios takes of any text: characters that it refuses become '_', and blanks at the ends go. Where nothing is left, the
// name is "_".
func ObjectName(text string) string {
	name := strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError || strings.ContainsRune(illegalNames, r) {
			return '_'
		}
		return r
	}, text))
	if name = cut(name, maxObjectName); name == "" {
		return "_"
	}
	return name
}

// maxObjectName bounds the name of a host or service, in bytes.
const maxObjectName = 255

// Command writes p for Nagios' command file, with its newline. Newlines and backslashes of the text are escaped; what would make it longer than
// MaxCommand is left out.
//
// Source: Nagios' external commands, PROCESS_SERVICE_CHECK_RESULT and PROCESS_HOST_CHECK_RESULT.
func (p Passive) Command() string {
	head := fmt.Sprintf("[%d] PROCESS_SERVICE_CHECK_RESULT;%s;%s;%d;", p.At.Unix(), p.Host, p.Service, p.Code)
	if p.Service == "" {
		head = fmt.Sprintf("[%d] PROCESS_HOST_CHECK_RESULT;%s;%d;", p.At.Unix(), p.Host, p.Code)
	}
	return head + escape(p.Text, MaxCommand-len(head)-1) + "\n"
}

// escape gives at most limit bytes of text as one line.
func escape(text string, limit int) string {
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(text, "�") {
		one := string(r)
		switch {
		case r == '\n':
			one = `\n`
		case r == '\\':
			one = `\\`
		case r < ' ' && r != '\t' || r == 0x7f:
			one = " "
		}
		if b.Len()+len(one) > limit {
			break
		}
		b.WriteString(one)
	}
	return b.String()
}
