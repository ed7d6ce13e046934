package plugins

func agentActions() []Action {
	return []Action{
		{
			Name: "agent.facts", Description: "Collect the node's facts again, and publish them.", Idempotent: true, Slotless: true, Timeout: 60_000,
			Outputs: []Output{{Name: "hash", Description: "Hash of the facts document.", Type: String}},
		},
		{
			Name: "agent.inventory", Description: "Tell what the agent itself is: version, uptime, what it can do, what it uses.", Idempotent: true, Timeout: 10_000,
			Outputs: []Output{
				{Name: "version", Description: "Version of the agent.", Type: String},
				{Name: "go", Description: "Version of Go that it was built with.", Type: String},
				{Name: "os", Description: "Operating system, as Go names it.", Type: String},
				{Name: "arch", Description: "Architecture, as Go names it.", Type: String},
				{Name: "pid", Description: "Its process id.", Type: Int},
				{Name: "uptime", Description: "How long it has been running.", Type: Int, Unit: "s"},
				{Name: "memory", Description: "Memory that it holds and shares with nobody; 0: not known on this system.", Type: Int, Unit: "bytes"},
				{Name: "goroutines", Description: "Its goroutines.", Type: Int},
				{Name: "actions", Description: "The actions that it offers.", Type: List},
				{Name: "commands", Description: "The check commands that it offers.", Type: List, Display: "check commands"},
			},
			Summaries: []Summary{{"version", Histogram}, {"memory", Max}, {"memory", Average}},
		},
		{
			Name: "agent.ping", Description: "Answer at once, to show that the node is there.", Idempotent: true, Slotless: true, Timeout: 10_000,
			Outputs: []Output{
				{Name: "time", Description: "The node's clock, in milliseconds since 1970 UTC.", Type: Int, Unit: "ms"},
				{Name: "version", Description: "Version of the agent.", Type: String},
				{Name: "os", Description: "Operating system, as Go names it.", Type: String},
				{Name: "arch", Description: "Architecture, as Go names it.", Type: String},
			},
			Summaries: []Summary{{"version", Histogram}},
		},
		{
			Name: "agent.restart", Description: "Have the agent begin again, as the program that is installed now, once this result is kept.", Timeout: 10_000,
			Outputs: []Output{{Name: "pid", Description: "Its process id, which stays the same.", Type: Int}},
		},
		{
			Name:        "agent.upgrade",
			Description: "Have the agent become a version that was pushed by fettle agent-release push. When the new one is not welcomed by the server in time, the old one is put back.",
			Timeout:     180_000,
			Inputs: []Input{
				{Name: "version", Description: "Which.", Type: String, Required: true, Pattern: `[0-9A-Za-z][0-9A-Za-z.+-]{0,63}`},
				{Name: "wait", Description: "How long the new one has to be welcomed, in seconds.", Type: Int, Default: int64(60), Min: number(2), Max: number(600)},
			},
			Outputs: []Output{
				{Name: "before", Description: "The version that it was.", Type: String},
				{Name: "version", Description: "The version that it is.", Type: String},
			},
			Summaries: []Summary{{"version", Histogram}},
		},
	}
}
