package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// bashWithoutPackage stands in for what the script wants of the package bash-completion, which small machines do not have: the words of the
// line up to the cursor, split at blanks only.
const bashWithoutPackage = `if ! declare -F _get_comp_words_by_ref >/dev/null; then
    _get_comp_words_by_ref() {
        local line=${COMP_LINE:0:COMP_POINT}
        read -ra words <<<"$line"
        [[ $line == *[[:space:]] ]] && words+=("")
        cword=$((${#words[@]} - 1))
        cur=${words[cword]}
        prev=${words[cword > 0 ? cword - 1 : 0]}
    }
fi

`

// completionCommand prints what a shell needs to complete commands, flags and the names that the server knows.
func (a *app) completionCommand(root *cobra.Command) *cobra.Command {
	shells := map[string]func() error{
		"bash": func() error {
			if _, err := io.WriteString(a.stdout, bashWithoutPackage); err != nil {
				return err
			}
			return root.GenBashCompletionV2(a.stdout, true)
		},
		"zsh":        func() error { return root.GenZshCompletion(a.stdout) },
		"fish":       func() error { return root.GenFishCompletion(a.stdout, true) },
		"powershell": func() error { return root.GenPowerShellCompletionWithDesc(a.stdout) },
	}
	names := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use: "completion SHELL", Short: "what a shell needs to complete commands and names", GroupID: groupOther,
		Long: `Prints a script for bash, zsh, fish or powershell. With it the shell completes commands and flags, and asks the server for the names of
nodes, fact paths, checks, actions and runs.`,
		Example: `  fettle completion bash > /etc/bash_completion.d/fettle       bash
  fettle completion zsh > "${fpath[1]}/_fettle"                zsh
  fettle completion fish > ~/.config/fish/completions/fettle.fish
  source <(fettle completion bash)                             this shell only`,
		ValidArgs: names,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 || shells[args[0]] == nil {
				return fmt.Errorf("say for which shell: %v", names)
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error { return shells[args[0]]() },
	}
}

// helpCommand is cobra's, but that it fails on a command that does not exist.
func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND]", Short: "what a command does, and its flags", GroupID: groupOther,
		Example: "  fettle help find\n  fettle help filter explain",
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) (names []string, _ cobra.ShellCompDirective) {
			if at, rest, err := root.Find(args); err == nil && len(rest) == 0 {
				for _, sub := range at.Commands() {
					if sub.IsAvailableCommand() {
						names = append(names, sub.Name()+"\t"+sub.Short)
					}
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			at, rest, err := root.Find(args)
			switch {
			case err != nil:
				return usage(unknownCommand(root, args[0]))
			case len(rest) > 0:
				return usage(unknownCommand(at, rest[0]))
			}
			at.InitDefaultHelpFlag()
			return at.Help()
		},
	}
}
