package main

import "github.com/spf13/cobra"

// Groups of commands, as --help shows them.
const (
	groupAsk   = "ask"
	groupRoles = "roles"
	groupOther = "other"
)

// commands is every command there is.
func (a *app) commands() []*cobra.Command {
	return []*cobra.Command{
		a.findCommand(), a.factsCommand(), a.showCommand(), a.pingCommand(), a.sshCommand(), a.runCommand(), a.runsCommand(),
		a.checkCommand(), a.checksCommand(), a.filterCommand(), a.nodeCommand(), a.ansibleCommand(), a.nagiosCommand(), a.motdCommand(), a.promptCommand(),
		a.devCommand(), a.serverCommand(), a.agentCommand(), a.emulateCommand(), a.loginCommand(), a.logoutCommand(),
		a.configCommand(), a.tokenCommand(), a.joinTokenCommand(), a.enrolCommand(), a.serverKeyCommand(), a.userCommand(), a.policyCommand(), a.groupCommand(), a.silenceCommand(), a.alertsCommand(), a.pluginsCommand(), a.agentReleaseCommand(),
		a.auditCommand(), a.brokerCommand(), a.versionCommand(),
	}
}
