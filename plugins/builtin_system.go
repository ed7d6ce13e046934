package plugins

func puppetActions() []Action {
	last := []Output{
		{Name: "changed", Description: "Resources that were changed.", Type: Int},
		{Name: "failed", Description: "Resources that could not be.", Type: Int},
		{Name: "out_of_sync", Description: "Resources that were not as they ought to be.", Type: Int, Display: "out of sync"},
		{Name: "resources", Description: "Resources in all.", Type: Int},
		{Name: "duration", Description: "How long the run took.", Type: Float, Unit: "s"},
		{Name: "last_run", Description: "When it ended, RFC 3339 in UTC.", Type: String, Display: "last run"},
		{Name: "age", Description: "How long ago that is.", Type: Int, Unit: "s"},
		{Name: "version", Description: "Version of the catalogue.", Type: String, Display: "catalogue"},
	}
	state := []Output{
		{Name: "enabled", Description: "Whether Puppet may run.", Type: Bool},
		{Name: "message", Description: "Why it may not.", Type: String, Display: "disabled because"},
		{Name: "running", Description: "Whether it runs now.", Type: Bool},
	}
	changed := Output{Name: "changed", Description: "Whether it was otherwise before.", Type: Bool}
	runs := []Summary{{"changed", Sum}, {"failed", Sum}, {"duration", Average}, {"duration", Max}}
	return []Action{
		{
			Name: "puppet.disable", Description: "Forbid Puppet to run.", Timeout: 60_000,
			Inputs:  []Input{{Name: "message", Description: "Why, for those who wonder.", Type: String, MaxLength: 1024}},
			Outputs: append(state[:len(state):len(state)], changed),
		},
		{Name: "puppet.enable", Description: "Allow Puppet to run.", Timeout: 60_000, Outputs: append(state[:len(state):len(state)], changed)},
		{
			Name: "puppet.last_run_summary", Description: "Tell what Puppet's last run did.", Idempotent: true, Timeout: 60_000,
			Outputs: append(last[:len(last):len(last)], Output{Name: "summary", Description: "The whole summary, as Puppet wrote it.", Type: Any}), Summaries: runs,
		},
		{
			Name: "puppet.resource", Description: "Tell of resources of any type that Puppet knows, or have one be as it ought to.", Timeout: 300_000,
			Inputs: []Input{
				{Name: "type", Description: "The type: user, package, cron.", Type: String, Required: true, Pattern: `[a-z][a-z0-9_]*(::[a-z][a-z0-9_]*)*`, MaxLength: 128},
				{Name: "name", Description: "Which of them; else all.", Type: String, Pattern: `[^-].*`, MaxLength: 1024},
				{Name: "attributes", Description: "How it ought to be: ensure=present.", Type: List, Pattern: `[a-z][a-z0-9_]*=.*`, MaxLength: 4096},
			},
			Outputs: []Output{
				{Name: "resources", Description: "What Puppet says of each, by its name.", Type: Any},
				{Name: "count", Description: "How many there are.", Type: Int},
				{Name: "changes", Description: "What was changed, in Puppet's words.", Type: List},
			},
			Summaries: []Summary{{"count", Sum}},
		},
		{
			Name: "puppet.runonce", Description: "Have Puppet's agent run once, and tell what it did. Resources that could not be made right are a failure.", Timeout: 1_800_000,
			Busy: `"puppet.runonce" in agent.running`,
			Inputs: []Input{
				{Name: "noop", Description: "Whether it only says what it would do.", Type: Bool, Default: false},
				{Name: "environment", Description: "Environment of Puppet.", Type: String, Pattern: `[a-z0-9_]+`, MaxLength: 128},
				{Name: "tags", Description: "Only resources that have one of these.", Type: List, Pattern: `[A-Za-z0-9_][A-Za-z0-9_:.-]*`, MaxLength: 256},
				{Name: "server", Description: "The server to ask; else the node's own.", Type: String, Pattern: `[A-Za-z0-9][A-Za-z0-9.:-]*`, MaxLength: 255},
				{Name: "manifest", Description: "A manifest on the node to apply, in the place of what a server says.", Type: String, Pattern: `/.+`, MaxLength: 4096},
			},
			Outputs: append(last[:len(last):len(last)], Output{Name: "output", Description: "What Puppet printed: beginning and end.", Type: String}), Summaries: runs,
		},
		{
			Name: "puppet.status", Description: "Tell whether Puppet may run, runs, and when it last did.", Idempotent: true, Timeout: 60_000,
			Outputs: append(state[:len(state):len(state)], last[5], last[6]), Summaries: []Summary{{"enabled", Histogram}, {"running", Histogram}, {"age", Max}},
		},
	}
}

