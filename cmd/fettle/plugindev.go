package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/agent/actions"
	"github.com/fettle-dev/fettle/facts"
	"github.com/fettle-dev/fettle/filter"
	"github.com/fettle-dev/fettle/plugins"
)

func (a *app) pluginNewCommand() *cobra.Command {
	var language, dir string
	cmd := &cobra.Command{
		Use: "new NAME", Short: "make the folder of a new plugin that works", Args: takes("NAME"), ValidArgsFunction: cobra.NoFileCompletions,
		Example: "  fettle plugin new disk\n  fettle plugin new disk --lang python --dir plugins/disk",
	}
	cmd.Flags().StringVar(&language, "lang", "shell", "`LANGUAGE` to begin with: "+strings.Join(plugins.Languages(), ", "))
	cmd.Flags().StringVar(&dir, "dir", "", "`DIR` to make; default: one of the plugin's name")
	flagNames(cmd, map[string]complete{"lang": cobra.FixedCompletions(plugins.Languages(), cobra.ShellCompDirectiveNoFileComp)})
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		files, err := plugins.Skeleton(args[0], language)
		if err != nil {
			return usage(err)
		}
		if dir == "" {
			dir = args[0]
		}
		if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
			return err
		}
		if err := os.Mkdir(dir, 0o755); err != nil {
			if errors.Is(err, os.ErrExist) {
				err = fmt.Errorf("%s is there already: %w", dir, fettle.ErrConflict)
			}
			return err
		}
		if err := plugins.Write(files, dir); err != nil {
			return err
		}
		for _, f := range files {
			fmt.Fprintln(a.stdout, filepath.Join(dir, filepath.FromSlash(f.Name)))
		}
		build := ""
		if language == "go" {
			build = fmt.Sprintf("  cd %s && go build -o bin/%s-%s-%s . && cd -\n", dir, args[0], runtime.GOOS, runtime.GOARCH)
		}
		fmt.Fprintf(a.stderr, "try it:\n%s  %s plugin test %s\n  %s plugin push %s\n", build, a.self(), dir, a.self(), dir)
		return nil
	}
	return cmd
}

func (a *app) pluginLintCommand() *cobra.Command {
	return &cobra.Command{
		Use: "lint DIR", Short: "tell what is wrong with a plugin's folder", Args: takes("DIR"), Example: "  fettle plugin lint ./disk",
		Long: "Reads plugin.yaml as the server does, and looks whether the executable, the filter and the cases are right. Nothing is run.",
		RunE: func(_ *cobra.Command, args []string) error {
			archive, m, err := plugins.Pack(args[0])
			if err == nil {
				err = lintFolder(args[0], m)
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(a.stdout, "%s %s is sound: %d actions, %d bytes packed\n", m.Name, m.Version, len(m.Actions), len(archive))
			return nil
		},
	}
}

// lintFolder tells what is wrong with a plugin's folder beside its manifest.
func lintFolder(dir string, m plugins.Manifest) error {
	var faults []error
	bad := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf(format+": %w", append(args, fettle.ErrInvalid)...))
	}
	if m.Platforms != "" {
		if _, err := filter.Compile(filter.OnNode, m.Platforms); err != nil {
			faults = append(faults, fmt.Errorf("%s: platforms: %w", plugins.ManifestName, err))
		}
	}
	executable := filepath.Join(dir, filepath.FromSlash(m.ExecutableFor(runtime.GOOS, runtime.GOARCH)))
	if strings.Contains(m.Executable, "{") { // of one system, it need not be this one
		found, _ := filepath.Glob(filepath.Join(dir, strings.NewReplacer("{os}", "*", "{arch}", "*").Replace(m.Executable)))
		if len(found) == 0 {
			bad("%s is there for no system; build it first", m.Executable)
		} else {
			executable = found[0]
		}
	}
	if len(faults) == 0 {
		switch info, err := os.Stat(executable); {
		case err != nil:
			bad("the executable %s is not there", m.Executable)
		case !info.Mode().IsRegular() || info.Mode()&0o111 == 0:
			bad("the executable %s may not be executed; chmod +x %s", m.Executable, executable)
		}
	}
	cases, err := plugins.ReadCases(dir)
	faults = append(faults, err)
	p := actions.Plugin{Manifest: m}
	for _, c := range cases {
		if _, err := p.Action(c.Action); err != nil {
			faults = append(faults, fmt.Errorf("%s/%s.yaml: %w", plugins.CasesFolder, c.Name, err))
		}
	}
	return errors.Join(faults...)
}

