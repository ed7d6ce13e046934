package main

import (
	"fmt"
	"os"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"
)

// validator is the settings of a role.
type validator interface{ Validate() error }

// newRole ties the settings of a role, pointers to structs, to flags of cmd. Its file is looked for in /etc/fettle when nobody names one.
func newRole(cmd *cobra.Command, name string, configs ...validator) *settings {
	s := settingsOf(name, configs...)
	s.flags(cmd.Flags())
	cmd.Flags().String("config", "", fmt.Sprintf("`FILE` of settings (default /etc/fettle/%s.yaml, if it is there)", name))
	return s
}

// settle reads all sources and validates: every fault is in the error, each with its place.
func (s *settings) settle(cmd *cobra.Command) error {
	file, _ := cmd.Flags().GetString("config") // the flag is there: newRole made it
	explicit := file != ""
	if env := os.Getenv("FETTLE_CONFIG"); !explicit && env != "" {
		file, explicit = env, true
	}
	if !explicit {
		file = "/etc/fettle/" + s.role + ".yaml"
	}
	s.load(file, explicit, cmd.Flags())
	for _, config := range s.configs {
		s.check(config.Validate())
	}
	if err := s.err(); err != nil {
		return usage(err)
	}
	return nil
}

func (a *app) configCommand() *cobra.Command {
	srv, agt := defaultServerSettings(), defaultAgentSettings()
	return group(&cobra.Command{
		Use: "config", Short: "print the settings that hold, and where each came from", GroupID: groupOther,
		Example: "  fettle config server\n  fettle config agent --config ./agent.yaml -o json",
	}, configOf(a, "server", &srv), configOf(a, "agent", &agt))
}

func configOf(a *app, name string, config validator) *cobra.Command {
	cmd := &cobra.Command{
		Use: name, Short: "settings of the " + name, Args: cobra.NoArgs,
		Example: fmt.Sprintf("  fettle config %s\n  FETTLE_STATE=/srv/fettle fettle config %s", name, name),
	}
	s := newRole(cmd, name, config)
	a.outputFlag(cmd, "yaml", "json", "table")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := s.settle(cmd); err != nil {
			return err
		}
		return s.print(a)
	}
	return cmd
}

// shown is one setting for people.
type shown struct {
	Key    string `json:"key"`
	Value  any    `json:"value"`
	Source string `json:"source"`
	Env    string `json:"env,omitempty"`
}

func (s *settings) print(a *app) error {
	all := make([]shown, 0, len(s.list))
	for _, one := range s.list {
		row := shown{Key: one.key, Value: one.value.Interface(), Source: one.from.String()}
		if one.plain() {
			row.Env = one.env()
			if text := one.text(); text != "" && one.secret {
				row.Value = mask(text)
			} else if _, is := row.Value.(fmt.Stringer); is {
				row.Value = text
			}
		} else {
			row.Value = hidden(one.value)
			if a.output == "json" {
				row.Value = byKeys(row.Value)
			}
		}
		all = append(all, row)
	}
	switch a.output {
	case "json":
		return printJSON(a.stdout, all)
	case "table":
		t := newTable("KEY", "VALUE", "SOURCE")
		for _, row := range all {
			t.add(row.Key, short(row.Value), row.Source)
		}
		return t.write(a.stdout)
	default:
		for _, row := range all {
			text, err := yaml.Marshal(map[string]any{row.Key: row.Value})
			if err != nil {
				return err
			}
			lines := strings.SplitN(strings.TrimRight(string(text), "\n"), "\n", 2)
			fmt.Fprintf(a.stdout, "%-40s # %s\n", lines[0], row.Source)
			if len(lines) > 1 {
				fmt.Fprintln(a.stdout, lines[1])
			}
		}
	}
	return nil
}

// hidden gives a copy of what is not one word, with its secrets masked.
func hidden(v reflect.Value) any {
	if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct {
		list := make([]any, v.Len())
		for i := range list {
			list[i] = hidden(v.Index(i))
		}
		return list
	}
	if v.Kind() != reflect.Struct {
		return v.Interface()
	}
	copied := reflect.New(v.Type()).Elem()
	copied.Set(v)
	for i := range v.NumField() {
		if f := copied.Field(i); v.Type().Field(i).Tag.Get("secret") == "true" && f.Kind() == reflect.String && f.String() != "" {
			f.SetString("***")
		}
	}
	return copied.Interface()
}

// byKeys gives what is not one word as it stands in a file, by the file's keys.
func byKeys(v any) (out any) {
	raw, err := yaml.Marshal(v)
	if err == nil {
		err = yaml.Unmarshal(raw, &out)
	}
	if err != nil {
		return v
	}
	return out
}

// short writes a value for a table.
func short(v any) string {
	if list, is := v.([]string); is && len(list) > 2 {
		return fmt.Sprintf("%s, … %d in all", list[0], len(list))
	} else if is {
		return strings.Join(list, ", ")
	}
	return fmt.Sprint(v)
}

// mask hides the password in a DSN or URL, and all of anything else.
func mask(text string) string {
	at := strings.LastIndex(text, "@")
	begin := strings.Index(text, "://")
	if at < 0 {
		if begin >= 0 || strings.HasPrefix(text, "sqlite:") {
			return text // no password in it
		}
		return "***"
	}
	login := text[:at]
	if begin >= 0 {
		login = text[begin+3 : at]
	}
	user, _, has := strings.Cut(login, ":")
	if !has {
		return text
	}
	return strings.Replace(text, login, user+":***", 1)
}
