package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/nagios"
	"github.com/fettle-dev/fettle/server/api/client"
)

// nagiosFile is where a configuration goes, and what happens when it has changed.
type nagiosFile struct {
	out, verify, reload string
	maxShrink           string
	force               bool
}

// commandWithin is how long verify and reload may take, each.
const commandWithin = 2 * time.Minute

func (a *app) nagiosCommand() *cobra.Command {
	return group(&cobra.Command{
		Use: "nagios", Short: "what Nagios needs to know of the fleet", GroupID: groupBridge,
		Example: "  fettle nagios config 'facts.os.family == \"Debian\"' --out /etc/nagios4/conf.d/fettle.cfg",
	}, a.nagiosConfigCommand())
}

func (a *app) nagiosConfigCommand() *cobra.Command {
	var (
		m             aim
		o             nagiosOrder
		f             nagiosFile
		template      string
		printTemplate bool
	)
	cmd := &cobra.Command{
		Use: "config [FILTER]", Short: "hosts, services and host groups of the nodes that a filter matches",
		Long: `Writes object definitions of Nagios: a host for each node, with a service for each of its checks, a host whose services are the verdicts of
all checks, and host groups by class and by the values of --group-by. Passive services wait for what the server tells (its setting passive).

With --out the file is written only when it would differ, at once or not at all. --verify is run then; where it fails, the file is put back as
it was. --reload comes last. Both are programs with arguments, with blanks between: no shell reads them. Where the number of hosts would shrink by
more than --max-shrink, the file is left as it is and the exit code is 1: more likely the filter is wrong, or the server young, than the fleet gone.`,
		Example: `  fettle nagios config --all
  fettle nagios config -W environment=production --out /etc/nagios4/conf.d/fettle.cfg --verify 'nagios4 -v /etc/nagios4/nagios.cfg' --reload 'systemctl reload nagios4'
  fettle nagios config @web --services active --group-by os.family,environment
  fettle nagios config --all --verdicts passive --by facts.customer
  fettle nagios config --print-template >own.tmpl
  fettle nagios config --all --template own.tmpl`,
		Args: takes("FILTER?"), ValidArgsFunction: a.namesOf(0, savedNames),
	}
	a.aimFlags(cmd, &m)
	flags := cmd.Flags()
	flags.StringVar(&f.out, "out", "", "`FILE` that is written; empty: stdout")
	flags.StringVar(&f.verify, "verify", "", "`COMMAND` that says whether Nagios takes the new file")
	flags.StringVar(&f.reload, "reload", "", "`COMMAND` that has Nagios read it")
	flags.StringVar(&f.maxShrink, "max-shrink", "20%", "hosts that may be missing from the new file, their `NUMBER` or percent")
	flags.BoolVar(&f.force, "force", false, "write it however many hosts are missing")
	flags.StringVar(&template, "template", "", "`FILE` with a template instead of the built-in one")
	flags.BoolVar(&printTemplate, "print-template", false, "print the built-in template, to begin with")
	flags.StringVar(&o.groupBy, "group-by", "os.family", "`FIELDS` whose values are host groups: fact paths and CEL, with commas between")
	flags.StringVar(&o.address, "address", "networking.ip", "a host's address is this fact `PATH`, and its name where a node lacks it")
	flags.StringVar(&o.states, "services", servicesPassive, "services of a node for its checks: `KIND` passive, active or none")
	flags.StringVar(&o.verdicts, "verdicts", servicesActive, "services of --verdict-host for the verdicts: `KIND` passive, active or none")
	flags.StringVar(&o.verdictHost, "verdict-host", "fleet", "`NAME` of the host whose services the verdicts are")
	flags.StringVar(&o.by, "by", "", "beside the verdict of each check a passive service for each value of this fact `PATH`, as the server's setting passive has by")
	flags.StringVar(&o.plugin, "plugin", "/usr/local/bin/check_fettle --context /etc/fettle/nagios.yaml", "`COMMAND` with which Nagios calls check_fettle, and where its server is")
	flags.StringVar(&o.hostUse, "host-template", "generic-host", "`NAME` of Nagios' template that hosts use; empty: none")
	flags.StringVar(&o.checkUse, "service-template", "generic-service", "`NAME` of Nagios' template that services use; empty: none")
	kinds := func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return []string{servicesPassive, servicesActive, servicesNone}, cobra.ShellCompDirectiveNoFileComp
	}
	for _, name := range []string{"services", "verdicts"} {
		_ = cmd.RegisterFlagCompletionFunc(name, kinds) // the flag is there
	}
	flagNames(cmd, map[string]complete{"group-by": a.namesOf(-1, fieldNames), "address": a.namesOf(-1, pathNames), "by": a.namesOf(-1, pathNames)})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if printTemplate {
			_, err := fmt.Fprint(a.stdout, nagios.DefaultObjects)
			return err
		}
		text := nagios.DefaultObjects
		if template != "" {
			raw, err := readBounded(template)
			if err != nil {
				return usage(fmt.Errorf("template: %w", err))
			}
			text = string(raw)
		}
		config, hosts, err := a.nagiosConfig(cmd.Context(), &m, o, args, text)
		if err != nil {
			return err
		}
		if f.out == "" {
			_, err := a.stdout.Write(config)
			return err
		}
		return a.placeNagios(cmd.Context(), f, config, hosts)
	}
	return cmd
}

