package actions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
	"github.com/fettle-dev/fettle/plugins"
)

// Plugin is a plugin that did not come with the agent, in a folder of this machine.
type Plugin struct {
	Manifest plugins.Manifest
	Folder   string // with an absolute path

	platforms *filter.Program // nil: it runs everywhere
}

// OpenPlugin reads the plugin in a folder. ErrInvalid: it has faults, every one named, or its executable for this system is not there.
func OpenPlugin(dir string) (*Plugin, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(filepath.Join(dir, plugins.ManifestName))
	if err != nil {
		return nil, fmt.Errorf("plugin: %w", err)
	}
	m, err := plugins.ParseManifest(raw)
	if err != nil {
		return nil, err
	}
	p := &Plugin{Manifest: m, Folder: dir}
	if m.Platforms != "" {
		if p.platforms, err = filter.Compile(filter.OnNode, m.Platforms); err != nil {
			return nil, fmt.Errorf("%s: platforms: %w", plugins.ManifestName, err)
		}
	}
	info, err := os.Stat(p.executable())
	switch name := m.ExecutableFor(runtime.GOOS, runtime.GOARCH); {
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("plugin %s has no executable %s for %s/%s: %w", m.Name, name, runtime.GOOS, runtime.GOARCH, fettle.ErrInvalid)
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular() || info.Mode()&0o111 == 0:
		return nil, fmt.Errorf("plugin %s: %s is no program that may be executed; chmod +x makes it one: %w", m.Name, name, fettle.ErrInvalid)
	}
	return p, nil
}

func (p *Plugin) executable() string {
	return filepath.Join(p.Folder, filepath.FromSlash(p.Manifest.ExecutableFor(runtime.GOOS, runtime.GOARCH)))
}

// Action gives the manifest of an action, by its full name, or by that without the plugin's. ErrNotFound names those that there are.
func (p *Plugin) Action(name string) (plugins.Action, error) {
	var names []string
	for _, a := range p.Manifest.Actions {
		if a.Name == name || a.Name == p.Manifest.Name+"."+name {
			return a, nil
		}
		names = append(names, a.Name)
	}
	return plugins.Action{}, fmt.Errorf("plugin %s %s has no action %q; it has %s: %w", p.Manifest.Name, p.Manifest.Version, name, strings.Join(names, " "), fettle.ErrNotFound)
}

// Place says where a plugin's action is done.
type Place struct {
	Node   fettle.NodeID
	Known  Known
	Policy func(ctx context.Context, call Call) error // nil: everything is allowed
}

// Do does what call asks of the plugin. It takes from the node what the inputs leave to it, validates them, holds the action to its time, and always
// gives an outcome.
func (p *Plugin) Do(ctx context.Context, call Call, at Place) Outcome {
	action, err := p.Action(call.Action)
	if err != nil {
		return Outcome{Status: fettle.StatusUnknownAction, Message: strings.TrimSuffix(err.Error(), ": "+fettle.ErrNotFound.Error())}
	}
	call.Action = action.Name
	if why := p.refuses(ctx, at); why != "" {
		return Outcome{Status: fettle.StatusRefused, Message: why}
	}
	inputs, err := plugins.FromContext(action, call.Inputs, at.Node, factsOf(at.Known.Facts))
	if err == nil {
		inputs, err = plugins.Validate(action, inputs)
	}
	if err != nil {
		return Outcome{Status: plugins.StatusOf(err), Message: err.Error()}
	}
	if call.Inputs = inputs; call.Timeout <= 0 {
		call.Timeout = action.Limit()
	}
	ctx, cancel := context.WithTimeout(ctx, call.Timeout)
	defer cancel()
	if at.Policy != nil {
		if err := at.Policy(ctx, call); err != nil {
			return Outcome{Status: fettle.StatusRefused, Message: err.Error()}
		}
	}
	return p.run(ctx, call, action, at)
}