func (a *app) pluginTestCommand() *cobra.Command {
	var factsFile string
	var timeout wait
	cmd := &cobra.Command{
		Use: "test DIR [ACTION [INPUT=VALUE ...]]", Short: "run a plugin's cases here, or one action", Args: takes("DIR", "ACTION?", "INPUT=VALUE..."),
		Long: `Runs the plugin on this machine as an agent does: the same request, environment, limits and verdict. Without an action, every case in the folder cases is
run; {folder} in an input of a case stands for the plugin's folder. With an action, that is run, and what comes of it is printed. No server is asked.`,
		Example: "  fettle plugin test ./disk\n  fettle plugin test ./disk usage path=/home\n  fettle plugin test ./disk usage --facts facts.json",
	}
	cmd.Flags().StringVar(&factsFile, "facts", "", "`FILE` in JSON with the facts of the node that it is to believe it is on; with an action")
	cmd.Flags().Var(&timeout, "timeout", "for the action; default: the manifest's")
	a.outputFlag(cmd, "table", "json", "yaml")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		_, m, err := plugins.Pack(args[0])
		if err == nil {
			err = lintFolder(args[0], m)
		}
		if err != nil {
			return err
		}
		p, err := actions.OpenPlugin(args[0])
		if err != nil {
			return err
		}
		if len(args) == 1 {
			return a.testCases(cmd, p)
		}
		action, err := p.Action(args[1])
		if err != nil {
			return usage(err)
		}
		inputs, err := plugins.ParseInputs(action, args[2:])
		if err != nil {
			return usage(err)
		}
		at := actions.Place{Node: "localhost"}
		if factsFile != "" {
			if at.Known.Facts, err = os.ReadFile(factsFile); err != nil {
				return err
			}
		} else if at.Known.Facts, err = a.ownFacts(cmd); err != nil {
			return err
		}
		out := p.Do(cmd.Context(), actions.Call{Action: action.Name, Inputs: inputs, Timeout: time.Duration(timeout), Stream: a.streamHere}, at)
		return a.printOutcome(action, out)
	}
	return cmd
}

// streamHere shows what a plugin says while it runs.
func (a *app) streamHere(_ string, chunk []byte) { _, _ = a.stderr.Write(chunk) }

// printOutcome prints what came of one action.
func (a *app) printOutcome(action plugins.Action, out actions.Outcome) error {
	shown := struct {
		Action  string         `json:"action"`
		Status  string         `json:"status"`
		Message string         `json:"message"`
		Data    map[string]any `json:"data"`
	}{action.Name, out.Status.String(), out.Message, out.Data}
	err := a.printObject(shown, func() error {
		fmt.Fprintf(a.stdout, "%s: %s\n", shown.Status, clean(out.Message))
		for _, o := range action.Outputs {
			if v, is := out.Data[o.Name]; is {
				raw, err := json.Marshal(v)
				if err != nil {
					return err
				}
				fmt.Fprintf(a.stdout, "  %s: %s %s\n", o.Label(), clean(strings.TrimSpace(string(raw))), o.Unit)
			}
		}
		return nil
	})
	if err == nil && out.Status != fettle.StatusOK {
		return &codeError{code: exitFault}
	}
	return err
}

// testCases runs the cases of a plugin, and tells which are not as they have to be.
func (a *app) testCases(cmd *cobra.Command, p *actions.Plugin) error {
	cases, err := plugins.ReadCases(p.Folder)
	if err != nil {
		return err
	}
	if len(cases) == 0 {
		return fmt.Errorf("%s has no cases; put some into %s, or name an action: %w", p.Folder, plugins.CasesFolder, fettle.ErrInvalid)
	}
	failed := 0
	for _, c := range cases {
		began := time.Now()
		out, err := runCase(cmd, p, c)
		if err != nil {
			return fmt.Errorf("case %s: %w", c.Name, err)
		}
		faults := c.Judge(out.Status, out.Message, out.Data)
		if len(faults) == 0 {
			fmt.Fprintf(a.stdout, "%s  %s  %s\n", a.paint(green, "ok    "), c.Name, time.Since(began).Round(time.Millisecond))
			continue
		}
		failed++
		fmt.Fprintf(a.stdout, "%s  %s\n", a.paint(red, "FAILED"), c.Name)
		for _, fault := range faults {
			fmt.Fprintf(a.stdout, "        %s\n", clean(fault))
		}
		if log, is := out.Data[plugins.OutputLog].(string); is {
			fmt.Fprintf(a.stdout, "        log: %s\n", strings.ReplaceAll(clean(strings.TrimSpace(log)), "\n", "\n             "))
		}
	}
	if failed > 0 {
		return &codeError{code: exitFault, err: fmt.Errorf("%d of %s failed", failed, plural(len(cases), "case"))}
	}
	return nil
}

