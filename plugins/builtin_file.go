package plugins

// MaxFile bounds what file.push and file.template write and file.fetch gives back, in bytes: it has to fit into one message.
const MaxFile = 256 << 10

func fileActions() []Action {
	path := Input{Name: "path", Description: "The file, with an absolute path.", Type: String, Required: true, Pattern: `/.*`, MaxLength: 4096}
	write := []Input{
		{Name: "mode", Description: "Its permissions, in octal; else those of the file that is there, or 0644.", Type: String, Pattern: `0?[0-7]{3,4}`},
		{Name: "owner", Description: "User to whom it belongs; else the one of the file that is there, or the agent's.", Type: String, MaxLength: 64},
		{Name: "group", Description: "Group to which it belongs; else as owner.", Type: String, MaxLength: 64},
		{Name: "directories", Description: "Whether folders that are missing are made.", Type: Bool, Default: false},
		{Name: "backup", Description: "Ending under which the file that is there is kept, such as .bak; else it is not.", Type: String, Pattern: `[.~][A-Za-z0-9._~-]*`, MaxLength: 32},
	}
	written := []Output{
		{Name: "changed", Description: "Whether anything is different now: content, permissions or owner.", Type: Bool},
		{Name: "sha256", Description: "SHA-256 of the file as it is now.", Type: String, Display: "SHA-256"},
		{Name: "before", Description: "SHA-256 of the file that was there; empty: there was none.", Type: String},
		{Name: "size", Description: "Its size.", Type: Int, Unit: "bytes"},
	}
	changes := []Summary{{"changed", Histogram}, {"sha256", Histogram}}
	return []Action{
		{
			Name: "file.checksum", Description: "Give the digest of a file.", Idempotent: true, Timeout: 120_000,
			Inputs: []Input{path, {Name: "algorithm", Description: "Which.", Type: String, Default: "sha256", Enum: []string{"sha256", "sha512", "sha1", "md5"}}},
			Outputs: []Output{
				{Name: "digest", Description: "Its digest, in hexadecimal.", Type: String},
				{Name: "size", Description: "Its size.", Type: Int, Unit: "bytes"},
			},
			Summaries: []Summary{{"digest", Histogram}},
		},
		{
			Name: "file.fetch", Description: "Give the content of a file.", Idempotent: true, Timeout: 60_000,
			Inputs: []Input{
				path,
				{Name: "offset", Description: "Where to begin, in bytes; below zero: so far before its end.", Type: Int, Default: int64(0)},
				{Name: "limit", Description: "How many bytes to give.", Type: Int, Default: int64(64 << 10), Min: number(1), Max: number(MaxFile)},
			},
			Outputs: []Output{
				{Name: "content", Description: "What it holds, when that is text.", Type: String},
				{Name: "base64", Description: "What it holds, in base64, when that is no text.", Type: String},
				{Name: "size", Description: "Size of the whole file.", Type: Int, Unit: "bytes"},
				{Name: "rest", Description: "How much follows behind what is given.", Type: Int, Unit: "bytes"},
				{Name: "sha256", Description: "SHA-256 of what is given.", Type: String, Display: "SHA-256"},
			},
			Summaries: []Summary{{"sha256", Histogram}},
		},
		{
			Name: "file.push", Description: "Put a file in its place, at once and whole.", Timeout: 60_000,
			Inputs: append([]Input{
				path,
				{Name: "content", Description: "What it is to hold.", Type: String, MaxLength: MaxFile},
				{Name: "base64", Description: "The same, in base64, for what is no text.", Type: String, Pattern: `[A-Za-z0-9+/=\s]*`, MaxLength: MaxFile * 4 / 3},
				{Name: "sha256", Description: "SHA-256 that the content has to have.", Type: String, Pattern: `[0-9A-Fa-f]{64}`},
			}, write...),
			Outputs: written, Summaries: changes,
		},
		{
			Name: "file.stat", Description: "Tell what a file is. One that is not there is no failure: exists says so.", Idempotent: true, Timeout: 20_000,
			Inputs: []Input{path},
			Outputs: []Output{
				{Name: "exists", Description: "Whether it is there.", Type: Bool},
				{Name: "type", Description: "file, directory, symlink, device, pipe or socket.", Type: String},
				{Name: "size", Description: "Its size.", Type: Int, Unit: "bytes"},
				{Name: "mode", Description: "Its permissions, in octal.", Type: String},
				{Name: "owner", Description: "User to whom it belongs.", Type: String},
				{Name: "group", Description: "Group to which it belongs.", Type: String},
				{Name: "modified", Description: "When it was last written, RFC 3339 in UTC.", Type: String},
				{Name: "age", Description: "How long ago that is.", Type: Int, Unit: "s"},
				{Name: "target", Description: "Where a symbolic link leads.", Type: String},
			},
			Summaries: []Summary{{"exists", Histogram}, {"size", Max}, {"mode", Histogram}},
		},
		{
			Name: "file.template", Description: "Write a file from a template of Go, in which .facts, .classes, .identity and .vars stand for what this node knows.", Timeout: 60_000,
			Inputs: append([]Input{
				path,
				{Name: "template", Description: "The template. A fact that the node does not have is a failure; .vars holds what vars gives.", Type: String, Required: true, MaxLength: MaxFile},
				{Name: "vars", Description: "Values of its own: name=value.", Type: List, Pattern: `(?s)[A-Za-z_][A-Za-z0-9_]*=.*`},
			}, write...),
			Outputs: written, Summaries: changes,
		},
	}
}