// nagiosConfig makes the file, and tells how many hosts are in it.
func (a *app) nagiosConfig(ctx context.Context, m *aim, o nagiosOrder, args []string, text string) ([]byte, int, error) {
	if err := o.validate(); err != nil {
		return nil, 0, err
	}
	where, err := m.filter(ctx, args, true)
	if err != nil {
		return nil, 0, err
	}
	c, err := a.client()
	if err != nil {
		return nil, 0, err
	}
	found, err := find(ctx, c, question{where: where, fields: o.fields()})
	if err != nil {
		return nil, 0, err
	}
	verdicts, err := c.Verdicts(ctx)
	if err != nil {
		return nil, 0, err
	}
	for i, v := range verdicts {
		if o.by == "" || v.ByFact != "" || o.verdicts == servicesNone {
			continue
		}
		by, err := c.Verdict(ctx, v.Check, &client.AskVerdictParams{By: pointer(o.by)})
		if err != nil {
			return nil, 0, fmt.Errorf("check %s by %s: %w", v.Check, o.by, err)
		}
		verdicts[i] = *by
	}
	objects, skipped := o.objects(found.Nodes, verdicts)
	if len(skipped) > 0 {
		a.hint(fmt.Sprintf("Nagios cannot ask for %s: a quote or a backslash is in the name; passive instead", strings.Join(skipped, ", ")))
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Written by fettle nagios config; what is changed here is lost. hosts=%d\n\n", len(objects.Hosts))
	if err := nagios.WriteObjects(&b, text, objects); err != nil {
		return nil, 0, fmt.Errorf("template: %w", err)
	}
	return b.Bytes(), len(objects.Hosts), nil
}

// hostsLine is how a file says how many hosts it has.
var hostsLine = regexp.MustCompile(`^# Written by fettle nagios config.* hosts=(\d+)\n`)

// placeNagios writes the file where it differs, verified, and has Nagios read it.
func (a *app) placeNagios(ctx context.Context, f nagiosFile, config []byte, hosts int) error {
	old, err := os.ReadFile(f.out)
	there := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if there && bytes.Equal(old, config) {
		a.hint(f.out + " is as it should be")
		return nil
	}
	if err := f.shrinks(old, hosts); err != nil {
		return err
	}
	if err := replaceFile(f.out, config); err != nil {
		return err
	}
	if err := execute(ctx, f.verify); err != nil {
		undo := os.Remove(f.out)
		if there {
			undo = replaceFile(f.out, old)
		}
		return errors.Join(fmt.Errorf("%s is as it was, because --verify does not take the new one: %w", f.out, err), undo)
	}
	a.hint(fmt.Sprintf("%s has %s now", f.out, plural(hosts, "host")))
	if err := execute(ctx, f.reload); err != nil {
		return fmt.Errorf("%s is written, and --reload fails: %w", f.out, err)
	}
	return nil
}

// shrinks refuses a file that has far fewer hosts than old.
func (f nagiosFile) shrinks(old []byte, hosts int) error {
	text, percent := strings.CutSuffix(f.maxShrink, "%")
	limit, err := strconv.Atoi(text)
	if err != nil || limit < 0 || percent && limit > 100 {
		return usage(fmt.Errorf("--max-shrink %s is no number of hosts, nor a percentage: %w", f.maxShrink, fettle.ErrInvalid))
	}
	found := hostsLine.FindSubmatch(old)
	if found == nil || f.force {
		return nil
	}
	before, err := strconv.Atoi(string(found[1]))
	if err != nil {
		return nil //nolint:nilerr // a number beyond all bounds is not ours
	}
	if percent {
		limit = before * limit / 100
	}
	if missing := before - hosts; missing > limit {
		return fmt.Errorf("%s is left as it is: it has %s, the new one would have %d, and --max-shrink is %s; --force writes it all the same: %w",
			f.out, plural(before, "host"), hosts, f.maxShrink, fettle.ErrConflict)
	}
	return nil
}

// replaceFile writes a file at once or not at all, with the mode that it had.
func replaceFile(name string, content []byte) error {
	mode := fs.FileMode(0o644) // Nagios runs as another user
	if info, err := os.Stat(name); err == nil {
		mode = info.Mode().Perm()
	}
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*") // Nagios reads *.cfg only
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// execute runs a command line, words with blanks between, without a shell. Its error has the end of what it printed. An empty one does nothing.
func execute(ctx context.Context, line string) error {
	words := strings.Fields(line)
	if len(words) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, commandWithin)
	defer cancel()
	out, err := exec.CommandContext(ctx, words[0], words[1:]...).CombinedOutput()
	if err == nil {
		return nil
	}
	const shown = 4000
	text := strings.TrimSpace(string(out))
	if len(text) > shown {
		text = "…" + strings.ToValidUTF8(text[len(text)-shown:], "")
	}
	return fmt.Errorf("%s: %w\n%s", line, err, text)
}
