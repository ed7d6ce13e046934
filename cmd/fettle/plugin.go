package main

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/nagios"
	"github.com/fettle-dev/fettle/server/api/client"
)

// maxReason bounds what a fault may say, in bytes: Nagios keeps one line of it.
const maxReason = 1000

// plugin is check_fettle: a Nagios plugin. Whatever happens, it prints one status on stdout and exits as Nagios wants it.
func (a *app) plugin(ctx context.Context, args []string) (code int) {
	if len(args) > 0 && args[0] == "broker" {
		return a.brokerPlugin(ctx, args[1:])
	}
	var o verdictOrder
	var where clientContext
	var ca string
	unknown := func(text string) int {
		name := o.check
		if name == "" {
			name = pluginName
		}
		fmt.Fprintf(a.stdout, "%s: UNKNOWN: %s\n", plainLine(name, 255), plainLine(text, maxReason))
		return int(fettle.CodeUnknown)
	}
	defer func() {
		if fault := recover(); fault != nil { // Go would exit with 2, and wake somebody for a CRITICAL that is none
			code = unknown(fmt.Sprintf("internal error: %v", fault))
		}
	}()
	cmd := a.pluginCommand(&o, &where, &ca)
	cmd.SetArgs(args)
	code = int(fettle.CodeUnknown) // --help and --version exit so, by the plugin guidelines
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		if o.check == "" {
			return fmt.Errorf("--check NAME is missing, see %s --help: %w", pluginName, fettle.ErrInvalid)
		}
		if where.URL == "" {
			if where, err = findContext(a.context); err != nil {
				return err
			}
		}
		where = where.trusting(ca)
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
		_, err = fmt.Fprintln(a.stdout, text)
		return err
	}
	if err := cmd.ExecuteContext(ctx); err != nil {
		text := reason(err)
		if advice := tlsAdvice(err); advice != "" {
			text += "; " + advice
		}
		return unknown(text)
	}
	return code
}

// pluginCommand makes the command without what it does; its flags go to o and where.
func (a *app) pluginCommand(o *verdictOrder, where *clientContext, ca *string) *cobra.Command {
	cmd := &cobra.Command{
		Use: pluginName + " --check NAME", Short: "one verdict over a fleet, for Nagios", Args: takes(), SilenceErrors: true, SilenceUsage: true,
		Long: `Folds a check over all nodes that have it, or that a filter matches, into one verdict. Prints it as a Nagios plugin does and exits so:
0 ok, 1 warning, 2 critical, 3 unknown. Every fault is UNKNOWN with its reason.

Without thresholds one critical node is CRITICAL, else one unknown node is UNKNOWN, else one warning node is WARNING.`,
		Version: version,
		Example: `  check_fettle --check check_load
  check_fettle --check check_disk -W 'environment=production' --warning 1 --critical 10%
  check_fettle --check check_http -S 'facts.role == "web"' --live --timeout 20s
  check_fettle --check check_http -C cluster --min-ok 60%
  check_fettle --group shop --by facts.customer
  check_fettle --check check_load --context /etc/fettle/nagios.yaml
  check_fettle broker --help`,
	}
	cmd.SetOut(a.stdout)
	cmd.SetErr(a.stdout)
	cmd.Flags().StringVar(&o.check, "check", "", "`NAME` of a defined check, or of a check command of the nodes, or of a group")
	cmd.Flags().StringVar(&o.check, "group", "", "`NAME` of a group of verdicts: the same as --check")
	o.aim.flags(cmd)
	o.flags(cmd.Flags())
	cmd.Flags().StringVar(&where.URL, "url", "", "`URL` of the server; default: the context's")
	cmd.Flags().StringVar(&where.Token, "token", "", "API `TOKEN`; better: a context file that only Nagios can read")
	cmd.Flags().StringVar(ca, "ca", "", "`FILE` in PEM with the authorities to trust; default: $FETTLE_CA, or the context's")
	cmd.Flags().StringVar(&a.context, "context", "", "`FILE` that says where the server is")
	return cmd
}

// caret is what shows people where in a filter a fault is, on lines of its own.
var caret = regexp.MustCompile(`\n *\d+ \| (.*)\n *\| *\^`)

// plainLine makes text one line that Nagios reads as text: without '|', after which it looks for perfdata, and with at most limit bytes.
func plainLine(text string, limit int) string {
	text = caret.ReplaceAllString(text, " in: $1")
	text = strings.Join(strings.Fields(clean(strings.ReplaceAll(text, "|", "!"))), " ")
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit-len("…")], "") + "…"
}
