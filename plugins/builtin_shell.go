package plugins

// childInputs are those of every action that runs a program that somebody names.
func childInputs() []Input {
	return []Input{
		{Name: "cwd", Description: "Folder to run in; else the root folder.", Type: String, Pattern: `/.*`, MaxLength: 4096},
		{Name: "user", Description: "User to run as; else the agent's own. Only an agent that is root can choose.", Type: String, Pattern: `[A-Za-z0-9_][A-Za-z0-9_.-]*`, MaxLength: 64},
		{Name: "env", Description: "Variables to add to an environment that has PATH, HOME, USER, LOGNAME, LANG only: NAME=value.", Type: List, Pattern: `(?s)[A-Za-z_][A-Za-z0-9_]*=.*`},
		{Name: "secret_env", Description: "The same, for values that nobody may see.", Type: List, Pattern: `(?s)[A-Za-z_][A-Za-z0-9_]*=.*`, Secret: true},
		{Name: "stdin", Description: "What the command reads from its standard input; else nothing.", Type: String, MaxLength: 256 << 10},
		{Name: "nice", Description: "How far its priority is lowered, or raised when below zero.", Type: Int, Min: number(-20), Max: number(19)},
		{Name: "io", Description: "Its priority for disks: low is the lowest of the ordinary ones, idle waits for everybody else.", Type: String, Enum: []string{"low", "idle"}},
		{Name: "memory", Description: "Memory that it and all that it starts may use together, in MiB, where the machine can limit it.", Type: Int, Min: number(1), Max: number(1 << 30)},
		{Name: "cpu", Description: "Processor time that they may use, in percent of one processor, where the machine can limit it.", Type: Int, Min: number(1), Max: number(100_000)},
		{Name: "processes", Description: "How many they may be, where the machine can limit it.", Type: Int, Min: number(1), Max: number(1 << 22)},
		{Name: "ok", Description: "Exit codes that count as success; else 0 alone.", Type: List, Pattern: `[0-9]{1,3}`},
	}
}

func childOutputs() []Output {
	return []Output{
		{Name: "exitcode", Description: "What it exited with; -1: it was ended by a signal.", Type: Int, Display: "exit code"},
		{Name: "stdout", Description: "What it printed: beginning and end, when it is more than 64 KiB.", Type: String, Display: "output"},
		{Name: "stderr", Description: "What it said on standard error: beginning and end, when it is more than 16 KiB.", Type: String, Display: "errors"},
		{Name: "signal", Description: "The signal that ended it, such as KILL.", Type: String},
		{Name: "cut", Description: "How much of what it printed was left out.", Type: Int, Unit: "bytes", Display: "left out"},
		{Name: "notes", Description: "Which limits this machine cannot keep.", Type: List},
	}
}

func shellActions() []Action {
	summaries := []Summary{{"exitcode", Histogram}}
	run := []Input{{Name: "command", Description: "Command line for the shell.", Type: String, Required: true, MaxLength: 32 << 10}}
	script := []Input{
		{Name: "script", Description: "Text of the script. Its first line may name the interpreter: #!/usr/bin/python3.", Type: String, Required: true, MaxLength: 256 << 10},
		{Name: "args", Description: "Arguments of the script, as they are.", Type: List, MaxLength: 8192},
		{Name: "interpreter", Description: "Program that runs it; else what its first line says, else /bin/sh.", Type: String, Pattern: `/.*`, MaxLength: 4096},
	}
	return []Action{
		{
			Name: "shell.run", Description: "Run a command line by the shell, and give back what it printed.", Timeout: 60_000,
			Inputs: append(run, childInputs()...), Outputs: childOutputs(), Summaries: summaries,
		},
		{
			Name: "shell.script", Description: "Run a script that is sent along, and give back what it printed.", Timeout: 300_000,
			Inputs: append(script, childInputs()...), Outputs: childOutputs(), Summaries: summaries,
		},
	}
}

func processActions() []Action {
	found := []Output{
		{Name: "count", Description: "How many there are.", Type: Int, Display: "processes"},
		{Name: "processes", Description: "Each with pid, user, memory in bytes, state, age in seconds, command.", Type: Any},
		{Name: "memory", Description: "Memory that they have in use, those pages twice that two of them share.", Type: Int, Unit: "bytes"},
	}
	summaries := []Summary{{"count", Sum}, {"memory", Sum}, {"memory", Max}}
	who := []Input{
		{Name: "pattern", Description: "Regular expression (RE2) that the command line has to match somewhere.", Type: String, MaxLength: 1024},
		{Name: "user", Description: "User that they run as, by name or number.", Type: String, MaxLength: 64},
	}
	return []Action{
		{
			Name: "process.grep", Description: "Find processes by their command line.", Idempotent: true, Timeout: 20_000,
			Inputs: []Input{required(who[0]), who[1]}, Outputs: found, Summaries: summaries,
		},
		{
			Name: "process.list", Description: "List processes, the largest first.", Idempotent: true, Timeout: 20_000,
			Inputs: []Input{who[1], {Name: "limit", Description: "How many to list.", Type: Int, Default: int64(50), Min: number(1), Max: number(2000)}}, Outputs: found, Summaries: summaries,
		},
		{
			Name: "process.signal", Description: "Send a signal to processes, by number or by what their command line matches. It never reaches the agent itself, or process 1.", Timeout: 20_000,
			Inputs: []Input{
				{Name: "signal", Description: "Which.", Type: String, Default: "TERM", Enum: []string{"TERM", "HUP", "INT", "KILL", "QUIT", "USR1", "USR2", "STOP", "CONT"}},
				{Name: "pid", Description: "Process ids.", Type: List, Pattern: `[0-9]{1,10}`},
				who[0], who[1],
			},
			Outputs: []Output{
				{Name: "count", Description: "How many were reached.", Type: Int, Display: "reached"},
				{Name: "processes", Description: "Those that were reached, as process.list has them.", Type: Any},
				{Name: "failed", Description: "Those that could not be, and why.", Type: List},
			},
			Summaries: []Summary{{"count", Sum}},
		},
	}
}

// required gives the input as one that has to be given.
func required(in Input) Input {
	in.Required = true
	return in
}