// refuses tells why the plugin is not for this node; empty: it is.
func (p *Plugin) refuses(ctx context.Context, at Place) string {
	if p.platforms == nil {
		return ""
	}
	record, err := policyRecord(Call{}, at.Node, at.Known)
	if err != nil {
		return fmt.Sprintf("the node's facts cannot be read: %v", err)
	}
	truth, missing := p.platforms.Match(ctx, record)
	if truth == filter.True {
		return ""
	}
	why := fmt.Sprintf("plugin %s is not for this node: %s is %s", p.Manifest.Name, p.Manifest.Platforms, truth)
	if len(missing) > 0 {
		why += ": " + missing[0].String()
	}
	return why
}

// factsOf looks facts up in a document.
func factsOf(raw []byte) func(fettle.Path) (any, bool) {
	var doc any
	if len(raw) > 0 {
		dec := json.NewDecoder(strings.NewReader(string(raw)))
		dec.UseNumber()
		_ = dec.Decode(&doc) // it is a document that the agent has written
	}
	return func(path fettle.Path) (any, bool) {
		at := doc
		for _, key := range path {
			object, is := at.(map[string]any)
			if !is {
				return nil, false
			}
			if at, is = object[key]; !is {
				return nil, false
			}
		}
		return at, true
	}
}

// run runs the plugin's program for one task, in an empty folder that is removed afterwards.
func (p *Plugin) run(ctx context.Context, call Call, action plugins.Action, at Place) Outcome {
	m := p.Manifest
	fault := func(err error) Outcome {
		return Outcome{Status: fettle.StatusOther, Message: fmt.Sprintf("plugin %s cannot be run: %v", m.Name, err)}
	}
	user, err := userOf(m.Run.User)
	if err != nil {
		return refusedOr(err, fettle.StatusOther)
	}
	work, err := os.MkdirTemp("", "fettle-task-")
	if err != nil {
		return fault(err)
	}
	defer func() { _ = os.RemoveAll(work) }()
	if err := giveTo(work, user); err != nil {
		return fault(err)
	}
	own := *p
	if user != nil { // the folder is the agent's alone
		copied, err := os.MkdirTemp("", "fettle-plugin-")
		if err != nil {
			return fault(err)
		}
		defer func() { _ = os.RemoveAll(copied) }()
		if err := errors.Join(os.CopyFS(copied, os.DirFS(p.Folder)), giveTo(copied, user)); err != nil {
			return fault(err)
		}
		own.Folder = copied
	}
	request, err := own.request(call, at, work)
	if err != nil {
		return fault(err)
	}
	var notes []string
	reply := plugins.NewReply(action, tellStream(call.Stream))
	c := child{
		path: own.executable(), env: own.env(call, user, work), user: user, dir: work, stdin: request, stdout: keep{head: 1},
		stderr: keep{head: plugins.MaxLogText / 2, tail: plugins.MaxLogText / 2},
		limits: allowance{nice: int(m.Run.Nice), io: m.Run.IO, memory: m.Run.Memory << 20, cpu: m.Run.CPU, processes: m.Run.Processes},
		note:   func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) },
		each: func(stream string, chunk []byte) {
			if stream == "stdout" { // one goroutine reads it, and has ended when run returns
				reply.Add(chunk)
			} else if call.Stream != nil {
				call.Stream(stream, chunk)
			}
		},
	}
	end, err := c.run(ctx)
	if err != nil {
		return Outcome{Status: fettle.StatusOther, Message: fmt.Sprintf("cannot start %s: %s", m.ExecutableFor(runtime.GOOS, runtime.GOARCH), startFault(err))}
	}
	out := pluginOutcome(ctx, call, "plugin "+m.Name, end, reply.End())
	if len(notes) > 0 {
		log, _ := out.Data[plugins.OutputLog].(string)
		out.Data[plugins.OutputLog] = log + "fettle: " + strings.Join(notes, "\nfettle: ") + "\n"
	}
	return out
}

// tellStream shows people what a plugin tells while it runs.
func tellStream(stream func(string, []byte)) func(plugins.Told) {
	if stream == nil {
		return nil
	}
	return func(t plugins.Told) {
		text := t.Text
		if t.Progress {
			text = strings.TrimSuffix(text, "\n") + "\n"
			if t.Fraction >= 0 {
				text = fmt.Sprintf("[%3.0f%%] %s", 100*t.Fraction, text)
			}
		}
		stream("stdout", []byte(text))
	}
}

