package actions

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"

	fettle "github.com/fettle-dev/fettle"
)

// puppetProgram finds Puppet: in the distribution's place, or where its own packages put it.
func puppetProgram() (string, error) {
	path, err := lookPath("puppet")
	if err == nil {
		return path, nil
	}
	const own = "/opt/puppetlabs/bin/puppet"
	if _, there := os.Stat(own); there == nil {
		return own, nil
	}
	return "", err
}

// command runs Puppet. It takes a second or two to begin with.
func (p puppet) command(ctx context.Context, keepOut keep, args ...string) (ending, error) {
	path, err := puppetProgram()
	if err != nil {
		return ending{}, err
	}
	end, err := child{path: path, args: args, env: childEnv(nil), stdout: keepOut, stderr: keepStderr, each: p.each, leave: true}.run(ctx)
	if err != nil {
		return end, fmt.Errorf("cannot start %s: %s", path, startFault(err))
	}
	return end, nil
}

// puppetRunOnce has Puppet run, and tells what it did by its own summary.
func puppetRunOnce(ctx context.Context, call Call, p puppet) Outcome {
	manifest := inputString(call, "manifest")
	if state := p.state(); p.dir != "" && manifest == "" {
		switch {
		case state["enabled"] == false:
			return failed("%s", strings.TrimSuffix(fmt.Sprintf("Puppet is disabled: %s", state["message"]), ": "))
		case state["running"] == true:
			return failed("Puppet runs already")
		}
	}
	args := []string{"agent", "--onetime", "--no-daemonize", "--no-splay", "--no-usecacheonfailure"}
	if manifest != "" {
		args = []string{"apply", manifest}
	}
	args = append(args, "--detailed-exitcodes", "--verbose", "--color=false")
	if inputBool(call, "noop") {
		args = append(args, "--noop")
	}
	for name, value := range map[string]string{"environment": inputString(call, "environment"), "server": inputString(call, "server"), "tags": strings.Join(inputList(call, "tags"), ",")} {
		if value != "" && (name != "server" || manifest == "") {
			args = append(args, "--"+name, value)
		}
	}
	before, _ := p.last()
	end, err := p.command(ctx, keepStdout, args...)
	if err != nil {
		return failed("%v", err)
	}
	out := Outcome{Data: map[string]any{}}
	after, err := p.last()
	if err == nil && (before == nil || fmt.Sprint(before["summary"]) != fmt.Sprint(after["summary"])) {
		delete(after, "summary")
		out.Data = after
	}
	said := strings.TrimSpace(text(end.stdout) + text(end.stderr))
	out.Data["output"] = said
	switch {
	case end.killed:
		stopped := ended(ctx, "puppet", call.Timeout)
		out.Status, out.Message = stopped.Status, stopped.Message
	case end.exit != 0 && end.exit != 2: // 0: all was as it ought to be, 2: it is now, 4 and 6: some could not be
		out.Status, out.Message = fettle.StatusFailed, fmt.Sprintf("puppet: exit %d%s", end.exit, puppetWhy(said))
	case out.Data["resources"] == nil:
		out.Message = map[int]string{0: "nothing was changed", 2: "something was changed"}[end.exit]
	default:
		out.Message = lastMessage(out.Data)
	}
	return out
}

// puppetWhy gives the first error of what Puppet said.
func puppetWhy(said string) string {
	for line := range strings.Lines(said) {
		if why, is := strings.CutPrefix(strings.TrimSpace(line), "Error: "); is {
			return ": " + clip(why, 300)
		}
	}
	return lastWords(said)
}

// keepResources is how much is kept of a list of resources: a machine may have thousands.
var keepResources = keep{head: 300 << 10}

// notice is a line that Puppet says before the resources.
var notice = regexp.MustCompile(`^(Notice|Info|Warning|Debug|Error): (.*)`)

// puppetResource tells of resources, or changes one.
func puppetResource(ctx context.Context, call Call, p puppet) Outcome {
	args := []string{"resource", inputString(call, "type")}
	if name := inputString(call, "name"); name != "" {
		args = append(args, name)
	} else if len(inputList(call, "attributes")) > 0 {
		return Outcome{Status: fettle.StatusMissingInput, Message: "puppet.resource: input name is missing: attributes are of one resource"}
	}
	args = append(append(args, inputList(call, "attributes")...), "--to_yaml", "--color=false")
	end, err := p.command(ctx, keepResources, args...)
	if err != nil {
		return failed("%v", err)
	}
	var changes, rest, faults []string
	for line := range strings.Lines(text(end.stdout)) {
		m := notice.FindStringSubmatch(strings.TrimRight(line, "\n"))
		switch {
		case m == nil:
			rest = append(rest, line)
		case m[1] == "Notice":
			changes = append(changes, m[2])
		case m[1] == "Error":
			faults = append(faults, m[2])
		}
	}
	resources, count, err := readResources(strings.Join(rest, ""), inputString(call, "type"))
	out := Outcome{Message: fmt.Sprintf("%d of type %s", count, inputString(call, "type")), Data: map[string]any{"resources": resources, "count": int64(count)}}
	if len(changes) > 0 {
		out.Data["changes"], out.Message = changes, clip(changes[0], 200)
	}
	switch {
	case end.killed:
		stopped := ended(ctx, "puppet", call.Timeout)
		out.Status, out.Message = stopped.Status, stopped.Message
	case end.exit != 0 || len(faults) > 0:
		out.Status, out.Message = fettle.StatusFailed, fmt.Sprintf("puppet resource: exit %d%s", end.exit, puppetWhy(text(end.stderr)+text(end.stdout)))
	case end.cutStdout > 0:
		out.Status, out.Message = fettle.StatusFailed, fmt.Sprintf("there is more than %d bytes of them; ask for one by its name", keepResources.head)
	case err != nil:
		out.Status, out.Message = fettle.StatusFailed, err.Error()
	}
	return out
}

// readResources reads what --to_yaml prints: a mapping of the type to its resources by name. Symbols of Ruby, such as :present, are words.
func readResources(raw, kind string) (map[string]any, int, error) {
	if strings.TrimSpace(raw) == "" {
		return map[string]any{}, 0, nil
	}
	all, err := readYAML([]byte(raw))
	if err != nil {
		return map[string]any{}, 0, err
	}
	for name, value := range all {
		if list, is := value.(map[string]any); is && strings.EqualFold(name, kind) {
			return list, len(list), nil
		}
	}
	return map[string]any{}, 0, nil
}
