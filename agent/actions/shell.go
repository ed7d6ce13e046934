package actions

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	fettle "github.com/fettle-dev/fettle"
)

// Bounds of what shell.run and shell.script give back, so that both fit into one result whatever they hold.
var (
	keepStdout = keep{head: 32 << 10, tail: 32 << 10}
	keepStderr = keep{head: 8 << 10, tail: 8 << 10}
)

func shellActions() []Action {
	return []Action{
		{Manifest: manifest("shell.run"), Do: func(ctx context.Context, call Call) Outcome {
			return runNamed(ctx, call, "the command", func(*owner) (string, []string, func(), error) {
				return "/bin/sh", []string{"-c", inputString(call, "command")}, func() {}, nil
			})
		}},
		{Manifest: manifest("shell.script"), Do: func(ctx context.Context, call Call) Outcome {
			return runNamed(ctx, call, "the script", func(user *owner) (string, []string, func(), error) { return prepareScript(call, user) })
		}},
	}
}

// runNamed runs the program that prepare gives, as the inputs of childInputs say. prepare's clean is called when it has ended.
func runNamed(ctx context.Context, call Call, what string, prepare func(*owner) (path string, args []string, clean func(), err error)) Outcome {
	var notes []string
	c, err := childFor(call)
	if err != nil {
		return refusedOr(err, fettle.StatusInvalidInput)
	}
	c.note = func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	path, args, clean, err := prepare(c.user)
	if err != nil {
		return Outcome{Status: fettle.StatusOther, Message: fmt.Sprintf("%s cannot be written down: %v", what, err)}
	}
	defer clean()
	c.path, c.args = path, args
	end, err := c.run(ctx)
	if err != nil {
		return Outcome{Status: fettle.StatusOther, Message: fmt.Sprintf("cannot start %s: %s", path, startFault(err))}
	}
	out := endingOutcome(ctx, call, what, end)
	if len(notes) > 0 {
		out.Data["notes"] = notes
	}
	return out
}

// childFor gives a child as the inputs of a call say: everything but the program.
func childFor(call Call) (child, error) {
	user, err := userOf(inputString(call, "user"))
	if err != nil {
		return child{}, err
	}
	c := child{
		user: user, dir: inputString(call, "cwd"), stdin: inputString(call, "stdin"), stdout: keepStdout, stderr: keepStderr, each: call.Stream,
		limits: allowance{
			nice: int(inputInt(call, "nice")), io: inputString(call, "io"), memory: inputInt(call, "memory") << 20,
			cpu: inputInt(call, "cpu"), processes: inputInt(call, "processes"),
		},
	}
	if c.dir != "" {
		if info, err := os.Stat(c.dir); err != nil || !info.IsDir() {
			return child{}, fmt.Errorf("cwd %s is no folder of this node: %w", c.dir, fettle.ErrInvalid)
		}
	}
	c.env = setEnv(childEnv(user), append(slices.Clone(inputList(call, "env")), inputList(call, "secret_env")...))
	return c, nil
}

// workPath is where a child looks for programs.
const workPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// childEnv gives the environment of a child: nothing of the agent's own but who it is.
func childEnv(user *owner) []string {
	env := []string{"PATH=" + workPath, "LANG=C.UTF-8"}
	if user != nil {
		return append(env, user.env...)
	}
	for _, name := range ownNames {
		if value, is := os.LookupEnv(name); is {
			env = append(env, name+"="+value)
		}
	}
	if _, is := os.LookupEnv("HOME"); !is {
		if home, err := os.UserHomeDir(); err == nil {
			env = append(env, "HOME="+home)
		} else if os.Geteuid() == 0 {
			env = append(env, "HOME=/root") // a service of systemd has no HOME, and many programs cannot do without
		}
	}
	return env
}

// setEnv adds variables, the later ones in the place of earlier ones of the same name.
func setEnv(env, more []string) []string {
	for _, pair := range more {
		name, _, _ := strings.Cut(pair, "=")
		env = slices.DeleteFunc(env, func(e string) bool { return strings.HasPrefix(e, name+"=") })
		env = append(env, pair)
	}
	return env
}

