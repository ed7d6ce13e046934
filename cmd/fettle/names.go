package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/plugins"
	"github.com/fettle-dev/fettle/server/api/client"
)

// completionWait is how long a shell waits for names at most: a person has pressed Tab.
const completionWait = 2 * time.Second

// complete is a function that completes what the server knows. n is which positional; below zero: a flag's value.
type complete func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective)

// namesOf makes a completion of the n-th positional, or with n below zero of a flag, from a question to the server.
func (a *app) namesOf(n int, ask func(ctx context.Context, c *client.API, begun string) ([]string, error)) complete {
	return func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if n >= 0 && len(args) != n {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		c, err := a.client()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), completionWait)
		defer cancel()
		names, err := ask(ctx, c, begun)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		names = slices.DeleteFunc(names, func(name string) bool { return !strings.HasPrefix(name, begun) })
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// nodeNames are the identities that begin with what was typed.
func nodeNames(ctx context.Context, c *client.API, begun string) (names []string, err error) {
	found, err := find(ctx, c, question{where: fettle.Filter(fmt.Sprintf("identity.startsWith(%q)", strings.ToLower(begun))), limit: 200})
	if err != nil {
		return nil, err
	}
	for _, n := range found.Nodes {
		names = append(names, string(n.Identity)+"\t"+string(n.Liveness))
	}
	return names, nil
}

// classNames are the classes of the first nodes: those that are common are among them.
func classNames(ctx context.Context, c *client.API, _ string) (names []string, err error) {
	found, err := find(ctx, c, question{fields: "classes", limit: 500})
	if err != nil {
		return nil, err
	}
	for _, n := range found.Nodes {
		var classes []string
		if json.Unmarshal(n.Fields["classes"], &classes) == nil {
			names = append(names, classes...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

func pathNames(ctx context.Context, c *client.API, _ string) (names []string, err error) {
	list, err := c.FactPaths(ctx, &client.ListFactsParams{})
	if err != nil {
		return nil, err
	}
	for _, p := range list.Paths {
		names = append(names, p.Path)
	}
	return names, nil
}

// fieldNames completes the last of a list with commas between.
func fieldNames(ctx context.Context, c *client.API, begun string) ([]string, error) {
	names, err := pathNames(ctx, c, "")
	head := begun[:strings.LastIndex(begun, ",")+1]
	for i, name := range names {
		names[i] = head + name
	}
	return names, err
}

// factTerms completes the fact in fact=value.
func factTerms(ctx context.Context, c *client.API, begun string) ([]string, error) {
	path, _, isValue := strings.Cut(begun, "=")
	names, err := pathNames(ctx, c, "")
	if err != nil || !isValue {
		for i, name := range names {
			names[i] = name + "="
		}
		return names, err
	}
	list, err := c.FactValues(ctx, path, &client.CountValuesParams{Limit: pointer(int64(200))})
	if err != nil {
		return nil, err
	}
	names = nil
	for _, v := range list.Values {
		names = append(names, path+"="+plainValue(v.Value))
	}
	return names, nil
}

func checkNames(ctx context.Context, c *client.API, _ string) ([]string, error) {
	return c.Commands(ctx)
}

// runNames are the latest runs.
func runNames(ctx context.Context, c *client.API, _ string) (names []string, err error) {
	list, err := c.Runs(ctx, &client.ListRunsParams{Limit: pointer(int64(50))})
	if err != nil {
		return nil, err
	}
	for _, r := range list.Runs {
		names = append(names, fmt.Sprintf("%s\t%s %s, %s", r.Run, r.Action, r.State, ago(r.Created)))
	}
	return names, nil
}

func tokenNames(ctx context.Context, c *client.API, _ string) (names []string, err error) {
	tokens, err := c.Tokens(ctx)
	for _, t := range tokens {
		names = append(names, fmt.Sprintf("%s\t%s, %s", t.Id, t.Name, t.Role))
	}
	return names, err
}

// completeRun completes an action, and then its inputs; those that it takes are the manifest's.
func (a *app) completeRun(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		names, _ := a.namesOf(0, actionNames)(cmd, args, begun)
		if names == nil {
			names = builtinNames()
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
	if strings.HasPrefix(begun, "command=") {
		return a.namesOf(-1, func(ctx context.Context, c *client.API, _ string) ([]string, error) {
			names, err := c.Commands(ctx)
			for i := range names {
				names[i] = "command=" + names[i]
			}
			return names, err
		})(cmd, args, begun)
	}
	manifest, known := a.declared(cmd.Context(), args[0])
	if !known {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	if name, _, isValue := strings.Cut(begun, "="); isValue {
		return inputValues(manifest, name, begun), cobra.ShellCompDirectiveNoFileComp
	}
	var inputs []string
	for _, in := range manifest.Inputs {
		if !slices.ContainsFunc(args[1:], func(word string) bool { return strings.HasPrefix(word, in.Name+"=") }) {
			inputs = append(inputs, in.Name+"=\t"+in.Description)
		}
	}
	return inputs, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

// inputValues are the values that an input can have, where they are few, each behind the name of the input.
func inputValues(manifest plugins.Action, name, begun string) (out []string) {
	for _, in := range manifest.Inputs {
		if in.Name != name {
			continue
		}
		values := in.Enum
		if in.Type == plugins.Bool {
			values = []string{"true", "false"}
		}
		for _, value := range values {
			if word := name + "=" + value; strings.HasPrefix(word, begun) {
				out = append(out, word)
			}
		}
	}
	return out
}

func actionNames(ctx context.Context, c *client.API, _ string) (names []string, err error) {
	list, err := c.Actions(ctx)
	if err != nil {
		return nil, err
	}
	for _, action := range list {
		names = append(names, action.Name+"\t"+action.Description)
	}
	return names, nil
}

func builtinNames() (names []string) {
	for _, action := range plugins.Builtin() {
		names = append(names, action.Name+"\t"+action.Description)
	}
	return names
}

// flagNames ties completions to flags of cmd, by name.
func flagNames(cmd *cobra.Command, of map[string]complete) {
	for name, fn := range of {
		_ = cmd.RegisterFlagCompletionFunc(name, fn) // it fails for a flag that cmd does not have; the tests complete each
	}
}