// request gives the line that the program reads.
func (p *Plugin) request(call Call, at Place, work string) (string, error) {
	_, short, _ := strings.Cut(call.Action, ".")
	raw, err := json.Marshal(plugins.Request{
		Protocol: plugins.Protocol, Plugin: p.Manifest.Name, Version: p.Manifest.Version, Action: short, Inputs: call.Inputs,
		Node: plugins.RequestNode{Identity: at.Node, Classes: append([]string{}, at.Known.Classes...)}, Task: call.Task, Caller: call.Caller, Check: call.Check,
		TimeoutMS: call.Timeout.Milliseconds(), Workspace: work, Folder: p.Folder, Facts: at.Known.Facts,
	})
	return string(raw) + "\n", err
}

// maxEnvInput bounds an input that stands in the environment, in bytes: Linux allows 128 KiB for a variable.
const maxEnvInput = 64 << 10

// env gives the environment of the program: who it is, and, for those that find JSON hard to read, the inputs that are no secrets.
func (p *Plugin) env(call Call, user *owner, work string) []string {
	_, short, _ := strings.Cut(call.Action, ".")
	env := append(childEnv(user), "FETTLE_PLUGIN="+p.Manifest.Name, "FETTLE_ACTION="+short, "FETTLE_FOLDER="+p.Folder, "FETTLE_WORKSPACE="+work, "TMPDIR="+work)
	action, err := p.Action(call.Action)
	if err != nil {
		return env
	}
	for _, in := range action.Inputs {
		text := ""
		switch v := call.Inputs[in.Name].(type) {
		case nil:
			continue
		case string:
			text = v
		case int64:
			text = strconv.FormatInt(v, 10)
		case float64:
			text = strconv.FormatFloat(v, 'g', -1, 64)
		case bool:
			text = strconv.FormatBool(v)
		case []string:
			text = strings.Join(v, "\n")
		}
		if !in.Secret && len(text) <= maxEnvInput {
			env = append(env, "FETTLE_INPUT_"+strings.ToUpper(in.Name)+"="+text)
		}
	}
	return slices.Clip(env)
}

// pluginOutcome gives the outcome of a plugin that has ended: what it said counts only when it kept to the protocol, and its exit code agrees.
func pluginOutcome(ctx context.Context, call Call, what string, end ending, a plugins.Answer) Outcome {
	out := Outcome{Data: a.Data, Message: a.Message}
	log := text(end.stderr)
	if log != "" {
		out.Data[plugins.OutputLog] = log
	}
	if a.Output != "" {
		out.Data[plugins.OutputText] = text([]byte(a.Output))
	}
	if len(a.Records) > 0 {
		out.Data[plugins.OutputRecs] = a.Records
	}
	broken := func(format string, args ...any) Outcome {
		out.Status, out.Message = fettle.StatusOther, fmt.Sprintf(what+" "+format, args...)
		return out
	}
	words := lastWords(log)
	switch {
	case end.killed:
		stopped := ended(ctx, what, call.Timeout)
		out.Status, out.Message = stopped.Status, stopped.Message
	case end.starved:
		return broken("was ended by the kernel: it wanted more memory than it was allowed")
	case end.exit < 0:
		return broken("crashed: it was ended by signal %s%s", end.signal, words)
	case a.Fault != "":
		return broken("broke its protocol: %s", a.Fault)
	case !a.Result && end.exit == 0:
		return broken("ended without a result%s", words)
	case !a.Result:
		return broken("crashed: it exited %d without a result%s", end.exit, words)
	case a.OK && end.exit != 0:
		return broken("said ok, and exited %d%s", end.exit, words)
	case a.OK:
		if out.Message == "" {
			out.Message = "OK"
		}
	default:
		if out.Status = fettle.StatusFailed; out.Message == "" {
			out.Message = strings.TrimPrefix(words, ": ")
		}
		if out.Message == "" {
			out.Message = "failed, and did not say why"
		}
	}
	return out
}
