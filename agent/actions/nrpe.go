package actions

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/nagios"
)

// maxCommandName bounds the name of a check command that the node tells of, in bytes.
const maxCommandName = 255

// noOutput is what NRPE says of a command that printed nothing.
const noOutput = "NRPE: Unable to read output"

// standardPath is where a check command looks for programs: NRPE clears the variable and sets this.
const standardPath = "/usr/bin:/bin:/usr/sbin:/sbin"

// nrpeCheck runs a command of the NRPE configuration, or a built-in one.
func nrpeCheck(file *nrpeFile) Action {
	return Action{
		Manifest: manifest("nrpe.check"),
		Do: func(ctx context.Context, call Call) Outcome {
			command, _ := call.Inputs["command"].(string)
			args, _ := call.Inputs["args"].([]string)
			thresholds := thresholdArgs(call.Inputs)
			n, err := file.get()
			if err != nil {
				return unknown(fettle.StatusOther, err.Error())
			}
			name, _, _ := strings.Cut(command, "!")
			if _, defined := n.Commands[name]; defined {
				if len(thresholds) > 0 {
					return unknown(fettle.StatusInvalidInput, fmt.Sprintf("warning and critical are for built-in checks, and the NRPE configuration defines %s", name))
				}
				return file.run(ctx, n, command, args)
			}
			if check, found := builtins()[command]; found {
				return runBuiltin(ctx, command, check, append(thresholds, args...), call.Timeout)
			}
			_, err = n.Shell(command, nil)
			return unknown(statusOfShell(err), shellMessage(err))
		},
	}
}

func thresholdArgs(inputs map[string]any) (args []string) {
	if w, _ := inputs["warning"].(string); w != "" {
		args = append(args, "-w", w)
	}
	if c, _ := inputs["critical"].(string); c != "" {
		args = append(args, "-c", c)
	}
	return args
}

// unknown gives the outcome of a check command that was not run: to a check it is UNKNOWN.
func unknown(status fettle.Status, message string) Outcome {
	return Outcome{Status: status, Message: message, Output: &fettle.CheckOutput{Code: fettle.CodeUnknown, Line: message}}
}

func statusOfShell(err error) fettle.Status {
	if errors.Is(err, fettle.ErrDenied) {
		return fettle.StatusRefused
	}
	return fettle.StatusInvalidInput
}

// shellMessage gives the text of an error of nagios.NRPE.Shell as NRPE would have it: without the kind.
func shellMessage(err error) string {
	if err == nil {
		return ""
	}
	return strings.TrimSuffix(err.Error(), ": "+fettle.ErrNotFound.Error())
}

// run runs a command that n defines, as NRPE does: by the shell, as nrpe_user where the agent may choose, with a cleared environment, for no
// longer than command_timeout.
func (f *nrpeFile) run(ctx context.Context, n *nagios.NRPE, command string, args []string) Outcome {
	line, err := n.Shell(command, args)
	if err != nil {
		return unknown(statusOfShell(err), shellMessage(err))
	}
	ctx, cancel := context.WithTimeout(ctx, n.Timeout)
	defer cancel()
	return f.line(ctx, n, line)
}

// checkCommand runs a line that the server's administrators wrote, as it would be run if it stood in the configuration.
func checkCommand(file *nrpeFile) Action {
	return Action{
		Manifest: manifest("check.command"),
		Do: func(ctx context.Context, call Call) Outcome {
			n, err := file.get()
			if err != nil {
				return unknown(fettle.StatusOther, err.Error())
			}
			command, _ := call.Inputs["command"].(string)
			return file.line(ctx, n, command)
		},
	}
}

// line runs a command line until ctx ends.
func (f *nrpeFile) line(ctx context.Context, n *nagios.NRPE, line string) Outcome {
	began := time.Now()
	end, err := f.execute(ctx, n, line)
	if err != nil {
		return unknown(fettle.StatusOther, err.Error())
	}
	if end.killed {
		return cutOff(ctx, end, "NRPE: Command", time.Since(began))
	}
	out := outcomeOf(end)
	if len(end.stdout) == 0 {
		out.Message, out.Output.Line, out.Output.Code = noOutput, noOutput, fettle.CodeUnknown
	}
	return out
}

// execute has the shell run a line of the configuration until ctx ends. The error is for the one who asked.
func (f *nrpeFile) execute(ctx context.Context, n *nagios.NRPE, line string) (ending, error) {
	user, err := ownerOf(n.User, n.Group)
	if err != nil {
		// NRPE itself goes on as the user that it is. The text of the command is the administrator's own.
		f.log.Warn("NRPE command runs as the agent's user", "err", err)
	}
	end, err := child{path: "/bin/sh", args: []string{"-c", line}, env: nrpeEnv(n.KeepEnv, user), user: user}.run(ctx)
	if err != nil {
		return ending{}, errors.New("NRPE: cannot start /bin/sh: " + startFault(err))
	}
	return end, nil
}

// outcomeOf gives the outcome of a check command that has run: it is ok whatever the command said.
func outcomeOf(end ending) Outcome {
	parsed, bad := nagios.Parse(end.stdout, end.exit)
	if end.exit < 0 {
		parsed.Code = fettle.CodeCritical // by a signal: NRPE and Nagios call that critical
		if parsed.Line == "" {
			parsed.Line = "ended by a signal"
		}
	}
	data := map[string]any{"exitcode": int64(end.exit), "output": parsed.Line, "perfdata": nagios.FormatPerfdata(parsed.Perfdata)}
	if len(bad) > 0 {
		data["perfdata_bad"] = bad
	}
	if text, _ := nagios.Parse(end.stderr, 0); text.Line != "" {
		data["stderr"] = strings.TrimSpace(text.Line + "\n" + text.Long)
	}
	return Outcome{Message: parsed.Line, Data: data, Output: &parsed}
}

// cutOff gives the outcome of a command that was ended before its time.
func cutOff(ctx context.Context, end ending, what string, took time.Duration) Outcome {
	out := ended(ctx, what, took)
	if out.Status == fettle.StatusTimeout {
		out.Message = fmt.Sprintf("%s timed out after %.0f seconds", what, took.Seconds())
	}
	parsed := nagios.ParseOutput(end.stdout, int(fettle.CodeUnknown))
	parsed.Long = strings.TrimSpace(parsed.Line + "\n" + parsed.Long)
	parsed.Line, parsed.Perfdata = out.Message, nil
	out.Output = &parsed
	return out
}

// nrpeEnv gives the environment of an NRPE command: nothing of the agent's own but the variables whose names begin as keep says.
func nrpeEnv(keep []string, user *owner) []string {
	env := []string{"PATH=" + standardPath, "NRPE_MULTILINESUPPORT=1", "NRPE_PROGRAMVERSION=4.1.0"}
	if user != nil {
		env = append(env, user.env...)
	} else {
		keep = append(slices.Clone(keep), ownNames...)
	}
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		kept := slices.ContainsFunc(keep, func(k string) bool { return k != "" && strings.HasPrefix(name, k) })
		set := slices.ContainsFunc(env, func(e string) bool { return strings.HasPrefix(e, name+"=") })
		if kept && !set {
			env = append(env, pair)
		}
	}
	return env
}

// ownNames are the variables that say who a command runs as, where that is the agent's own user; the last ones are those without which no
// program starts on Windows.
var ownNames = []string{"HOME", "LOGNAME", "USER", "SYSTEMROOT", "TEMP"}
