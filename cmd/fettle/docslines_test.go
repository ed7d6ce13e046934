package main

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// Every command line in the documentation, in the examples and in --help is one that the program takes.
func TestDocumentedCommandLines(t *testing.T) {
	files := []string{"../../README.md"}
	for _, pattern := range []string{"../../docs/*.md", "../../examples/*/*"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	lines := 0
	for _, file := range files {
		if info, err := os.Stat(file); err != nil || info.IsDir() {
			continue // a folder of an example
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for number, line := range strings.Split(string(text), "\n") {
			for i, quoted := range strings.Split(line, "`") {
				if words := commandLine(quoted); words != nil {
					lines++
					if err := taken(words, i > 0); err != nil {
						t.Errorf("%s:%d: %q: %v", file, number+1, words, err)
					}
				}
			}
		}
	}
	if lines < 100 {
		t.Errorf("only %d command lines were found", lines)
	}
}

// taken tells whether the program takes a command line: the command exists, and so do its flags and the number of its arguments. In prose it may
// be mentioned without them.
func taken(words []string, prose bool) error {
	a := &app{stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard}
	var cmd *cobra.Command
	rest := words[1:]
	if words[0] == pluginName && rest[0] == "broker" {
		cmd, rest = a.brokerPluginCommand(&brokerOrder{}, &clientContext{}), rest[1:]
	} else if words[0] == pluginName {
		cmd = a.pluginCommand(&verdictOrder{}, &clientContext{}, new(string))
	} else {
		var err error
		if cmd, rest, err = a.root().Find(words[1:]); err != nil {
			return err
		}
		if cmd.HasSubCommands() && len(rest) > 0 && !strings.HasPrefix(rest[0], "-") && rest[0] != "[flags]" {
			return unknownCommand(cmd, rest[0])
		}
	}
	if line := strings.Join(words, " "); line == cmd.UseLine() || line+" [flags]" == cmd.UseLine() {
		return nil // the pattern itself
	}
	cmd.InitDefaultHelpFlag()
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	if help, _ := cmd.Flags().GetBool("help"); help || prose {
		return nil
	}
	return cmd.ValidateArgs(cmd.Flags().Args())
}

// commandLine gives the words of a call of the program that text begins with; nil, if it begins with none, or with a pattern of one.
func commandLine(text string) []string {
	words := shellWords(strings.TrimPrefix(strings.TrimSpace(text), "$ "))
	for len(words) > 0 && strings.Contains(words[0], "=") { // FETTLE_STATE=/srv fettle …
		words = words[1:]
	}
	if len(words) < 2 {
		return nil
	}
	words[0] = filepath.Base(words[0])
	pattern := func(w string) bool {
		return w == "…" || w == "COMMAND" || strings.Contains(w, "|") && strings.Trim(w, "abcdefghijklmnopqrstuvwxyz|") == ""
	}
	if words[0] != programName && words[0] != pluginName || slices.ContainsFunc(words, pattern) {
		return nil
	}
	return words
}

// shellWords splits text as a shell does, up to what is no argument any more: a redirection, another command, a comment, or the two blanks
// before an explanation.
func shellWords(text string) (words []string) {
	var word strings.Builder
	begun, quote := false, rune(0)
	end := func() {
		if begun {
			words = append(words, word.String())
		}
		word.Reset()
		begun = false
	}
	for i, r := range text {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, begun = r, true
		case r == ' ':
			end()
			if strings.HasPrefix(text[i:], "  ") {
				return words
			}
		case !begun && (strings.ContainsRune("#>|&;<", r) || strings.HasPrefix(text[i:], "2>")):
			return words
		default:
			begun = true
			word.WriteRune(r)
		}
	}
	end()
	return words
}
