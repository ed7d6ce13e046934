package plugins

func serviceActions() []Action {
	name := Input{Name: "name", Description: "Name of the service, as systemd or the folder init.d has it.", Type: String, Required: true, Pattern: `[A-Za-z0-9_][A-Za-z0-9_.@:\\-]*`, MaxLength: 256}
	state := []Output{
		{Name: "state", Description: "How it is now: running, stopped, failed, starting, stopping or unknown.", Type: String},
		{Name: "enabled", Description: "Whether it is started with the machine: enabled, disabled, static, masked or unknown.", Type: String},
		{Name: "pid", Description: "Its main process; 0: none, or not known.", Type: Int},
		{Name: "manager", Description: "What keeps services here: systemd or sysv.", Type: String},
	}
	change := append([]Output{
		{Name: "changed", Description: "Whether it is another state now than before.", Type: Bool},
		{Name: "before", Description: "How it was before.", Type: String},
	}, state...)
	change = append(change, Output{Name: "output", Description: "What the command printed.", Type: String})
	action := func(verb, description string) Action {
		return Action{
			Name: "service." + verb, Description: description, Timeout: 120_000, Inputs: []Input{name}, Outputs: change,
			Summaries: []Summary{{"state", Histogram}, {"changed", Histogram}},
		}
	}
	return []Action{
		action("disable", "Have a service not be started with the machine."),
		action("enable", "Have a service be started with the machine."),
		action("reload", "Have a service read its configuration again."),
		action("restart", "Stop a service and start it."),
		action("start", "Start a service that is not running."),
		{
			Name: "service.status", Description: "Tell whether a service is running. It is ok whichever it is; a service that is not there is a failure.", Idempotent: true, Timeout: 30_000,
			Inputs: []Input{name}, Outputs: append(state[:len(state):len(state)], Output{Name: "output", Description: "What its status command printed.", Type: String}),
			Summaries: []Summary{{"state", Histogram}, {"enabled", Histogram}},
		},
		action("stop", "Stop a service that is running."),
	}
}