// prepareScript writes a script down where only the one who runs it can read it, and says how it is run. It is given to its interpreter as a
// file: so it can read its standard input, and a file system that forbids programs does not matter.
func prepareScript(call Call, user *owner) (path string, args []string, clean func(), err error) {
	dir, err := os.MkdirTemp("", "fettle-script-")
	if err != nil {
		return "", nil, nil, err
	}
	clean = func() { _ = os.RemoveAll(dir) }
	text := inputString(call, "script")
	file := filepath.Join(dir, "script")
	if err = os.WriteFile(file, []byte(text), 0o500); err == nil {
		err = errors.Join(giveTo(file, user), giveTo(dir, user))
	}
	if err != nil {
		clean()
		return "", nil, nil, err
	}
	words := []string{inputString(call, "interpreter")}
	if words[0] == "" {
		words = interpreterOf(text)
	}
	return words[0], slices.Concat(words[1:], []string{file}, inputList(call, "args")), clean, nil
}

// interpreterOf gives what the first line of a script says, as a kernel reads it: a program, and one argument at most.
func interpreterOf(script string) []string {
	line, _, _ := strings.Cut(script, "\n")
	rest, is := strings.CutPrefix(line, "#!")
	program, argument, _ := strings.Cut(strings.TrimSpace(rest), " ")
	switch argument = strings.TrimSpace(argument); {
	case !is || program == "":
		return []string{"/bin/sh"}
	case argument == "":
		return []string{program}
	}
	return []string{program, argument}
}

// endingOutcome gives the outcome of a program whose exit code says whether it went well.
func endingOutcome(ctx context.Context, call Call, what string, end ending) Outcome {
	out := Outcome{Data: map[string]any{"exitcode": int64(end.exit)}}
	stdout, stderr := text(end.stdout), text(end.stderr)
	for name, value := range map[string]string{"stdout": stdout, "stderr": stderr, "signal": end.signal} {
		if value != "" {
			out.Data[name] = value
		}
	}
	if n := end.cutStdout + end.cutStderr; n > 0 {
		out.Data["cut"] = n
	}
	ok := inputList(call, "ok")
	switch {
	case end.killed:
		stopped := ended(ctx, what, call.Timeout)
		out.Status, out.Message = stopped.Status, stopped.Message
	case end.starved:
		out.Status, out.Message = fettle.StatusFailed, what+" was ended by the kernel: it wanted more memory than it was allowed"
	case end.exit < 0:
		out.Status, out.Message = fettle.StatusFailed, fmt.Sprintf("%s was ended by signal %s", what, end.signal)
	case len(ok) == 0 && end.exit != 0, len(ok) > 0 && !slices.ContainsFunc(ok, func(code string) bool {
		return strings.TrimLeft(code, "0") == strings.TrimLeft(fmt.Sprint(end.exit), "0")
	}):
		out.Status, out.Message = fettle.StatusFailed, fmt.Sprintf("exit %d%s", end.exit, lastWords(stderr, stdout))
	default:
		out.Message = summaryOf(stdout, end.exit)
	}
	return out
}

// lastWords gives the last line that says something, of the first text that has one.
func lastWords(texts ...string) string {
	for _, t := range texts {
		lines := strings.Split(strings.TrimSpace(t), "\n")
		if last := strings.TrimSpace(lines[len(lines)-1]); last != "" {
			return ": " + clip(last, 200)
		}
	}
	return ""
}

// summaryOf gives a line for what went well: what was printed, when that is one line.
func summaryOf(stdout string, exit int) string {
	lines := strings.Split(strings.TrimRight(stdout, "\n"), "\n")
	code := ""
	if exit != 0 {
		code = fmt.Sprintf("exit %d, ", exit)
	}
	switch {
	case stdout == "":
		return code + "no output"
	case len(lines) == 1 && len(lines[0]) <= 200 && code == "":
		return lines[0]
	case len(lines) == 1:
		return code + "1 line"
	}
	return code + fmt.Sprintf("%d lines", len(lines))
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
