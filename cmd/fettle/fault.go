package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/api/client"
)

// explain tells a person, or in a JSON mode a program, what went wrong and what to do about it.
func (a *app) explain(cmd *cobra.Command, err error) {
	if err.Error() == "" {
		return
	}
	advice := a.advice(cmd, err)
	if strings.HasPrefix(a.output, "json") {
		p := problemOf(err)
		if p.Suggestion == nil {
			p.Suggestion = pointer(advice)
		}
		enc := json.NewEncoder(a.stderr)
		enc.SetEscapeHTML(false)
		_ = enc.Encode(p) // nobody is left to tell
		return
	}
	fmt.Fprintf(a.stderr, "%s: %s\n", programName, reason(err))
	if advice != "" {
		fmt.Fprintln(a.stderr, advice)
	}
}

// reason is err for a person: without the word of its kind at the end of each line, which says nothing that the text does not.
func reason(err error) string {
	text := err.Error()
	var file *fs.PathError
	if errors.As(err, &file) && strings.HasSuffix(file.Op, "stat") {
		text = strings.Replace(text, file.Op+" "+file.Path, file.Path, 1) // how it was looked at is nobody's business
	}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i, line := range lines {
		for _, kind := range []error{fettle.ErrNotFound, fettle.ErrInvalid, fettle.ErrConflict, fettle.ErrDenied, fettle.ErrUnavailable} {
			line = strings.TrimSuffix(line, ": "+kind.Error())
		}
		lines[i] = line
	}
	return strings.Join(lines, "\n")
}

// advice says what to do next; empty where the error itself says all.
func (a *app) advice(cmd *cobra.Command, err error) string {
	var answered *client.Error
	fromServer := errors.As(err, &answered)
	switch tls := tlsAdvice(err); {
	case tls != "":
		return tls
	case exitCode(err) == exitUsage && cmd != nil:
		return fmt.Sprintf("see: %s --help", cmd.CommandPath())
	case errors.Is(err, syscall.EADDRINUSE):
		return "another program listens there, another fettle perhaps; --http and --stomp take other addresses, and port 0 is any that is free"
	case a.where.URL == "":
		return ""
	case fromServer && errors.Is(err, fettle.ErrDenied):
		return fmt.Sprintf("the token came from %s; a server writes one that is valid into %s in its state directory", a.where.tokenFrom(), contextFile)
	case !fromServer && errors.Is(err, fettle.ErrUnavailable):
		return fmt.Sprintf("the address came from %s; \"fettle dev\" starts a server here, and --context or FETTLE_URL name another", a.where.from)
	}
	return ""
}

// mended gives cobra's errors about a command line in the words of this program.
func mended(cmd *cobra.Command, err error) error {
	quoted, is := strings.CutPrefix(err.Error(), "unknown command ")
	if !is || cmd == nil {
		return err
	}
	prefix, quoteErr := strconv.QuotedPrefix(quoted)
	word, unquoteErr := strconv.Unquote(prefix)
	if quoteErr != nil || unquoteErr != nil {
		return err
	}
	return unknownCommand(cmd, word)
}

// unknownCommand says that cmd has no command of that name, and suggests the nearest.
func unknownCommand(cmd *cobra.Command, word string) error {
	var names []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	if len(names) == 0 {
		return fmt.Errorf("%s takes no %q", cmd.Name(), word)
	}
	near := didYouMean(word, names)
	if (word == "list" || word == "ls") && cmd.LocalFlags().Lookup("output") != nil {
		near = fmt.Sprintf("; %q alone lists what there is", cmd.CommandPath())
	}
	return fmt.Errorf("there is no command %q%s", strings.TrimPrefix(cmd.CommandPath()+" "+word, programName+" "), near)
}

// group makes cmd a command that only holds others: alone it prints its help, and what it does not know is an error.
func group(cmd *cobra.Command, subs ...*cobra.Command) *cobra.Command {
	cmd.Args = cobra.NoArgs
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	cmd.AddCommand(subs...)
	return cmd
}

// formatOf finds what -o says, in whatever way it is written; empty where it says nothing.
func formatOf(args []string) (format string) {
	if end := slices.Index(args, "--"); end >= 0 {
		args = args[:end]
	}
	for i, arg := range args {
		long, isLong := strings.CutPrefix(arg, "--output")
		short, isShort := strings.CutPrefix(arg, "-o")
		switch {
		case (arg == "-o" || arg == "--output") && i+1 < len(args):
			format = args[i+1]
		case isLong && strings.HasPrefix(long, "="):
			format = long[1:]
		case isShort && !strings.HasPrefix(arg, "--"):
			format = strings.TrimPrefix(short, "=")
		}
	}
	return format
}
