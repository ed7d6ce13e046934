package alerts

import _ "embed"

// subjectTemplate names the alert where there is one, and counts them where there are several.
const subjectTemplate = `{{if .Test}}[TEST] {{end}}{{if eq (len .Alerts) 1}}{{with index .Alerts 0}}` +
	`[{{if eq .State "resolved"}}OK{{else}}{{.Status}}{{end}}] {{.Summary}}{{end}}{{else}}` +
	`[{{len .Firing}} firing, {{len .Resolved}} resolved]{{range $i, $a := .Alerts}}{{if lt $i 5}} {{$a.Name}}{{end}}{{end}}{{end}}`

//go:embed mail.txt
var textTemplate string

//go:embed mail.html
var htmlTemplate string
