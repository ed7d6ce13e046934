package plugins

func nettestActions() []Action {
	host := Input{Name: "host", Description: "Name or address.", Type: String, Required: true, Pattern: `[A-Za-z0-9:_.%-]+`, MaxLength: 255}
	ms := func(name, description string) Output {
		return Output{Name: name, Description: description, Type: Float, Unit: "ms", Display: map[string]string{"dns": "DNS", "tls": "TLS"}[name]}
	}
	return []Action{
		{
			Name: "nettest.dns", Description: "Look a name up as this node does, or at a server that is named.", Idempotent: true, Timeout: 20_000,
			Inputs: []Input{
				{Name: "name", Description: "The name; for PTR, an address.", Type: String, Required: true, MaxLength: 255},
				{Name: "type", Description: "Which records.", Type: String, Default: "A", Enum: []string{"A", "AAAA", "CNAME", "MX", "NS", "PTR", "SRV", "TXT"}},
				{Name: "server", Description: "The server to ask, host or host:port; else those of the node.", Type: String, MaxLength: 255},
			},
			Outputs:   []Output{{Name: "answers", Description: "What it answered, sorted.", Type: List}, ms("took", "How long it took.")},
			Summaries: []Summary{{"answers", Histogram}, {"took", Average}, {"took", Max}},
		},
		{
			Name: "nettest.http", Description: "Fetch a page, and tell how long each part of it took. An answer of 400 or more is a failure.", Idempotent: true, Timeout: 30_000,
			Inputs: []Input{
				{Name: "url", Description: "http:// or https://.", Type: String, Required: true, Pattern: `https?://.+`, MaxLength: 4096},
				{Name: "insecure", Description: "Whether a certificate that cannot be trusted is taken.", Type: Bool, Default: false},
			},
			Outputs: []Output{
				{Name: "status", Description: "Status of the answer.", Type: Int},
				ms("dns", "Until the name was known."), ms("connect", "For the connection."), ms("tls", "For its encryption."),
				ms("first", "From the beginning until the first byte of the answer."), ms("took", "For all of it."),
				{Name: "size", Description: "Size of the answer, as far as it was read: 16 MiB at most.", Type: Int, Unit: "bytes"},
				{Name: "address", Description: "Who answered.", Type: String},
				{Name: "days", Description: "How long its certificate is valid yet.", Type: Int, Unit: "days", Display: "certificate valid"},
			},
			Summaries: []Summary{{"status", Histogram}, {"took", Average}, {"took", Max}, {"days", Min}},
		},
		{
			Name: "nettest.ping", Description: "Send ICMP echoes, by the node's own ping.", Idempotent: true, Timeout: 30_000,
			Inputs: []Input{host, {Name: "count", Description: "How many.", Type: Int, Default: int64(3), Min: number(1), Max: number(100)}},
			Outputs: []Output{
				{Name: "sent", Description: "How many were sent.", Type: Int},
				{Name: "received", Description: "How many came back.", Type: Int},
				{Name: "loss", Description: "How many did not.", Type: Float, Unit: "%"},
				ms("min", "The fastest."), ms("average", "On average."), ms("max", "The slowest."),
			},
			Summaries: []Summary{{"loss", Max}, {"average", Average}, {"max", Max}},
		},
		{
			Name: "nettest.tcp", Description: "Connect to a port, and hang up.", Idempotent: true, Timeout: 20_000,
			Inputs:    []Input{host, {Name: "port", Description: "Which.", Type: Int, Required: true, Min: number(1), Max: number(65535)}},
			Outputs:   []Output{{Name: "address", Description: "Who answered.", Type: String}, ms("took", "How long it took, the name included.")},
			Summaries: []Summary{{"took", Average}, {"took", Max}},
		},
	}
}

