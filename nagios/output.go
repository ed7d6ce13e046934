package nagios

import (
	"bytes"
	"strings"
	"unicode/utf8"

	fettle "github.com/fettle-dev/fettle"
)

// Bounds of what is kept of a plugin's output, in bytes. NRPE itself keeps 64 KiB.
const (
	MaxOutput = 64 << 10
	MaxLine   = 4 << 10
	MaxLong   = 32 << 10
)

// ParseOutput reads what a plugin printed, as Parse does, and leaves out what was wrong with its perfdata.
func ParseOutput(stdout []byte, exit int) fettle.CheckOutput {
	out, _ := Parse(stdout, exit)
	return out
}

// Parse reads what a plugin printed, by the plugin guidelines: a line of text, '|', perfdata; then lines of long text; from the next '|' on
// everything is perfdata again. It never fails: bytes that are not UTF-8 and control characters are replaced, what is beyond the bounds is
// cut, an exit code out of range is UNKNOWN. Perfdata that breaks the guidelines is kept out and given in bad, each with the reason.
// Source: Nagios plugin development guidelines, "Plugin Output for Nagios".
func Parse(stdout []byte, exit int) (out fettle.CheckOutput, bad []string) {
	out.Code = fettle.CheckCode(exit)
	if out.Code < fettle.CodeOK || out.Code > fettle.CodeUnknown {
		out.Code = fettle.CodeUnknown
	}
	first, rest, _ := strings.Cut(strings.TrimLeft(mend(stdout), "\n \t"), "\n")
	line, perf, _ := strings.Cut(first, "|")
	long, more, _ := strings.Cut(rest, "|")
	out.Line = cut(strings.TrimSpace(line), MaxLine)
	out.Long = cut(trimLines(long), MaxLong)
	out.Perfdata, bad = ParsePerfdata(perf + " " + more)
	return out, bad
}

// mend gives at most MaxOutput bytes of b as text: UTF-8, lines ended by \n alone, no control characters but \n and \t. A terminal and a page
// may show it as it is.
func mend(b []byte) string {
	b = b[:min(len(b), MaxOutput)]
	b = bytes.TrimRight(b, "\x00")
	text := strings.ReplaceAll(string(b), "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || r >= ' ' && r != 0x7f && (r < 0x80 || r > 0x9f) {
			return r // an invalid byte comes as utf8.RuneError, and is kept as that
		}
		return utf8.RuneError
	}, text)
}

// trimLines drops blanks at the ends of s's lines, and empty lines at its ends.
func trimLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " \t")
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}

// cut gives at most limit bytes of s, ending in "…" where something was left out, and never half a character.
func cut(s string, limit int) string {
	const mark = "…"
	if len(s) <= limit {
		return s
	}
	end := max(limit-len(mark), 0)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + mark
}

// FormatOutput writes out as a plugin prints it, so that Parse reads the same, without a newline at its end.
func FormatOutput(out fettle.CheckOutput) string {
	text := out.Line
	if len(out.Perfdata) > 0 {
		text += "|" + FormatPerfdata(out.Perfdata)
	}
	if out.Long != "" {
		text += "\n" + out.Long
	}
	return text
}
