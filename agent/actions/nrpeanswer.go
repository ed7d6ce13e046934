package actions

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/nagios"
)

// NRPECaller is how the node's policy knows those who ask by the NRPE protocol: this, and their address behind it.
const NRPECaller = "nrpe:"

// AnswerNRPE answers what came by the NRPE protocol, "command!one!two", as NRPE would: with what the command printed, as it is, of at most
// nagios.MaxNRPEText bytes. Nobody vouches for the one who asks, so that arguments are taken only where the NRPE configuration allows them, also
// for the built-in commands; the node's policy is asked too. Whatever is wrong is UNKNOWN with its reason.
func (t *Table) AnswerNRPE(ctx context.Context, request, asker string) (fettle.CheckCode, string) {
	n, err := t.nrpe.get()
	if err != nil {
		return fettle.CodeUnknown, "NRPE: " + err.Error()
	}
	name, args, err := n.Request(request)
	if err != nil {
		return fettle.CodeUnknown, "NRPE: " + err.Error()
	}
	call := Call{Action: "nrpe.check", Inputs: map[string]any{"command": name, "args": args}, Caller: NRPECaller + asker, Timeout: cmp.Or(n.Timeout, nagios.DefaultTimeout)}
	if err := t.policy.allows(ctx, call, t.node, t.known); err != nil {
		return fettle.CodeUnknown, "NRPE: " + err.Error()
	}
	ctx, cancel := context.WithTimeout(ctx, call.Timeout)
	defer cancel()
	if _, defined := n.Commands[name]; defined {
		return t.nrpe.answer(ctx, n, request, call.Timeout)
	}
	if check, found := builtins()[name]; found {
		out := runBuiltin(ctx, name, check, args, call.Timeout).Output
		return out.Code, nagios.FormatOutput(*out)
	}
	return fettle.CodeUnknown, fmt.Sprintf("NRPE: Command '%s' not defined", name)
}

// answer runs a command that n defines, and gives what it printed.
func (f *nrpeFile) answer(ctx context.Context, n *nagios.NRPE, request string, limit time.Duration) (fettle.CheckCode, string) {
	line, err := n.Shell(request, nil)
	if err != nil {
		return fettle.CodeUnknown, "NRPE: " + err.Error()
	}
	end, err := f.execute(ctx, n, line)
	switch {
	case err != nil:
		return fettle.CodeUnknown, err.Error()
	case end.killed && ctx.Err() == context.DeadlineExceeded: // it is given as it is
		return fettle.CodeUnknown, fmt.Sprintf("NRPE: Command timed out after %.0f seconds", limit.Seconds())
	case end.killed:
		return fettle.CodeUnknown, "NRPE: the agent is about to end"
	case len(end.stdout) == 0:
		return fettle.CodeUnknown, noOutput
	}
	return outcomeOf(ending{exit: end.exit}).Output.Code, strings.TrimSuffix(string(end.stdout), "\n")
}
