//go:build integration

package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/fettle-dev/fettle/agent/emulate"
)

// transcriptPage is the page whose console blocks are what the program prints, of a fleet that is made from a seed.
const transcriptPage = "../../docs/runs.md"

// emulated has a fleet of a thousand nodes connect to f, and returns when all are there.
func emulated(t *testing.T, f *fleet, change func(*emulate.Config)) {
	t.Helper()
	cfg := emulate.Default()
	cfg.Agent.Servers = []string{f.m.stompURL()}
	if err := f.m.secret.enrolWith(&cfg.Agent); err != nil {
		t.Fatal(err)
	}
	change(&cfg)
	ready := make(chan int, 1)
	cfg.Ready = func(n int) { ready <- n }
	ctx, cancel := context.WithCancel(t.Context())
	var g errgroup.Group
	g.Go(func() error { return emulate.Run(ctx, cfg, slog.New(slog.DiscardHandler)) })
	t.Cleanup(func() {
		cancel()
		if err := g.Wait(); err != nil {
			t.Error(err)
		}
	})
	<-ready
	eventually(t, func() bool { // the facts of the last one come after its hello
		got := f.ask(t, "find", "has(facts.role)", "--count")
		return strings.TrimSpace(got.stdout) == fmt.Sprint(cfg.Nodes)
	})
}

// What the page of runs shows is what the program prints, but for times and ids: go test -tags integration ./cmd/fettle -run Transcript -update.
func TestTranscript(t *testing.T) {
	page, err := os.ReadFile(transcriptPage)
	if err != nil {
		t.Fatal(err)
	}
	f := newFleet(t, nil)
	emulated(t, f, func(c *emulate.Config) {
		c.Nodes, c.Fail, c.Silent, c.SlowPct, c.SlowBy, c.Seed, c.Checks = 1000, 3, 1, 0.1, 4e9, 1, true
	})
	var out strings.Builder
	code, blocks := 0, 0
	for i, part := range strings.Split(string(page), "```") {
		if i > 0 {
			out.WriteString("```")
		}
		block, is := strings.CutPrefix(part, "console\n")
		if i%2 == 0 || !is {
			out.WriteString(part)
			continue
		}
		blocks++
		out.WriteString("console\n")
		for _, said := range commandsOf(block) {
			got := f.types(t, said.command, &code)
			if masked(got) == masked(said.output) {
				got = said.output // so that -update changes what has changed only
			} else if !*update {
				t.Errorf("$ %s\ngot\n%s\nand the page has\n%s", said.command, got, said.output)
			}
			fmt.Fprintf(&out, "$ %s\n%s", said.command, got)
		}
	}
	if blocks < 5 {
		t.Errorf("only %d blocks were found", blocks)
	}
	if *update {
		write(t, transcriptPage, out.String())
	}
}

// exchange is a command of the page, and what it printed.
type exchange struct{ command, output string }

func commandsOf(block string) (list []exchange) {
	for line := range strings.Lines(block) {
		if command, is := strings.CutPrefix(line, "$ "); is {
			list = append(list, exchange{command: strings.TrimSuffix(command, "\n")})
		} else if len(list) > 0 {
			list[len(list)-1].output += line
		}
	}
	return list
}

// types runs one line as a shell without a terminal would: both streams, one after the other.
func (f *fleet) types(t *testing.T, line string, code *int) string {
	t.Helper()
	if line == "echo $?" {
		return fmt.Sprintln(*code)
	}
	words := shellWords(line)
	if len(words) < 2 || words[0] != programName {
		t.Fatalf("%q is no command of the program", line)
	}
	var out bytes.Buffer
	*code = run(t.Context(), append([]string{programName, "--context", f.context}, words[1:]...), strings.NewReader(""), &out, &out)
	return out.String()
}

// masked takes away what is another each time: ids, times, and how long something took.
func masked(text string) string {
	for _, m := range [][2]string{
		{`[0-9a-f]{8}-[0-9a-f]{4}(-[0-9a-f]{4}){2}-[0-9a-f]{12}`, "ID"},
		{`\b[0-9a-f]{8}-[0-9a-f]{4}\b`, "ID"},
		{`\d{4}-\d\d-\d\d[ T][\d:.]+Z?`, "TIME"},
		{`\b\d+(\.\d+)? m?s\b`, "SPAN"},
		{`"took_ms": ?\d+`, `"took_ms":N`},
		{`\b(now|\d+[smh] ago)\b`, "AGE"},
		{` +`, " "},
	} {
		text = regexp.MustCompile(m[0]).ReplaceAllString(text, m[1])
	}
	return text
}
