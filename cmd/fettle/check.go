package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/nagios"
	"github.com/fettle-dev/fettle/server/api/client"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// verdictOrder is what check and check_fettle ask for.
type verdictOrder struct {
	check, warning, critical string
	live                     bool
	timeout                  time.Duration
	aim                      aim
}

func (o *verdictOrder) flags(f *pflag.FlagSet) {
	f.BoolVar(&o.live, "live", false, "ask the nodes now, also where states are kept")
	f.StringVarP(&o.warning, "warning", "w", "", "Nagios range over the nodes that are not ok, their number or 10%, or CEL over the tally")
	f.StringVarP(&o.critical, "critical", "c", "", "likewise")
	f.DurationVarP(&o.timeout, "timeout", "t", 10*time.Second, "how long nodes may take, and the server")
}

// answerSlack is what the server gets beyond the time of the nodes.
const answerSlack = 2 * time.Second

func (o *verdictOrder) ask(ctx context.Context, c *client.API, bare []string) (*fettle.Verdict, error) {
	if o.timeout <= 0 {
		return nil, usage(fmt.Errorf("--timeout %s is not above zero: %w", o.timeout, fettle.ErrInvalid))
	}
	where, err := o.aim.filter(ctx, bare, false)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout+answerSlack)
	defer cancel()
	p := client.AskVerdictParams{
		Where: pointer(string(where)), Live: pointer(o.live), Warning: pointer(o.warning), Critical: pointer(o.critical), Timeout: pointer(o.timeout.String()),
	}
	if o.aim.all {
		p.Where = pointer("true")
	}
	v, err := c.Verdict(ctx, o.check, &p)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, fmt.Errorf("%s did not answer within %s: %w", c.URL(), o.timeout+answerSlack, fettle.ErrUnavailable)
	}
	return v, err
}

func (a *app) checkCommand() *cobra.Command {
	var o verdictOrder
	cmd := &cobra.Command{
		Use: "check NAME [FILTER]", Short: "one verdict over all nodes that have a check", GroupID: groupAsk,
		Long: `Folds a check over nodes into one verdict, as Nagios reads it. A check with a definition is read from the states that
are kept; a check command without one is asked live. Without a filter: the nodes that have it.

A node that does not answer is UNKNOWN, never absent. Exits as a Nagios plugin: 0 ok, 1 warning, 2 critical, 3 unknown.`,
		Example: `  fettle check check_load
  fettle check check_disk -W environment=production --warning 1 --critical 10%
  fettle check check_http 'facts.role == "web"' --critical 'critical > 0.1 * total || silent > 3'`,
		Args: cobra.RangeArgs(1, 2), ValidArgsFunction: a.completeChecks,
	}
	o.aim.flags(cmd)
	o.flags(cmd.Flags())
	a.outputFlag(cmd, "table", "json", "yaml")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		o.check = args[0]
		err := a.check(cmd.Context(), &o, args[1:])
		var coded *codeError
		if err != nil && !(errors.As(err, &coded) && coded.err == nil) {
			return &codeError{int(fettle.CodeUnknown), err} // a fault must not look like WARNING, nor a bad filter like CRITICAL
		}
		return err
	}
	return cmd
}

// check asks for a verdict and prints it; the error has the verdict's code.
func (a *app) check(ctx context.Context, o *verdictOrder, bare []string) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	began := time.Now()
	v, err := o.ask(ctx, c, bare)
	if errors.Is(err, fettle.ErrNotFound) && a.output == "table" {
		fmt.Fprintf(a.stdout, "%s: UNKNOWN: %s\n", o.check, firstLine(err))
		return &codeError{code: int(fettle.CodeUnknown)}
	}
	if err != nil {
		return err
	}
	switch a.output {
	case "json":
		err = printJSON(a.stdout, v)
	case "yaml":
		err = printYAML(a.stdout, v)
	default:
		text, _ := nagios.FormatVerdict(*v, time.Since(began))
		_, err = fmt.Fprintln(a.stdout, strings.TrimRight(text, "\n"))
	}
	if err == nil && v.Status != fettle.CheckOK {
		err = &codeError{code: int(v.Status.Code())}
	}
	return err
}

// completeChecks completes the names of checks and of check commands.
func (a *app) completeChecks(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	c, err := a.client()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	names, err := c.Commands(cmd.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// plugin is check_fettle: a Nagios plugin. Whatever happens, it prints one status on stdout and exits as Nagios wants it.
func (a *app) plugin(ctx context.Context, args []string) int {
	var o verdictOrder
	var url, token, ca string
	unknown := func(reason string) int {
		name := o.check
		if name == "" {
			name = pluginName
		}
		reason = strings.Join(strings.Fields(strings.ReplaceAll(reason, "|", "!")), " ")
		fmt.Fprintf(a.stdout, "%s: UNKNOWN: %s\n", clean(name), clean(reason))
		return int(fettle.CodeUnknown)
	}
	cmd := &cobra.Command{
		Use: pluginName + " --check NAME", Short: "one verdict over a fleet, for Nagios", Args: cobra.NoArgs, SilenceErrors: true, SilenceUsage: true,
		Version: version,
		Example: `  check_fettle --check check_load
  check_fettle --check check_disk -W 'environment=production' --warning 1 --critical 10%
  check_fettle --check check_http -S 'facts.role == "web"' --live --timeout 20s`,
	}
	cmd.SetArgs(args)
	cmd.SetOut(a.stdout)
	cmd.SetErr(a.stdout)
	cmd.Flags().StringVar(&o.check, "check", "", "a defined check, or a check command of the nodes")
	o.aim.flags(cmd)
	o.flags(cmd.Flags())
	cmd.Flags().StringVar(&url, "url", "", "of the server; default: the context's")
	cmd.Flags().StringVar(&token, "token", "", "an API token; better: a context file that only Nagios can read")
	cmd.Flags().StringVar(&ca, "ca", "", "file of certificates to trust")
	cmd.Flags().StringVar(&a.context, "context", "", "file that says where the server is")
	code := int(fettle.CodeUnknown) // --help and --version exit so, by the plugin guidelines
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if o.check == "" {
			return fmt.Errorf("--check NAME is missing, see %s --help: %w", pluginName, fettle.ErrInvalid)
		}
		where := clientContext{URL: url, Token: token, CA: ca}
		if url == "" {
			var err error
			if where, err = findContext(a.context); err != nil {
				return err
			}
		}
		c, err := client.New(where.URL, where.Token, where.CA)
		if err != nil {
			return err
		}
		began := time.Now()
		v, err := o.ask(cmd.Context(), c, nil)
		if err != nil {
			return err
		}
		text, verdict := nagios.FormatVerdict(*v, time.Since(began))
		code = int(verdict)
		_, err = fmt.Fprintln(a.stdout, strings.TrimRight(text, "\n"))
		return err
	}
	if err := cmd.ExecuteContext(ctx); err != nil {
		return unknown(err.Error())
	}
	return code
}
