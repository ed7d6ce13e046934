package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	fettle "github.com/fettle-dev/fettle"
)

// Exit codes. check_fettle has those of Nagios plugins instead.
const (
	exitOK     = 0 // all well
	exitFault  = 1 // a fault, or some nodes failed
	exitUsage  = 2 // the command line, a bad filter too
	exitSilent = 3 // some nodes did not answer, and none failed
	exitNobody = 4 // no node matched

	exitInterrupted = 130 // Ctrl-C, as shells have it

	pluginName  = "check_fettle"
	programName = "fettle"
)

// version is that of the program; the build sets it.
var version = "dev"

// app is what commands share: the streams, and what the flags of all commands say.
type app struct {
	stdin          io.Reader
	lines          *bufio.Reader // of stdin, where it is read line by line; nil: it was not yet
	stdout, stderr io.Writer
	context        string        // --context
	ca             string        // --ca
	where          clientContext // the server that was asked; empty: none yet
	output         string        // -o
	colour         bool          // stdout is a terminal that may be coloured
	width          int           // columns of the terminal that stdout is; zero: it is none
	begun          bool          // the command line was right, and the command's own code runs
}

// codeError ends the program with a code; without an error everything has been said already.
type codeError struct {
	code int
	err  error
}

func (e *codeError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *codeError) Unwrap() error { return e.err }

// usage marks an error as one of the command line.
func usage(err error) error { return &codeError{exitUsage, err} }

// run is the whole program: it does what args say and gives the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr, colour: terminal(stdout) && os.Getenv("NO_COLOR") == "", width: screenWidth(stdout)}
	if name := strings.TrimSuffix(filepath.Base(args[0]), ".exe"); name == pluginName {
		return a.plugin(ctx, args[1:])
	}
	root := a.root()
	root.SetArgs(args[1:])
	a.output = formatOf(args[1:]) // also for faults that are found before the flags are read
	cmd, err := root.ExecuteContextC(ctx)
	switch {
	case err == nil:
		return exitOK
	case !a.begun:
		err = usage(mended(cmd, err))
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		err = &codeError{code: exitInterrupted}
	}
	a.explain(cmd, err)
	return exitCode(err)
}

// exitCode is the one table from errors to exit codes.
func exitCode(err error) int {
	var coded *codeError
	switch {
	case errors.As(err, &coded):
		return coded.code
	case errors.Is(err, fettle.ErrInvalid):
		return exitUsage
	}
	return exitFault
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   programName,
		Short: "fact inventory, aggregated checks and orchestration for fleets of machines",
		Long: `Fettle knows what is true of every machine of a fleet, answers any question about it at once,
and does things on the machines that a question matches.`,
		Example: `  fettle dev                                         server and agent of this machine, for a first look
  fettle find 'facts.os.family == "Debian"'           which nodes match
  fettle facts os.release.major                       values of a fact, counted
  fettle run agent.ping --all                         ask every node
  fettle check check_load                             one verdict over all nodes that have the check`,
		SilenceErrors: true, SilenceUsage: true, DisableSuggestions: true, Version: version,
	}
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.PersistentFlags().StringVar(&a.context, "context", "", "`FILE` that says where the server is (default $FETTLE_CONTEXT or ~/.config/fettle/context.yaml)")
	root.PersistentFlags().StringVar(&a.ca, "ca", "", "`FILE` in PEM with the authorities to trust (default $FETTLE_CA or the context's)")
	root.PersistentPreRun = func(*cobra.Command, []string) { a.begun = true }
	root.AddGroup(commandGroups()...)
	root.AddCommand(a.commands()...)
	root.AddCommand(a.completionCommand(root), a.docsCommand(root))
	root.SetHelpCommand(helpCommand(root))
	return root
}
