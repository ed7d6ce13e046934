package actions

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"

	fettle "github.com/fettle-dev/fettle"
)

func userActions() []Action {
	return []Action{
		{Manifest: manifest("user.absent"), Do: userAbsent},
		{Manifest: manifest("user.present"), Do: userPresent},
		{Manifest: manifest("user.status"), Do: func(_ context.Context, call Call) Outcome {
			data, err := userData(inputString(call, "name"))
			if err != nil {
				return failed("%v", err)
			}
			message := "there is no such user"
			if data["exists"] == true {
				message = fmt.Sprintf("%s has number %v", inputString(call, "name"), data["uid"])
			}
			return Outcome{Message: message, Data: data}
		}},
	}
}

// userData tells of a user.
func userData(name string) (map[string]any, error) {
	u, err := user.Lookup(name)
	var unknown user.UnknownUserError
	if errors.As(err, &unknown) {
		return map[string]any{"exists": false}, nil
	}
	if err != nil {
		return nil, err
	}
	data := map[string]any{"exists": true, "home": u.HomeDir, "comment": u.Name, "shell": shellOf(name), "groups": []string{}}
	for key, id := range map[string]string{"uid": u.Uid, "gid": u.Gid} {
		if data[key], err = strconv.ParseInt(id, 10, 64); err != nil {
			return nil, err
		}
	}
	ids, err := u.GroupIds()
	if err != nil {
		return nil, err
	}
	groups := []string{}
	for _, id := range ids {
		group := id
		if g, err := user.LookupGroupId(id); err == nil {
			group = g.Name
		}
		if id == u.Gid {
			data["group"] = group
		} else {
			groups = append(groups, group)
		}
	}
	slices.Sort(groups)
	data["groups"] = groups
	return data, nil
}

// shellOf reads what Go's own reader of that file leaves out.
func shellOf(name string) string {
	f, err := os.Open("/etc/passwd")
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if fields := strings.Split(lines.Text(), ":"); len(fields) == 7 && fields[0] == name {
			return fields[6]
		}
	}
	return ""
}

// userCommand runs one of the programs that keep users. stdin holds what nobody may see on a command line.
func userCommand(ctx context.Context, call Call, stdin, program string, args ...string) *Outcome {
	path, err := lookPath(program)
	if err != nil {
		out := failed("%v", err)
		return &out
	}
	end, err := child{path: path, args: args, env: childEnv(nil), stdin: stdin, stderr: keepStderr}.run(ctx)
	var out Outcome
	switch {
	case err != nil:
		out = failed("cannot start %s: %s", path, startFault(err))
	case end.killed:
		out = ended(ctx, program, call.Timeout)
	case end.exit != 0:
		out = failed("%s: exit %d%s", program, end.exit, lastWords(text(end.stderr), text(end.stdout)))
	default:
		return nil
	}
	return &out
}

func userAbsent(ctx context.Context, call Call) Outcome {
	name := inputString(call, "name")
	data, err := userData(name)
	if err != nil {
		return failed("%v", err)
	}
	if data["exists"] == false {
		return Outcome{Message: "there is no such user", Data: map[string]any{"exists": false, "changed": false}}
	}
	if data["uid"] == int64(0) || data["uid"] == int64(os.Geteuid()) {
		return Outcome{Status: fettle.StatusRefused, Message: name + " is the agent's own user, or the machine's first", Data: map[string]any{"exists": true, "changed": false}}
	}
	args := []string{name}
	if inputBool(call, "remove_home") {
		args = []string{"-r", name}
	}
	if out := userCommand(ctx, call, "", "userdel", args...); out != nil {
		return *out
	}
	return Outcome{Message: name + " is gone", Data: map[string]any{"exists": false, "changed": true}}
}

// userPresent makes a user, or changes what is otherwise than described.
func userPresent(ctx context.Context, call Call) Outcome {
	name := inputString(call, "name")
	before, err := userData(name)
	if err != nil {
		return failed("%v", err)
	}
	isNew := before["exists"] == false
	args := userArguments(call, before)
	if isNew {
		if args = append(args, "-m"); inputBool(call, "system") {
			args = append(args[:len(args)-1], "-r", "-M")
		}
	}
	changed := isNew || len(args) > 0
	if changed {
		program := "usermod"
		if isNew {
			program = "useradd"
		}
		if out := userCommand(ctx, call, "", program, append(args, name)...); out != nil {
			return *out
		}
	}
	if hash := inputString(call, "password"); hash != "" && shadowOf("/etc/shadow", name) != hash {
		if out := userCommand(ctx, call, name+":"+hash+"\n", "chpasswd", "-e"); out != nil {
			return *out
		}
		changed = true
	}
	data, err := userData(name)
	if err != nil {
		return failed("%v", err)
	}
	data["changed"] = changed
	message := name + " is as it ought to be"
	switch {
	case isNew:
		message = name + " is made"
	case changed:
		message = name + " is changed"
	}
	return Outcome{Message: message, Data: data}
}

// userArguments gives what useradd and usermod, which take the same words, have to change.
func userArguments(call Call, before map[string]any) (args []string) {
	for _, one := range []struct{ input, flag string }{{"group", "-g"}, {"home", "-d"}, {"shell", "-s"}, {"comment", "-c"}} {
		value, given := call.Inputs[one.input].(string)
		if given && before[one.input] != value {
			args = append(args, one.flag, value)
		}
	}
	if uid := inputInt(call, "uid"); uid != 0 && before["uid"] != uid {
		args = append(args, "-u", strconv.FormatInt(uid, 10))
	}
	if groups, given := call.Inputs["groups"].([]string); given {
		want := slices.Sorted(slices.Values(groups))
		have, _ := before["groups"].([]string)
		if !slices.Equal(slices.Compact(want), have) {
			args = append(args, "-G", strings.Join(want, ","))
		}
	}
	return args
}

// shadowOf gives a user's password as it is kept.
func shadowOf(file, name string) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if fields := strings.Split(lines.Text(), ":"); len(fields) > 1 && fields[0] == name {
			return fields[1]
		}
	}
	return ""
}
