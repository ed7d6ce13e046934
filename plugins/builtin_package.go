package plugins

func packageActions() []Action {
	name := Input{Name: "name", Description: "Name of the package.", Type: String, Required: true, Pattern: `[A-Za-z0-9][A-Za-z0-9+._:@-]*`, MaxLength: 256}
	version := Input{Name: "version", Description: "The version to have, exactly, older ones too; else the newest that there is.", Type: String, Pattern: `[A-Za-z0-9][A-Za-z0-9+._:~^-]*`, MaxLength: 256}
	changed := []Output{
		{Name: "changed", Description: "Whether anything is different now.", Type: Bool},
		{Name: "version", Description: "Version that is installed now; empty: none.", Type: String},
		{Name: "before", Description: "Version that was installed before; empty: none.", Type: String},
		{Name: "changes", Description: "Every package that came, went or has another version now, those that it brought along too.", Type: List},
		{Name: "reboot", Description: "Whether the machine says that it has to be started again.", Type: Bool, Display: "reboot needed"},
		{Name: "manager", Description: "What keeps packages here: apt, dnf, yum or apk.", Type: String},
		{Name: "output", Description: "What the command printed, when it says no.", Type: String},
	}
	summaries := []Summary{{"version", Histogram}, {"changed", Histogram}}
	change := func(verb, description string, inputs ...Input) Action {
		return Action{Name: "package." + verb, Description: description, Timeout: 600_000, Inputs: inputs, Outputs: changed, Summaries: summaries}
	}
	return []Action{
		{
			Name: "package.checkupdates", Description: "List packages of which there is a newer version, by what the node knows already.", Idempotent: true, Timeout: 120_000,
			Outputs: []Output{
				{Name: "count", Description: "How many there are.", Type: Int, Display: "updates"},
				{Name: "security", Description: "How many of them come from a security archive, where the archive says so.", Type: Int, Display: "security updates"},
				{Name: "updates", Description: "Each with name, installed, available, origin.", Type: Any},
				{Name: "manager", Description: "What keeps packages here: apt, dnf, yum or apk.", Type: String},
			},
			Summaries: []Summary{{"count", Sum}, {"count", Max}, {"security", Sum}},
		},
		change("install", "Install a package, or have it in the version that is given. It waits for others who work with packages.", name, version),
		change("purge", "Remove a package, its configuration too where the system keeps it apart.", name),
		{
			Name: "package.refresh", Description: "Fetch the lists of packages that there are.", Timeout: 300_000,
			Outputs: []Output{
				{Name: "manager", Description: "What keeps packages here: apt, dnf, yum or apk.", Type: String},
				{Name: "output", Description: "What the command printed, when it says no.", Type: String},
			},
		},
		change("remove", "Remove a package.", name),
		{
			Name: "package.status", Description: "Tell whether a package is installed, and in which version. It is ok whichever it is.", Idempotent: true, Timeout: 60_000,
			Inputs: []Input{name},
			Outputs: []Output{
				{Name: "installed", Description: "Whether it is.", Type: Bool},
				{Name: "version", Description: "Version that is installed; empty: none.", Type: String},
				{Name: "manager", Description: "What keeps packages here: apt, dnf, yum or apk.", Type: String},
			},
			Summaries: []Summary{{"version", Histogram}, {"installed", Histogram}},
		},
		change("update", "Bring an installed package to its newest version.", name),
	}
}