// runCase does what a case asks.
func runCase(cmd *cobra.Command, p *actions.Plugin, c plugins.Case) (actions.Outcome, error) {
	action, err := p.Action(c.Action)
	if err != nil {
		return actions.Outcome{}, err
	}
	facts := c.Facts
	if facts == nil {
		facts = map[string]any{}
	}
	raw, err := json.Marshal(facts)
	if err != nil {
		return actions.Outcome{}, fmt.Errorf("facts: %w: %w", err, fettle.ErrInvalid)
	}
	inputs := map[string]any{}
	for name, v := range c.Inputs {
		if text, is := v.(string); is {
			v = strings.ReplaceAll(text, "{folder}", p.Folder)
		}
		inputs[name] = v
	}
	at := actions.Place{Node: c.Identity, Known: actions.Known{Facts: raw}}
	if at.Node == "" {
		at.Node = "localhost"
	}
	return p.Do(cmd.Context(), actions.Call{Action: action.Name, Inputs: inputs, Timeout: c.Timeout}, at), nil
}

func (a *app) pluginDocCommand() *cobra.Command {
	return &cobra.Command{
		Use: "doc DIR", Short: "print the page of a plugin, in Markdown", Args: takes("DIR"), Example: "  fettle plugin doc ./disk > disk.md",
		RunE: func(_ *cobra.Command, args []string) error {
			_, m, err := plugins.Pack(args[0])
			if err != nil {
				return err
			}
			var page bytes.Buffer
			pluginPage(&page, m)
			_, err = a.stdout.Write(page.Bytes())
			return err
		},
	}
}

// pluginPage writes what there is to know of a plugin.
func pluginPage(w io.Writer, m plugins.Manifest) {
	fmt.Fprintf(w, "# %s\n\n%s\n\nVersion %s", m.Name, m.Description, m.Version)
	if m.Licence != "" {
		fmt.Fprintf(w, ", %s", m.Licence)
	}
	fmt.Fprintln(w, ".")
	if m.Platforms != "" {
		fmt.Fprintf(w, "\nIt is for nodes with `%s`.\n", m.Platforms)
	}
	for _, action := range m.Actions {
		printAction(w, action)
	}
}

func (a *app) pluginPackCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use: "pack DIR", Short: "write the archive that push sends", Args: takes("DIR"), Example: "  fettle plugin pack ./disk --file disk-1.0.0.tar.zst",
		Long: "The same files give the same archive, wherever and whenever it is made: its digest names them.",
	}
	cmd.Flags().StringVar(&file, "file", "", "`FILE` to write; default: NAME-VERSION.tar.zst")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		archive, m, err := plugins.Pack(args[0])
		if err != nil {
			return err
		}
		if file == "" {
			file = m.Name + "-" + m.Version + ".tar.zst"
		}
		if err := os.WriteFile(file, archive, 0o644); err != nil {
			return err
		}
		fmt.Fprintf(a.stdout, "%s  %s\n", plugins.Digest(archive), file)
		return nil
	}
	return cmd
}

// ownFacts gives the facts of this machine, as its agent would collect them.
func (a *app) ownFacts(cmd *cobra.Command) ([]byte, error) {
	cfg := defaultAgentSettings().Config
	cfg.Cloud, cfg.Facter = false, false // they take time, and a plugin is tried without
	snapshot, err := facts.New(cfg, slog.New(slog.DiscardHandler)).Collect(cmd.Context())
	if err != nil && snapshot.Facts == nil {
		return nil, err
	}
	return json.Marshal(snapshot.Facts)
}