func httpActions() []Action {
	common := []Input{
		{Name: "url", Description: "http:// or https://.", Type: String, Required: true, Pattern: `https?://.+`, MaxLength: 4096},
		{Name: "headers", Description: "Headers to send: Name: value.", Type: List, Pattern: `[A-Za-z0-9-]+:.*`, MaxLength: 8192},
		{Name: "secret_headers", Description: "The same, for values that nobody may see.", Type: List, Pattern: `[A-Za-z0-9-]+:.*`, MaxLength: 8192, Secret: true},
		{Name: "redirects", Description: "How many redirections are followed; never from https to http.", Type: Int, Default: int64(5), Min: number(0), Max: number(20)},
		{Name: "insecure", Description: "Whether a certificate that cannot be trusted is taken.", Type: Bool, Default: false},
	}
	return []Action{
		{
			Name: "http.download", Description: "Fetch a file into its place, at once and whole.", Timeout: 600_000,
			Inputs: append(common[:len(common):len(common)],
				Input{Name: "path", Description: "Where it is to be, with an absolute path.", Type: String, Required: true, Pattern: `/.*`, MaxLength: 4096},
				Input{Name: "sha256", Description: "SHA-256 that it has to have. A file that is there and has it is not fetched.", Type: String, Pattern: `[0-9A-Fa-f]{64}`},
				Input{Name: "limit", Description: "The largest size that is taken, in MiB.", Type: Int, Default: int64(1024), Min: number(1), Max: number(1 << 20)},
				Input{Name: "mode", Description: "Its permissions, in octal; else those of the file that is there, or 0644.", Type: String, Pattern: `0?[0-7]{3,4}`},
			),
			Outputs: []Output{
				{Name: "changed", Description: "Whether another file is there now.", Type: Bool},
				{Name: "sha256", Description: "SHA-256 of the file as it is now.", Type: String, Display: "SHA-256"},
				{Name: "before", Description: "SHA-256 of the file that was there; empty: there was none.", Type: String},
				{Name: "size", Description: "Its size.", Type: Int, Unit: "bytes"},
				{Name: "took", Description: "How long it took.", Type: Float, Unit: "ms"},
			},
			Summaries: []Summary{{"changed", Histogram}, {"sha256", Histogram}},
		},
		{
			Name: "http.request", Description: "Send a request from the node. An answer of 400 or more is a failure.", Timeout: 60_000,
			Inputs: append(common[:len(common):len(common)],
				Input{Name: "method", Description: "Which.", Type: String, Default: "GET", Enum: []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}},
				Input{Name: "body", Description: "What to send.", Type: String, MaxLength: MaxFile},
				Input{Name: "ok", Description: "Statuses that count as success; else those below 400.", Type: List, Pattern: `[1-5][0-9][0-9]`},
			),
			Outputs: []Output{
				{Name: "status", Description: "Status of the answer.", Type: Int},
				{Name: "body", Description: "What it says: 64 KiB of it at most.", Type: String},
				{Name: "headers", Description: "Its headers: names in lower case, and values.", Type: Any},
				{Name: "size", Description: "Size of the whole, as far as it was read: 16 MiB at most.", Type: Int, Unit: "bytes"},
				{Name: "took", Description: "How long it took.", Type: Float, Unit: "ms"},
			},
			Summaries: []Summary{{"status", Histogram}, {"took", Average}, {"took", Max}},
		},
	}
}

func gitActions() []Action {
	return []Action{{
		Name: "git.checkout", Description: "Have a folder hold a branch, a tag or a commit of a repository. What somebody changed there by hand is a failure.", Timeout: 300_000,
		Inputs: []Input{
			{Name: "url", Description: "The repository: https://, http://, ssh://, git://, file://, user@host:path, or a path.", Type: String, Required: true, Pattern: `[A-Za-z0-9/~].*`, MaxLength: 4096},
			{Name: "path", Description: "The folder, with an absolute path.", Type: String, Required: true, Pattern: `/.+`, MaxLength: 4096},
			{Name: "ref", Description: "Branch, tag or commit; else the repository's own branch.", Type: String, Pattern: `[A-Za-z0-9_][A-Za-z0-9_./+@-]*`, MaxLength: 256},
			{Name: "clean", Description: "Whether what was changed there by hand is thrown away, files that are not the repository's too.", Type: Bool, Default: false},
			{Name: "submodules", Description: "Whether submodules are fetched too.", Type: Bool, Default: false},
			{Name: "user", Description: "User to run git as, and to whom the folder belongs; else the agent's own.", Type: String, Pattern: `[A-Za-z0-9_][A-Za-z0-9_.-]*`, MaxLength: 64},
		},
		Outputs: []Output{
			{Name: "changed", Description: "Whether it is another commit now.", Type: Bool},
			{Name: "commit", Description: "The commit that is there.", Type: String},
			{Name: "before", Description: "The commit that was there; empty: there was none.", Type: String},
			{Name: "ref", Description: "What was asked for, as the repository names it: refs/heads/main.", Type: String},
			{Name: "subject", Description: "First line of the commit's message.", Type: String},
			{Name: "date", Description: "When it was committed, RFC 3339.", Type: String},
			{Name: "dirty", Description: "Files that somebody has changed by hand.", Type: List, Display: "changed by hand"},
		},
		Summaries: []Summary{{"commit", Histogram}, {"changed", Histogram}},
	}}
}