func factsActions() []Action {
	name := Input{Name: "name", Description: "The fact, a path: role, or site.rack; odd names are quoted.", Type: String, Required: true, MaxLength: 1024}
	outputs := []Output{
		{Name: "changed", Description: "Whether it was otherwise before.", Type: Bool},
		{Name: "hash", Description: "Hash of the facts document as it is published now.", Type: String},
	}
	return []Action{
		{
			Name: "facts.set", Description: "Set an external fact of the node, in a file of our own, and publish it.", Timeout: 60_000,
			Inputs: []Input{
				name,
				{Name: "value", Description: "Its value.", Type: String, Required: true, MaxLength: 64 << 10},
				{Name: "as", Description: "What the value is: text, JSON, or auto: true, false and numbers as such, all else as text.", Type: String, Default: "auto", Enum: []string{"auto", "text", "json"}},
			},
			Outputs: outputs,
		},
		{Name: "facts.unset", Description: "Take away an external fact that was set by facts.set.", Timeout: 60_000, Inputs: []Input{name}, Outputs: outputs},
	}
}

func userActions() []Action {
	name := Input{Name: "name", Description: "Name of the user.", Type: String, Required: true, Pattern: `[a-z_][a-z0-9_.-]{0,31}\$?`}
	state := []Output{
		{Name: "exists", Description: "Whether there is such a user.", Type: Bool},
		{Name: "uid", Description: "Its number.", Type: Int, Display: "user id"},
		{Name: "gid", Description: "Number of its first group.", Type: Int, Display: "group id"},
		{Name: "group", Description: "Its first group.", Type: String},
		{Name: "groups", Description: "Its other groups.", Type: List},
		{Name: "home", Description: "Its home.", Type: String},
		{Name: "shell", Description: "Its shell.", Type: String},
		{Name: "comment", Description: "Its full name, or what else stands there.", Type: String},
	}
	changed := Output{Name: "changed", Description: "Whether anything is different now.", Type: Bool}
	return []Action{
		{
			Name: "user.absent", Description: "Have a user not be there.", Timeout: 60_000,
			Inputs:  []Input{name, {Name: "remove_home", Description: "Whether its home goes too.", Type: Bool, Default: false}},
			Outputs: []Output{changed, state[0]}, Summaries: []Summary{{"changed", Histogram}},
		},
		{
			Name: "user.present", Description: "Have a user be there, as it is described; what is not said stays as it is.", Timeout: 60_000,
			Inputs: []Input{
				name,
				{Name: "uid", Description: "Its number.", Type: Int, Min: number(1), Max: number(1<<32 - 2)},
				{Name: "group", Description: "Its first group; it has to be there.", Type: String, Pattern: `[A-Za-z0-9_][A-Za-z0-9_.-]*`, MaxLength: 64},
				{Name: "groups", Description: "Its other groups, all of them.", Type: List, Pattern: `[A-Za-z0-9_][A-Za-z0-9_.-]*`, MaxLength: 64},
				{Name: "home", Description: "Its home.", Type: String, Pattern: `/[^:\n]*`, MaxLength: 4096},
				{Name: "shell", Description: "Its shell.", Type: String, Pattern: `/[^:\n]*`, MaxLength: 4096},
				{Name: "comment", Description: "Its full name.", Type: String, Pattern: `[^:\n]*`, MaxLength: 256},
				{Name: "password", Description: "Its password, as crypt(3) makes it for /etc/shadow.", Type: String, Pattern: `[^:\n]+`, MaxLength: 512, Secret: true},
				{Name: "system", Description: "Whether a new one is a user of the system: a low number, no home.", Type: Bool, Default: false},
			},
			Outputs: append([]Output{changed}, state...), Summaries: []Summary{{"changed", Histogram}, {"uid", Histogram}},
		},
		{
			Name: "user.status", Description: "Tell whether there is a user, and how it is. It is ok whichever it is.", Idempotent: true, Timeout: 20_000,
			Inputs: []Input{name}, Outputs: state, Summaries: []Summary{{"exists", Histogram}, {"uid", Histogram}},
		},
	}
}
