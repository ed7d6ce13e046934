package main

import "github.com/spf13/cobra"

// Groups of commands, as --help shows them.
const (
	groupAsk    = "ask"
	groupRun    = "run"
	groupChecks = "checks"
	groupPeople = "people"
	groupBridge = "bridge"
	groupRoles  = "roles"
	groupOther  = "other"
)

func commandGroups() []*cobra.Group {
	return []*cobra.Group{
		{ID: groupAsk, Title: "Ask what is there:"},
		{ID: groupRun, Title: "Do something on the nodes:"},
		{ID: groupChecks, Title: "Know what is wrong:"},
		{ID: groupPeople, Title: "Let machines and people in, and see what they do:"},
		{ID: groupBridge, Title: "Feed other programs:"},
		{ID: groupRoles, Title: "Run a part of Fettle:"},
		{ID: groupOther, Title: "About this program:"},
	}
}

// commands is every command there is.
func (a *app) commands() []*cobra.Command {
	return []*cobra.Command{
		a.factsCommand(), a.filterCommand(), a.findCommand(), a.nodeCommand(), a.showCommand(),
		a.pingCommand(), a.pluginsCommand(), a.runCommand(), a.runsCommand(), a.sshCommand(),
		a.alertsCommand(), a.checkCommand(), a.checksCommand(), a.groupCommand(), a.silenceCommand(), a.remediesCommand(),
		a.agentReleaseCommand(), a.auditCommand(), a.brokerCommand(), a.enrolCommand(), a.joinTokenCommand(), a.loginCommand(), a.logoutCommand(),
		a.policyCommand(), a.serverKeyCommand(), a.tokenCommand(), a.userCommand(),
		a.ansibleCommand(), a.motdCommand(), a.nagiosCommand(), a.prometheusCommand(), a.promptCommand(),
		a.agentCommand(), a.devCommand(), a.emulateCommand(), a.serverCommand(),
		a.configCommand(), a.versionCommand(),
	}
}
